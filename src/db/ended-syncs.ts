import type { AthleteId, BatchId, EpochMs, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** A live batch whose sync is not in progress. */
export type StrandedBatch = {
  readonly batchId: BatchId;
  readonly syncId: SyncId;
  readonly athleteId: AthleteId | null;
};

/** Reads live batches only, whatever the history: `batches_live` holds no others. */
const strandedStatement = statement<StrandedBatch, [number]>(
  `SELECT b.id AS batchId, b.sync_id AS syncId, s.athlete_id AS athleteId
   FROM batches b INDEXED BY batches_live LEFT JOIN syncs s ON s.id = b.sync_id
   WHERE b.status IN ('pending', 'processing') AND (s.id IS NULL OR s.status <> 'in_progress')
   ORDER BY b.sync_id LIMIT ?1`,
);

/** Live batches of syncs that have ended or are gone, by sync; at most `limit`. */
export function readStrandedBatches(db: Db, limit: number): readonly StrandedBatch[] {
  return strandedStatement(db).all(limit);
}

/** An athlete whose last sync is completed, and who has races pending. */
export type AthleteWithLeftRaces = {
  readonly athleteId: AthleteId;
  readonly syncId: SyncId;
  readonly endedAtMs: EpochMs;
  readonly racesPending: number;
};

/** Reads pending races only: `races_pending` holds no others. A failed or cancelled sync leaves its races on purpose. */
const leftRacesStatement = statement<AthleteWithLeftRaces, [number]>(
  `SELECT p.athlete_id AS athleteId, s.id AS syncId, ifnull(s.completed_at_ms, 0) AS endedAtMs, p.races AS racesPending
   FROM (SELECT athlete_id, count(*) AS races FROM races INDEXED BY races_pending WHERE enrichment = 'pending' GROUP BY athlete_id) p
   JOIN athletes a ON a.id = p.athlete_id AND a.status = 'connected'
   JOIN syncs s ON s.id = (SELECT max(id) FROM syncs WHERE athlete_id = p.athlete_id)
   WHERE s.status = 'completed' LIMIT ?1`,
);

/** Athletes whose completed last sync left races pending; at most `limit`. */
export function readAthletesWithLeftRaces(db: Db, limit: number): readonly AthleteWithLeftRaces[] {
  return leftRacesStatement(db).all(limit);
}
