import type { Dice } from "../core/units.ts";
import { type SandboxActivity, toStravaTime } from "./activity.ts";
import { RACE_NAMES, RUN_NAMES } from "./club-words.ts";
import type { Route } from "./routes.ts";
import { utcOffsetSeconds, type Zone, zoneLabel } from "./time-zones.ts";

/**
 * Invents an activity as Strava would list it, in the proportions of 1,132 recorded ones: which keys are null, empty or
 * missing, and how often. Some that are rare there are here more often, so that a small club meets them too.
 */
export function inventActivity(
  dice: Dice,
  given: { id: number; stravaId: number; startMs: number; zone: Zone; routes: readonly Route[]; isRace: boolean },
): SandboxActivity {
  const { id, stravaId, startMs, zone, isRace } = given;
  const chance = (share: number) => dice() < share;
  const kind = isRace ? pickRaceKind(dice) : pickKind(dice);
  const distance = Math.round((isRace ? pickRaceDistance(dice) : kind.meters * (0.4 + dice() * 1.2)) * 10) / 10;
  const movingSeconds = Math.max(300, Math.round(distance / (kind.metersPerSecond * (0.8 + dice() * 0.4))));
  const isManual = chance(0.015);
  const hasGps = kind.isOutdoors && !isManual && chance(0.98);
  const route = hasGps ? given.routes[Math.floor(dice() * given.routes.length)] : undefined;
  const hasHeartrate = !isManual && chance(0.91);
  const offsetSeconds = utcOffsetSeconds(zone, startMs);
  const visibilityRoll = dice();
  const visibility = visibilityRoll < 0.02 ? "only_me" : visibilityRoll < 0.08 ? "followers_only" : "everyone";
  const uploadId = isManual ? null : chance(0.003) ? 987_654_321_234_567_891_234n : id + 1_083_990_295;
  const names = isRace ? RACE_NAMES : RUN_NAMES;
  const activity: SandboxActivity = {
    resource_state: 2,
    athlete: { id: stravaId, resource_state: 1 },
    name: isRace || kind.type === "Run" ? (names[Math.floor(dice() * names.length)] ?? "Run") : `Morning ${kind.sport}`,
    distance,
    moving_time: movingSeconds,
    elapsed_time: movingSeconds + Math.floor(dice() * 240),
    total_elevation_gain: Math.round(dice() * 200),
    type: kind.type,
    sport_type: kind.sport,
    id,
    start_date: toStravaTime(startMs),
    start_date_local: toStravaTime(startMs + offsetSeconds * 1_000),
    timezone: zoneLabel(zone),
    utc_offset: offsetSeconds,
    location_city: null,
    location_state: null,
    location_country: null,
    achievement_count: Math.floor(dice() * 5),
    kudos_count: Math.floor(dice() * 20),
    comment_count: Math.floor(dice() * 3),
    athlete_count: 1 + Math.floor(dice() * 4),
    photo_count: 0,
    map: { id: `a${id}`, summary_polyline: route?.polyline ?? "", resource_state: 2 },
    trainer: kind.type === "VirtualRun",
    commute: false,
    manual: isManual,
    private: visibility === "only_me",
    visibility,
    flagged: chance(0.004),
    gear_id: chance(0.2) ? null : `g${20_000_000 + (stravaId % 7_000_000)}`,
    start_latlng: route?.start ?? [],
    end_latlng: route?.end ?? [],
    average_speed: Math.round((distance / movingSeconds) * 1_000) / 1_000,
    max_speed: isManual ? 0 : Math.round((distance / movingSeconds) * 1_500) / 1_000,
    has_heartrate: hasHeartrate,
    heartrate_opt_out: false,
    display_hide_heartrate_option: hasHeartrate,
    upload_id: uploadId,
    external_id: isManual ? null : `garmin_ping_${id % 1_000_000_000}`,
    from_accepted_tag: false,
    pr_count: Math.floor(dice() * 2),
    total_photo_count: Math.floor(dice() * 3),
    has_kudoed: false,
  };
  // Keys that come and go. (Set one by one: deleting them again would cost each object its shape, and memory.)
  if (kind.workoutType !== undefined) activity.workout_type = kind.workoutType;
  if (uploadId !== null) activity.upload_id_str = String(uploadId);
  if (hasHeartrate) {
    activity.average_heartrate = 120 + Math.round(dice() * 500) / 10;
    activity.max_heartrate = 165 + Math.floor(dice() * 25);
    activity.suffer_score = Math.floor(dice() * 150);
  }
  if (hasGps && chance(0.97)) {
    activity.elev_high = Math.round(dice() * 1_000) / 10;
    activity.elev_low = -Math.round(dice() * 50) / 10;
  }
  if (kind.type === "Run" && chance(0.7)) activity.average_cadence = 78 + Math.round(dice() * 100) / 10;
  if (chance(0.65)) activity.average_temp = Math.floor(dice() * 35);
  // Strava's changelog: summaries have it since that day.
  if (!isManual && startMs >= Date.UTC(2025, 9, 27)) activity.device_name = "Sandbox Forerunner";
  if (chance(0.05)) activity.field_of_tomorrow = { resource_state: 1, value: null };
  if (!hasGps) hideMap(activity, dice());
  return activity;
}

