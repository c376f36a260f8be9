import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** Rows that a hand has put into a state that is none; each statement reads an index that is empty otherwise. */
export type MendedStates = {
  readonly athletes: number;
  readonly races: number;
  readonly batches: number;
  readonly syncs: number;
};

const mendAthletes = statement<unknown, [number]>(
  `UPDATE athletes SET status = 'connected', status_reason = NULL, needs_reconnect_since_ms = NULL WHERE id IN (
     SELECT id FROM athletes INDEXED BY athletes_unknown WHERE status NOT IN ('connected', 'needs_reconnect', 'disconnected') LIMIT ?1)`,
);

const mendRaces = statement<unknown, [number]>(
  `UPDATE races SET enrichment = 'pending', enrichment_error = NULL, batch_id = NULL WHERE id IN (
     SELECT id FROM races INDEXED BY races_unknown WHERE enrichment NOT IN ('pending', 'enriched', 'unavailable', 'failed') LIMIT ?1)`,
);
const mendBatches = statement<unknown, [number, number]>(
  `UPDATE batches SET status = 'cancelled', completed_at_ms = ?2, lease_token = NULL, lease_expires_at_ms = NULL WHERE id IN (
     SELECT id FROM batches INDEXED BY batches_unknown
     WHERE status NOT IN ('pending', 'processing', 'completed', 'failed', 'cancelled') LIMIT ?1)`,
);
const mendSyncs = statement<unknown, [number, number]>(
  `UPDATE syncs SET status = CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN status ELSE 'failed' END,
     completed_at_ms = ifnull(completed_at_ms, ?2),
     error = CASE WHEN status IN ('completed', 'cancelled') THEN error
       ELSE ifnull(error, 'A hand in the database ended it. Start a new sync to go on.') END
   WHERE id IN (
     SELECT id FROM syncs INDEXED BY syncs_unknown
     WHERE status NOT IN ('in_progress', 'completed', 'failed', 'cancelled') OR (status <> 'in_progress' AND completed_at_ms IS NULL) LIMIT ?1)`,
);

/**
 * Gives rows in a state that is none the one that loses nothing: a race is pending again, a batch cancelled (what it
 * held is planned anew), a sync failed, with the reason, and an athlete connected: whether that is true, the next request tells. At most `limit` of each. Inside a transaction.
 */
export function mendUnknownStates(db: Db, limit: number, nowMs: EpochMs): MendedStates {
  return {
    athletes: mendAthletes(db).run(limit).changes,
    races: mendRaces(db).run(limit).changes,
    batches: mendBatches(db).run(limit, nowMs).changes,
    syncs: mendSyncs(db).run(limit, nowMs).changes,
  };
}

const anyUnknown = statement<{ found: 0 | 1 }, []>(
  `SELECT EXISTS (SELECT 1 FROM athletes INDEXED BY athletes_unknown WHERE status NOT IN ('connected', 'needs_reconnect', 'disconnected'))
       OR EXISTS (SELECT 1 FROM races INDEXED BY races_unknown WHERE enrichment NOT IN ('pending', 'enriched', 'unavailable', 'failed'))
       OR EXISTS (SELECT 1 FROM batches INDEXED BY batches_unknown
                  WHERE status NOT IN ('pending', 'processing', 'completed', 'failed', 'cancelled'))
       OR EXISTS (SELECT 1 FROM syncs INDEXED BY syncs_unknown
                  WHERE status NOT IN ('in_progress', 'completed', 'failed', 'cancelled') OR (status <> 'in_progress' AND completed_at_ms IS NULL)) AS found`,
);

/** Whether there is any such row: asked without the write lock. */
export function hasUnknownStates(db: Db): boolean {
  return anyUnknown(db).get()?.found === 1;
}
