import {
  afterReply,
  CLOSED,
  halfOpened,
  isInDoubt,
  isSuspect,
  mayProbe,
  newRound,
  stateOf,
  type Verdict,
  verdictOf,
} from "../../core/breaker.ts";
import type { Fault } from "../../core/fault.ts";
import { admitRequest, holdAfterRefusal, type Quota, type QuotaRules } from "../../core/quota.ts";
import type { RequestPhase } from "../../core/request-phase.ts";
import type { Hold } from "../../core/snapshot.ts";
import type { SyncClass } from "../../core/sync.ts";
import { type AthleteId, type Clock, type Dice, type EpochMs, plusMs } from "../../core/units.ts";
import type { Db } from "../../db/open.ts";
import type { Reply } from "../../strava/reply.ts";
import type { Log } from "../../telemetry/log.ts";
import { type Asker, createPlaces } from "./places.ts";
import { openQuotaBooks } from "./quota-books.ts";

/** What became of a request: Strava's reply, or why there is none to act upon. */
export type Outcome<T> =
  | { readonly got: "reply"; readonly reply: Reply<T> }
  | { readonly got: "hold"; readonly hold: Hold } // nothing was sent, or the answer tells everybody to wait
  | { readonly got: "crowded_out" } // no place came free for so long that it is better to stand in line again
  | { readonly got: "called_off" }; // the signal aborted while it waited

/** How to find out whose a failure is, where that is in doubt. */
export type Doubt = {
  /** Another failure would be the last: then it must be clear. */
  readonly isLastTry: boolean;
  /** The neutral question: who the athlete is. */
  readonly ask: () => Promise<Reply<unknown>>;
};

/**
 * Every request to Strava goes through here: it pays for it from the quota, keeps the ledger, and holds everybody back
 * when the application as a whole has to wait. What it knows is written with the commits that follow.
 */
export type Governor = {
  /** Why nothing of this class goes out now; undefined when something may. */
  hold(syncClass: SyncClass): Hold | undefined;
  /**
   * Sends one request that counts, once a place in flight is free and every window can pay for it (I5). A reply that fails
   * is the thing's own failure: where it may be Strava's, `doubt` settles that first.
   */
  request<T>(asker: Asker, signal: AbortSignal, send: () => Promise<Reply<T>>, doubt?: Doubt): Promise<Outcome<T>>;
  /**
   * Sends one request that does not count (OAuth): it takes a place in flight like any other, and pays for nothing. The
   * signal ends the wait for the place: then nothing is sent, and the reply is the fault `aborted`.
   */
  requestUnmetered<T>(
    asker: Asker,
    send: () => Promise<Reply<T>>,
    signal?: AbortSignal,
  ): Promise<{ reply: Reply<T>; hold: Hold | undefined }>;
  /** An athlete was erased: what stands in line for them is not sent. */
  callOff(athleteId: AthleteId): void;
  /** Writes what has changed, inside a transaction; call what it returns once that is committed. */
  persist(): () => void;
  /** What is known now. */
  view(): GovernorView;
  /** A person says that the trouble may be over: the next request tries. A full quota window stays what it is. */
  tryAgain(): void;
  /** Called when a hold begins or ends early: the processor looks again. */
  onChange(listener: () => void): void;
};

export type GovernorView = {
  readonly quota: Quota;
  readonly inFlight: number;
  /** How far Strava's clock is ahead of ours. */
  readonly skewMs: number;
  readonly stravaMs: EpochMs;
  /** The time that Strava's last answer to this process told; undefined: there was none. */
  readonly toldMs: EpochMs | undefined;
  /** Why all requests wait, beyond what the quota says. */
  readonly appHold: Hold | undefined;
  readonly breaker: "closed" | "open" | "half_open";
  /** How long a request takes, of late. */
  readonly requestMs: number;
};

