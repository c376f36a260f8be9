import type { ListedActivity } from "./activity.ts";

/** Strava's `workout_type` of a race, for runs. Rides count from 10 (11 is a race), others from 30. */
const RACE_WORKOUT_TYPE = 1;

/**
 * True when the activity counts as a race: a run (TrailRun has `type` Run as well) that its athlete tagged as one.
 * Virtual runs count only when the operator says so.
 */
export function isRace(
  activity: Pick<ListedActivity, "type" | "sportType" | "workoutType">,
  options: { readonly virtualRuns: boolean },
): boolean {
  if (activity.workoutType !== RACE_WORKOUT_TYPE) return false;
  const isVirtual = activity.type === "VirtualRun" || activity.sportType === "VirtualRun";
  return isVirtual ? options.virtualRuns : activity.type === "Run";
}

/**
 * A short stable string that changes when an edit shows in the list, so that the detail must be fetched again: name,
 * sport, distance, times, start and track. Visibility, workout type and elevation are left out: the list alone tells
 * all there is to know about them, and a detail costs quota.
 * @returns 16 hexadecimal digits, the same on every machine. 64 bits tell edits apart; they prove nothing.
 */
export function listFingerprint(activity: ListedActivity): string {
  return hashHex(
    JSON.stringify([
      activity.name,
      activity.type,
      activity.sportType,
      activity.distanceMeters,
      activity.movingSeconds,
      activity.elapsedSeconds,
      activity.startMs,
      activity.startLocal,
      activity.manual,
      activity.summaryPolyline,
    ]),
  );
}

/** FNV-1a over UTF-16 code units in two 32-bit lanes with different primes, each lane mixed into the other at the end. */
function hashHex(text: string): string {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
  }
  high ^= Math.imul(low ^ (low >>> 16), 0xc2b2ae35);
  low ^= Math.imul(high ^ (high >>> 13), 0x27d4eb2f);
  return toHex(high) + toHex(low);
}

const toHex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, "0");
