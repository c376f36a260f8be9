import type { AthleteId, BatchId, EpochMs, RaceId, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

const notFoundStatement = statement<unknown, [number, number, number, number]>(
  `UPDATE races SET enrichment = 'unavailable', enrichment_error = NULL,
     withdrawn_reason = CASE WHEN withdrawn_at_ms IS NULL AND not_found_in_sync_id <> ?3 THEN 'no longer shown' ELSE withdrawn_reason END,
     withdrawn_at_ms = CASE WHEN withdrawn_at_ms IS NULL AND not_found_in_sync_id <> ?3 THEN ?4 ELSE withdrawn_at_ms END,
     not_found_in_sync_id = ?3
   WHERE id = ?1 AND batch_id = ?2 AND enrichment = 'pending'`,
);

/**
 * Stores that Strava does not show a race to this token (404). The first sync that is told so makes it unavailable, the
 * second one withdraws it. The race must still be this batch's to enrich: false when it is not, and nothing is written.
 */
export function storeNotFound(db: Db, race: { id: RaceId; batchId: BatchId; syncId: SyncId; nowMs: EpochMs }): boolean {
  return notFoundStatement(db).run(race.id, race.batchId, race.syncId, race.nowMs).changes > 0;
}

const askAgainStatement = statement<unknown, [number, number, number]>(
  `UPDATE races SET enrichment = 'pending', enrichment_error = NULL, attempts = 0, batch_id = NULL
   WHERE athlete_id = ?1 AND seen_in_sync_id IS NOT ?2 AND fingerprint <> ''
     AND (withdrawn_at_ms = ?3 AND withdrawn_reason = 'no longer in the list' OR withdrawn_at_ms IS NULL AND enrichment = 'unavailable')`,
);

/**
 * After a list that did not go back to the beginning: what it has just withdrawn may only have moved behind its bound, as
 * its start was edited, and what was unavailable before may lie there. The detail of each is asked for once: it brings
 * the race back, or a 404 settles it.
 * @param withdrawnAtMs when the list withdrew what it no longer shows.
 * @returns how many.
 */
export function askAgainForMissing(db: Db, athleteId: AthleteId, syncId: SyncId, withdrawnAtMs: EpochMs): number {
  return askAgainStatement(db).run(athleteId, syncId, withdrawnAtMs).changes;
}
