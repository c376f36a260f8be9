import { asc, desc, eq } from "drizzle-orm";
import type { Enrichment } from "../core/enrichment.ts";
import type { AthleteId, BatchId, EpochMs, RaceId, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type BatchRow, batches, type FindingRow, findings, syncLogs } from "./schema.ts";
import { statement } from "./statement.ts";
import type { SyncLogRow } from "./sync-logs.ts";

/** The batches of a sync by id, at most `limit`. */
export function readBatchesOfSync(db: Db, syncId: SyncId, limit: number): readonly BatchRow[] {
  return db.select().from(batches).where(eq(batches.syncId, syncId)).orderBy(asc(batches.id)).limit(limit).all();
}

/** The findings about a sync, the oldest first; of more than `limit`, the oldest. */
export function readFindingsOfSync(db: Db, syncId: SyncId, limit: number): readonly FindingRow[] {
  return db.select().from(findings).where(eq(findings.syncId, syncId)).orderBy(asc(findings.id)).limit(limit).all();
}

/** The log of a sync, the oldest line first; of more than `limit`, the newest. */
export function readLogOfSync(db: Db, syncId: SyncId, limit: number): readonly SyncLogRow[] {
  const newest = db.select().from(syncLogs).where(eq(syncLogs.syncId, syncId)).orderBy(desc(syncLogs.id)).limit(limit);
  return newest.all().reverse();
}

/** What an incident may know of a race: its part in syncs, and nothing of its contents. */
export type RaceInSync = {
  readonly id: RaceId;
  readonly batchId: BatchId | null;
  readonly enrichment: Enrichment;
  readonly error: string | null;
  readonly attempts: number;
  readonly firstSeenAtMs: EpochMs;
  readonly enrichedAtMs: EpochMs | null;
  readonly settledInSyncId: SyncId | null;
};

/** Of the athlete's races, those that the sync found, took or settled, or that are still to be done by it. */
const racesStatement = statement<RaceInSync, [number, number, 0 | 1, number]>(
  `SELECT id, batch_id AS batchId, enrichment, enrichment_error AS error, attempts, first_seen_at_ms AS firstSeenAtMs,
     enriched_at_ms AS enrichedAtMs, settled_in_sync_id AS settledInSyncId
   FROM races
   WHERE athlete_id = ?1 AND (
     settled_in_sync_id = ?2 OR batch_id IN (SELECT id FROM batches WHERE sync_id = ?2)
     OR (enrichment = 'pending' AND ?3 = 1)
     OR (seen_in_sync_id = ?2 AND first_seen_at_ms >= (SELECT started_at_ms FROM syncs WHERE id = ?2)))
   ORDER BY id LIMIT ?4`,
);

/** @param isNewest whether no later sync of the athlete has taken what is pending now. */
export function readRacesInSync(
  db: Db,
  sync: { id: SyncId; athleteId: AthleteId; isNewest: boolean },
  limit: number,
): readonly RaceInSync[] {
  return racesStatement(db).all(sync.athleteId, sync.id, sync.isNewest ? 1 : 0, limit);
}

const newestSyncStatement = statement<{ id: SyncId | null }, [number]>(
  "SELECT max(id) AS id FROM syncs WHERE athlete_id = ?1",
);

/** The newest sync of an athlete. */
export function readNewestSyncId(db: Db, athleteId: AthleteId): SyncId | undefined {
  return newestSyncStatement(db).get(athleteId)?.id ?? undefined;
}

const namesStatement = statement<{ name: string }, [number]>(
  `SELECT first_name AS name FROM athletes WHERE id = ?1 UNION SELECT last_name FROM athletes WHERE id = ?1
   UNION SELECT strava_id FROM athletes WHERE id = ?1
   UNION SELECT name FROM races WHERE athlete_id = ?1 UNION SELECT edited_name FROM races WHERE athlete_id = ?1
   UNION SELECT strava_activity_id FROM races WHERE athlete_id = ?1`,
);

/** What must be in no text that leaves the house: the athlete's names and id at Strava, and those of their races. */
export function readNamesOf(db: Db, athleteId: AthleteId): readonly string[] {
  return namesStatement(db)
    .all(athleteId)
    .flatMap(({ name }) => (name === null ? [] : [String(name)]));
}
