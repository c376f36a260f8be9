import { createHash } from "node:crypto";
import type { StravaAspect, StravaEvent, StravaObject, Subscription } from "../core/strava-event.ts";
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

/**
 * Parses one of Strava's events. Of `updates` only the access that was taken back is read (`"false"`, and the boolean is
 * taken too): nothing else in it is ever believed, and of the whole only a hash is kept.
 * @see https://developers.strava.com/docs/webhooks/ "Event data"
 */
export function parseEvent(body: unknown): Parsed<StravaEvent> {
  return attempt(() => {
    const raw = readObject(body, "body");
    const objectType = readWord(raw, "object_type", OBJECTS);
    const aspect = readWord(raw, "aspect_type", ASPECTS);
    const updates = readOptional(raw, "updates", "object");
    return {
      subscriptionId: readId(raw, "subscription_id"),
      objectType,
      objectId: readId(raw, "object_id"),
      aspect,
      ownerId: readId(raw, "owner_id"),
      eventTimeSeconds: readId(raw, "event_time"),
      isDeauthorized: objectType === "athlete" && (updates?.authorized === "false" || updates?.authorized === false),
      updatesHash: hashOf(updates ?? {}),
    };
  });
}

/** Parses the body of GET /push_subscriptions. One that cannot be read spoils it: it might be ours. */
export function parseSubscriptions(body: unknown): Parsed<readonly Subscription[]> {
  if (!Array.isArray(body)) return { ok: false, reason: `expected an array, got ${nameType(body)}` };
  return attempt(() =>
    body.map((item: unknown) => {
      const raw = readObject(item, "item");
      const callbackUrl = readRequired(raw, "callback_url", "string");
      return { id: readId(raw, "id"), callbackUrl, createdAtMs: readCreatedAt(raw) };
    }),
  );
}

/** Parses the body of POST /push_subscriptions, which may hold nothing but the id. */
export function parseNewSubscription(body: unknown, callbackUrl: string): Parsed<Subscription> {
  return attempt(() => {
    const raw = readObject(body, "body");
    return { id: readId(raw, "id"), callbackUrl, createdAtMs: readCreatedAt(raw) };
  });
}

/** Of the fields in any order; 64 bits are plenty within one activity and one second. */
function hashOf(updates: Json): string {
  const fields = Object.entries(updates).sort(([one], [other]) => (one < other ? -1 : 1));
  if (fields.length === 0) return "";
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex").slice(0, HASH_DIGITS);
}
const HASH_DIGITS = 16;

const OBJECTS: readonly StravaObject[] = ["activity", "athlete"];
const ASPECTS: readonly StravaAspect[] = ["create", "update", "delete"];

function readWord<Word extends string>(raw: Json, field: string, words: readonly Word[]): Word {
  const text = readRequired(raw, field, "string");
  const word = words.find((one) => one === text);
  if (word === undefined) throw new Malformed(`${field}: expected one of ${words.join(", ")}`);
  return word;
}

/** No time is worth losing a subscription for: one that cannot be read is taken for missing. */
function readCreatedAt(raw: Json): EpochMs | null {
  const { created_at: text } = raw;
  const timeMs = typeof text === "string" && ENDS_IN_ZONE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? null : epochMs(timeMs);
}

/** Without a zone, the host's own would decide what moment it is. */
const ENDS_IN_ZONE = /(Z|[+-]\d\d:?\d\d)$/;
