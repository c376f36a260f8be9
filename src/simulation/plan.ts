import type { CapacityRefusal } from "../sandbox/capacity.ts";
import type { DeliveryLevers } from "../sandbox/event-delivery.ts";
import type { FaultAction, FaultRule } from "../sandbox/faults.ts";
import type { Wording } from "../sandbox/wording.ts";
import type { SqliteFault } from "./driver.ts";
import type { Edge } from "./edges.ts";
import type { DeedName } from "./hand.ts";

/**
 * All that a simulation does, as a value: what is the same in here runs the same. It follows from a seed (`drawPlan`), and
 * can be cut down by hand or by `shrink`, and kept in a file.
 */
export type Plan = {
  /** Of all dice. */
  readonly seed: number;
  /** The first moment: milliseconds since the epoch. */
  readonly startMs: number;
  /** How long happenings may happen; after it all faults end, and everything has to come to its end. */
  readonly durationMs: number;
  readonly club: ClubPlan;
  /** Settings as the environment would give them. */
  readonly settings: Readonly<Record<string, string>>;
  readonly strava: StravaPlan;
  readonly happenings: readonly Happening[];
};

/** What happenings are drawn for. */
export type Setting = Omit<Plan, "happenings">;

export type ClubPlan = {
  readonly athletes: readonly AthletePlan[];
  readonly spanDays: number;
};

export type AthletePlan = {
  readonly activities: number;
  readonly races: number;
  /** So many activities began in the same second, again and again: what a bulk import looks like. 1: none did. */
  readonly together: number;
  /** The page of the list that Strava makes short, though the list goes on; 0: none. */
  readonly shortPage: number;
  /** What is read of them, as Strava writes it; all there is unless given. */
  readonly scope?: string;
  /** The place of an activity whose detail Strava never gives, as it sometimes is; undefined: all are given. */
  readonly cursed?: { readonly activity: number; readonly action: FaultAction };
};

export type StravaPlan = {
  /** Reads; overall is twice as much, as it is at Strava. */
  readonly quarterLimit: number;
  readonly dayLimit: number;
  readonly rotatesTokens: boolean;
  readonly latencyMs: readonly [least: number, most: number];
  /** How long a request is on its way before Strava acts, whether or not its process lives; no time unless given. */
  readonly travelMs?: readonly [least: number, most: number];
  readonly wording?: Partial<Wording>;
  /** How far its clock is ahead of the world's. */
  readonly skewMs: number;
  /** What nobody knows for sure of Strava: whether `before` takes in its own second, and is refused in the future. */
  readonly beforeInclusive: boolean;
  readonly refusesFutureBefore: boolean;
};

/** Something that happens, so long after the start. Athletes and activities by their place in the club, wrapped around. */
export type Happening = Moment & (AthleteDeed | StravaTrouble | MachineTrouble | PersonsDeed);

export type Moment = {
  readonly afterMs: number;
  /** Not at once, but when the daemon has passed an edge so often from then on: in the middle of its work. */
  readonly on?: { readonly edge: "timer" | "request" | "answered" | "committed"; readonly nth: number };
};

/** What athletes do at Strava. */
export type AthleteDeed =
  | {
      readonly what: "upload";
      readonly athlete: number;
      readonly isRace: boolean;
      /** How long ago it began: a late upload stands deep in the list. */
      readonly beganAgoMs: number;
      readonly isPrivate: boolean;
    }
  | {
      readonly what: "edit";
      readonly athlete: number;
      readonly activity: number;
      readonly to: "other_name" | "race" | "no_race" | "private" | "public";
    }
  | { readonly what: "delete"; readonly athlete: number; readonly activity: number }
  /** Takes the grant back at Strava. */
  | { readonly what: "revoke"; readonly athlete: number }
  /** Signs in at the daemon's page; allows everything there unless it says otherwise. */
  | { readonly what: "sign_in"; readonly athlete: number; readonly allows?: Allowed };

/** What an athlete ticks on Strava's page. */
export type Allowed = "all" | "nothing_private" | "no_activities" | "nothing";

/** What goes wrong at Strava, or on the way to it. */
export type StravaTrouble =
  /** Of one athlete, or of all. */
  | { readonly what: "strava_fault"; readonly rule: FaultRule; readonly athlete?: number }
  | { readonly what: "spend_quota"; readonly requests: number }
  | { readonly what: "other_client"; readonly share: number; readonly forMs: number }
  | {
      readonly what: "other_limits";
      readonly quarterLimit: number;
      readonly dayLimit: number;
      readonly forMs: number;
    }
  | { readonly what: "token_dies"; readonly athlete: number }
  /** No more than so many athletes may connect. */
  | {
      readonly what: "capacity";
      readonly athletes: number;
      readonly forMs: number;
      readonly refusesAt?: CapacityRefusal;
    }
  | { readonly what: "events_go_astray"; readonly levers: Partial<DeliveryLevers>; readonly forMs: number }
  | { readonly what: "event_flood"; readonly events: number; readonly of: FloodOf };

/** What a flood of events says. */
export type FloodOf =
  | "activities" // that are there, and that are not
  | "deletions" // of activities that are there
  | "deauthorizations" // of athletes who did no such thing
  | "foreign" // events of a subscription that is not ours
  | "garbage" // that nobody can read
  | "megabytes";

/** What befalls the box, the process and its database. */
export type MachineTrouble =
  | { readonly what: "crash"; readonly edge: Edge; readonly nth: number; readonly downMs: number }
  /** A stop as by a service manager: the daemon ends what it can. */
  | { readonly what: "stop"; readonly downMs: number }
  | { readonly what: "sleep"; readonly forMs: number }
  | { readonly what: "wrong_clock"; readonly byMs: number; readonly forMs: number }
  /** The nth call of the driver fails, and as many after it. Some failures roll the transaction back by themselves. */
  | {
      readonly what: "database_fails";
      readonly code: SqliteFault;
      readonly edge: "call" | "write" | "begin" | "commit";
      readonly nth: number;
      readonly times: number;
      readonly rollsBack: boolean;
    }
  /** Somebody else holds the write lock. */
  | { readonly what: "locked"; readonly forMs: number }
  | { readonly what: "slow_statement"; readonly nth: number; readonly takesMs: number }
  /** A second daemon on the same file, which its lock should have refused. */
  | { readonly what: "second_process"; readonly forMs: number };

/** What people do: through the API, or with a shell. */
export type PersonsDeed =
  | {
      readonly what: "start_sync";
      readonly athlete: number;
      readonly mode: "full" | "incremental";
      readonly restart: boolean;
    }
  | { readonly what: "pause_sync"; readonly athlete: number; readonly forMs: number }
  | { readonly what: "cancel_sync"; readonly athlete: number }
  | { readonly what: "retry_failed"; readonly athlete: number }
  | { readonly what: "erase_athlete"; readonly athlete: number }
  | { readonly what: "edit_race"; readonly race: number; readonly isHidden: boolean }
  | { readonly what: "change_thresholds"; readonly minutes: number | null }
  | { readonly what: "pause_daemon"; readonly forMs: number }
  | { readonly what: "check_health" }
  /** With a shell on the database. */
  | {
      readonly what: "hand";
      readonly deed: DeedName;
      readonly nth: number;
      /** A script that does it again and again, so often after the first time. */
      readonly again?: { readonly times: number; readonly everyMs: number };
    };
