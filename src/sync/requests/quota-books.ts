import { LONGEST_WAITS_MS } from "../../core/batch.ts";
import { type Breaker, CLOSED } from "../../core/breaker.ts";
import {
  countRequest,
  mapQuota,
  observeQuota,
  type Quota,
  rollQuota,
  settlingAfter,
  unknownQuota,
  windowStartMs,
} from "../../core/quota.ts";
import type { RequestPhase } from "../../core/request-phase.ts";
import { narrowedSkew } from "../../core/skew.ts";
import type { Hold } from "../../core/snapshot.ts";
import { type AthleteId, type Clock, type EpochMs, epochMs, MINUTE_MS, plusMs } from "../../core/units.ts";
import {
  formatGovernorState,
  type GovernorState,
  readGovernorState,
  SKEW_LIMIT_MS,
  storeGovernorState,
} from "../../db/governor-state.ts";
import type { Db } from "../../db/open.ts";
import { addToLedger, type LedgerLine, readQuota, storeQuota } from "../../db/quota.ts";
import type { Reply } from "../../strava/reply.ts";

/**
 * What is known of Strava's quota and clock, and the ledger of requests: kept in memory, and written with the commits
 * that follow, so that a restart forgets nothing that was learned.
 */
export type QuotaBooks = {
  /** As of now. */
  quota(): Quota;
  /** Why nothing goes out yet, though windows that were full have ended a moment ago. */
  settling(): ReturnType<typeof settlingAfter>;
  /** Strava's time now, as its `Date` header tells it. It never goes back by our clock alone. */
  stravaMs(): EpochMs;
  /** What the `Date` header of Strava's last answer to this process said; undefined: there was none. */
  toldMs(): EpochMs | undefined;
  /** How far Strava's clock is ahead of ours. */
  skewMs(): number;
  /** A request goes out; give what this returns back with its reply. */
  noteSent(): Sent;
  /** Nothing has been answered since this process started: what others have spent meanwhile is unknown. */
  isFresh(): boolean;
  learnTime(reply: Reply<unknown>): void;
  learnQuota(reply: Reply<unknown>, sent: Sent): void;
  /** Adds one request to the ledger, on the day of Strava's on which it was sent: the one whose budget was spent. */
  enter(asker: { athleteId: AthleteId; phase: RequestPhase }, status: number | undefined, sent: Sent): void;
  /** Why everybody waits, beyond what the quota says: remembered across restarts. */
  refusal: Hold | undefined;
  breaker: Breaker;
  /**
   * Writes what has changed, inside a transaction; call what it returns once that is committed. What Strava's time has reached is
   * noted with it, and each ten minutes with whatever else is written.
   */
  persist(): () => void;
};

/** When a request went out, by our clock, and as which of this process. */
export type Sent = { readonly sequence: number; readonly atMs: EpochMs };

/** What Strava's time has reached is known to so much after a restart, where our clock was set back meanwhile. */
const NOTED_WITHIN_MS = 10 * MINUTE_MS;

