/**
 * An activity as Strava lists it (a "summary"), with Strava's own names. Unlisted keys stand for fields that Strava
 * adds one day. Shapes: strava-ruby-client's recordings of one athlete, and Strava's swagger.
 */
export type SandboxActivity = {
  resource_state: number;
  athlete: { id: number; resource_state: number };
  name: string;
  /** Meters. */
  distance: number;
  /** Seconds. */
  moving_time: number;
  elapsed_time: number;
  total_elevation_gain: number;
  /** Deprecated by Strava, still sent: `Run` covers the sport types Run and TrailRun. */
  type: string;
  sport_type: string;
  /** Runs: 0 default, 1 race, 2 long run, 3 workout; rides: 10, 11 race, 12; null and absent both occur. */
  workout_type?: number | null;
  id: number;
  /** UTC, whole seconds, `2025-10-19T20:00:00Z`: what the list filters and orders by. */
  start_date: string;
  /** Local wall time with a false `Z`. */
  start_date_local: string;
  /** The zone's standard offset and name, `(GMT-05:00) America/New_York`. */
  timezone: string;
  /** Seconds, of that day (daylight saving included). */
  utc_offset: number;
  /** Missing or null where the athlete hides maps; `summary_polyline` is "" without GPS. */
  map?: { id: string; summary_polyline: string | null; resource_state: number } | null;
  manual: boolean;
  private: boolean;
  visibility: string;
  flagged: boolean;
  start_latlng?: readonly number[] | null;
  end_latlng?: readonly number[] | null;
  /** May pass 2^53, hence bigint too: written as a bare number all the same. Null for manual activities. */
  upload_id: number | bigint | null;
  external_id: string | null;
  [field: string]: unknown;
};

/** Fields that only a detail answer holds. What is not given here is made up from the activity's id. */
export type DetailFields = {
  description?: string | null | undefined;
  calories?: number | undefined;
  /** The detailed line (`map.polyline`); the summary one by default. */
  polyline?: string | null | undefined;
  segment_efforts?: readonly unknown[] | undefined;
};

/**
 * Fields to set on an activity; a key set to undefined is taken away. Detail fields count for the detail answer only.
 * Kept in step unless given too: `private` with `visibility`, `type` with `sport_type`, `start_date_local` with
 * `start_date`.
 */
export type ActivityPatch = { [K in keyof SandboxActivity]?: SandboxActivity[K] | undefined } & DetailFields;

/** Parts a patch into what the list shows and what only the detail shows. */
export function splitPatch(patch: ActivityPatch): { listed: ActivityPatch; detail: DetailFields } {
  const listed: ActivityPatch = {};
  const detail: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(patch)) {
    if (DETAIL_KEYS.has(key)) detail[key] = value;
    else listed[key] = value;
  }
  return { listed, detail };
}

/** The activity after the patch; neither argument is changed. */
export function patchActivity(activity: SandboxActivity, listed: ActivityPatch): SandboxActivity {
  const patched: SandboxActivity = { ...activity };
  for (const [key, value] of Object.entries({ ...listed, ...implied(activity, listed) })) {
    if (value === undefined) delete patched[key];
    else patched[key] = value;
  }
  return patched;
}

/** Fills what a test or an admin left out: a plain morning run of 10 km without GPS, in UTC. */
export function completeActivity(
  id: number,
  stravaId: number,
  startMs: number,
  listed: ActivityPatch,
): SandboxActivity {
  const plain: SandboxActivity = {
    resource_state: 2,
    athlete: { id: stravaId, resource_state: 1 },
    name: "Morning Run",
    distance: 10_000,
    moving_time: 3_000,
    elapsed_time: 3_060,
    total_elevation_gain: 42,
    type: "Run",
    sport_type: "Run",
    workout_type: 0,
    id,
    start_date: toStravaTime(startMs),
    start_date_local: toStravaTime(startMs),
    timezone: "(GMT+00:00) Etc/UTC",
    utc_offset: 0,
    location_city: null,
    location_state: null,
    location_country: null,
    achievement_count: 0,
    kudos_count: 3,
    comment_count: 0,
    athlete_count: 1,
    photo_count: 0,
    map: { id: `a${id}`, summary_polyline: "", resource_state: 2 },
    trainer: false,
    commute: false,
    manual: false,
    private: false,
    visibility: "everyone",
    flagged: false,
    gear_id: null,
    start_latlng: [],
    end_latlng: [],
    average_speed: 3.333,
    max_speed: 4.5,
    has_heartrate: false,
    heartrate_opt_out: false,
    display_hide_heartrate_option: false,
    upload_id: id + 1_083_990_295,
    upload_id_str: String(id + 1_083_990_295),
    external_id: `sandbox_push_${id}`,
    from_accepted_tag: false,
    pr_count: 0,
    total_photo_count: 0,
    has_kudoed: false,
  };
  return patchActivity(plain, { ...listed, athlete: { id: stravaId, resource_state: 1 }, id });
}

/** Whole seconds with a `Z`, as Strava writes times. */
export function toStravaTime(timeMs: number): string {
  return `${new Date(Math.floor(timeMs / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}

/** Writes JSON as Strava does: a bigint becomes a bare number, however large. */
export function toStravaJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // JSON.rawJSON is in the engine and not yet in TypeScript's library.
    const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };
    return JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? rawJSON(String(field)) : field));
  }
}

const DETAIL_KEYS = new Set(["description", "calories", "polyline", "segment_efforts"]);

/** What follows from a patch without being in it. What it takes away stays away. */
function implied(activity: SandboxActivity, listed: ActivityPatch): ActivityPatch {
  const result: ActivityPatch = {};
  if (listed.visibility !== undefined && !("private" in listed)) result.private = listed.visibility === "only_me";
  if (listed.private !== undefined && !("visibility" in listed)) {
    result.visibility = listed.private ? "only_me" : "everyone";
  }
  if (listed.sport_type !== undefined && !("type" in listed)) {
    result.type = listed.sport_type === "TrailRun" ? "Run" : listed.sport_type;
  }
  if (listed.start_date_local === undefined && (listed.start_date !== undefined || listed.utc_offset !== undefined)) {
    const offsetSeconds = listed.utc_offset ?? activity.utc_offset;
    result.start_date_local = toStravaTime(
      Date.parse(listed.start_date ?? activity.start_date) + offsetSeconds * 1_000,
    );
  }
  return result;
}
