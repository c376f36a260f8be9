import type { Visibility } from "./activity.ts";
import { isStale } from "./freshness.ts";
import type { EpochMs } from "./units.ts";

/** What decides whether a race may be shown to anybody but the operator and its athlete. */
export type PublicationFacts = {
  /** The athlete's recorded consent. */
  readonly isConsented: boolean;
  readonly isAthleteHidden: boolean;
  readonly isRaceHidden: boolean;
  readonly visibility: Visibility;
  readonly withdrawnAtMs: EpochMs | null;
  readonly lastSeenAtMs: EpochMs;
};

/**
 * Whether a race may be published: the athlete consented, nobody hid it or them, everyone may see it on Strava, and Strava
 * showed it within the time that its terms allow. Whoever builds a page of results shows these and no others.
 */
export function isPublishable(race: PublicationFacts, nowMs: EpochMs): boolean {
  return (
    race.isConsented &&
    !race.isAthleteHidden &&
    !race.isRaceHidden &&
    race.visibility === "everyone" &&
    race.withdrawnAtMs === null &&
    !isStale(race.lastSeenAtMs, nowMs)
  );
}
