import type { Dice, EpochMs } from "../core/units.ts";
import type { RequestKind } from "./ledger.ts";

/** What goes wrong. Unless said otherwise Strava acts and counts as usual, and the answer is spoiled on its way. */
export type FaultAction =
  /** Strava answers this instead of acting, and counts it. Rate headers go along unless `html` or `rateHeaders: false`. */
  | {
      readonly type: "status";
      readonly status: number;
      /** JSON, or text as it is; by default the body that Strava is known to send with the status. */
      readonly body?: unknown;
      readonly html?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly rateHeaders?: boolean;
    }
  /** A page of HTML that says "Strava is temporarily unavailable", without rate headers: 502 unless given. */
  | { readonly type: "html"; readonly status?: number }
  /** 200 with JSON that ends in the middle. */
  | { readonly type: "truncated" }
  /** 200 without a body. */
  | { readonly type: "empty" }
  /** No answer until the client gives up or `releaseHangs`; Strava has not acted before the release. */
  | { readonly type: "hang" }
  /** The connection is reset before Strava acted; not counted. */
  | {
      readonly type: "reset";
      /** What `fetch` throws, in process: ECONNRESET unless given; ENOTFOUND where the name is not known. */
      readonly code?: string;
    }
  /** Strava acted and counted; the connection is reset before the answer. */
  | { readonly type: "lost_response" }
  | { readonly type: "no_rate_headers" }
  /** Headers of the answer are set, or taken away (null), `Date` and rate headers too. */
  | { readonly type: "change_headers"; readonly headers: Readonly<Record<string, string | null>> }
  /** The payload's `athlete.id` is somebody else's. */
  | { readonly type: "wrong_athlete" }
  /** The answer comes so much later. */
  | { readonly type: "slow"; readonly ms: number };

export type FaultRule = {
  /** Which requests; a field left out matches all. */
  readonly match?: {
    /** Starts with the nth matching request from now, 1 unless given. */
    readonly nth?: number;
    /** The athlete's Strava id, read from the token. */
    readonly athlete?: number;
    readonly activityId?: number;
    readonly kind?: RequestKind | readonly RequestKind[];
    readonly page?: number;
    /** Each matching request is met with this chance, from 0 to 1: the dice decide. Always unless given. */
    readonly share?: number;
  };
  /** Ends the rule so long after it was injected, whatever `times` says. Never unless given. */
  readonly forMs?: number;
  /** How many matching requests, 1 unless given; Infinity: all from then on. */
  readonly times?: number;
  readonly action: FaultAction;
};

/** The facts of a request that a rule looks at. */
export type Matchable = {
  readonly kind: RequestKind;
  readonly stravaId?: number;
  readonly activityId?: number;
  readonly page?: number;
};

/** The faults asked for, in order. */
export class Faults {
  readonly #dice: Dice;
  #rules: ArmedRule[] = [];
  #lastNumber = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  add(rule: FaultRule, nowMs: EpochMs): string {
    const id = `fault-${++this.#lastNumber}`;
    const endsAtMs = rule.forMs === undefined ? Number.POSITIVE_INFINITY : nowMs + rule.forMs;
    this.#rules.push({ id, rule, endsAtMs, toSkip: (rule.match?.nth ?? 1) - 1, toFire: rule.times ?? 1 });
    return id;
  }

  clear(): void {
    this.#rules = [];
  }

  /** The fault for this request, if any: the first rule that fires. Rules behind it do not see the request. */
  take(request: Matchable, nowMs: EpochMs): { id: string; action: FaultAction } | undefined {
    for (const armed of this.#rules) {
      if (nowMs >= armed.endsAtMs || !matches(armed.rule, request)) continue;
      const share = armed.rule.match?.share ?? 1;
      if (share < 1 && this.#dice() >= share) continue;
      if (armed.toSkip > 0) {
        armed.toSkip--;
        continue;
      }
      armed.toFire--;
      if (armed.toFire <= 0) this.#rules = this.#rules.filter((other) => other !== armed);
      return { id: armed.id, action: armed.rule.action };
    }
    return undefined;
  }
}

type ArmedRule = {
  readonly id: string;
  readonly rule: FaultRule;
  readonly endsAtMs: number;
  toSkip: number;
  toFire: number;
};

function matches({ match }: FaultRule, request: Matchable): boolean {
  if (match === undefined) return true;
  if (match.athlete !== undefined && match.athlete !== request.stravaId) return false;
  if (match.activityId !== undefined && match.activityId !== request.activityId) return false;
  if (match.page !== undefined && match.page !== request.page) return false;
  return match.kind === undefined || match.kind === request.kind || match.kind.includes(request.kind);
}
