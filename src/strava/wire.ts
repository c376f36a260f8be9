import type { DetailedActivity, ListedActivity, Visibility } from "../core/activity.ts";
import { type EpochMs, epochMs } from "../core/units.ts";
import {
  attempt,
  type Json,
  Malformed,
  nameType,
  type Parsed,
  readId,
  readObject,
  readOptional,
  readRequired,
} from "./raw-json.ts";
import type { ActivityPage, MalformedItem } from "./reply.ts";

/**
 * Parses the body of GET /athlete/activities. Unknown fields are ignored; a malformed item is reported beside the
 * others. Ids that JSON numbers cannot hold exactly (`upload_id`, segment efforts) are never read.
 * @see https://developers.strava.com/docs/reference/#api-Activities-getLoggedInAthleteActivities
 */
export function parseActivityPage(body: unknown): Parsed<ActivityPage> {
  if (!Array.isArray(body)) return { ok: false, reason: `expected an array, got ${nameType(body)}` };
  const activities: ListedActivity[] = [];
  const malformed: MalformedItem[] = [];
  for (let index = 0; index < body.length; index++) {
    const item: unknown = body[index];
    const parsed = attempt(() => readListed(readObject(item, "item")));
    if (parsed.ok) activities.push(parsed.value);
    else malformed.push(describeMalformed(item, index, parsed.reason));
  }
  return { ok: true, value: { activities, malformed, rawCount: body.length } };
}

/**
 * Parses the body of GET /activities/{id}. Without a map it is whole all the same: athletes may hide theirs.
 * @see https://developers.strava.com/docs/reference/#api-Activities-getActivityById
 */
export function parseActivity(body: unknown): Parsed<DetailedActivity> {
  return attempt(() => {
    const raw = readObject(body, "body");
    const map = readOptional(raw, "map", "object");
    return {
      ...readListed(raw),
      polyline: map === null ? null : readPolyline(map, "polyline"),
      description: readOptional(raw, "description", "string"),
    };
  });
}

function readListed(raw: Json): ListedActivity {
  const athlete = readOptional(raw, "athlete", "object");
  const map = readOptional(raw, "map", "object");
  const sportTypeGiven = readOptional(raw, "sport_type", "string");
  const typeGiven = readOptional(raw, "type", "string");
  // `type` has been deprecated since 2022 and `sport_type` did not exist before: either one gives the other.
  const type = typeGiven ?? (sportTypeGiven === "TrailRun" ? "Run" : sportTypeGiven);
  if (type === null) throw new Malformed("sport_type: missing, and type too");
  return {
    stravaActivityId: readId(raw, "id"),
    athleteStravaId: athlete === null || athlete.id == null ? undefined : readId(athlete, "id", "athlete.id"),
    name: readOptional(raw, "name", "string") ?? "",
    type,
    sportType: sportTypeGiven ?? type,
    workoutType: readOptional(raw, "workout_type", "number"),
    // Strava sends these three with every activity; one without them still has its id, its start and its name.
    distanceMeters: readOptional(raw, "distance", "number") ?? 0,
    movingSeconds: readOptional(raw, "moving_time", "number") ?? 0,
    elapsedSeconds: readOptional(raw, "elapsed_time", "number") ?? 0,
    elevationGainMeters: readOptional(raw, "total_elevation_gain", "number"),
    startMs: readInstant(raw, "start_date"),
    startLocal: readLocalTime(raw, "start_date_local"),
    timezone: readOptional(raw, "timezone", "string"),
    utcOffsetSeconds: readOptional(raw, "utc_offset", "number"),
    visibility: readVisibility(raw),
    summaryPolyline: map === null ? null : readPolyline(map, "summary_polyline"),
    manual: raw.manual === true,
  };
}

/** `private` always wins; a value that this version does not know is taken for the narrowest. */
function readVisibility(raw: Json): Visibility {
  if (raw.private === true) return "only_me";
  if (raw.visibility == null) return raw.private === false ? "everyone" : "only_me";
  return raw.visibility === "everyone" || raw.visibility === "followers_only" ? raw.visibility : "only_me";
}

/** Strava writes `""` where there is no GPS, and its reference says null; with a hidden map the field may be missing. */
const readPolyline = (map: Json, field: string): string | null =>
  readOptional(map, field, "string", `map.${field}`) || null;

/** Without a zone, the host's own would decide what moment it is: such a time is refused. */
function readInstant(raw: Json, field: string): EpochMs {
  const text = readRequired(raw, field, "string");
  const timeMs = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new Malformed(`${field}: not a time in UTC`);
  return epochMs(timeMs);
}

/** The `Z` at its end is false: it is wall time, and must never meet the host's time zone. */
function readLocalTime(raw: Json, field: string): string {
  const text = readRequired(raw, field, "string");
  if (!LOCAL_TIME.test(text) || Number.isNaN(Date.parse(`${text.slice(0, LOCAL_TIME_LENGTH)}Z`))) {
    throw new Malformed(`${field}: not a local time`);
  }
  return text.slice(0, LOCAL_TIME_LENGTH);
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z?$/;
const LOCAL_TIME_LENGTH = "2025-10-19T16:00:00".length;

function describeMalformed(item: unknown, index: number, reason: string): MalformedItem {
  const id = typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id)
    ? { index, reason, stravaActivityId: id }
    : { index, reason };
}
