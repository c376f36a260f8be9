import { LONGEST_BACKOFF_MS, withJitter } from "../core/batch.ts";
import type { Fault } from "../core/fault.ts";
import {
  admitRequest,
  countRequest,
  holdAfterRefusal,
  mapQuota,
  observeQuota,
  type Quota,
  type QuotaRules,
  rollQuota,
  unknownQuota,
  windowStartMs,
} from "../core/quota.ts";
import type { Hold } from "../core/snapshot.ts";
import { classRank, type SyncClass } from "../core/sync.ts";
import { type AthleteId, type Clock, type Dice, type EpochMs, MINUTE_MS, plusMs, SECOND_MS } from "../core/units.ts";
import type { Db } from "../db/open.ts";
import { addToLedger, type LedgerLine, type RequestPhase, readQuota, storeQuota } from "../db/quota.ts";
import type { Reply } from "../strava/reply.ts";

/** Who asks for a request, and for what. */
export type Asker = { readonly athleteId: AthleteId; readonly phase: RequestPhase; readonly syncClass: SyncClass };

/** What became of a request: Strava's reply, or why there is none to act upon. */
export type Outcome<T> =
  | { readonly got: "reply"; readonly reply: Reply<T> }
  | { readonly got: "hold"; readonly hold: Hold } // nothing was sent, or the answer tells everybody to wait
  | { readonly got: "called_off" }; // the signal aborted while it waited for its place

/**
 * Every request to Strava goes through here: it pays for it from the quota, keeps the ledger, and holds everybody back
 * when the application as a whole has to wait. State is kept in memory and written with the commits that follow.
 */
export type Governor = {
  /** Why nothing of this class goes out now; undefined when something may. */
  hold(syncClass: SyncClass): Hold | undefined;
  /**
   * Sends one request that counts, once a place in flight is free and every window can pay for it (I5).
   */
  request<T>(asker: Asker, signal: AbortSignal, send: () => Promise<Reply<T>>): Promise<Outcome<T>>;
  /** Sends one request that does not count (OAuth): it takes a place in flight like any other, and pays for nothing. */
  requestUnmetered<T>(
    asker: Asker,
    send: () => Promise<Reply<T>>,
  ): Promise<{ reply: Reply<T>; hold: Hold | undefined }>;
  /** Writes what has changed, inside a transaction; call what it returns once that is committed. */
  persist(): () => void;
  /** What is known now. */
  view(): { quota: Quota; inFlight: number; skewMs: number; stravaMs: EpochMs; appHold: Hold | undefined };
  /** A person says that the trouble may be over: the next request tries. A full quota window stays what it is. */
  tryAgain(): void;
  /** Called when a hold begins: the processor looks again. */
  onChange(listener: () => void): void;
};

/** So many requests in a row without an answer worth the name, and it is Strava, not the items. */
const FAILURES_TILL_STORM = 10;
/** Single activities fail for days at Strava, lists and tokens hardly ever: three of those in a row are a storm too. */
const FAILURES_NOT_OF_AN_ITEM = 4;
const FIRST_OUTAGE_WAIT_MS = 30 * SECOND_MS;
/** An inactive application is mended by a person: looking every quarter of an hour is enough. */
const INACTIVE_WAIT_MS = 15 * MINUTE_MS;
/** Strava's `Date` has whole seconds and travels: only a larger difference says that the clocks differ. */
const SKEW_NOISE_MS = 1_500;

/** Of requests that nobody calls off. */
const NEVER = new AbortController().signal;

type Waiter = { rank: number; sequence: number; look: () => boolean };

