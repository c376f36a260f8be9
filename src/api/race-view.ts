import { t } from "elysia";
import type { RaceRow } from "../db/schema.ts";
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
  edited: t.Array(Word(["name", "distance", "moving_time"]), { description: "What an admin wrote." }),
  withdrawn_at: OrNull(Time("Since when Strava no longer shows it.")),
  withdrawn_reason: OrNull(t.String()),
});
export type RaceJson = typeof RaceJson.static;

/** Shows a race. */
export function showRace(race: RaceRow): RaceJson {
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
    edited: editedFields(race),
    withdrawn_at: race.withdrawnAtMs,
    withdrawn_reason: race.withdrawnReason,
  };
}

function editedFields(race: RaceRow): RaceJson["edited"] {
  const edited: RaceJson["edited"] = [];
  if (race.editedName !== null) edited.push("name");
  if (race.editedDistanceMeters !== null) edited.push("distance");
  if (race.editedMovingSeconds !== null) edited.push("moving_time");
  return edited;
}