/** Opens the books. @param scheduleCommit makes sure that a commit follows soon. */
export function openQuotaBooks(options: { db: Db; clock: Clock; scheduleCommit: () => void }): QuotaBooks {
  const { db, clock, scheduleCommit } = options;
  const stored = readGovernorState(db);
  let skewMs = stored?.skewMs ?? 0;
  let sent = 0;
  let sentAtLastObservation = 0;
  let isFresh = true;
  let isDirty = false;
  let toldMs: EpochMs | undefined;
  let storedState = "";
  let storedStravaMs = 0;
  const ledger = new Map<string, LedgerLine>();
  let refusal = stored?.refusal;
  let breaker = breakerOf(stored);
  /** Strava's time has been this. */
  let reachedMs = reachedBefore(stored, clock.nowMs());
  const stravaMs = (): EpochMs => {
    lookAtClock();
    return reachedMs;
  };
  /** A moment that is past, in Strava's time. Our clock may have been set back since: then it is no later than now. */
  const stravaMsOf = (atMs: EpochMs): EpochMs => epochMs(Math.min(plusMs(atMs, skewMs), stravaMs()));
  let quota: Quota = readQuota(db) ?? unknownQuota(stravaMs());

  function markDirty(): void {
    if (isDirty) return;
    isDirty = true;
    scheduleCommit();
  }

  /**
   * Strava's time goes on: where it has not, by our clock, ours was set back since somebody last looked. Then Strava's is so much
   * further ahead of it, and what everybody waits for comes so much earlier by it.
   */
  function lookAtClock(): void {
    const wentBackMs = reachedMs - plusMs(clock.nowMs(), skewMs);
    reachedMs = epochMs(reachedMs - Math.min(0, wentBackMs));
    if (wentBackMs <= 0) return;
    skewMs += wentBackMs;
    const { open } = breaker;
    refusal = refusal && { ...refusal, untilMs: plusMs(refusal.untilMs, -wentBackMs) };
    if (open !== undefined) breaker = { ...breaker, open: { ...open, untilMs: plusMs(open.untilMs, -wentBackMs) } };
    markDirty();
  }

  lookAtClock();
  refusal = credible(refusal, clock.nowMs());
  breaker = credibleBreaker(breaker, clock.nowMs());

  let reset: ReturnType<typeof settlingAfter>;
  const roll = (): void => {
    const rolled = rollQuota(quota, stravaMs());
    if (rolled !== quota) reset = settlingAfter(quota, rolled);
    quota = rolled;
  };
  roll();

  const books: QuotaBooks = {
    get refusal() {
      lookAtClock();
      return refusal;
    },
    set refusal(hold) {
      refusal = hold;
    },
    get breaker() {
      lookAtClock();
      return breaker;
    },
    set breaker(changed) {
      breaker = changed;
    },
    quota() {
      roll();
      return quota;
    },
    settling() {
      roll();
      return reset !== undefined && stravaMs() < reset.stravaMs ? reset : undefined;
    },
    stravaMs,
    toldMs: () => toldMs,
    skewMs() {
      lookAtClock();
      return skewMs;
    },
    noteSent: () => ({ sequence: ++sent, atMs: clock.nowMs() }),
    isFresh: () => isFresh,
    learnTime(reply) {
      if (reply.dateMs === undefined) return;
      toldMs = reply.dateMs;
      lookAtClock();
      const learned = narrowedSkew(skewMs, {
        dateAheadMs: reply.dateMs - clock.nowMs(),
        tookMs: reply.durationMs,
        bodyMs: reply.bodyMs ?? 0,
      });
      if (learned === skewMs) return;
      skewMs = learned;
      // What Strava itself says holds, also where it is earlier.
      reachedMs = plusMs(clock.nowMs(), skewMs);
      quota = withoutFutureWindows(quota, stravaMs());
    },
    learnQuota(reply, { sequence, atMs }) {
      roll();
      isFresh = false;
      if (reply.rate === undefined) {
        quota = countRequest(quota);
        return;
      }
      const sentAfterLastObservation = sequence > sentAtLastObservation;
      // Strava counts a request as it comes in: an answer that comes after a reset speaks of the window before it.
      quota = observeQuota(quota, reply.rate, { stravaMs: stravaMsOf(atMs), sentAfterLastObservation });
      sentAtLastObservation = sent;
    },
    enter({ athleteId, phase }, status, { atMs }) {
      const dayStartMs = windowStartMs("day", stravaMsOf(atMs));
      const key = `${dayStartMs}/${athleteId}/${phase}/${status ?? 0}`;
      const requests = (ledger.get(key)?.requests ?? 0) + 1;
      ledger.set(key, { dayStartMs, athleteId, phase, status: status ?? 0, requests });
      markDirty();
    },
    persist() {
      const isNoteOld = stravaMs() - storedStravaMs >= NOTED_WITHIN_MS;
      if (!isDirty && !isNoteOld) return () => {};
      if (isDirty) storeQuota(db, quota);
      for (const line of ledger.values()) addToLedger(db, line);
      const { open, openings } = breaker;
      const notedMs = epochMs(
        reachedMs - storedStravaMs >= MINUTE_MS ? reachedMs : Math.min(storedStravaMs, reachedMs),
      );
      const state = formatGovernorState({ skewMs, stravaMs: notedMs, refusal, open, openings });
      if (state !== storedState) storeGovernorState(db, state);
      return () => {
        storedState = state;
        storedStravaMs = notedMs;
        ledger.clear();
        isDirty = false;
      };
    },
  };
  return books;
}

/** A hold as stored, unless it lasts longer than such a hold can: then our clock has been set back since. */
function credible<Stored extends Hold>(hold: Stored | undefined, nowMs: EpochMs): Stored | undefined {
  return hold === undefined || hold.untilMs - nowMs > LONGEST_WAITS_MS[hold.reason] ? undefined : hold;
}

function breakerOf(stored: GovernorState | undefined): Breaker {
  return stored?.open === undefined ? CLOSED : { ...CLOSED, openings: stored.openings, open: stored.open };
}

/** Where the breaker's hold is not credible, it is half open: the next question tells. */
function credibleBreaker(breaker: Breaker, nowMs: EpochMs): Breaker {
  if (breaker.open === undefined) return breaker;
  return { ...breaker, open: credible(breaker.open, nowMs) ?? { ...breaker.open, untilMs: nowMs } };
}

/** What Strava's time had reached in a former process: at most so much can our clock have been set back since. */
function reachedBefore(stored: GovernorState | undefined, nowMs: EpochMs): EpochMs {
  const bySkewMs = plusMs(nowMs, stored?.skewMs ?? 0);
  const reachedMs = stored?.stravaMs ?? bySkewMs;
  return reachedMs - bySkewMs <= SKEW_LIMIT_MS ? reachedMs : bySkewMs;
}

/**
 * Windows that were begun by a clock that turned out to be ahead become those that run at Strava: else its answers, from
 * the window before, would be taken for late ones, and requests would go out against an empty window to come.
 */
function withoutFutureWindows(quota: Quota, stravaMs: EpochMs): Quota {
  return mapQuota((budget, window) => {
    const use = quota[budget][window];
    const startsAtMs = windowStartMs(window, stravaMs);
    return use.startsAtMs > startsAtMs ? { ...use, startsAtMs } : use;
  });
}
