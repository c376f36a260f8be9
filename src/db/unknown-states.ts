import { classRank, SYNC_CLASSES } from "../core/sync.ts";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** Rows that a hand has put into a state that is none; each statement reads an index, or a range of ids, that is empty otherwise. */
export type MendedStates = {
  readonly athletes: number;
  readonly races: number;
  readonly batches: number;
  readonly syncs: number;
  /** Batches whose id was beyond what a number here holds exactly, so that none could be claimed or changed. */
  readonly batchIds: number;
  /** Syncs of a rank behind all classes: their turn would never come. */
  readonly ranks: number;
};

/** Ids up to here are kept; between it and the last exact one (2^53 - 1) there is room for all that will ever be given. */
const LAST_KEPT_ID = 2 ** 52;

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

const BEHIND_ALL = classRank("schedule");
const mendRanks = statement<unknown, [number]>(
  `UPDATE syncs SET class_rank = CASE class ${SYNC_CLASSES.map((one) => `WHEN '${one}' THEN ${classRank(one)}`).join(" ")} ELSE ${BEHIND_ALL} END
   WHERE id IN (SELECT id FROM syncs INDEXED BY syncs_serving_order WHERE status = 'in_progress' AND class_rank > ${BEHIND_ALL} LIMIT ?1)`,
);

// The ids go on from the highest that was ever given, as far as that is known. References by the old id are found as such.
const mendBatchIds = statement<unknown, [number, number]>(
  `UPDATE batches SET id = mended.id FROM (
     SELECT id AS bad, row_number() OVER (ORDER BY id) + max(
         (SELECT ifnull(max(id), 0) FROM batches WHERE id BETWEEN 0 AND ?1),
         (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'batches' AND seq <= ?1)) AS id
     FROM (SELECT id FROM batches WHERE id > ?1 UNION ALL SELECT id FROM batches WHERE id < -?1 LIMIT ?2)) AS mended
   WHERE batches.id = mended.bad`,
);
// Else the next batch would have such an id again, or none: SQLite goes on from the highest that it ever gave.
const mendBatchSequence = statement<unknown, [number]>(
  `UPDATE sqlite_sequence SET seq = (SELECT ifnull(max(id), 0) FROM batches) WHERE name = 'batches' AND seq > ?1`,
);

/**
 * Gives rows in a state that is none the one that loses nothing: a race is pending again, a batch cancelled (what it
 * held is planned anew), a sync failed, with the reason, and an athlete connected: whether that is true, the next request tells.
 * A batch with an id that cannot be named here gets one that can, and a sync behind all classes the rank of its class. At most `limit` of each. Inside a transaction.
 */
export function mendUnknownStates(db: Db, limit: number, nowMs: EpochMs): MendedStates {
  return {
    athletes: mendAthletes(db).run(limit).changes,
    races: mendRaces(db).run(limit).changes,
    batches: mendBatches(db).run(limit, nowMs).changes,
    syncs: mendSyncs(db).run(limit, nowMs).changes,
    batchIds: giveExactIds(db, limit),
    ranks: mendRanks(db).run(limit).changes,
  };
}

function giveExactIds(db: Db, limit: number): number {
  if (anyInexactId(db).get()?.found !== 1) return 0;
  const mended = mendBatchIds(db).run(LAST_KEPT_ID, limit).changes;
  mendBatchSequence(db).run(LAST_KEPT_ID);
  return mended;
}

const anyInexactId = statement<{ found: 0 | 1 }, []>(
  `SELECT EXISTS (SELECT 1 FROM batches WHERE id > ${Number.MAX_SAFE_INTEGER})
       OR EXISTS (SELECT 1 FROM batches WHERE id < ${Number.MIN_SAFE_INTEGER})
       OR EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batches' AND seq > ${Number.MAX_SAFE_INTEGER}) AS found`,
);

const anyUnknown = statement<{ found: 0 | 1 }, []>(
  `SELECT EXISTS (SELECT 1 FROM athletes INDEXED BY athletes_unknown WHERE status NOT IN ('connected', 'needs_reconnect', 'disconnected'))
       OR EXISTS (SELECT 1 FROM races INDEXED BY races_unknown WHERE enrichment NOT IN ('pending', 'enriched', 'unavailable', 'failed'))
       OR EXISTS (SELECT 1 FROM syncs INDEXED BY syncs_serving_order WHERE status = 'in_progress' AND class_rank > ${BEHIND_ALL})
       OR EXISTS (SELECT 1 FROM batches INDEXED BY batches_unknown
                  WHERE status NOT IN ('pending', 'processing', 'completed', 'failed', 'cancelled'))
       OR EXISTS (SELECT 1 FROM syncs INDEXED BY syncs_unknown
                  WHERE status NOT IN ('in_progress', 'completed', 'failed', 'cancelled') OR (status <> 'in_progress' AND completed_at_ms IS NULL)) AS found`,
);

/** Whether there is any such row: asked without the write lock. */
export function hasUnknownStates(db: Db): boolean {
  return anyUnknown(db).get()?.found === 1 || anyInexactId(db).get()?.found === 1;
}
