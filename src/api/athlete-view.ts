import { t } from "elysia";
import { erasureDueMs, FRESH_FOR_MS, isStale } from "../core/freshness.ts";
import { type EpochMs, plusMs } from "../core/units.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import type { Links } from "../sync/links.ts";
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
  needs_reconnect_since: OrNull(Time("Since when nothing of theirs can be read.")),
  reconnect_url: OrNull(t.String({ description: "The link to send to an athlete who must connect again." })),
  scope: t.String({ description: "What the athlete granted, as Strava writes it." }),
  publish: t.Boolean({ description: "The athlete consented to the publication of their races." }),
  publish_changed_at: OrNull(Time("When that was recorded last.")),
  publish_changed_by: OrNull(t.String({ description: "Who recorded it." })),
  hidden: t.Boolean(),
  created_at: Time("When we came to know them."),
  last_synced_at: OrNull(Time("When a sync of theirs completed last.")),
  last_complete_list_at: OrNull(Time("When Strava last showed us their whole list.")),
  freshness: t.Object(
    {
      stale: t.Boolean({
        description: "There was no complete list for 7 days: older races may not be shown to others.",
      }),
      stale_at: OrNull(Time("When that will be, or has been; null before the first complete list.")),
      erasure_due_at: OrNull(Time("When they are erased, since their access is gone, unless they connect again.")),
    },
    { description: "What Strava's terms ask for." },
  ),
});
export type AthleteJson = typeof AthleteJson.static;

/** Shows an athlete. */
export function showAthlete(
  athlete: AthleteRow,
  { nowMs, links }: { nowMs: EpochMs; links: Pick<Links, "reconnect"> },
): AthleteJson {
  const { lastCompleteListAtMs, needsReconnectSinceMs } = athlete;
  return {
    id: athlete.id,
    strava_id: athlete.stravaId,
    first_name: athlete.firstName,
    last_name: athlete.lastName,
    status: athlete.status,
    status_reason: athlete.statusReason,
    needs_reconnect_since: athlete.needsReconnectSinceMs,
    reconnect_url: athlete.status === "needs_reconnect" ? links.reconnect() : null,
    scope: athlete.scope,
    publish: athlete.publish === 1,
    publish_changed_at: athlete.publishChangedAtMs,
    publish_changed_by: athlete.publishChangedBy,
    hidden: athlete.hidden === 1,
    created_at: athlete.createdAtMs,
    last_synced_at: athlete.lastSyncedAtMs,
    last_complete_list_at: lastCompleteListAtMs,
    freshness: {
      stale: lastCompleteListAtMs === null || isStale(lastCompleteListAtMs, nowMs),
      stale_at: lastCompleteListAtMs === null ? null : plusMs(lastCompleteListAtMs, FRESH_FOR_MS),
      erasure_due_at: needsReconnectSinceMs === null ? null : erasureDueMs(needsReconnectSinceMs),
    },
  };
}
