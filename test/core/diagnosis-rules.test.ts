import { expect, test } from "bun:test";
import { countsSinceMs, longestDue } from "../../src/core/diagnosis-rules.ts";
import { epochMs, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { ago, ahead, NOW, pendingBatch, processingBatch, rulesWith, snapshotWith } from "../support/snapshots.ts";

test("a thing counts since the latest of its moments, and not since before age proved something", () => {
  const rules = rulesWith({ ageProvesNothingUntilMs: ago(HOUR_MS) });
  expect(countsSinceMs(rules, ago(9), ago(5), ago(7))).toBe(ago(5));
  expect(countsSinceMs(rules, ago(2 * HOUR_MS))).toBe(ago(HOUR_MS));
  expect(countsSinceMs(rulesWith({ ageProvesNothingUntilMs: ahead(1) }), ago(5))).toBe(NOW);
});

test("a moment ahead is now, up to ten minutes; further ahead the clock was set back, and it counts for nothing", () => {
  const always = rulesWith({ ageProvesNothingUntilMs: epochMs(0) });
  const since = (aheadMs: number) => countsSinceMs(always, ahead(aheadMs));
  expect([1, 10 * MINUTE_MS, 10 * MINUTE_MS + 1].map(since)).toEqual([NOW, NOW, epochMs(0)]);
  expect(countsSinceMs(always, ahead(HOUR_MS), ago(3))).toBe(ago(3));
});

test("of the batches that are due, the one that has been for longest is next; of several alike the first", () => {
  const due = (number: number, dueMs: number) => pendingBatch({ number, runAfterMs: ago(dueMs) });
  const numberOf = (...batches: Parameters<typeof snapshotWith>[0]) => longestDue(snapshotWith(batches), NOW)?.number;
  expect(numberOf(due(1, 5), due(2, 9), due(3, 7))).toBe(2);
  expect(numberOf(due(1, 5), due(2, 5))).toBe(1);
  expect([numberOf(due(1, 0)), numberOf(due(1, -1))]).toEqual([1, undefined]);
  expect(numberOf(processingBatch())).toBeUndefined();
});
