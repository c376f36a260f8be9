/**
 * The breaker of the whole application: it opens when it is Strava that fails and not what was asked for, and lets single
 * questions through when its time is up.
 *
 * ```text
 *            three times no connection, or many failures in a row over different things,
 *            or an answer that speaks for all (maintenance, inactive, wrong client)
 *   closed ────────────────────────────────────────────────────────────────────────▶ open
 *     ▲                                                                               │ its time is up
 *     └──────────────── an answer ────────────── half open ◀──────────────────────────┘
 *                                                 │  ▲
 *                                                 └──┘ three different things fail too: open again, twice as long
 * ```
 *
 * Half open, one question is out at a time. Where it fails, another thing is asked for, since a list or an activity that fails
 * for days must hold up nobody. Where there is nothing else to ask for, a neutral question (who the athlete is) decides
 * whose the failure is: so what fails for days is given up as such, and nothing ever fails for an outage.
 */
import { LONGEST_BACKOFF_MS, withJitter } from "./batch.ts";
import type { Fault } from "./fault.ts";
import { type EpochMs, MINUTE_MS, plusMs, SECOND_MS } from "./units.ts";

export type BreakerReason = "strava_unavailable" | "app_inactive";

export type Breaker = {
  /** Failures in a row, without an answer in between, that may be Strava's or may be of what was asked for. */
  readonly failures: number;
  /** What failed, each thing once; no more than matter. */
  readonly failing: readonly string[];
  /** Times in a row that Strava could not be reached at all. */
  readonly unreached: number;
  /** Times in a row that it opened: each wait is longer. */
  readonly openings: number;
  /**
   * What opened it with an answer that seemed to speak for all, or failed while it was half open: when the same thing is answered
   * so again, it speaks for itself. A single activity may be answered 503 for days.
   */
  readonly suspects: readonly string[];
  /** undefined: closed. Past `untilMs`: half open. */
  readonly open: { readonly reason: BreakerReason; readonly untilMs: EpochMs } | undefined;
};

export const CLOSED: Breaker = {
  failures: 0,
  failing: [],
  unreached: 0,
  openings: 0,
  suspects: [],
  open: undefined,
};

/** What a reply says of Strava as a whole. */
export type Verdict =
  | { says: "alive" } // it answered what it was asked, were it a refusal
  | { says: "failed"; item: string } // 5xx, garbage or no answer in time: it, or this one thing
  | { says: "silent" } // the neutral question failed too: it is Strava
  | { says: "unreached" } // no connection: never the fault of what was asked
  | { says: "down"; reason: BreakerReason; item?: string } // its answer speaks for all, unless it is of this one thing again
  | { says: "nothing" }; // called off, or a matter of quota

/** Failures in a row, over at least three different things, and it is Strava. */
const FAILURES_TILL_OPEN = 10;
const THINGS_TILL_OPEN = 3;
const UNREACHED_TILL_OPEN = 3;
/** So many openings are a day: if the neutral question is answered then, it is those things and not Strava. */
const OPENINGS_TILL_TIRED = 100;
const SUSPECTS_KEPT = 100;
const FIRST_WAIT_MS = 30 * SECOND_MS;
/** An inactive application is mended by a person: looking every quarter of an hour is enough. */
const INACTIVE_WAIT_MS = 15 * MINUTE_MS;

/** What a fault says of Strava. `item` names what was asked for, the same each time (`detail/123`). */
export function verdictOf(fault: Fault, item: string): Verdict {
  switch (fault.kind) {
    case "rate_limited":
    case "aborted":
      return { says: "nothing" };
    case "app_inactive":
    case "wrong_client":
      return { says: "down", reason: "app_inactive" };
    case "maintenance":
      return { says: "down", reason: "strava_unavailable", item };
    case "network":
      // Broken off in the middle of an answer, it was reached, and it may be that answer.
      return fault.status === undefined ? { says: "unreached" } : { says: "failed", item };
    case "timeout":
    case "server_error":
    case "garbage":
      return { says: "failed", item };
    case "unauthorized":
    case "scope_missing":
    case "access_revoked":
    case "not_found":
    case "forbidden":
    case "wrong_athlete":
    case "code_refused":
    case "capacity_reached":
    case "subscription_exists":
    case "callback_unverifiable":
    case "bad_request":
      return { says: "alive" };
    default:
      return fault satisfies never;
  }
}

/**
 * The breaker after one reply.
 * @param reply.isProbe whether it was let out while half open: then its answer closes, however late it comes.
 * @param reply.weight how much a failure counts: what hardly ever fails alone counts for more.
 * @param reply.jitter in [0, 1), from the dice.
 */
