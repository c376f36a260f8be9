import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Aftermath, judgeFinding } from "../../src/core/verdict.ts";

/** A sync that goes on, with nothing done yet and the trouble not seen again. */
const aftermath = (values: Partial<Aftermath> = {}): Aftermath => ({
  syncStatus: "in_progress",
  batchesCompletedSince: 0,
  isFoundAgain: false,
  isWaiting: false,
  ...values,
});

test("a remedy is verified once a later batch of the sync completes, or the sync does", () => {
  expect(judgeFinding("pending", aftermath())).toBeUndefined();
  expect(judgeFinding("pending", aftermath({ batchesCompletedSince: 1 }))).toBe("verified");
  expect(judgeFinding("pending", aftermath({ syncStatus: "completed" }))).toBe("verified");
  // Work that was done says more than what the sync does now.
  expect(judgeFinding("pending", aftermath({ batchesCompletedSince: 1, isWaiting: true }))).toBe("verified");
  expect(judgeFinding("pending", aftermath({ batchesCompletedSince: 1, syncStatus: "failed" }))).toBe("verified");
});

test("a remedy has failed when the same trouble is there again before anything was done", () => {
  expect(judgeFinding("pending", aftermath({ isFoundAgain: true }))).toBe("failed");
});

test("a remedy is not judged while the sync waits", () => {
  expect(judgeFinding("pending", aftermath({ isWaiting: true }))).toBeUndefined();
  expect(judgeFinding("pending", aftermath({ isWaiting: true, isFoundAgain: true }))).toBeUndefined();
});

test("nor while it stands in a queue that does not move: that is the daemon's trouble, and no remedy of the sync's failed", () => {
  expect(judgeFinding("pending", aftermath({ isQueued: true, isFoundAgain: true }))).toBeUndefined();
  expect(judgeFinding("pending", aftermath({ isQueued: false, isFoundAgain: true }))).toBe("failed");
});

test("a remedy is overtaken when the sync is cancelled, fails or is gone before anything was done", () => {
  for (const syncStatus of ["cancelled", "failed", undefined] as const)
    expect(judgeFinding("pending", aftermath({ syncStatus }))).toBe("superseded");
});

test("a proposed remedy stays while its trouble does, and is superseded when either is gone", () => {
  expect(judgeFinding("proposed", aftermath({ isFoundAgain: true }))).toBeUndefined();
  expect(judgeFinding("proposed", aftermath({ isFoundAgain: true, isWaiting: true }))).toBeUndefined();
  expect(judgeFinding("proposed", aftermath())).toBe("superseded");
  expect(judgeFinding("proposed", aftermath({ syncStatus: "cancelled" }))).toBe("superseded");
});

test("what nobody applied is never verified or failed; what was applied never goes back to proposed", () => {
  const anything = fc.record({
    syncStatus: fc.constantFrom("in_progress", "completed", "failed", "cancelled", undefined),
    batchesCompletedSince: fc.nat({ max: 3 }),
    isFoundAgain: fc.boolean(),
    isWaiting: fc.boolean(),
  });
  fc.assert(
    fc.property(anything, (seen) => {
      expect([undefined, "superseded"]).toContain(judgeFinding("proposed", seen));
      const verdict = judgeFinding("pending", seen);
      expect([undefined, "verified", "failed", "superseded"]).toContain(verdict);
      if (verdict === "verified") expect(seen.batchesCompletedSince > 0 || seen.syncStatus === "completed").toBe(true);
      if (verdict === "failed") expect(seen.isFoundAgain && !seen.isWaiting).toBe(true);
      if (seen.syncStatus !== "in_progress") expect(verdict).not.toBeUndefined();
    }),
    { numRuns: 200 },
  );
});
