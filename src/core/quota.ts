import type { RateObservation } from "./rate-headers.ts";
import type { SyncClass } from "./sync.ts";
import { DAY_MS, type EpochMs, epochMs, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS } from "./units.ts";

/**
 * Strava's request budgets: all requests, and those that read. Each has a window of a quarter of an hour and one of a
 * day, by the wall clock in UTC. Everything here counts in Strava's time (its `Date` header), which may be off ours.
 * @see https://developers.strava.com/docs/rate-limits windows reset at :00, :15, :30, :45 and at midnight UTC
 */
export const QUOTA_BUDGETS = ["overall", "read"] as const;
export const QUOTA_WINDOWS = ["quarter", "day"] as const;
export type QuotaBudget = (typeof QUOTA_BUDGETS)[number];
export type QuotaWindow = (typeof QUOTA_WINDOWS)[number];

export type WindowUse = { readonly startsAtMs: EpochMs; readonly limit: number; readonly used: number };
export type Quota = { readonly [B in QuotaBudget]: { readonly [W in QuotaWindow]: WindowUse } };

/** What an application gets by default; the first answer's headers replace it. */
const DEFAULT_LIMITS = { overall: { quarter: 200, day: 2000 }, read: { quarter: 100, day: 1000 } } as const;

/**
 * Slack after a reset: Strava's clock is known to the second, and a request that arrives before the reset is refused.
 * A wait ends at most 5 s past the reset.
 */
export const RESET_SLACK_MS = 2 * SECOND_MS;
/**
 * A window that begins within so long is just early: an answer from before the reset came late, or the two clocks differ
 * a little. Longer than any request takes.
 */
const CLOCK_DOUBT_MS = 5 * MINUTE_MS;
/**
 * Of what a window has left, so much may be in flight before another request joins. Measured with `bun run simulate-quota`: with a
 * half, another client cost up to three 429s in a window; with an eighth, one.
 */
const SHARE_IN_FLIGHT = 1 / 8;
/** The reserve shrinks to nothing over the last hours of the day: what nobody used by then would be lost. */
const RESERVE_SHRINKS_OVER_MS = 2 * HOUR_MS;

export const windowLengthMs = (window: QuotaWindow): number => (window === "quarter" ? QUARTER_MS : DAY_MS);

/** The start of the window that a moment lies in. Epoch milliseconds divide evenly into UTC quarters and days. */
export function windowStartMs(window: QuotaWindow, stravaMs: EpochMs): EpochMs {
  const length = windowLengthMs(window);
  return epochMs(Math.floor(stravaMs / length) * length);
}

/** When the window that began at `startsAtMs` resets. */
export const windowResetMs = (window: QuotaWindow, startsAtMs: EpochMs): EpochMs =>
  epochMs(startsAtMs + windowLengthMs(window));

/** The quota before anything is known of it: default limits, nothing used. */
export function unknownQuota(stravaMs: EpochMs): Quota {
  const use = (budget: QuotaBudget, window: QuotaWindow): WindowUse => ({
    startsAtMs: windowStartMs(window, stravaMs),
    limit: DEFAULT_LIMITS[budget][window],
    used: 0,
  });
  return mapQuota(use);
}

/** Builds a quota of its four windows. */
export function mapQuota(use: (budget: QuotaBudget, window: QuotaWindow) => WindowUse): Quota {
  return {
    overall: { quarter: use("overall", "quarter"), day: use("overall", "day") },
    read: { quarter: use("read", "quarter"), day: use("read", "day") },
  };
}

/**
 * Empties the windows that have ended. A window that is far from having begun was made while our clock was ahead: it
 * becomes the one that runs now, with what was counted, or no answer would be believed until its time comes. The same
 * object where nothing changes.
 */
export function rollQuota(quota: Quota, stravaMs: EpochMs): Quota {
  // Asked for every request, and hardly ever anything has changed.
  if (areCurrent(quota.overall, stravaMs) && areCurrent(quota.read, stravaMs)) return quota;
  return mapQuota((budget, window) => {
    const use = quota[budget][window];
    if (isCurrent(use, window, stravaMs)) return use;
    const startsAtMs = windowStartMs(window, stravaMs);
    return use.startsAtMs < startsAtMs ? { startsAtMs, limit: use.limit, used: 0 } : { ...use, startsAtMs };
  });
}