type Kind = {
  readonly share: number;
  readonly type: string;
  readonly sport: string;
  /** Undefined: the key is absent. */
  readonly workoutType: number | null | undefined;
  readonly meters: number;
  readonly metersPerSecond: number;
  readonly isOutdoors: boolean;
};

/** Shares of 100. The last stand for sport types that came, or will come, after this was written. */
const KINDS: readonly Kind[] = [
  { share: 48, ...run("Run", 0) },
  { share: 8, ...run("Run", null) },
  { share: 2, ...run("Run", undefined) },
  { share: 3, ...run("Run", 2) },
  { share: 3, ...run("Run", 3) },
  { share: 3, ...run("TrailRun", 0) },
  { share: 2, ...run("TrailRun", null) },
  { share: 2, ...run("VirtualRun", 0), type: "VirtualRun", isOutdoors: false },
  { share: 1, ...run("VirtualRun", 1), type: "VirtualRun", isOutdoors: false },
  { share: 5, ...other("Ride", 10, 30_000, 7) },
  { share: 2, ...other("Ride", 11, 60_000, 9) },
  { share: 1, ...other("Ride", 12, 25_000, 7) },
  { share: 8, ...other("Swim", undefined, 1_500, 0.8), isOutdoors: false },
  { share: 3, ...other("AlpineSki", undefined, 20_000, 5) },
  { share: 2, ...other("Hike", undefined, 12_000, 1.1) },
  { share: 3, ...other("WeightTraining", 30, 0, 1), isOutdoors: false },
  { share: 2, ...other("Workout", null, 0, 1), isOutdoors: false },
  { share: 1, ...other("Cricket", undefined, 3_000, 1) },
  { share: 1, ...other("SlowBicycleRace", 77, 500, 0.5) },
];

function run(sport: string, workoutType: number | null | undefined): Omit<Kind, "share"> {
  return { type: "Run", sport, workoutType, meters: 9_000, metersPerSecond: 3, isOutdoors: true };
}

function other(
  sport: string,
  workoutType: number | null | undefined,
  meters: number,
  metersPerSecond: number,
): Omit<Kind, "share"> {
  return { type: sport, sport, workoutType, meters, metersPerSecond, isOutdoors: true };
}

function pickKind(dice: Dice): Omit<Kind, "share"> {
  let roll = dice() * 100;
  for (const kind of KINDS) {
    roll -= kind.share;
    if (roll < 0) return kind;
  }
  return run("Run", 0);
}

function pickRaceKind(dice: Dice): Omit<Kind, "share"> {
  return { ...run(dice() < 0.12 ? "TrailRun" : "Run", 1), metersPerSecond: 3.6 };
}

/** What a watch makes of the usual distances. */
function pickRaceDistance(dice: Dice): number {
  const meters = RACE_METERS[Math.floor(dice() * RACE_METERS.length)] ?? 10_000;
  return meters * (0.995 + dice() * 0.015);
}

const RACE_METERS = [3_000, 5_000, 5_000, 5_000, 10_000, 10_000, 15_000, 21_097.5, 21_097.5, 42_195];

/** Without GPS the recorded ones hold "" and []; the swagger shows null; who hides maps may send none. */
function hideMap(activity: SandboxActivity, roll: number): void {
  if (roll < 0.06) activity.map = { id: `a${activity.id}`, summary_polyline: null, resource_state: 2 };
  else if (roll < 0.1) activity.map = null;
  else if (roll < 0.14) delete activity.map;
  else if (roll < 0.2) {
    activity.start_latlng = null;
    activity.end_latlng = null;
  }
}
