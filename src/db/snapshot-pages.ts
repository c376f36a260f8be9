/**
 * What snapshots of a page of syncs are made of. Each function is one statement, however many syncs the page has, and
 * reads live batches, pending races and counts that are kept: nothing of history. The ids come as a JSON array, and CROSS
 * JOIN has SQLite look each of them up, in this order, whatever it thinks of the tables' sizes.
 */
import type { AthleteId, BatchId, SyncId } from "../core/units.ts";
import { attemptsIn } from "./batches.ts";
import type { Db } from "./open.ts";
import { exhaustedSize, isUnserved } from "./races.ts";
import type { BatchRow, RaceRow } from "./schema.ts";
import { statement } from "./statement.ts";

/** The part of a live batch that a snapshot shows. */
export type LiveBatchRow = Pick<
  BatchRow,
  | "id"
  | "syncId"
  | "number"
  | "type"
  | "status"
  | "attempts"
  | "createdAtMs"
  | "runAfterMs"
  | "waitReason"
  | "waitsUntilMs"
  | "leaseToken"
  | "leaseExpiresAtMs"
  | "leasedAtMs"
  | "heartbeatAtMs"
>;

const liveBatchesStatement = statement<LiveBatchRow, [string, number]>(
  `SELECT id, syncId, number, type, status, attempts, createdAtMs, runAfterMs, waitReason, waitsUntilMs, leaseToken,
     leaseExpiresAtMs, leasedAtMs, heartbeatAtMs
   FROM (
     SELECT b.id, b.sync_id AS syncId, b.number, b.type, b.status, ${attemptsIn("b.attempts")} AS attempts, b.created_at_ms AS createdAtMs,
       b.run_after_ms AS runAfterMs, b.wait_reason AS waitReason, b.waits_until_ms AS waitsUntilMs, b.lease_token AS leaseToken,
       b.lease_expires_at_ms AS leaseExpiresAtMs, b.leased_at_ms AS leasedAtMs, b.heartbeat_at_ms AS heartbeatAtMs,
       row_number() OVER (PARTITION BY b.sync_id ORDER BY b.status = 'processing' DESC, b.number) AS place
     FROM json_each(?1) AS wanted CROSS JOIN batches b INDEXED BY batches_live
       ON b.sync_id = wanted.value AND b.status IN ('pending', 'processing'))
   WHERE place <= ?2 ORDER BY syncId, number`,
);

/**
 * The live batches of each sync, the oldest first; at most `limitEach` of one. Where there are more, those in processing
 * are among them: one alone keeps the whole sync from being claimed, so that none may stay unseen.
 */
export function readLiveBatchesOf(db: Db, syncIds: readonly SyncId[], limitEach: number): readonly LiveBatchRow[] {
  return liveBatchesStatement(db).all(JSON.stringify(syncIds), limitEach);
}

export type CountedBatches = Pick<BatchRow, "syncId" | "type" | "status"> & { readonly count: number };

const countsStatement = statement<CountedBatches, [string]>(
  `SELECT c.sync_id AS syncId, c.type, c.status, max(0, c.count) AS count
   FROM json_each(?1) AS wanted CROSS JOIN batch_counts c ON c.sync_id = wanted.value`,
);

/** How many batches each sync has, by type and status: kept as they change, whoever changes them. */
export function readBatchCountsOf(db: Db, syncIds: readonly SyncId[]): readonly CountedBatches[] {
  return countsStatement(db).all(JSON.stringify(syncIds));
}

export type NewestBatch = Pick<BatchRow, "syncId" | "status" | "exhausted" | "error">;

const newestDiscoveryStatement = statement<NewestBatch, [string]>(
  `SELECT b.sync_id AS syncId, b.status, b.exhausted, b.error
   FROM json_each(?1) AS wanted CROSS JOIN batches b
     ON b.id = (SELECT id FROM batches WHERE sync_id = wanted.value AND type = 'discovery' ORDER BY number DESC LIMIT 1)`,
);

/** The newest discovery batch of each sync that has any: whether it failed, and why. */
export function readNewestDiscoveryOf(db: Db, syncIds: readonly SyncId[]): readonly NewestBatch[] {
  return newestDiscoveryStatement(db).all(JSON.stringify(syncIds));
}

/** Unserved races of a sync; `strays` of them are bound to a batch that is there and will never take them. */
export type CountedUnserved = {
  readonly syncId: SyncId;
  readonly exhaustedSize: number | null;
  readonly count: number;
  readonly strays: number;
  readonly strayBatchId: BatchId | null;
};