/** A window that has less than this of its limit left, when it ends, is as good as full. */
const LITTLE_ROOM = 1 / 8;

/**
 * Until when nothing is to go out after windows have ended: Strava's clock is known to a second or so. By it, a window that was
 * full may not have ended yet, and its refusal would be taken for one of the window that has just begun.
 * @param before as it was. @param after the same, rolled on. @returns undefined where no window that was full has ended.
 */
export function settlingAfter(before: Quota, after: Quota): { reason: QuotaHoldReason; stravaMs: EpochMs } | undefined {
  for (const window of QUOTA_WINDOWS.toReversed()) {
    for (const budget of QUOTA_BUDGETS) {
      const [ended, begun] = [before[budget][window], after[budget][window]];
      const hasJustEnded = begun.startsAtMs === windowResetMs(window, ended.startsAtMs);
      if (hasJustEnded && ended.limit - ended.used <= ended.limit * LITTLE_ROOM) {
        const reason = window === "day" ? "quota_daily" : "quota_15min";
        return { reason, stravaMs: epochMs(begun.startsAtMs + RESET_SLACK_MS) };
      }
    }
  }
  return undefined;
}

const areCurrent = ({ quarter, day }: Quota[QuotaBudget], stravaMs: EpochMs): boolean =>
  isCurrent(quarter, "quarter", stravaMs) && isCurrent(day, "day", stravaMs);

/** It has begun, or is about to as far as a clock can be trusted, and has not ended. */
function isCurrent(use: WindowUse, window: QuotaWindow, stravaMs: EpochMs): boolean {
  return stravaMs < use.startsAtMs + windowLengthMs(window) && use.startsAtMs <= stravaMs + CLOCK_DOUBT_MS;
}

/** One more request that Strava counted, for an answer that did not say how many there were. */
export function countRequest(quota: Quota): Quota {
  return mapQuota((budget, window) => ({ ...quota[budget][window], used: quota[budget][window].used + 1 }));
}

/**
 * Takes over what an answer's headers say. Answers of requests that ran side by side may come in any order, so an older
 * one never lowers the count; the answer to a request that was sent after the last observation is believed as it is.
 */
export function observeQuota(
  quota: Quota,
  observation: RateObservation,
  seen: { stravaMs: EpochMs; sentAfterLastObservation: boolean },
): Quota {
  const rolled = rollQuota(quota, seen.stravaMs);
  return mapQuota((budget, window) => {
    const use = rolled[budget][window];
    const counters = observation[budget];
    // An answer from a window that has ended since tells nothing about this one.
    if (use.startsAtMs !== windowStartMs(window, seen.stravaMs)) return use;
    if (counters === undefined) return { ...use, used: use.used + 1 };
    const place = window === "quarter" ? 0 : 1;
    const used = counters.usage[place];
    const limit = counters.limit[place] > 0 ? counters.limit[place] : use.limit;
    return { startsAtMs: use.startsAtMs, limit, used: seen.sentAfterLastObservation ? used : Math.max(use.used, used) };
  });
}

export type QuotaRules = {
  /** Requests left unused in each window. */
  readonly headroom: number;
  /** Of the day's read requests, kept for people who wait: as a number, or as a fraction of the limit. */
  readonly reserve: { readonly requests: number } | { readonly fraction: number };
};

export type QuotaHoldReason = "quota_15min" | "quota_daily" | "quota_reserve";

export type Admission =
  | { admit: "yes" }
  | { admit: "after_reply" } // there may be room once the requests in flight are answered
  | { admit: "at"; reason: QuotaHoldReason; stravaMs: EpochMs; resetMs: EpochMs };

