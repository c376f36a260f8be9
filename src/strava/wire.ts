import type { DetailedActivity, ListedActivity, Visibility } from "../core/activity.ts";
import { type EpochMs, epochMs, SECOND_MS } from "../core/units.ts";
import type { ActivityPage, MalformedItem, TokenGrant } from "./reply.ts";

/** What a payload turned out to be. `reason` names the place, what was expected and the type found, never the value. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

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

/**
 * Parses the body of POST /oauth/token for a refresh. Where it names no refresh token, the one that was sent stays good.
 * @see https://developers.strava.com/docs/authentication/#refreshing-expired-access-tokens
 */
export function parseTokenGrant(body: unknown, sent: { refreshToken: string; nowMs: EpochMs }): Parsed<TokenGrant> {
  return attempt(() => {
    const raw = readObject(body, "body");
    const accessToken = readRequired(raw, "access_token", "string");
    if (accessToken === "") throw new Malformed("access_token: empty");
    const expiresAtSeconds = readOptional(raw, "expires_at", "number");
    const expiresAtMs =
      expiresAtSeconds === null
        ? sent.nowMs + readRequired(raw, "expires_in", "number") * SECOND_MS
        : expiresAtSeconds * SECOND_MS;
    const scope = readOptional(raw, "scope", "string");
    return {
      accessToken,
      refreshToken: readOptional(raw, "refresh_token", "string") || sent.refreshToken,
      expiresAtMs: epochMs(expiresAtMs),
      ...(scope === null ? {} : { scope }),
    };
  });
}

type Json = { readonly [field: string]: unknown };

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

function readId(raw: Json, field: string, path = field): number {
  const id = readRequired(raw, field, "number", path);
  // Past 2^53 - 1 two ids become one number.
  if (!Number.isSafeInteger(id) || id <= 0) throw new Malformed(`${path}: not a positive integer below 2^53`);
  return id;
}

type Named = { string: string; number: number; object: Json };

function readRequired<Name extends keyof Named>(raw: Json, field: string, type: Name, path = field): Named[Name] {
  const value = readOptional(raw, field, type, path);
  if (value === null) throw new Malformed(`${path}: missing`);
  return value;
}

/** The field, or null when it is null or missing. JSON knows no NaN, but `1e999` parses to infinity. */
function readOptional<Name extends keyof Named>(
  raw: Json,
  field: string,
  type: Name,
  path = field,
): Named[Name] | null {
  const value = raw[field];
  if (value === undefined || value === null) return null;
  if (typeof value !== type || Array.isArray(value) || value === Infinity || value === -Infinity) {
    throw new Malformed(`${path}: expected ${NAMES[type]}, got ${nameType(value)}`);
  }
  return value as Named[Name];
}

function readObject(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(`${path}: expected an object, got ${nameType(value)}`);
  }
  return value as Json;
}

const NAMES = { string: "a string", number: "a finite number", object: "an object" } as const;

function nameType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return value === Infinity || value === -Infinity ? "an infinite number" : `a ${typeof value}`;
}

function describeMalformed(item: unknown, index: number, reason: string): MalformedItem {
  const id = typeof item === "object" && item !== null && "id" in item ? item.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id)
    ? { index, reason, stravaActivityId: id }
    : { index, reason };
}

/** Thrown and caught within this file only: a reader deep in a payload ends the whole of it. */
class Malformed extends Error {
  override readonly name = "Malformed";
}

function attempt<Value>(read: () => Value): Parsed<Value> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, reason: error.message };
    throw error;
  }
}
