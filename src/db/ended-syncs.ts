/**
 * What is left where no sync is in progress. Each page is found by one look into a partial index a sync or athlete, from
 * one to the next, however many batches or races each has; so a check reads all of them without ever reading all rows.
 */
import type { SyncStatus } from "../core/sync.ts";
import type { AthleteId, EpochMs, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { anyRow, statement } from "./statement.ts";

/** Before every id, those that a hand may have made up too. */
export const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

/** A sync, there or not, that has live batches. */
export type SyncWithLiveBatches = {
  readonly syncId: SyncId;
  /** null: the sync is gone. */
  readonly athleteId: AthleteId | null;
  readonly status: SyncStatus | null;
};

const withLiveBatchesStatement = statement<SyncWithLiveBatches, [number, number]>(
  `WITH RECURSIVE live (sync_id) AS (
     SELECT (SELECT sync_id FROM batches INDEXED BY batches_live
             WHERE status IN ('pending', 'processing') AND sync_id > ?1 ORDER BY sync_id LIMIT 1)
     UNION ALL
     SELECT (SELECT sync_id FROM batches INDEXED BY batches_live
             WHERE status IN ('pending', 'processing') AND sync_id > live.sync_id ORDER BY sync_id LIMIT 1)
     FROM live WHERE live.sync_id IS NOT NULL LIMIT ?2)
   SELECT live.sync_id AS syncId, s.athlete_id AS athleteId, s.status
   FROM live LEFT JOIN syncs s ON s.id = live.sync_id WHERE live.sync_id IS NOT NULL`,
);

/** A page of syncs with live batches by id, after `afterSyncId`: in progress, ended, or gone. */
export function readSyncsWithLiveBatches(db: Db, afterSyncId: number, limit: number): readonly SyncWithLiveBatches[] {
  return anyLiveBatch(db, afterSyncId) ? withLiveBatchesStatement(db).all(afterSyncId, limit) : [];
}

const anyLiveBatch = anyRow<[number]>(
  "SELECT 1 FROM batches INDEXED BY batches_live WHERE status IN ('pending', 'processing') AND sync_id > ?1",
);

const anyPendingRace = anyRow<[number]>(
  "SELECT 1 FROM races INDEXED BY races_pending WHERE enrichment = 'pending' AND athlete_id > ?1",
);

/** An athlete with pending races. */
export type AthleteWithPendingRaces = {
  readonly athleteId: AthleteId;
  /** The athlete's last sync, and when it ended; counted only where it has completed and could be followed by another. */
  readonly left: { readonly syncId: SyncId; readonly endedAtMs: EpochMs; readonly racesPending: number } | undefined;
};

const withPendingRacesStatement = statement<
  { athleteId: AthleteId; syncId: SyncId | null; endedAtMs: EpochMs; racesPending: number | null },
  [number, number]
>(
  `WITH RECURSIVE pending (athlete_id) AS (
     SELECT (SELECT athlete_id FROM races INDEXED BY races_pending
             WHERE enrichment = 'pending' AND athlete_id > ?1 ORDER BY athlete_id LIMIT 1)
     UNION ALL
     SELECT (SELECT athlete_id FROM races INDEXED BY races_pending
             WHERE enrichment = 'pending' AND athlete_id > pending.athlete_id ORDER BY athlete_id LIMIT 1)
     FROM pending WHERE pending.athlete_id IS NOT NULL LIMIT ?2)
   SELECT pending.athlete_id AS athleteId, s.id AS syncId, ifnull(s.completed_at_ms, 0) AS endedAtMs,
     CASE WHEN s.status = 'completed' AND a.status = 'connected'
       THEN (SELECT count(*) FROM races INDEXED BY races_pending WHERE enrichment = 'pending' AND athlete_id = a.id) END AS racesPending
   FROM pending LEFT JOIN athletes a ON a.id = pending.athlete_id
     LEFT JOIN syncs s ON s.id = (SELECT max(id) FROM syncs WHERE athlete_id = pending.athlete_id)
   WHERE pending.athlete_id IS NOT NULL`,
);

/**
 * A page of athletes with pending races by id, after `afterAthleteId`. A failed or cancelled sync leaves its races on
 * purpose, and one in progress is about to take them.
 */
export function readAthletesWithPendingRaces(
  db: Db,
  afterAthleteId: number,
  limit: number,
): readonly AthleteWithPendingRaces[] {
  if (!anyPendingRace(db, afterAthleteId)) return [];
  return withPendingRacesStatement(db)
    .all(afterAthleteId, limit)
    .map(({ athleteId, syncId, endedAtMs, racesPending }) => ({
      athleteId,
      left: syncId === null || racesPending === null ? undefined : { syncId, endedAtMs, racesPending },
    }));
}
