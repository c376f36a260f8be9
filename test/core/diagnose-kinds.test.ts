import { expect, test } from "bun:test";
import { diagnose } from "../../src/core/diagnose.ts";
import type { FindingKind } from "../../src/core/findings.ts";
import type { SyncSnapshot } from "../../src/core/snapshot.ts";
import { batchId, HOUR_MS, leaseToken, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { ago, ahead, NOW, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

const kindsOf = (snapshot: SyncSnapshot, rules = rulesWith()): FindingKind[] =>
  diagnose(snapshot, rules).map((finding) => finding.kind);

const page = (number: number) => pendingBatch({ number, type: "discovery" });
const DISCOVERY = { plan: { phase: "discovery", listComplete: false } } as const;

test("of two live pages of one list the older goes on, and the younger is cancelled, whichever of them runs", () => {
  const running = processingBatch({ number: 6, type: "discovery" });
  const findings = diagnose(snapshotWith([page(4), running], DISCOVERY), rulesWith());
  expect(findings).toMatchObject([
    {
      kind: "twin_batches",
      batchId: 46,
      evidence: { older_batch_id: 44, older_batch_number: 4, page: 1, batches: 1 },
      message: "Batch 6 is live beside batch 4, and both would read on at the same place of the list.",
      remedy: { do: "cancel_batches", batches: [{ batchId: 46 }] },
    },
  ]);
  expect(kindsOf(snapshotWith([page(4)], DISCOVERY))).toEqual([]);
  expect(diagnose(snapshotWith([page(4), page(5), page(6)], DISCOVERY), rulesWith())[0]?.remedy).toEqual({
    do: "cancel_batches",
    batches: [{ batchId: batchId(45) }, { batchId: batchId(46) }],
  });
});

test("batches of enrichment are no twins, however many are live", () => {
  expect(kindsOf(snapshotWith([pendingBatch({ number: 4 }), pendingBatch({ number: 5 })]))).toEqual([]);
});

const unserved = (count: number, exhaustedSize?: number) => ({ unserved: [{ exhaustedSize, count }] });

test("races bound to a batch that will never take them are stray while others go on, and are unbound", () => {
  const strayRaces = { count: 3, batchId: batchId(41) };
  const findings = diagnose(snapshotWith([pendingBatch()], { plan: unserved(3), strayRaces }), rulesWith());
  expect(findings).toMatchObject([
    {
      kind: "stray_race",
      batchId: 41,
      evidence: { races_stray: 3, races_pending: 15, live_batches: 1 },
      message: "3 races need enrichment, but are bound to a batch that has ended or is not of this sync.",
      remedy: { do: "unbind_races" },
    },
  ]);
});

test("where nothing is live, or other races are unserved as well, batches are missing, whatever races are stray", () => {
  const strayRaces = { count: 3, batchId: batchId(41) };
  const withLive = (count: number, live: boolean) =>
    kindsOf(snapshotWith(live ? [pendingBatch()] : [], { plan: { racesPending: 20, ...unserved(count) }, strayRaces }));
  expect(withLive(3, true)).toEqual(["stray_race"]);
  expect(withLive(4, true)).toEqual(["missing_enrichment_batches"]);
  expect(withLive(3, false)).toEqual(["missing_enrichment_batches"]);
  for (const size of [8, 1]) {
    const plan = unserved(3, size);
    expect(kindsOf(snapshotWith([pendingBatch()], { plan, strayRaces }))).toEqual(["exhausted_batches"]);
  }
  expect(kindsOf(snapshotWith([pendingBatch()], { strayRaces, isPaused: true, plan: unserved(3) }))).toEqual([]);
});

test("a lease that this process gave, and whose worker lives, is neither expired nor impossible, whatever the clock did", () => {
  const lease = leaseToken("ours");
  for (const leaseExpiresAtMs of [ago(HOUR_MS), NOW, ahead(9 * HOUR_MS)]) {
    const snapshot = snapshotWith([processingBatch({ leaseToken: lease, leaseExpiresAtMs })]);
    expect(kindsOf(snapshot)).toHaveLength(1);
    const id = snapshot.liveBatches[0]?.id ?? batchId(1);
    expect(kindsOf(snapshot, rulesWith({ ownLeases: new Map([[lease, id]]) }))).toEqual([]);
    // The lease of another batch: a hand has been there.
    expect(kindsOf(snapshot, rulesWith({ ownLeases: new Map([[lease, batchId(id + 1)]]) }))).toHaveLength(1);
  }
});

test("a worker that lives and does nothing is found also when its lease could not be renewed", () => {
  const lease = leaseToken("ours");
  const batch = processingBatch({ leaseToken: lease, leaseExpiresAtMs: ago(1), leasedAtMs: ago(HOUR_MS) });
  const snapshot = snapshotWith([batch], { lastProgressAtMs: ago(HOUR_MS) });
  expect(kindsOf(snapshot, rulesWith({ ownLeases: new Map([[lease, batch.id]]) }))).toEqual(["no_progress"]);
});

test("after the clock was set back, moments in the future hide no stall: its age counts from when that was noticed", () => {
  const batch = processingBatch({ leasedAtMs: ahead(5 * HOUR_MS) });
  const idle = snapshotWith([batch], { lastProgressAtMs: ahead(5 * HOUR_MS) });
  const queued = snapshotWith([pendingBatch({ runAfterMs: ago(HOUR_MS), createdAtMs: ahead(5 * HOUR_MS) })], {
    lastProgressAtMs: ahead(5 * HOUR_MS),
  });
  const noticed = (agoMs: number) =>
    rulesWith({ ageProvesNothingUntilMs: ago(agoMs), lastClaimAtMs: ahead(5 * HOUR_MS) });
  expect(kindsOf(idle, noticed(20 * MINUTE_MS))).toEqual([]);
  expect(kindsOf(idle, noticed(20 * MINUTE_MS + 1))).toEqual(["no_progress"]);
  expect(kindsOf(queued, noticed(20 * MINUTE_MS))).toEqual([]);
  expect(kindsOf(queued, noticed(20 * MINUTE_MS + 1))).toEqual(["queued_too_long"]);
});

test("a clock that was set back by so little that nobody noticed makes nothing old", () => {
  for (const aheadMs of [1, 10 * MINUTE_MS]) {
    const batch = processingBatch({ leasedAtMs: ago(9 * HOUR_MS) });
    expect(kindsOf(snapshotWith([batch], { lastProgressAtMs: ahead(aheadMs) }))).toEqual([]);
  }
});

test("no age is counted from before the daemon was there to act", () => {
  const idle = snapshotWith([processingBatch({ leasedAtMs: ago(9 * HOUR_MS) })], {
    lastProgressAtMs: ago(9 * HOUR_MS),
  });
  const findings = diagnose(idle, rulesWith({ ageProvesNothingUntilMs: ago(21 * MINUTE_MS) }));
  expect(findings).toMatchObject([{ kind: "no_progress", evidence: { idle_ms: 21 * MINUTE_MS } }]);
  expect(kindsOf(idle, rulesWith({ ageProvesNothingUntilMs: ago(20 * MINUTE_MS) }))).toEqual([]);
});

test("durations are said in seconds, minutes and hours", () => {
  const wait = (waitMs: number) =>
    diagnose(snapshotWith([pendingBatch({ runAfterMs: ahead(waitMs) })]), rulesWith())[0]?.message;
  expect(wait(119 * SECOND_MS)).toContain("119 s more");
  expect(wait(2 * MINUTE_MS)).toContain("2 min more");
  expect(wait(119 * MINUTE_MS)).toContain("119 min more");
  expect(wait(2 * HOUR_MS)).toContain("2 h more");
});
