import type { EpochMs } from "./units.ts";

/** Who may see an activity on Strava. Whatever is not known to be wider counts as `only_me`. */
export type Visibility = "everyone" | "followers_only" | "only_me";

/**
 * An activity as Strava's list shows it, parsed. Numbers are kept exactly as Strava wrote them.
 * @see https://developers.strava.com/docs/reference/#api-models-SummaryActivity
 */
export type ListedActivity = {
  /** Exact up to 2^53 - 1; an activity with a larger id is malformed. */
  readonly stravaActivityId: number;
  /** Strava's id of the owner; undefined where the payload names none. */
  readonly athleteStravaId: number | undefined;
  readonly name: string;
  /** Strava's older, coarser classification: `Run` covers the sport types Run and TrailRun. */
  readonly type: string;
  /** Strava's newer classification; values that nobody has heard of yet appear every year. */
  readonly sportType: string;
  /** What kind of workout it was, by its type: 1 is a race for a run. Null when it was never set. */
  readonly workoutType: number | null;
  readonly distanceMeters: number;
  readonly movingSeconds: number;
  readonly elapsedSeconds: number;
  readonly elevationGainMeters: number | null;
  readonly startMs: EpochMs;
  /** Wall time where it started, without a zone: `2025-10-19T16:00:00`. Strava's false `Z` is dropped. */
  readonly startLocal: string;
  /** As Strava writes it: `(GMT-05:00) America/New_York`. The offset in it is the standard one, not the one in force. */
  readonly timezone: string | null;
  /** The offset in force at the start. */
  readonly utcOffsetSeconds: number | null;
  readonly visibility: Visibility;
  /** The coarse track; null without GPS, and where the athlete hides the map. */
  readonly summaryPolyline: string | null;
  /** Typed in by hand, not recorded. */
  readonly manual: boolean;
};

/** An activity as Strava's detail shows it: what the list shows, and what only the detail does. */
export type DetailedActivity = ListedActivity & {
  /** The full track; null without GPS, and where the athlete hides the map. */
  readonly polyline: string | null;
  /** As the athlete wrote it, line ends and all; null when they never did. */
  readonly description: string | null;
};
