import { type EpochMs, MINUTE_MS, plusMs, QUARTER_MS, SECOND_MS } from "./units.ts";

export type BatchType = "discovery" | "enrichment";
export type BatchStatus = "pending" | "processing" | "completed" | "failed" | "cancelled";

/** Why a pending batch is not due yet. The rest of the reasons for waiting are found when asked: see `status.ts`. */
export type WaitReason =
  | "quota_15min"
  | "quota_daily"
  | "quota_reserve"
  | "backoff"
  | "strava_unavailable"
  | "app_inactive";

/** How a run of a batch ended, as its worker saw it. */
export type RunEnd =
  | { how: "done" } // the page is stored, or every race of the batch is settled
  | { how: "wait"; reason: WaitReason; untilMs: EpochMs } // planned: spends no attempt
  | { how: "error"; error: string } // by the batch's own doing: spends an attempt
  | { how: "released"; why: string }; // the daemon stops, or others go first: due again at once, no attempt spent

/** What the batch is afterwards: one member per state that a run can leave behind. */
export type AfterRun =
  | { status: "completed" }
  | {
      status: "pending";
      attempts: number;
      runAfterMs: EpochMs;
      waitReason: WaitReason | null;
      waitsUntilMs: EpochMs | null;
      error: string | null;
    }
  | { status: "failed"; attempts: number; error: string };

/**
 * The batch's state machine at the end of a run. (The other arrows: a claim takes `pending` to `processing`; a sweep
 * takes `processing` back to `pending`, or past the last attempt to `failed`; a cancelled sync takes both to
 * `cancelled`.)
 * @param jitter in [0, 1), from the dice.
 */
export function afterRun(
  end: RunEnd,
  batch: { attempts: number },
  rules: { maxAttempts: number; nowMs: EpochMs; jitter: number },
): AfterRun {
  switch (end.how) {
    case "done":
      return { status: "completed" };
    case "wait":
      return {
        status: "pending",
        attempts: batch.attempts,
        runAfterMs: end.untilMs,
        waitReason: end.reason,
        waitsUntilMs: end.untilMs,
        error: null,
      };
    case "released":
      return {
        status: "pending",
        attempts: batch.attempts,
        runAfterMs: rules.nowMs,
        waitReason: null,
        waitsUntilMs: null,
        error: null,
      };
    case "error": {
      const attempts = batch.attempts + 1;
      if (attempts >= rules.maxAttempts) return { status: "failed", attempts, error: end.error };
      const runAfterMs = plusMs(rules.nowMs, withJitter(backoffMs(attempts), rules.jitter));
      return {
        status: "pending",
        attempts,
        runAfterMs,
        waitReason: "backoff",
        waitsUntilMs: runAfterMs,
        error: end.error,
      };
    }
    default:
      return end satisfies never;
  }
}

/** A batch whose lease was lost: one attempt spent, due at once; past the last attempt it has failed for good. */
export function afterLostLease(
  attempts: number,
  maxAttempts: number,
): { status: "pending" | "failed"; attempts: number } {
  return { status: attempts + 1 >= maxAttempts ? "failed" : "pending", attempts: attempts + 1 };
}

/** So many deaths of the daemon in a row during one batch, without progress, and the batch may be what kills it. */
export const DEATHS_TILL_EXHAUSTED = 5;

const FIRST_BACKOFF_MS = 5 * SECOND_MS;
/** The longest backoff: an item that Strava fails on for days is asked again within the sync, but not often. */
export const LONGEST_BACKOFF_MS = 15 * MINUTE_MS;
const BACKOFF_GROWTH = 3;

/** The exact curve: 5 s, 15 s, 45 s, … up to a quarter of an hour. `attempts` counts those that failed (1 or more). */
export function backoffMs(attempts: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * BACKOFF_GROWTH ** Math.max(0, attempts - 1));
}

/** Spreads a wait over [0.75, 1.25) of itself, so that what failed together does not come back together. */
export function withJitter(waitMs: number, jitter: number): number {
  return Math.round(waitMs * (0.75 + jitter / 2));
}

/** Longest wait that anything of ours asks for: a day's quota window, and a little. Beyond it, somebody else set it. */
export const LONGEST_WAIT_MS = 24 * 60 * MINUTE_MS + MINUTE_MS;

/** The longest wait for each reason: what is longer is of a clock that has been set back since. */
export const LONGEST_WAITS_MS: Readonly<Record<WaitReason, number>> = {
  quota_15min: QUARTER_MS + MINUTE_MS,
  quota_daily: LONGEST_WAIT_MS,
  quota_reserve: LONGEST_WAIT_MS,
  backoff: withJitter(LONGEST_BACKOFF_MS, 1),
  strava_unavailable: withJitter(LONGEST_BACKOFF_MS, 1),
  app_inactive: withJitter(LONGEST_BACKOFF_MS, 1),
};
