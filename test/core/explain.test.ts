import { expect, test } from "bun:test";
import type { DiagnosisRules } from "../../src/core/diagnose.ts";
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
