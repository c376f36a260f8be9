import { type Clock, SECOND_MS } from "../core/units.ts";
import type { FaultAction } from "../sandbox/faults.ts";
import type { Happening } from "./plan.ts";

/** By happenings: what they excuse. */
export type Disturbance =
  | "others_spend" // quota: somebody else spends, or limits change
  | "rows_by_hand" // rows are not what the daemon wrote
  | "wrong_clock"
  /** The machine sleeps, a statement takes long, or a lock keeps commits waiting. */
  | "held_up"
  /** Windows of Strava's seem to have ended that have not. One that is set back shows itself. */
  | "clock_set_forward"
  | "second_process"
  | "database_fails"
  | "strava_faults"
  /** Refusals that no window explains, and answers that do not tell of the windows. */
  | "quota_faults"
  /** Work is held up for long, by answers that never come or by a person. */
  | "hung";

/** The daemon waits for somebody else's lock for half a minute in all. */
const LOCK_WAITED_FOR_MS = 20 * SECOND_MS;

/** Timers that are less late than this delay nothing that is looked at. */
const LATE_MS = 5 * SECOND_MS;

/** What has disturbed the daemon, and until when: by it some breaches are excused. */
export class Disturbances {
  readonly #clock: Clock;
  readonly #disturbed = new Map<Disturbance, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  happens(happening: Happening): void {
    for (const disturbance of disturbancesOf(happening)) this.#disturb(disturbance, durationOf(happening));
  }

  /** Somebody sets the clock forward, or puts right one that was behind. */
  clockSetForward(forMs: number): void {
    this.#disturb("clock_set_forward", forMs);
  }

  /** A request has met a fault at Strava. */
  faultMet(action: FaultAction): void {
    for (const disturbance of disturbancesByFault(action)) this.#disturb(disturbance, 0);
  }

  /** Somebody has changed rows. */
  handActed(): void {
    this.#disturb("rows_by_hand", 0);
  }

  /** Something excuses some breaches from now on, for so long. */
  #disturb(disturbance: Disturbance, forMs: number): void {
    const untilMs = this.#clock.nowMs() + forMs;
    this.#disturbed.set(disturbance, Math.max(untilMs, this.#disturbed.get(disturbance) ?? 0));
  }

  /** Whether there was such a disturbance, ever, or since a moment. */
  was(disturbance: Disturbance, sinceMs = 0): boolean {
    const untilMs = this.#disturbed.get(disturbance);
    return untilMs !== undefined && untilMs >= sinceMs;
  }
}

function disturbancesOf(happening: Happening): readonly Disturbance[] {
  switch (happening.what) {
    case "spend_quota":
    case "other_client":
    case "other_limits":
      return ["others_spend"];
    case "wrong_clock":
      return ["wrong_clock"];
    case "sleep":
      return ["held_up"];
    case "slow_statement":
      return happening.takesMs < LATE_MS ? [] : ["held_up"];
    case "second_process":
      return ["second_process"];
    case "database_fails":
      return ["database_fails"];
    case "locked":
      // A lock that is given back in time is waited for.
      return happening.forMs < LOCK_WAITED_FOR_MS ? ["held_up"] : ["held_up", "database_fails"];
    default:
      return [];
  }
}

function durationOf(happening: Happening): number {
  return "forMs" in happening ? happening.forMs : 0;
}

function disturbancesByFault(action: FaultAction): readonly Disturbance[] {
  const isOfQuota =
    action.type === "no_rate_headers" ||
    action.type === "change_headers" ||
    (action.type === "status" && action.status === 429);
  return [
    "strava_faults",
    ...(isOfQuota ? (["quota_faults"] as const) : []),
    ...(action.type === "slow" || action.type === "hang" ? (["hung"] as const) : []),
  ];
}
