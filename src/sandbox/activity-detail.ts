import type { DetailFields, SandboxActivity } from "./activity.ts";
import { DESCRIPTIONS } from "./club-words.ts";

/**
 * What GET /activities/{id} answers for a listed activity: the same fields, and those that only a detail has, made up
 * from the id, so that they are the same each time. The detailed line is the summary's own unless given.
 * Shape: a recorded ride of 2022 and strava-ruby-client's `client/activity.yml`.
 */
export function synthesiseDetail(activity: SandboxActivity, given: DetailFields = {}): Record<string, unknown> {
  const { id, map } = activity;
  const detail: Record<string, unknown> = {
    ...activity,
    resource_state: 3,
    description: given.description === undefined ? inventDescription(id) : given.description,
    calories: given.calories ?? Math.round(activity.distance * 0.065),
    perceived_exertion: null,
    prefer_perceived_exertion: false,
    segment_efforts: given.segment_efforts ?? [],
    splits_metric: inventSplits(activity),
    laps: [inventLap(activity)],
    best_efforts: [],
    photos: { primary: null, count: 0 },
    stats_visibility: STATS_VISIBILITY,
    hide_from_home: false,
    device_name: activity.device_name ?? (activity.manual ? null : "Sandbox Forerunner"),
    embed_token: id.toString(16).padStart(40, "0"),
    available_zones: activity.has_heartrate === true ? ["heartrate"] : [],
  };
  if (map !== undefined && map !== null) {
    const polyline = given.polyline === undefined ? map.summary_polyline : given.polyline;
    detail.map = { id: map.id, polyline, resource_state: 3, summary_polyline: map.summary_polyline };
  }
  return detail;
}

const STATS_VISIBILITY = ["heart_rate", "pace", "power", "speed", "calories"].map((type) => ({
  type,
  visibility: "everyone",
}));

/** One in 256 is an essay of 10 kB. */
function inventDescription(id: number): string | null {
  const roll = Math.imul(id % 0x7fff_ffff, 0x9e37_79b1) >>> 8;
  if ((roll & 0xff) === 0xff) return ESSAY;
  return DESCRIPTIONS[roll % DESCRIPTIONS.length] ?? null;
}

const ESSAY = "And then, at kilometre thirty, the wind turned. 🌬️\r\n".repeat(200);

/** Splits of a kilometre, and the rest; none where nothing measured the way. */
function inventSplits({ distance, moving_time, manual }: SandboxActivity): unknown[] {
  if (manual || distance < 1 || moving_time < 1) return [];
  const splits: unknown[] = [];
  const speed = distance / moving_time;
  for (let done = 0; done < distance && splits.length < MAX_SPLITS; done += 1_000) {
    const meters = Math.min(1_000, distance - done);
    const seconds = Math.round(meters / speed);
    splits.push({
      distance: meters,
      elapsed_time: seconds,
      elevation_difference: 0,
      moving_time: seconds,
      split: splits.length + 1,
      average_speed: Math.round(speed * 100) / 100,
      pace_zone: 0,
    });
  }
  return splits;
}

/** A long ride has no more use for splits than a marathon. */
const MAX_SPLITS = 43;

function inventLap(activity: SandboxActivity): unknown {
  return {
    id: activity.id * 3 + 1,
    resource_state: 2,
    name: "Lap 1",
    activity: { id: activity.id, visibility: activity.visibility, resource_state: 1 },
    athlete: activity.athlete,
    elapsed_time: activity.elapsed_time,
    moving_time: activity.moving_time,
    start_date: activity.start_date,
    start_date_local: activity.start_date_local,
    distance: activity.distance,
    lap_index: 1,
    split: 1,
  };
}
