import { t } from "elysia";
import { isStale } from "../core/freshness.ts";
import { isPublishable, type PublicationFacts } from "../core/publication.ts";
import type { AthleteId, EpochMs } from "../core/units.ts";
import { readAthlete } from "../db/athletes.ts";
import type { RaceRow } from "../db/schema.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import type { SyncContext } from "../sync/context.ts";
import { OrNull, Time, Word } from "./operation.ts";

export const ENRICHMENTS = ["pending", "enriched", "unavailable", "failed"] as const;

/** A race as every answer shows it: what an admin wrote stands in the place of what Strava says. */
export const RaceJson = t.Object({
  id: t.Integer(),
  athlete_id: t.Integer(),
  strava_activity_id: t.Integer(),
  strava_url: t.String({ description: "Where to view it on Strava." }),
  name: t.String(),
  sport_type: t.String(),
  distance: t.Number({ description: "Meters." }),
  moving_time: t.Integer({ description: "Seconds." }),
  elapsed_time: t.Integer({ description: "Seconds." }),
  elevation_gain: OrNull(t.Number({ description: "Meters." })),
  start_date: Time("The start."),
  start_date_local: t.String({ description: "Local wall time of the start, without a zone." }),
  timezone: OrNull(t.String()),
  visibility: Word(["everyone", "followers_only", "only_me"], "At Strava."),
  polyline: OrNull(t.String({ description: "The whole track; null until it is enriched, and where there is none." })),
  description: OrNull(t.String()),
  enrichment: Word(ENRICHMENTS),
  enrichment_error: OrNull(t.String()),
  enriched_at: OrNull(Time("When its detail was stored.")),
  hidden: t.Boolean(),
  last_seen_at: Time("When Strava last showed it to us."),
  stale: t.Boolean({ description: "Not seen at Strava for 7 days: its terms let nobody else see it until it is." }),
  publishable: t.Boolean({
    description:
      "May be shown to others: the athlete consented, everyone may see it on Strava, it is neither hidden, withdrawn nor stale.",
  }),
  edited: t.Array(Word(["name", "distance", "moving_time"]), { description: "What an admin wrote." }),
  withdrawn_at: OrNull(Time("Since when Strava no longer shows it.")),
  withdrawn_reason: OrNull(t.String()),
});
export type RaceJson = typeof RaceJson.static;

export type RaceViewer = (race: RaceRow) => RaceJson;

/** Shows the races of one answer: each athlete's consent is looked up once. */
export function createRaceViewer({ db, clock }: Pick<SyncContext, "db" | "clock">): RaceViewer {
  const athletes = new Map<AthleteId, AthleteRow | undefined>();
  const nowMs = clock.nowMs();
  return (race) => {
    if (!athletes.has(race.athleteId)) athletes.set(race.athleteId, readAthlete(db, race.athleteId));
    return showRace(race, athletes.get(race.athleteId), nowMs);
  };
}

function showRace(race: RaceRow, athlete: AthleteRow | undefined, nowMs: EpochMs): RaceJson {
  return {
    id: race.id,
    athlete_id: race.athleteId,
    strava_activity_id: race.stravaActivityId,
    strava_url: `https://www.strava.com/activities/${race.stravaActivityId}`,
    name: race.editedName ?? race.name,
    sport_type: race.sportType,
    distance: race.editedDistanceMeters ?? race.distanceMeters,
    moving_time: race.editedMovingSeconds ?? race.movingSeconds,
    elapsed_time: race.elapsedSeconds,
    elevation_gain: race.elevationGainMeters,
    start_date: race.startAtMs,
    start_date_local: race.startLocal,
    timezone: race.timezone,
    visibility: race.visibility,
    polyline: race.polyline,
    description: race.description,
    enrichment: race.enrichment,
    enrichment_error: race.enrichmentError,
    enriched_at: race.enrichedAtMs,
    hidden: race.hidden === 1,
    last_seen_at: race.lastSeenAtMs,
    stale: isStale(race.lastSeenAtMs, nowMs),
    publishable: isPublishable(factsOf(race, athlete), nowMs),
    edited: editedFields(race),
    withdrawn_at: race.withdrawnAtMs,
    withdrawn_reason: race.withdrawnReason,
  };
}

function factsOf(race: RaceRow, athlete: AthleteRow | undefined): PublicationFacts {
  return {
    isConsented: athlete?.publish === 1,
    isAthleteHidden: athlete?.hidden === 1,
    isRaceHidden: race.hidden === 1,
    visibility: race.visibility,
    withdrawnAtMs: race.withdrawnAtMs,
    lastSeenAtMs: race.lastSeenAtMs,
  };
}

function editedFields(race: RaceRow): RaceJson["edited"] {
  const edited: RaceJson["edited"] = [];
  if (race.editedName !== null) edited.push("name");
  if (race.editedDistanceMeters !== null) edited.push("distance");
  if (race.editedMovingSeconds !== null) edited.push("moving_time");
  return edited;
}