/** These say nothing of whether the API works for syncs: a revocation that fails must not hold up everybody. */
const BYSTANDERS: readonly RequestPhase[] = ["connect", "club", "revoke", "deauthorize", "webhook"];
/** A list hardly ever fails alone: those of three athletes in a row are an outage. */
const WEIGHT_OF_LIST = 4;
/** A guess until the first answers; then a mean in which each new answer counts so much. */
const FIRST_REQUEST_MS = 500;
const NEW_ANSWER_COUNTS = 0.05;

/** Of requests that nobody calls off. */
const NEVER = new AbortController().signal;

const NOT_SENT: Reply<never> = {
  ok: false,
  fault: { scope: "caller", kind: "aborted", message: "Called off before it was sent" },
  rate: undefined,
  dateMs: undefined,
  status: undefined,
  durationMs: 0,
};

/** What a round of questions says of those that failed in it: it is them, or Strava, or a neutral question must tell. */
type RoundVerdict = "item" | "ask" | "called_off" | Hold;

export function createGovernor(options: {
  db: Db;
  clock: Clock;
  dice: Dice;
  log: Pick<Log, "error">;
  rules: QuotaRules;
  requestsInFlight: number;
  /** Makes sure that a commit follows soon. */
  scheduleCommit: () => void;
}): Governor {
  const { clock, dice, log, rules } = options;
  const books = openQuotaBooks(options);
  const state = () => stateOf(books.breaker, clock.nowMs());
  const places = createPlaces({
    clock,
    count: options.requestsInFlight,
    admit: admitAsker,
    onTaken: (asker) => {
      if (state() === "half_open") probes.add(asker);
    },
    mayOvertake: () => state() === "half_open",
    isLast: (asker) => isSuspect(books.breaker, itemOf(asker)),
    onStuck: () => {
      const what = "Requests found no place for two minutes, though none was on its way and nothing held them back";
      log.error("requests.stuck", `${what}: what was known of an outage is forgotten. This is a bug of Broomwagon.`);
      books.breaker = { ...CLOSED, suspects: books.breaker.suspects };
      probes.clear();
      serve();
    },
  });
  const listeners: (() => void)[] = [];
  let requestMs = FIRST_REQUEST_MS;
  /** Half open: the questions that are out, and those that failed and wait for what the round says. */
  const probes = new Set<Asker>();
  let doubts: ((verdict: RoundVerdict) => void)[] = [];

  function appHold(): Hold | undefined {
    const nowMs = clock.nowMs();
    const { refusal, breaker } = books;
    if (breaker.open !== undefined && breaker.open.untilMs > nowMs) return breaker.open;
    return refusal !== undefined && refusal.untilMs > nowMs ? refusal : undefined;
  }

  function admitClass(syncClass: SyncClass): "yes" | "not_yet" | Hold {
    const held = appHold();
    if (held !== undefined) return held;
    const inFlight = places.inFlight();
    // What others have spent while nobody looked is unknown: the first request of a process goes out alone.
    if (books.isFresh() && inFlight > 0) return "not_yet";
    const settling = books.settling();
    if (settling !== undefined) return { reason: settling.reason, untilMs: plusMs(settling.stravaMs, -books.skewMs()) };
    const admission = admitRequest(books.quota(), { stravaMs: books.stravaMs(), inFlight, syncClass }, rules);
    if (admission.admit === "at")
      return { reason: admission.reason, untilMs: plusMs(admission.stravaMs, -books.skewMs()) };
    return admission.admit === "yes" ? "yes" : "not_yet";
  }

  /** Half open: one question at a time, of a thing that has not failed in this round; the neutral one always. */
  function admitAsker(asker: Asker): "yes" | "not_yet" | Hold {
    const admission = admitClass(asker.syncClass);
    if (admission !== "yes" || state() !== "half_open" || asker.phase === "probe") return admission;
    if (probes.size > 0) return "not_yet";
    if (mayProbe(books.breaker, itemOf(asker))) return "yes";
    if (doubts.length > 0) return "not_yet";
    // Whoever failed in this round has gone, and nobody will ask the neutral question: it would never end.
    books.breaker = newRound(books.breaker);
    return "yes";
  }

  function serve(): void {
    places.serve();
    if (state() === "half_open" && probes.size === 0) doubts.shift()?.("ask");
  }

  /** Takes a verdict into the breaker. @returns the hold that began, or that stands. */
  function judge(asker: Asker, verdict: Verdict, isProbe: boolean): Hold | undefined {
    if (BYSTANDERS.includes(asker.phase) && verdict.says !== "alive") return undefined;
    const before = state();
    const reply = { nowMs: clock.nowMs(), jitter: dice(), isProbe, weight: weightOf(asker) };
    books.breaker = afterReply(books.breaker, verdict, reply);
    const { open } = books.breaker;
    const after = state();
    if ((after === "open") !== (before === "open")) announce();
    const round = after === "open" && open !== undefined ? open : "item";
    if (after !== "half_open") for (const settle of doubts.splice(0)) settle(round);
    return after === "open" && verdict.says !== "alive" && verdict.says !== "nothing" ? open : undefined;
  }

  function announce(): void {
    for (const listener of listeners) listener();
  }

  /** The hold that a metered reply puts on everybody, if any. */
  function learnFault(asker: Asker, reply: Reply<unknown>, isProbe: boolean): Hold | undefined {
    if (reply.ok) return judge(asker, { says: "alive" }, isProbe);
    if (reply.fault.kind === "rate_limited") return learnRefusal();
    const verdict = verdictOf(reply.fault, itemOf(asker));
    return judge(
      asker,
      asker.phase === "probe" ? neutralVerdict(verdict, reply.fault, asker.inPlaceOf) : verdict,
      isProbe,
    );
  }

  /** A token endpoint that fails is never the athlete's fault; what it says or refuses says nothing of the API. */
  function learnTokenFault(asker: Asker, reply: Reply<unknown>): Hold | undefined {
    if (reply.ok || BYSTANDERS.includes(asker.phase)) return undefined;
    if (reply.fault.kind === "rate_limited") return learnRefusal();
    const verdict = verdictOf(reply.fault, "");
    if (verdict.says === "alive") return undefined;
    return judge(asker, verdict.says === "failed" ? { says: "unreached" } : verdict, false);
  }

  /**
   * Replies of requests that were in flight together speak of one refusal: the first hold stands. An outage's is none of that
   * kind: it ends sooner, and what was refused is refused till the window ends.
   */
  function learnRefusal(): Hold {
    const standing = books.refusal;
    if (standing !== undefined && standing.untilMs > clock.nowMs()) return standing;
    const { reason, stravaMs } = holdAfterRefusal(books.quota(), books.stravaMs());
    books.refusal = { reason, untilMs: plusMs(stravaMs, -books.skewMs()) };
    announce();
    return books.refusal;
  }

  /** One metered request, from its place to what is learned of its reply. */
  async function exchange<T>(asker: Asker, signal: AbortSignal, send: () => Promise<Reply<T>>): Promise<Outcome<T>> {
    const taken = await places.take(asker, true, signal);
    if (taken.got !== "place") return taken;
    const isProbe = probes.has(asker);
    const sent = books.noteSent();
    const reply = await sendFrom(asker, send);
    books.learnTime(reply);
    books.learnQuota(reply, sent);
    books.enter(asker, reply.status, sent);
    if (reply.ok) requestMs += (reply.durationMs - requestMs) * NEW_ANSWER_COUNTS;
    const hold = learnFault(asker, reply, isProbe);
    return hold === undefined ? { got: "reply", reply } : { got: "hold", hold };
  }

  /** Frees the place whatever happens: the client never rejects; were it to, the place must not be lost with it. */
  async function sendFrom<T>(asker: Asker, send: () => Promise<Reply<T>>): Promise<Reply<T>> {
    try {
      return await send();
    } catch (error) {
      clock.after(0, serve);
      throw error;
    } finally {
      places.free();
      probes.delete(asker);
    }
  }

  /** Whose a failure is: the thing's own ("item"), or, by a hold, Strava's. */
  async function settleDoubt(asker: Asker, signal: AbortSignal, doubt: Doubt): Promise<"item" | Outcome<never>> {
    if (state() === "half_open") {
      const verdict = await endOfRound(signal);
      if (verdict === "item") return "item";
      if (verdict === "called_off") return { got: "called_off" };
      if (verdict !== "ask") return { got: "hold", hold: verdict };
    } else if (!doubt.isLastTry || !isInDoubt(books.breaker, weightOf(asker))) return "item";
    const neutral = await exchange({ ...asker, phase: "probe", inPlaceOf: asker.phase }, signal, doubt.ask);
    serve();
    if (neutral.got !== "reply") return neutral;
    // Called off in the middle, it has told nothing.
    return !neutral.reply.ok && neutral.reply.fault.kind === "aborted" ? { got: "called_off" } : "item";
  }

  function endOfRound(signal: AbortSignal): Promise<RoundVerdict> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve("called_off");
      const leave = () => {
        doubts = doubts.filter((other) => other !== settle);
        resolve("called_off");
      };
      const settle = (verdict: RoundVerdict) => {
        signal.removeEventListener("abort", leave);
        resolve(verdict);
      };
      signal.addEventListener("abort", leave, { once: true });
      doubts.push(settle);
      serve();
    });
  }

  return {
    hold(syncClass) {
      const admission = admitClass(syncClass);
      return typeof admission === "string" ? undefined : admission;
    },
    async request(asker, signal, send, doubt) {
      const outcome = await exchange(asker, signal, send);
      const isFailed = outcome.got === "reply" && isFailure(outcome.reply);
      const whose = isFailed && doubt !== undefined ? await settleDoubt(asker, signal, doubt) : "item";
      serve();
      if (whose !== "item") return whose;
      return outcome.got === "reply" ? { got: "reply", reply: asItsOwn(outcome.reply) } : outcome;
    },
    async requestUnmetered(asker, send, signal = NEVER) {
      const taken = await places.take(asker, false, signal);
      if (taken.got !== "place") return { reply: NOT_SENT, hold: undefined };
      const sent = books.noteSent();
      const reply = await sendFrom(asker, send);
      books.learnTime(reply);
      books.enter(asker, reply.status, sent);
      const hold = learnTokenFault(asker, reply);
      serve();
      return { reply, hold };
    },
    callOff(athleteId) {
      places.callOff(athleteId);
      serve();
    },
    persist: () => books.persist(),
    view: () => ({
      quota: books.quota(),
      inFlight: places.inFlight(),
      skewMs: books.skewMs(),
      stravaMs: books.stravaMs(),
      toldMs: books.toldMs(),
      appHold: appHold(),
      breaker: state(),
      requestMs,
    }),
    tryAgain() {
      books.breaker = halfOpened(books.breaker, clock.nowMs());
    },
    onChange: (listener) => listeners.push(listener),
  };
}

/**
 * What the neutral question says. A 404 is an answer, but not the API's own: it is enough to give up one activity, and not an
 * athlete's list.
 */
function neutralVerdict(verdict: Verdict, fault: Fault, inPlaceOf: RequestPhase | undefined): Verdict {
  if (verdict.says === "failed" || verdict.says === "unreached" || fault.kind === "maintenance")
    return { says: "silent" };
  return fault.kind === "not_found" && inPlaceOf === "discovery" ? { says: "silent" } : verdict;
}

const itemOf = ({ athleteId, item, phase }: Asker): string => `${athleteId}/${item ?? phase}`;

const weightOf = ({ phase }: Asker): number => (phase === "discovery" ? WEIGHT_OF_LIST : 1);

const isFailure = (reply: Reply<unknown>): boolean => {
  const says = reply.ok ? "alive" : verdictOf(reply.fault, "").says;
  return says === "failed" || says === "down";
};

/** An answer that spoke for all and turned out to be of this one thing: it has failed like any other. */
function asItsOwn<T>(reply: Reply<T>): Reply<T> {
  if (reply.ok || reply.fault.kind !== "maintenance") return reply;
  const { status, message } = reply.fault;
  return { ...reply, fault: { scope: "item", kind: "server_error", status, message } };
}