export function createGovernor(options: {
  db: Db;
  clock: Clock;
  dice: Dice;
  rules: QuotaRules;
  requestsInFlight: number;
  /** Makes sure that a commit follows soon. */
  scheduleCommit: () => void;
}): Governor {
  const { db, clock, dice, rules, requestsInFlight, scheduleCommit } = options;
  let skewMs = 0;
  let inFlight = 0;
  let sent = 0;
  let sentAtLastObservation = 0;
  let failuresInARow = 0;
  let outages = 0;
  let appHold: Hold | undefined;
  let waiters: Waiter[] = [];
  let queued = 0;
  let isDirty = false;
  const ledger = new Map<string, LedgerLine>();
  const listeners: (() => void)[] = [];
  const stravaMs = () => plusMs(clock.nowMs(), skewMs);
  let quota: Quota = rollQuota(readQuota(db) ?? unknownQuota(stravaMs()), stravaMs());

  function admit(syncClass: SyncClass): "yes" | "after_reply" | Hold {
    const nowMs = clock.nowMs();
    if (appHold !== undefined && appHold.untilMs <= nowMs) appHold = undefined;
    if (appHold !== undefined) return appHold;
    const admission = admitRequest(quota, { stravaMs: stravaMs(), inFlight, syncClass }, rules);
    if (admission.admit === "at") return { reason: admission.reason, untilMs: plusMs(admission.stravaMs, -skewMs) };
    return admission.admit;
  }

  /** A free place in flight, or the reason why there will be none. Waiters are served by class, then in order. */
  function takePlace(
    { syncClass, isMetered }: { syncClass: SyncClass; isMetered: boolean },
    signal: AbortSignal,
  ): Promise<"place" | "called_off" | Hold> {
    return new Promise((resolve) => {
      const waiter: Waiter = { rank: classRank(syncClass), sequence: queued++, look };
      const abort = () => {
        waiters = waiters.filter((other) => other !== waiter);
        resolve("called_off");
      };
      /** True when it is settled. */
      function look(): boolean {
        const admission = isMetered ? admit(syncClass) : "yes";
        if (admission === "after_reply" || (admission === "yes" && inFlight >= requestsInFlight)) return false;
        signal.removeEventListener("abort", abort);
        if (admission === "yes") {
          inFlight++;
          resolve("place");
        } else resolve(admission);
        return true;
      }
      if (signal.aborted) return abort();
      if (waiters.length === 0 && look()) return;
      signal.addEventListener("abort", abort, { once: true });
      waiters.push(waiter);
      // In order of arrival they are sorted already, but for an earlier class.
      if ((waiters.at(-2)?.rank ?? 0) > waiter.rank) waiters.sort((a, b) => a.rank - b.rank || a.sequence - b.sequence);
      // An earlier class does not wait behind a later one that waits for the reserve.
      serveWaiters();
    });
  }

  function serveWaiters(): void {
    while (waiters[0]?.look() === true) waiters.shift();
  }

  /** The ledger counts by Strava's day, since that is the day whose budget was spent. */
  function enter(asker: Asker, status: number | undefined): void {
    const dayStartMs = windowStartMs("day", stravaMs());
    const key = `${dayStartMs}/${asker.athleteId}/${asker.phase}/${status ?? 0}`;
    const requests = (ledger.get(key)?.requests ?? 0) + 1;
    ledger.set(key, { dayStartMs, athleteId: asker.athleteId, phase: asker.phase, status: status ?? 0, requests });
    if (isDirty) return;
    isDirty = true;
    scheduleCommit();
  }

  function learnTime(reply: Reply<unknown>): void {
    if (reply.dateMs === undefined) return;
    // `Date` is cut to whole seconds: on average half a second has passed since.
    const seenMs = reply.dateMs + SECOND_MS / 2 - clock.nowMs();
    if (Math.abs(seenMs - skewMs) <= SKEW_NOISE_MS) return;
    skewMs = seenMs;
    quota = withoutFutureWindows(quota, stravaMs());
  }

  function learnQuota(reply: Reply<unknown>, sequence: number): void {
    const answeredMs = reply.dateMs ?? stravaMs();
    quota = rollQuota(quota, stravaMs());
    if (reply.rate !== undefined) {
      const sentAfterLastObservation = sequence > sentAtLastObservation;
      quota = observeQuota(quota, reply.rate, { stravaMs: answeredMs, sentAfterLastObservation });
      sentAtLastObservation = sent;
    } else quota = countRequest(quota);
  }

  /** The hold that a reply puts on everybody, if any. */
  function learnFault(asker: Asker, reply: Reply<unknown>): Hold | undefined {
    if (reply.ok) {
      failuresInARow = 0;
      outages = 0;
      return undefined;
    }
    const { fault } = reply;
    if (fault.scope === "application") return putHold(() => holdFor(fault.kind));
    if (fault.kind !== "server_error" && fault.kind !== "timeout" && fault.kind !== "network") {
      if (fault.scope !== "caller") failuresInARow = 0;
      return undefined;
    }
    failuresInARow += asker.phase === "enrichment" ? 1 : FAILURES_NOT_OF_AN_ITEM;
    if (failuresInARow < FAILURES_TILL_STORM) return undefined;
    return putHold(outageHold);
  }

  function holdFor(kind: Extract<Fault, { scope: "application" }>["kind"]): Hold {
    switch (kind) {
      case "rate_limited": {
        const refusal = holdAfterRefusal(quota, stravaMs());
        return { reason: refusal.reason, untilMs: plusMs(refusal.stravaMs, -skewMs) };
      }
      case "app_inactive":
      case "wrong_client":
        return { reason: "app_inactive", untilMs: plusMs(clock.nowMs(), withJitter(INACTIVE_WAIT_MS, dice())) };
      case "maintenance":
        return outageHold();
      default:
        return kind satisfies never;
    }
  }

  function outageHold(): Hold {
    const waitMs = Math.min(LONGEST_BACKOFF_MS, FIRST_OUTAGE_WAIT_MS * 2 ** Math.min(outages, 10));
    outages++;
    return { reason: "strava_unavailable", untilMs: plusMs(clock.nowMs(), withJitter(waitMs, dice())) };
  }

  /** Replies of requests that were in flight together speak of one trouble: the first hold stands, and counts once. */
  function putHold(makeHold: () => Hold): Hold {
    if (appHold !== undefined && appHold.untilMs > clock.nowMs()) return appHold;
    appHold = makeHold();
    for (const listener of listeners) listener();
    return appHold;
  }

  return {
    hold(syncClass) {
      const admission = admit(syncClass);
      return typeof admission === "string" ? undefined : admission;
    },
    async request<T>(asker: Asker, signal: AbortSignal, send: () => Promise<Reply<T>>): Promise<Outcome<T>> {
      const place = await takePlace({ syncClass: asker.syncClass, isMetered: true }, signal);
      if (place === "called_off") return { got: "called_off" };
      if (place !== "place") return { got: "hold", hold: place };
      const sequence = ++sent;
      let reply: Reply<T>;
      try {
        reply = await send();
      } catch (error) {
        // The client never rejects; were it to, the place must not be lost with it.
        inFlight--;
        serveWaiters();
        throw error;
      }
      inFlight--;
      learnTime(reply);
      learnQuota(reply, sequence);
      enter(asker, reply.status);
      const newHold = learnFault(asker, reply);
      serveWaiters();
      return newHold === undefined ? { got: "reply", reply } : { got: "hold", hold: newHold };
    },
    async requestUnmetered(asker, send) {
      await takePlace({ syncClass: asker.syncClass, isMetered: false }, NEVER);
      const reply = await send().finally(() => {
        inFlight--;
      });
      learnTime(reply);
      enter(asker, reply.status);
      // A token that is handed out says nothing about the API: an outage of that goes on.
      const hold = reply.ok ? undefined : learnFault(asker, reply);
      serveWaiters();
      return { reply, hold };
    },
    persist() {
      if (!isDirty) return () => {};
      storeQuota(db, quota);
      for (const line of ledger.values()) addToLedger(db, line);
      return () => {
        ledger.clear();
        isDirty = false;
      };
    },
    view: () => {
      quota = rollQuota(quota, stravaMs());
      const isHeld = appHold !== undefined && appHold.untilMs > clock.nowMs();
      return { quota, inFlight, skewMs, stravaMs: stravaMs(), appHold: isHeld ? appHold : undefined };
    },
    tryAgain() {
      if (appHold?.reason === "app_inactive" || appHold?.reason === "strava_unavailable") appHold = undefined;
    },
    onChange: (listener) => listeners.push(listener),
  };
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