export function afterReply(
  breaker: Breaker,
  verdict: Verdict,
  reply: { nowMs: EpochMs; jitter: number; isProbe: boolean; weight: number },
): Breaker {
  const state = stateOf(breaker, reply.nowMs);
  switch (verdict.says) {
    case "nothing":
      return breaker;
    case "alive":
      // An answer to what was sent before it opened says nothing of now.
      return state === "closed" || reply.isProbe ? { ...CLOSED, suspects: breaker.suspects } : breaker;
    case "down": {
      const { reason, item } = verdict;
      const mayBeItsOwn = item !== undefined && (state === "half_open" || breaker.suspects.includes(item));
      if (mayBeItsOwn) return afterReply(breaker, { says: "failed", item }, reply);
      return opened(state === "open" ? breaker : suspecting(breaker, item), reason, reply);
    }
    case "silent":
      return opened(breaker, "strava_unavailable", reply);
    case "unreached": {
      const counted = { ...breaker, unreached: breaker.unreached + 1 };
      const isStrava = state === "half_open" || counted.unreached >= UNREACHED_TILL_OPEN;
      return isStrava ? opened(counted, "strava_unavailable", reply) : counted;
    }
    case "failed": {
      if (state === "open") return breaker;
      const isNew = !breaker.failing.includes(verdict.item);
      const failing = isNew ? [...breaker.failing, verdict.item].slice(-THINGS_TILL_OPEN) : breaker.failing;
      const suspected = state === "half_open" ? suspecting(breaker, verdict.item) : breaker;
      const counted = { ...suspected, failures: breaker.failures + reply.weight, failing };
      const isMany = failing.length >= THINGS_TILL_OPEN;
      const isStrava =
        state === "closed" ? isMany && counted.failures >= FAILURES_TILL_OPEN : isMany && !isTired(counted);
      return isStrava ? opened(counted, "strava_unavailable", reply) : counted;
    }
    default:
      return verdict satisfies never;
  }
}

function suspecting(breaker: Breaker, item: string | undefined): Breaker {
  if (item === undefined || breaker.suspects.includes(item)) return breaker;
  return { ...breaker, suspects: [...breaker.suspects, item].slice(-SUSPECTS_KEPT) };
}

/** Replies of requests that were in flight together speak of one trouble: it opens once, and the first wait stands. */
function opened(breaker: Breaker, reason: BreakerReason, reply: { nowMs: EpochMs; jitter: number }): Breaker {
  if (stateOf(breaker, reply.nowMs) === "open") return breaker;
  const waitMs =
    reason === "app_inactive" ? INACTIVE_WAIT_MS : Math.min(LONGEST_BACKOFF_MS, FIRST_WAIT_MS * 2 ** breaker.openings);
  const untilMs = plusMs(reply.nowMs, withJitter(waitMs, reply.jitter));
  return { ...CLOSED, suspects: breaker.suspects, openings: breaker.openings + 1, open: { reason, untilMs } };
}

export function stateOf(breaker: Breaker, nowMs: EpochMs): "closed" | "open" | "half_open" {
  if (breaker.open === undefined) return "closed";
  return breaker.open.untilMs > nowMs ? "open" : "half_open";
}

/** A person says that the trouble may be over: the next question tries. */
export function halfOpened(breaker: Breaker, nowMs: EpochMs): Breaker {
  if (stateOf(breaker, nowMs) !== "open" || breaker.open === undefined) return breaker;
  return { ...breaker, open: { ...breaker.open, untilMs: nowMs } };
}

/** Whether nothing has answered since the failure before this one: then it may be Strava's. */
export const isInDoubt = (breaker: Breaker, weight: number): boolean => breaker.failures > weight;

/** Half open: whether this may be asked for, or has failed in this round, or enough has. */
export function mayProbe(breaker: Breaker, item: string): boolean {
  return breaker.failing.length < THINGS_TILL_OPEN && !breaker.failing.includes(item);
}

/** Half open: nobody waits for what the round says that ran, as something cut it off. What failed in it may be asked for again. */
export const newRound = (breaker: Breaker): Breaker => ({ ...breaker, failures: 0, failing: [] });

/** Half open, what is not suspected is asked for first: so a few things that fail for days are never all that is asked. */
export const isSuspect = (breaker: Breaker, item: string): boolean => breaker.suspects.includes(item);

const isTired = (breaker: Breaker): boolean => breaker.openings >= OPENINGS_TILL_TIRED;
