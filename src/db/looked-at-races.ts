import type { DetailedActivity } from "../core/activity.ts";
import { listFingerprint } from "../core/race.ts";
import type { AthleteId, EpochMs, RaceId, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { storeListedRace } from "./races.ts";
import { statement } from "./statement.ts";

const heldStatement = statement<{ id: RaceId }, [number, number]>(
  "SELECT id FROM races WHERE athlete_id = ?1 AND strava_activity_id = ?2 AND withdrawn_at_ms IS NULL",
);

/** The race that is held of an activity, and not withdrawn; undefined when there is none. */
export function findHeldRace(db: Db, athleteId: AthleteId, stravaActivityId: number): RaceId | undefined {
  return heldStatement(db).get(athleteId, stravaActivityId)?.id;
}

const enrichStatement = statement<unknown, [number, number, string | null, string | null, number]>(
  `UPDATE races SET polyline = ?3, description = ?4, enrichment = 'enriched', enrichment_error = NULL, enriched_at_ms = ?5,
     not_found_in_sync_id = NULL, withdrawn_at_ms = NULL, withdrawn_reason = NULL
   WHERE athlete_id = ?1 AND strava_activity_id = ?2`,
);

/**
 * Stores a race that a look has just seen in full: as a list would show it and as a detail would enrich it, in whatever
 * state it was. What an admin edited or hid stays (I9). A batch that holds it finds it done.
 * @param race.syncId the athlete's sync in progress, whose complete list must not withdraw what was seen meanwhile; null
 *   when there is none.
 */
export function storeLookedAtRace(
  db: Db,
  race: { athleteId: AthleteId; activity: DetailedActivity; syncId: SyncId | null; nowMs: EpochMs },
): void {
  const { athleteId, activity, nowMs } = race;
  storeListedRace(db, { ...race, fingerprint: listFingerprint(activity) });
  enrichStatement(db).run(athleteId, activity.stravaActivityId, activity.polyline, activity.description, nowMs);
}
