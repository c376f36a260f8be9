import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  afterLostLease,
  afterRun,
  backoffMs,
  DEATHS_TILL_EXHAUSTED,
  LONGEST_BACKOFF_MS,
  LONGEST_WAIT_MS,
  LONGEST_WAITS_MS,
  withJitter,
} from "../../src/core/batch.ts";
import { DAY_MS, epochMs, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(1_763_334_772_370);
const RULES = { maxAttempts: 5, nowMs: NOW, jitter: 0.5 };

test("a run that is done completes its batch", () => {
  expect(afterRun({ how: "done" }, { attempts: 3 }, RULES)).toEqual({ status: "completed" });
});

test("a planned wait spends no attempt, even on the last one, and keeps its reason and moment", () => {
  const untilMs = plusMs(NOW, 60_000);
  expect(afterRun({ how: "wait", reason: "quota_15min", untilMs }, { attempts: 4 }, RULES)).toEqual({
    status: "pending",
    attempts: 4,
    runAfterMs: untilMs,
    waitReason: "quota_15min",
    waitsUntilMs: untilMs,
    error: null,
  });
});

test("a batch released by a daemon that stops is due at once, with no reason to wait and no attempt spent", () => {
  expect(afterRun({ how: "released", why: "the daemon stops" }, { attempts: 4 }, RULES)).toEqual({
    status: "pending",
    attempts: 4,
    runAfterMs: NOW,
    waitReason: null,
    waitsUntilMs: null,
    error: null,
  });
});

test("an error before the last attempt spends one and waits out its backoff", () => {
  const end = { how: "error", error: "Strava answered 500" } as const;
  const untilMs = plusMs(NOW, 135_000);
  expect(afterRun(end, { attempts: 3 }, RULES)).toEqual({
    status: "pending",
    attempts: 4,
    runAfterMs: untilMs,
    waitReason: "backoff",
    waitsUntilMs: untilMs,
    error: "Strava answered 500",
  });
});

test("an error at the last attempt, or past it, fails the batch with the reason", () => {
  const end = { how: "error", error: "Strava answered 500" } as const;
  expect(afterRun(end, { attempts: 4 }, RULES)).toEqual({
    status: "failed",
    attempts: 5,
    error: "Strava answered 500",
  });
  expect(afterRun(end, { attempts: 9 }, RULES)).toMatchObject({ status: "failed", attempts: 10 });
  expect(afterRun(end, { attempts: 0 }, { ...RULES, maxAttempts: 1 })).toMatchObject({ status: "failed", attempts: 1 });
});

test("a lost lease spends one attempt; the last one fails the batch", () => {
  expect(afterLostLease(3, 5)).toEqual({ status: "pending", attempts: 4 });
  expect(afterLostLease(4, 5)).toEqual({ status: "failed", attempts: 5 });
  expect(afterLostLease(5, 5)).toEqual({ status: "failed", attempts: 6 });
});

test("the backoff grows threefold from 5 s and stops at a quarter of an hour", () => {
  expect([1, 2, 3, 4, 5, 6, 7].map(backoffMs)).toEqual([5_000, 15_000, 45_000, 135_000, 405_000, 900_000, 900_000]);
  // What a hand may have written never makes it shorter than the first wait, or infinite.
  expect([0, -7, 1_000_000].map(backoffMs)).toEqual([5_000, 5_000, LONGEST_BACKOFF_MS]);
});

test("jitter spreads a wait over three quarters to five quarters of itself", () => {
  expect([0, 0.5, 0.999_999].map((jitter) => withJitter(1_000, jitter))).toEqual([750, 1_000, 1_250]);
  expect(withJitter(0, 0.9)).toBe(0);
});

test("no backoff and no reset of a window is further away than the longest wait", () => {
  expect(withJitter(LONGEST_BACKOFF_MS, 1)).toBeLessThan(LONGEST_WAIT_MS);
  expect(DAY_MS).toBeLessThan(LONGEST_WAIT_MS);
});

test("runs that fail one after the other end in failed after exactly the attempts allowed", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (maxAttempts, jitter) => {
        let attempts = 0;
        for (let run = 1; ; run++) {
          const after = afterRun({ how: "error", error: "no" }, { attempts }, { maxAttempts, nowMs: NOW, jitter });
          if (after.status === "completed") throw new Error("an error completed the batch");
          attempts = after.attempts;
          expect(attempts).toBe(run);
          if (after.status === "failed") return run === maxAttempts;
          expect(after.runAfterMs).toBeGreaterThan(NOW);
          expect(after.runAfterMs - NOW).toBeLessThan(LONGEST_WAIT_MS);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("the bounds that others go by: a wait of a day and a minute, five deaths in a row", () => {
  expect(LONGEST_WAIT_MS).toBe(DAY_MS + 60_000);
  expect(DEATHS_TILL_EXHAUSTED).toBe(5);
});

test("each reason has a longest wait of its own: a window and a minute, or the longest backoff with its jitter", () => {
  const backoffMs = 1_125_000;
  expect(LONGEST_WAITS_MS).toEqual({
    quota_15min: 16 * 60_000,
    quota_daily: LONGEST_WAIT_MS,
    quota_reserve: LONGEST_WAIT_MS,
    backoff: backoffMs,
    strava_unavailable: backoffMs,
    app_inactive: backoffMs,
  });
});