/**
 * Whether one more read request may go out now, with `inFlight` others unanswered. Strava counts a read in both
 * budgets, so all four windows must be able to pay (I5).
 *
 * Another client of the same application may spend at any moment, and only answers tell. So the first request of a
 * window goes out alone, and later a small share of what is left is in flight: towards the end, one at a time. So what
 * another spends meets one of ours with a 429, and not all that are out.
 */
export function admitRequest(
  quota: Quota,
  request: { stravaMs: EpochMs; inFlight: number; syncClass: SyncClass },
  rules: QuotaRules,
): Admission {
  const current = rollQuota(quota, request.stravaMs);
  let hold: { reason: QuotaHoldReason; resetMs: EpochMs } | undefined;
  let isTight = false;
  for (const window of QUOTA_WINDOWS) {
    for (const budget of QUOTA_BUDGETS) {
      const use = current[budget][window];
      const room = use.limit - rules.headroom - use.used;
      if (room <= 0) {
        // The day is looked at last and ends last: where both are full, it is the day that is waited for.
        hold = {
          reason: window === "day" ? "quota_daily" : "quota_15min",
          resetMs: windowResetMs(window, use.startsAtMs),
        };
      } else if (request.inFlight > 0 && (use.used === 0 || request.inFlight >= room * SHARE_IN_FLIGHT)) isTight = true;
    }
  }
  if (hold !== undefined) return { admit: "at", ...hold, stravaMs: epochMs(hold.resetMs + RESET_SLACK_MS) };
  const reserved = admitPastReserve(current, request, rules);
  if (reserved !== undefined) return reserved;
  return isTight ? { admit: "after_reply" } : { admit: "yes" };
}

/** The reserve in requests, at a moment of the day: whole until 22:00 UTC, then shrinking to nothing at midnight. */
export function reserveAt(quota: Quota, stravaMs: EpochMs, rules: QuotaRules): number {
  const day = quota.read.day;
  const untilResetMs = windowResetMs("day", windowStartMs("day", stravaMs)) - stravaMs;
  return Math.ceil(wholeReserve(day, rules) * Math.min(1, untilResetMs / RESERVE_SHRINKS_OVER_MS));
}

function wholeReserve(day: WindowUse, rules: QuotaRules): number {
  return "fraction" in rules.reserve ? Math.ceil(day.limit * rules.reserve.fraction) : rules.reserve.requests;
}

function admitPastReserve(
  quota: Quota,
  request: { stravaMs: EpochMs; inFlight: number; syncClass: SyncClass },
  rules: QuotaRules,
): Admission | undefined {
  if (request.syncClass === "manual" || request.syncClass === "event") return undefined;
  const day = quota.read.day;
  const room = day.limit - rules.headroom - day.used;
  const reserve = reserveAt(quota, request.stravaMs, rules);
  if (room - request.inFlight > reserve) return undefined;
  if (room > reserve) return { admit: "after_reply" };
  // The moment at which the shrinking reserve leaves room for one more: reserve(t) <= room - 1.
  const resetMs = windowResetMs("day", day.startsAtMs);
  const share = (room - 1) / wholeReserve(day, rules);
  const freeMs = Math.max(request.stravaMs + SECOND_MS, Math.ceil(resetMs - RESERVE_SHRINKS_OVER_MS * share));
  return { admit: "at", reason: "quota_reserve", stravaMs: epochMs(freeMs), resetMs };
}

/**
 * Until when a 429 asks us to wait: the reset of the window that the headers show to be full (the longer one, if both
 * are), or, where they show none, the next quarter. The body never tells.
 */
export function holdAfterRefusal(quota: Quota, stravaMs: EpochMs): { reason: QuotaHoldReason; stravaMs: EpochMs } {
  const isFull = (window: QuotaWindow) =>
    QUOTA_BUDGETS.some((budget) => quota[budget][window].used >= quota[budget][window].limit);
  const window = isFull("day") ? "day" : "quarter";
  const resetMs = windowResetMs(window, windowStartMs(window, stravaMs));
  return { reason: window === "day" ? "quota_daily" : "quota_15min", stravaMs: epochMs(resetMs + RESET_SLACK_MS) };
}
