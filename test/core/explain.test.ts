import { expect, test } from "bun:test";
import type { DiagnosisRules } from "../../src/core/diagnose.ts";
import { explainProcessing, explainQueue, whatWaits } from "../../src/core/explain.ts";
import type { SyncSnapshot } from "../../src/core/snapshot.ts";
import { describeState } from "../../src/core/status.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { ago, ahead, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

const explain = (snapshot: SyncSnapshot, rules: Partial<DiagnosisRules> = {}) =>
  describeState(snapshot, { healing: "automatic", ...rulesWith(rules) }).explanation;

test("a sync that a worker is busy with says by which signs of life, and when it would count as stalled", () => {
  const batch = processingBatch({ leasedAtMs: ago(3 * MINUTE_MS), heartbeatAtMs: ago(4 * SECOND_MS) });
  expect(explain(snapshotWith([batch], { lastProgressAtMs: ago(5 * MINUTE_MS) }))).toBe(
    "Batch 4 is running: last sign of life 4 s ago, lease good for 50 s more, last progress 5 min ago. It counts as stalled after 20 min without progress: in 17 min, if nothing happens.",
  );
});

test("a sync that waits for the day's quota says until when, and what waits", () => {
  const until = ahead(HOUR_MS);
  const batch = pendingBatch({ waitReason: "quota_daily", runAfterMs: until, waitsUntilMs: until });
  expect(explain(snapshotWith([batch]))).toBe(
    "Strava's quota of this day is used up; it goes on at 2025-11-17 00:12:52 UTC. 15 races in 1 batch wait.",
  );
  const list = snapshotWith([{ ...batch, type: "discovery" }], { plan: { phase: "discovery", listComplete: false } });
  expect(explain(list)).toContain("1 batch of its list waits.");
  // A snapshot shows a page of the live batches; what waits is all of them.
  const many = snapshotWith([batch], { plan: { racesPending: 9_000 }, counts: { pending: 600 } });
  expect(explain(many)).toContain("9000 races in 600 batches wait.");
});

test("a sync in the queue says what it stands behind", () => {
  expect(explain(snapshotWith([pendingBatch()], { lastProgressAtMs: ago(HOUR_MS) }), { isFull: true })).toBe(
    "Batch 4 has been due for 30 s, and every worker is busy; it runs as soon as one is free.",
  );
  expect(explain(snapshotWith([pendingBatch()]))).toContain("the last batch was claimed 5 s ago");
});

test("while age proves nothing, that is said, and for how long", () => {
  const rules = { ageProvesNothingUntilMs: ahead(42 * SECOND_MS) };
  const words = "so age proves nothing for 42 s more.";
  expect(explain(snapshotWith([processingBatch()]), rules)).toContain(words);
  expect(explain(snapshotWith([pendingBatch()]), rules)).toContain(words);
});

test("after the clock was set back no age is negative", () => {
  const snapshot = snapshotWith([processingBatch({ leasedAtMs: ahead(HOUR_MS), heartbeatAtMs: ahead(HOUR_MS) })], {
    lastProgressAtMs: ahead(HOUR_MS),
  });
  const words = explain(snapshot, { ageProvesNothingUntilMs: ago(MINUTE_MS) });
  expect(words).toContain("last progress before the clock was set back");
  expect(words).toContain("in 19 min, if nothing happens");
  expect(words).not.toMatch(/-\d/);
});

test("a sync that somebody holds says who can let it go on, and a stalled one what is wrong and why it does not just wait", () => {
  expect(explain(snapshotWith([pendingBatch()], { isPaused: true }))).toContain("Paused; it goes on when somebody");
  expect(explain(snapshotWith([pendingBatch()]), { isClaiming: false })).toContain("The whole daemon is paused");
  expect(explain(snapshotWith([]))).toBe(
    "Nothing is left to do, but the sync is still in progress. No live batch will do this, so no time that passes can move it.",
  );
});

test("signs of life that a row does not hold are left out, and so is a lease that has ended", () => {
  const stillGood = "Batch 4 is running: last sign of life 10 s ago, lease good for 0 s more, last progress 20 s ago.";
  const noLease = "Batch 4 is running: last sign of life 10 s ago, last progress 20 s ago.";
  const wordsOf = (values: Parameters<typeof processingBatch>[0]) =>
    explainProcessing(snapshotWith([processingBatch(values)]), rulesWith());
  expect(wordsOf({ leaseExpiresAtMs: ahead(1) })).toStartWith(stillGood);
  expect(wordsOf({ leaseExpiresAtMs: ahead(0) })).toStartWith(noLease);
  expect(wordsOf({ leaseExpiresAtMs: null })).toStartWith(noLease);
  expect(wordsOf({ heartbeatAtMs: null })).toStartWith(
    "Batch 4 is running: lease good for 50 s more, last progress 20 s ago.",
  );
  expect(wordsOf({ heartbeatAtMs: ago(0) })).toContain("last sign of life 0 s ago");
  expect(wordsOf({ heartbeatAtMs: ahead(1) })).toContain("last sign of life before the clock was set back");
});

test("the first of the batches that run is told of, and since when it does nothing counts from its claim, if that is known", () => {
  const idle = { lastProgressAtMs: ago(15 * MINUTE_MS) };
  const [first, second] = [processingBatch({ number: 5, leasedAtMs: null }), processingBatch({ number: 6 })];
  expect(explainProcessing(snapshotWith([pendingBatch(), first, second], idle), rulesWith())).toMatch(
    /^Batch 5 is running: .* in 5 min, if nothing happens\.$/,
  );
  expect(explainProcessing(snapshotWith([second], idle), rulesWith())).toContain("in 20 min, if nothing happens");
  expect(explainProcessing(snapshotWith([pendingBatch()]), rulesWith())).toBe("A worker is busy with it.");
});

test("of the batches that are due the one that has been for longest is told of; before its moment none is", () => {
  const due = (number: number, dueMs: number) => pendingBatch({ number, runAfterMs: ago(dueMs) });
  const since = { lastProgressAtMs: ago(HOUR_MS) };
  const wordsOf = (...batches: Parameters<typeof snapshotWith>[0]) =>
    explainQueue(snapshotWith(batches, since), rulesWith());
  expect(wordsOf(due(4, 0))).toStartWith("Batch 4 has been due for 0 s, and the last batch was claimed 5 s ago");
  expect(wordsOf(due(4, 1_000), due(5, 9_000))).toStartWith("Batch 5 has been due for 9 s");
  expect(wordsOf(due(4, -1))).toBe("It runs as soon as a worker is free.");
  expect(wordsOf(processingBatch())).toBe("It runs as soon as a worker is free.");
});

test("what waits is told in the number that it has", () => {
  const waiting = (live: number, racesPending: number) =>
    whatWaits(snapshotWith([], { counts: { pending: live, processing: 0 }, plan: { racesPending } }));
  expect([waiting(1, 1), waiting(2, 1), waiting(1, 2), waiting(2, 30)]).toEqual([
    "1 race in 1 batch waits.",
    "1 race in 2 batches waits.",
    "2 races in 1 batch wait.",
    "30 races in 2 batches wait.",
  ]);
  const pages = (live: number) =>
    whatWaits(snapshotWith([], { counts: { pending: 0, processing: live }, plan: { phase: "discovery" } }));
  expect([pages(1), pages(2)]).toEqual(["1 batch of its list waits.", "2 batches of its list wait."]);
});
