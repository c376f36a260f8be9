import type { RequestPhase } from "../../core/request-phase.ts";
import type { Hold } from "../../core/snapshot.ts";
import { classRank, type SyncClass } from "../../core/sync.ts";
import { type AthleteId, type Clock, MINUTE_MS } from "../../core/units.ts";

/** Who asks for a request, and for what. */
export type Asker = {
  readonly athleteId: AthleteId;
  readonly phase: RequestPhase;
  readonly syncClass: SyncClass;
  /** What is asked for, the same each time (`activity 123`): many failures of one thing are no outage. */
  readonly item?: string;
  /** Of the neutral question: what failed, and left whose it was in doubt. */
  readonly inPlaceOf?: RequestPhase;
};

/** How the wait for a place ended. */
export type Taken =
  | { readonly got: "place" }
  | { readonly got: "hold"; readonly hold: Hold } // there will be none before a known time
  | { readonly got: "crowded_out" } // none came free for so long that it is better to stand in line again
  | { readonly got: "called_off" };

/** The places of requests in flight, and the line before them: by class, then in order of arrival. */
export type Places = {
  /** Waits for a place. `isMetered` false: for as long as it takes, and whatever holds the others back. */
  take(asker: Asker, isMetered: boolean, signal: AbortSignal): Promise<Taken>;
  /** Gives a place back; call `serve` once it is known what its reply means. */
  free(): void;
  /** Something has changed: lets out who may go now. */
  serve(): void;
  /** Whoever stands in line for an athlete leaves. */
  callOff(athleteId: AthleteId): void;
  inFlight(): number;
};

/** The neutral question decides for all who wait: it goes first. */
const RANK_OF_PROBE = -1;
/** Who finds no place for so long stands in line again: a worker must not be held by a queue. */
const CROWDED_OUT_AFTER_MS = 2 * MINUTE_MS;

type Waiter = {
  readonly asker: Asker;
  readonly rank: number;
  readonly sequence: number;
  readonly sinceMs: number;
  readonly look: () => boolean;
  readonly giveUp: () => void;
  readonly callOff: () => void;
};

/**
 * @param options.admit whether a request that counts may go out now, or why not and until when. It is asked in the order
 *   of the line, and "yes" takes the place.
 * @param options.mayOvertake whether who is behind may go where the one in front may not go yet.
 * @param options.isLast who goes only where nobody else may, then.
 * @param options.onStuck nothing is in flight, nothing is said to hold anybody, and all the same somebody was not let out for
 *   so long: there is no reason for it, and whatever stands in the way has to go.
 */
export function createPlaces(options: {
  clock: Clock;
  count: number;
  admit: (asker: Asker) => "yes" | "not_yet" | Hold;
  /** A place was taken. */
  onTaken: (asker: Asker) => void;
  mayOvertake: () => boolean;
  isLast: (asker: Asker) => boolean;
  onStuck: () => void;
}): Places {
  const { clock, count, admit, onTaken, mayOvertake, isLast, onStuck } = options;
  let inFlight = 0;
  let queued = 0;
  let waiters: Waiter[] = [];
  let isWatching = false;

  function serve(): void {
    if (!mayOvertake()) {
      while (waiters[0]?.look() === true) waiters.shift();
      return;
    }
    const [last, first] = [true, false].map((late) => waiters.filter(({ asker }) => isLast(asker) === late));
    const settled = new Set([...(first ?? []), ...(last ?? [])].filter((waiter) => waiter.look()));
    waiters = waiters.filter((waiter) => !settled.has(waiter));
  }

  /** One timer for all that wait. */
  function watch(): void {
    if (isWatching || waiters.length === 0) return;
    isWatching = true;
    const oldestMs = Math.min(...waiters.map(({ sinceMs }) => sinceMs), clock.nowMs());
    clock.after(Math.max(1, oldestMs + CROWDED_OUT_AFTER_MS - clock.nowMs()), () => {
      isWatching = false;
      if (inFlight === 0 && tired().length > 0) {
        serve();
        if (inFlight === 0 && tired().length > 0) onStuck();
      }
      for (const waiter of [...tired(), ...strayed()]) waiter.giveUp();
      watch();
    });
  }

  function tired(): readonly Waiter[] {
    const nowMs = clock.nowMs();
    return waiters.filter(({ sinceMs }) => nowMs - sinceMs >= CROWDED_OUT_AFTER_MS);
  }

  /** Who waits since a moment to come, as our clock has been set back: nobody knows for how long. */
  function strayed(): readonly Waiter[] {
    const nowMs = clock.nowMs();
    return waiters.filter(({ sinceMs }) => sinceMs > nowMs && Number.isFinite(sinceMs));
  }

  function enqueue(waiter: Waiter): void {
    waiters.push(waiter);
    // In order of arrival they are sorted already, but for an earlier class.
    if ((waiters.at(-2)?.rank ?? waiter.rank) > waiter.rank) {
      waiters.sort((a, b) => a.rank - b.rank || a.sequence - b.sequence);
    }
    // An earlier class does not wait behind a later one that waits for the reserve.
    serve();
    watch();
  }

  function take(asker: Asker, isMetered: boolean, signal: AbortSignal): Promise<Taken> {
    return new Promise((resolve) => {
      const settle = (taken: Taken) => {
        signal.removeEventListener("abort", abort);
        resolve(taken);
      };
      const leave = (taken: Taken) => {
        waiters = waiters.filter((other) => other !== waiter);
        settle(taken);
      };
      const abort = () => leave({ got: "called_off" });
      /** True when it is settled. */
      function look(): boolean {
        if (inFlight >= count && !isMetered) return false;
        const admission = isMetered ? admit(asker) : "yes";
        if (typeof admission === "object") {
          settle({ got: "hold", hold: admission });
          return true;
        }
        if (admission === "not_yet" || inFlight >= count) return false;
        inFlight++;
        if (isMetered) onTaken(asker);
        settle({ got: "place" });
        return true;
      }
      const waiter: Waiter = {
        asker,
        rank: asker.phase === "probe" ? RANK_OF_PROBE : classRank(asker.syncClass),
        sequence: queued++,
        // Tokens are waited for as long as it takes: who needs one has its place in line already.
        sinceMs: isMetered ? clock.nowMs() : Number.POSITIVE_INFINITY,
        look,
        giveUp: () => leave({ got: "crowded_out" }),
        callOff: abort,
      };
      if (signal.aborted) return settle({ got: "called_off" });
      if (waiters.length === 0 && look()) return;
      signal.addEventListener("abort", abort, { once: true });
      enqueue(waiter);
    });
  }

  return {
    take,
    free() {
      inFlight--;
    },
    serve,
    callOff(athleteId) {
      for (const waiter of waiters.filter(({ asker }) => asker.athleteId === athleteId)) waiter.callOff();
    },
    inFlight: () => inFlight,
  };
}
