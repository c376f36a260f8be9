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
import { type AthleteId, type Clock, type EpochMs, epochMs, plusMs } from "../../core/units.ts";
import {
  formatGovernorState,
  type GovernorState,
  readGovernorState,
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
  /** Strava's time now, as its `Date` header tells it. */
  stravaMs(): EpochMs;
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
  /** Our clock was set back by so much: times by it lie so far ahead now, and Strava's is so much further ahead of it. */
  clockSetBack(byMs: number): void;
  /** Writes what has changed, inside a transaction; call what it returns once that is committed. */
  persist(): () => void;
};

/** When a request went out, by our clock, and as which of this process. */
export type Sent = { readonly sequence: number; readonly atMs: EpochMs };

/** Opens the books. @param scheduleCommit makes sure that a commit follows soon. */
export function openQuotaBooks(options: { db: Db; clock: Clock; scheduleCommit: () => void }): QuotaBooks {
  const { db, clock, scheduleCommit } = options;
  const stored = readGovernorState(db);
  let skewMs = stored?.skewMs ?? 0;
  let sent = 0;
  let sentAtLastObservation = 0;
  let isFresh = true;
  let isDirty = false;
  let storedState = "";
  const ledger = new Map<string, LedgerLine>();
  const stravaMs = () => plusMs(clock.nowMs(), skewMs);
  /** A moment that is past, in Strava's time. Our clock may have been set back since: then it is no later than now. */
  const stravaMsOf = (atMs: EpochMs): EpochMs => epochMs(Math.min(plusMs(atMs, skewMs), stravaMs()));
  let quota: Quota = readQuota(db) ?? unknownQuota(stravaMs());

  function markDirty(): void {
    if (isDirty) return;
    isDirty = true;
    scheduleCommit();
  }

  let reset: ReturnType<typeof settlingAfter>;
  const roll = (): void => {
    const rolled = rollQuota(quota, stravaMs());
    if (rolled !== quota) reset = settlingAfter(quota, rolled);
    quota = rolled;
  };
  roll();

  const books: QuotaBooks = {
    refusal: credible(stored?.refusal, clock.nowMs()),
    breaker: breakerOf(stored, clock.nowMs()),
    quota() {
      roll();
      return quota;
    },
    settling() {
      roll();
      return reset !== undefined && stravaMs() < reset.stravaMs ? reset : undefined;
    },
    stravaMs,
    skewMs: () => skewMs,
    noteSent: () => ({ sequence: ++sent, atMs: clock.nowMs() }),
    isFresh: () => isFresh,
    learnTime(reply) {
      if (reply.dateMs === undefined) return;
      const learned = narrowedSkew(skewMs, reply.dateMs - clock.nowMs(), reply.durationMs);
      if (learned === skewMs) return;
      skewMs = learned;
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
    clockSetBack(byMs) {
      skewMs += byMs;
      books.refusal = books.refusal && { ...books.refusal, untilMs: plusMs(books.refusal.untilMs, -byMs) };
      const { open } = books.breaker;
      if (open !== undefined)
        books.breaker = { ...books.breaker, open: { ...open, untilMs: plusMs(open.untilMs, -byMs) } };
      markDirty();
    },
    persist() {
      if (!isDirty) return () => {};
      storeQuota(db, quota);
      for (const line of ledger.values()) addToLedger(db, line);
      const { refusal, breaker } = books;
      const state = formatGovernorState({ skewMs, refusal, open: breaker.open, openings: breaker.openings });
      if (state !== storedState) storeGovernorState(db, state);
      return () => {
        storedState = state;
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

/** Where the breaker's hold is not credible, it is half open: the next question tells. */
function breakerOf(stored: GovernorState | undefined, nowMs: EpochMs): Breaker {
  if (stored?.open === undefined) return CLOSED;
  const open = credible(stored.open, nowMs) ?? { ...stored.open, untilMs: nowMs };
  return { ...CLOSED, openings: stored.openings, open };
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
