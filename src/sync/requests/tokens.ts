import type { Fault } from "../../core/fault.ts";
import type { Hold } from "../../core/snapshot.ts";
import type { SyncClass } from "../../core/sync.ts";
import { type AthleteId, HOUR_MS } from "../../core/units.ts";
import type { Commits } from "../../db/group-commit.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { TraceContext, Tracer } from "../../telemetry/tracing.ts";
import type { Governor } from "./governor.ts";
import type { RefusedToken, TokenStore } from "./token-store.ts";

export type TokenAnswer =
  | { got: "token"; accessToken: string }
  /** Only the athlete can mend it: Strava refused this token, or (undefined) none is stored. */
  | {
      got: "reconnect";
      reason: string;
      refused: RefusedToken | undefined;
      /** Whether the grant has ended: no answer with a newer pair can have been lost. */
      isProof: boolean;
    }
  | { got: "hold"; hold: Hold } // the application has to wait
  | { got: "trouble"; error: string } // this try failed; another may not
  | { got: "called_off" };

export type TokenRequest = {
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  readonly parent: TraceContext;
  readonly signal: AbortSignal;
  /** A token that Strava has just refused although it had not expired: it is replaced, once. */
  readonly rejected?: string;
};

export type TokenKeeper = TokenStore & {
  /** A token that Strava should take now, refreshed when it has an hour or less to live. */
  accessToken(request: TokenRequest): Promise<TokenAnswer>;
  /** Asks Strava for a pair whatever the age of the one that is stored: whether the grant still stands. */
  verifyGrant(request: Omit<TokenRequest, "rejected">): Promise<TokenAnswer>;
};

/**
 * Strava gives the same token back while more than an hour is left of it, so asking earlier gains nothing.
 * @see https://developers.strava.com/docs/authentication/ "Refreshing expired access tokens"
 */
const REFRESH_WITHIN_MS = HOUR_MS;

/** Two refusals of one token, and a token that is replaced meanwhile, twice. */
const TRIES_MAX = 4;
const REFUSED_TWICE =
  "Strava refused the refresh token twice: the athlete revoked the access, or a rotated token was lost.";
const NOTHING_STORED: TokenAnswer = {
  got: "reconnect",
  reason: "No usable tokens are stored.",
  refused: undefined,
  isProof: false,
};

/**
 * Keeps every athlete's tokens. One refresh in flight per athlete; the new pair is committed before it is used, since
 * the old refresh token may be dead already; and when Strava refuses one, the row is read again before the athlete is
 * given up. That a refresh is under way is committed before it is asked for: where its answer was lost, by a death or on
 * the wire, a refusal of the old token proves nothing of the grant.
 */
export function createTokenKeeper(options: {
  store: TokenStore;
  commits: Commits;
  strava: StravaClient | undefined;
  governor: Governor;
  tracer: Tracer;
}): TokenKeeper {
  const { store, commits, strava, governor, tracer } = options;
  const refreshes = new Map<AthleteId, Promise<TokenAnswer>>();

  /** Not to be called off: where Strava rotates, the answer is the only copy of the pair that is good from now on. */
  async function refresh(request: TokenRequest): Promise<TokenAnswer> {
    const { athleteId, syncClass, parent } = request;
    const { signal } = new AbortController();
    if (strava === undefined) return { got: "trouble", error: "No Strava credentials are configured." };
    const span = tracer.startSpan("strava.refresh_token", {
      parent,
      kind: "client",
      attributes: { "broomwagon.athlete.id": athleteId },
    });
    try {
      // Twice: the first refusal may be a fault of Strava's. And of a token that is still the athlete's: somebody may connect
      // again, or import a pair, while Strava refuses the old one.
      let refusedOnce: string | undefined;
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const tokens = store.read(athleteId);
        if (tokens === undefined) return NOTHING_STORED;
        const { refreshToken, mayBeReplaced } = tokens;
        const asker = { athleteId, phase: "token", syncClass } as const;
        if (!mayBeReplaced) await commits.soon(() => store.noteAsked(athleteId, refreshToken, true));
        const { reply, hold } = await governor.requestUnmetered(asker, () => strava.refreshToken(refreshToken, signal));
        if (reply.ok) {
          const isTheirs = await commits.soon(() => store.storeRefreshed(athleteId, refreshToken, reply.value));
          // For whom was erased meanwhile nothing more is asked.
          return isTheirs ? { got: "token", accessToken: reply.value.accessToken } : { got: "called_off" };
        }
        span.fail(reply.fault.message);
        if (!mayBeReplaced && isAnswer(reply.fault)) {
          await commits.soon(() => store.noteAsked(athleteId, refreshToken, false));
        }
        if (hold !== undefined) return { got: "hold", hold };
        if (reply.fault.scope !== "athlete") return { got: "trouble", error: reply.fault.message };
        if (refusedOnce === refreshToken && store.isCurrent(athleteId, { refreshToken })) {
          return { got: "reconnect", refused: { refreshToken }, reason: REFUSED_TWICE, isProof: !mayBeReplaced };
        }
        refusedOnce = refreshToken;
      }
      return { got: "trouble", error: "The athlete's tokens were replaced again and again while Strava refused them." };
    } finally {
      span.end();
    }
  }

  function startRefresh(request: TokenRequest): Promise<TokenAnswer> {
    const started = refresh(request).finally(() => refreshes.delete(request.athleteId));
    refreshes.set(request.athleteId, started);
    return started;
  }

  return {
    ...store,
    async accessToken(request) {
      const tokens = store.read(request.athleteId);
      if (tokens === undefined) return NOTHING_STORED;
      // By Strava's clock: it gives the same token back until an hour is left by its own.
      const isFresh = tokens.expiresAtMs - governor.view().stravaMs > REFRESH_WITHIN_MS;
      if (request.rejected === undefined ? isFresh : request.rejected !== tokens.accessToken) {
        return { got: "token", accessToken: tokens.accessToken };
      }
      if (request.signal.aborted) return { got: "called_off" };
      const running = refreshes.get(request.athleteId);
      if (running !== undefined) return unlessCalledOff(request.signal, running);
      return unlessCalledOff(request.signal, startRefresh(request));
    },
    async verifyGrant(request) {
      const { athleteId, signal } = request;
      const running = refreshes.get(athleteId);
      // One that is in flight may have been answered before the grant ended: its answer does not count.
      if (running !== undefined) await unlessCalledOff(signal, running).catch(() => undefined);
      if (signal.aborted) return { got: "called_off" };
      return unlessCalledOff(signal, refreshes.get(athleteId) ?? startRefresh(request));
    },
  };
}

/** Whether Strava itself said that there is no new pair: not a gateway before it, and not in a text that was cut off. */
const isAnswer = ({ status = 0, kind }: Fault): boolean =>
  status >= 400 && kind !== "maintenance" && kind !== "garbage";

/** Who is called off leaves; the refresh goes on for the others, and for whoever comes next. */
function unlessCalledOff(signal: AbortSignal, refreshed: Promise<TokenAnswer>): Promise<TokenAnswer> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve({ got: "called_off" });
    signal.addEventListener("abort", leave, { once: true });
    refreshed.finally(() => signal.removeEventListener("abort", leave)).then(resolve, reject);
  });
}
