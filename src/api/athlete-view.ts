import { t } from "elysia";
import type { AthleteRow } from "../db/schema.ts";
import { OrNull, Time, Word } from "./operation.ts";

export const ATHLETE_STATUSES = ["connected", "needs_reconnect", "disconnected"] as const;

/** An athlete as every answer shows one. Tokens never leave. */
export const AthleteJson = t.Object({
  id: t.Integer(),
  strava_id: t.Integer(),
  first_name: t.String(),
  last_name: t.String(),
  status: Word(ATHLETE_STATUSES),
  status_reason: OrNull(t.String({ description: "Why the athlete must connect again." })),
  scope: t.String({ description: "What the athlete granted, as Strava writes it." }),
  publish: t.Boolean({ description: "The athlete consented to the publication of their races." }),
  publish_changed_at: OrNull(Time("When that was recorded last.")),
  publish_changed_by: OrNull(t.String({ description: "Who recorded it." })),
  hidden: t.Boolean(),
  created_at: Time("When we came to know them."),
  last_synced_at: OrNull(Time("When a sync of theirs completed last.")),
  last_complete_list_at: OrNull(Time("When Strava last showed us their whole list.")),
});
export type AthleteJson = typeof AthleteJson.static;

/** Shows an athlete. */
export function showAthlete(athlete: AthleteRow): AthleteJson {
  return {
    id: athlete.id,
    strava_id: athlete.stravaId,
    first_name: athlete.firstName,
    last_name: athlete.lastName,
    status: athlete.status,
    status_reason: athlete.statusReason,
    scope: athlete.scope,
    publish: athlete.publish === 1,
    publish_changed_at: athlete.publishChangedAtMs,
    publish_changed_by: athlete.publishChangedBy,
    hidden: athlete.hidden === 1,
    created_at: athlete.createdAtMs,
    last_synced_at: athlete.lastSyncedAtMs,
    last_complete_list_at: athlete.lastCompleteListAtMs,
  };
}
