import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/**
 * What an admin wrote or hid stays on the row (I9). Without a fingerprint the list brings it back as a race that has to be
 * fetched anew; one that is still to be asked for stays so.
 */
const wipeStatement = statement<unknown, [number, number, number]>(
  `UPDATE races SET name = '', distance_m = 0, moving_s = 0, elapsed_s = 0, elevation_gain_m = NULL, start_local = '', timezone = NULL,
     utc_offset_s = NULL, visibility = 'only_me', summary_polyline = NULL, polyline = NULL, description = NULL, fingerprint = '',
     enrichment = iif(enrichment = 'pending', 'pending', 'unavailable'), enrichment_error = NULL,
     batch_id = iif(enrichment = 'pending', batch_id, NULL), wiped_at_ms = ?2
   WHERE id IN (SELECT id FROM races WHERE withdrawn_at_ms IS NOT NULL AND withdrawn_at_ms <= ?1 AND wiped_at_ms IS NULL
     ORDER BY withdrawn_at_ms LIMIT ?3)`,
);

/** Wipes what Strava said of races withdrawn by `withdrawnByMs`; returns how many, `limit` at most. */
export function wipeWithdrawn(db: Db, withdrawnByMs: EpochMs, nowMs: EpochMs, limit: number): number {
  return wipeStatement(db).run(withdrawnByMs, nowMs, limit).changes;
}

const deleteStatement = statement<unknown, [number, number]>(
  `DELETE FROM races WHERE id IN (SELECT id FROM races WHERE withdrawn_at_ms IS NOT NULL AND withdrawn_at_ms <= ?1
     AND wiped_at_ms IS NOT NULL AND hidden = 0 AND edited_name IS NULL AND edited_distance_m IS NULL AND edited_moving_s IS NULL
     ORDER BY withdrawn_at_ms LIMIT ?2)`,
);

/**
 * Deletes wiped rows of races withdrawn by `withdrawnByMs`; returns how many, `limit` at most. Rows that hold an admin's edit stay:
 * an activity that comes back must not be shown again in spite of it (I9).
 */
export function deleteTombstones(db: Db, withdrawnByMs: EpochMs, limit: number): number {
  return deleteStatement(db).run(withdrawnByMs, limit).changes;
}