const EXHAUSTED_SIZE = exhaustedSize("s.id");
const unservedStatement = statement<CountedUnserved, [string]>(
  `SELECT s.id AS syncId, ${EXHAUSTED_SIZE} AS exhaustedSize, count(*) AS count,
     count(b.id) FILTER (WHERE ${EXHAUSTED_SIZE} IS NULL) AS strays, min(b.id) FILTER (WHERE ${EXHAUSTED_SIZE} IS NULL) AS strayBatchId
   FROM json_each(?1) AS wanted CROSS JOIN syncs s ON s.id = wanted.value
     CROSS JOIN races r INDEXED BY races_pending ON r.athlete_id = s.athlete_id AND r.enrichment = 'pending'
     LEFT JOIN batches b ON b.id = r.batch_id
   WHERE ${isUnserved("s.id")} GROUP BY 1, 2 ORDER BY 1, 2`,
);

/** Races that no live batch of their sync will take, by sync and by the size of the batch that failed with them. */
export function countUnservedOf(db: Db, syncIds: readonly SyncId[]): readonly CountedUnserved[] {
  return unservedStatement(db).all(JSON.stringify(syncIds));
}

type CountedPending = { readonly athleteId: AthleteId; readonly count: number };

const pendingStatement = statement<CountedPending, [string]>(
  `SELECT wanted.value AS athleteId,
     (SELECT count(*) FROM races WHERE athlete_id = wanted.value AND enrichment = 'pending') AS count
   FROM json_each(?1) AS wanted`,
);

/** Races of each athlete that need enrichment. */
export function countPendingOf(db: Db, athleteIds: readonly AthleteId[]): ReadonlyMap<AthleteId, number> {
  const rows = pendingStatement(db).all(JSON.stringify(athleteIds));
  return new Map(rows.map(({ athleteId, count }) => [athleteId, count]));
}

type Tallied = { readonly syncId: SyncId; readonly enrichment: RaceRow["enrichment"]; readonly count: number };

// By the sync that settled it, or by the batch that holds it: a hand may have deleted the batches, or made the rows.
const talliesStatement = statement<Tallied, [string]>(
  `SELECT s.id AS syncId, r.enrichment, count(*) AS count
   FROM json_each(?1) AS wanted CROSS JOIN syncs s ON s.id = wanted.value
     CROSS JOIN races r INDEXED BY races_of_athlete ON r.athlete_id = s.athlete_id
   WHERE r.settled_in_sync_id = s.id
     OR EXISTS (SELECT 1 FROM batches WHERE id = r.batch_id AND sync_id = s.id AND type = 'enrichment')
   GROUP BY 1, 2`,
);

/** What became of the races that each sync took: the rows tell, whatever a hand did to counts. */
export function tallySyncs(
  db: Db,
  syncIds: readonly SyncId[],
): ReadonlyMap<SyncId, ReadonlyMap<RaceRow["enrichment"], number>> {
  const tallies = new Map<SyncId, Map<RaceRow["enrichment"], number>>();
  for (const { syncId, enrichment, count } of talliesStatement(db).all(JSON.stringify(syncIds))) {
    const tally = tallies.get(syncId) ?? new Map<RaceRow["enrichment"], number>();
    tallies.set(syncId, tally.set(enrichment, count));
  }
  return tallies;
}

/** A sync in enrichment, and where the ids of its live batches leave gaps: pairs of first and last, both included. */
export type Gaps = {
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly gaps: readonly (readonly [first: number, last: number])[];
};

type PendingSync = { readonly syncId: SyncId; readonly hasUnserved: 0 | 1 };

// Gaps are looked into, not races: fifteen races of a live batch are never read, and neither is one.
const pendingSyncsStatement = statement<PendingSync, [string]>(
  `SELECT wanted.value ->> 0 AS syncId,
     EXISTS (SELECT 1 FROM races INDEXED BY races_pending_by_batch
             WHERE athlete_id = wanted.value ->> 1 AND enrichment = 'pending' AND batch_id IS NULL)
     OR EXISTS (SELECT 1 FROM json_each(wanted.value, '$[2]') AS gap CROSS JOIN races INDEXED BY races_pending_by_batch
                ON athlete_id = wanted.value ->> 1 AND enrichment = 'pending'
                  AND batch_id BETWEEN gap.value ->> 0 AND gap.value ->> 1) AS hasUnserved
   FROM json_each(?1) AS wanted
   WHERE EXISTS (SELECT 1 FROM races INDEXED BY races_pending_by_batch
                 WHERE athlete_id = wanted.value ->> 1 AND enrichment = 'pending')`,
);

/** Which of the syncs have races pending, and which of those have some bound to no batch, or to one in a gap. */
export function findPendingSyncs(db: Db, syncs: readonly Gaps[]): readonly PendingSync[] {
  return pendingSyncsStatement(db).all(
    JSON.stringify(syncs.map(({ syncId, athleteId, gaps }) => [syncId, athleteId, gaps])),
  );
}
