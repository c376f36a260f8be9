import { and, desc, eq, gt, lt, type SQL, sql } from "drizzle-orm";
import type { AfterRun, BatchStatus, BatchType } from "../core/batch.ts";
import type { SyncClass } from "../core/sync.ts";
import type { AthleteId, BatchId, EpochMs, LeaseToken, SyncId } from "../core/units.ts";
import { countIn } from "./count-in.ts";
import type { Db } from "./open.ts";
import { type BatchRow, batches } from "./schema.ts";
import { statement } from "./statement.ts";

/**
 * Attempts, a column or a parameter, as a number that JavaScript holds exactly. A hand may have written one beyond 2^53,
 * which equals nothing that was read of it, or has no successor. The bound is far above what a batch may have.
 */
export const attemptsIn = (column: string): string => `min(max(${column}, 0), 1000000)`;

const LIVE = sql`${batches.status} IN ('pending', 'processing')`;

/** A due batch that may be claimed, with what its run needs to know. */
export type DueBatch = {
  readonly id: BatchId;
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly number: number;
  readonly type: BatchType;
  readonly attempts: number;
  readonly runs: number;
  readonly deaths: number;
  readonly syncClass: SyncClass;
  /** Of the run before; null when there was none. */
  readonly traceId: string | null;
  readonly spanId: string | null;
};

/**
 * Served by `syncs_serving_order` (who is next) and `batches_live` (what of theirs is due): no sort, and it stops at the
 * first that fits. At most one batch of an athlete at a time. SQLite uses a partial index only where its condition is
 * written out: `status = 'pending'` alone does not tell it that the batch is live. An id that a hand set beyond what a
 * number here holds exactly would name no batch: such a one is passed over, so that it stands in nobody's way (`+id`: the
 * index of live batches serves, and not the ids).
 */
export const NEXT_DUE_SQL = `
  SELECT b.id, b.sync_id AS syncId, s.athlete_id AS athleteId, b.number, b.type, b.attempts, b.runs, b.deaths,
         s.class AS syncClass, b.trace_id AS traceId, b.span_id AS spanId
  FROM syncs s JOIN batches b ON b.id = (
    SELECT id FROM batches
    WHERE sync_id = s.id AND status IN ('pending', 'processing') AND status = 'pending' AND run_after_ms <= ?1
      AND +id BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}
    ORDER BY run_after_ms, number LIMIT 1)
  WHERE s.status = 'in_progress' AND s.class_rank <= ?2 AND s.paused_at_ms IS NULL
    AND NOT EXISTS (
      SELECT 1 FROM batches WHERE sync_id = s.id AND status IN ('pending', 'processing') AND status = 'processing')
  ORDER BY s.class_rank, s.served_at_ms, s.id LIMIT 1`;
const nextDueStatement = statement<DueBatch, [number, number]>(NEXT_DUE_SQL);

/** The batch whose turn it is, of classes up to `maxClassRank`; null when none is due. */
export function readNextDueBatch(db: Db, nowMs: EpochMs, maxClassRank: number): DueBatch | null {
  return nextDueStatement(db).get(nowMs, maxClassRank);
}

export type Claim = {
  readonly leaseToken: LeaseToken;
  readonly leaseExpiresAtMs: EpochMs;
  readonly owner: string;
  readonly nowMs: EpochMs;
  readonly traceId: string;
  readonly spanId: string;
};

// No CHECK may fail over what a hand wrote into the row: the batch would stand in everybody's way.
const claimStatement = statement<unknown, [number, string, number, string, number, string, string]>(
  `UPDATE batches SET status = 'processing', lease_token = ?2, lease_expires_at_ms = ?3, owner = ?4, leased_at_ms = ?5,
     heartbeat_at_ms = ?5, started_at_ms = ifnull(started_at_ms, ?5), completed_at_ms = NULL, wait_reason = NULL,
     waits_until_ms = NULL, runs = ${countIn("runs")} + 1, size = max(size, 1), trace_id = ?6, span_id = ?7
   WHERE id = ?1 AND status = 'pending'`,
);

/** Takes a batch from pending to processing; false when somebody else did. One conditional update: never two workers. */
export function claimBatch(db: Db, id: BatchId, claim: Claim): boolean {
  return (
    claimStatement(db).run(
      id,
      claim.leaseToken,
      claim.leaseExpiresAtMs,
      claim.owner,
      claim.nowMs,
      claim.traceId,
      claim.spanId,
    ).changes > 0
  );
}

/** What every write-back names: the batch, and the token that proves the right to it. */
export type Fence = { readonly batchId: BatchId; readonly leaseToken: LeaseToken };

const renewStatement = statement<unknown, [number, string, number, number]>(
  `UPDATE batches SET lease_expires_at_ms = ?3, heartbeat_at_ms = ?4 WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
);

/** A heartbeat: extends the lease. False: the lease is lost, and nothing of this run can be committed any more (I3). */
export function renewLease(db: Db, fence: Fence, leaseExpiresAtMs: EpochMs, nowMs: EpochMs): boolean {
  return renewStatement(db).run(fence.batchId, fence.leaseToken, leaseExpiresAtMs, nowMs).changes > 0;
}

const holdsLeaseStatement = statement<{ held: 1 }, [number, string]>(
  "SELECT 1 AS held FROM batches WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'",
);

/** The fence of every result: false when the lease is lost, so that nothing of this run may be committed (I3). */
export function holdsLease(db: Db, fence: Fence): boolean {
  return holdsLeaseStatement(db).get(fence.batchId, fence.leaseToken) !== null;
}

export type BatchTally = {
  readonly requests: number;
  readonly activitiesFetched: number;
  readonly racesAdded: number;
  readonly racesEnriched: number;
  readonly racesFailed: number;
};

const tallyStatement = statement<unknown, [number, string, number, number, number, number, number]>(
  `UPDATE batches SET requests = ${countIn("requests")} + ?3, activities_fetched = ${countIn("activities_fetched")} + ?4,
     races_added = ${countIn("races_added")} + ?5, races_enriched = ${countIn("races_enriched")} + ?6,
     races_failed = ${countIn("races_failed")} + ?7, deaths = 0
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
);

/** Adds to the batch's counts, if the lease still holds: the fence of every result. False: lost, so drop the result. */
export function tallyUnderLease(db: Db, fence: Fence, tally: BatchTally): boolean {
  const { requests, activitiesFetched, racesAdded, racesEnriched, racesFailed } = tally;
  return (
    tallyStatement(db).run(
      fence.batchId,
      fence.leaseToken,
      requests,
      activitiesFetched,
      racesAdded,
      racesEnriched,
      racesFailed,
    ).changes > 0
  );
}

const completeStatement = statement<unknown, [number, string, number]>(
  `UPDATE batches SET status = 'completed', completed_at_ms = ?3, lease_token = NULL, lease_expires_at_ms = NULL, error = NULL
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
);
const settleStatement = statement<
  unknown,
  [number, string, string, number, number | null, number, string | null, number | null, string | null, number]
>(
  `UPDATE batches SET status = ?3, attempts = ${attemptsIn("?4")}, completed_at_ms = ?5, run_after_ms = ?6, wait_reason = ?7, waits_until_ms = ?8,
     error = ?9, exhausted = ?10, lease_token = NULL, lease_expires_at_ms = NULL
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
);

/** Ends a run: the batch becomes what `afterRun` says. False when the lease is lost: then nothing is written. */
export function endRun(db: Db, fence: Fence, after: AfterRun, nowMs: EpochMs): boolean {
  const { batchId, leaseToken } = fence;
  switch (after.status) {
    case "completed":
      return completeStatement(db).run(batchId, leaseToken, nowMs).changes > 0;
    case "pending":
      return (
        settleStatement(db).run(
          batchId,
          leaseToken,
          "pending",
          after.attempts,
          null,
          after.runAfterMs,
          after.waitReason,
          after.waitsUntilMs,
          after.error,
          0,
        ).changes > 0
      );
    case "failed":
      return (
        settleStatement(db).run(batchId, leaseToken, "failed", after.attempts, nowMs, nowMs, null, null, after.error, 1)
          .changes > 0
      );
    default:
      return after satisfies never;
  }
}

const sweepStatement = statement<
  unknown,
  [number, string | null, number, string, number, number | null, number, string | null, number, number]
>(
  `UPDATE batches SET status = ?4, attempts = ${attemptsIn("?5")}, completed_at_ms = ?6, run_after_ms = iif(?10, min(run_after_ms, ?7), ?7),
     wait_reason = NULL, waits_until_ms = NULL, error = ?8, exhausted = ?9, lease_token = NULL, lease_expires_at_ms = NULL
   WHERE id = ?1 AND lease_token IS ?2 AND ${attemptsIn("attempts")} = ${attemptsIn("?3")} AND status = 'processing'`,
);

/**
 * Takes a batch from a worker that is gone. Guarded by what was seen: false when it has moved since.
 * @param after.keepsItsPlace whether it is next of its sync, as it was when it was claimed, or goes behind what is due.
 */
export function sweepBatch(
  db: Db,
  seen: { batchId: BatchId; leaseToken: LeaseToken | null; attempts: number },
  after: { status: "pending" | "failed"; attempts: number; error: string | null; keepsItsPlace: boolean },
  nowMs: EpochMs,
): boolean {
  const isFailed = after.status === "failed";
  return (
    sweepStatement(db).run(
      seen.batchId,
      seen.leaseToken,
      seen.attempts,
      after.status,
      after.attempts,
      isFailed ? nowMs : null,
      nowMs,
      after.error,
      isFailed ? 1 : 0,
      after.keepsItsPlace ? 1 : 0,
    ).changes > 0
  );
}

/** Batches in `processing`, whoever runs them, by id after `afterId`; at most `limit`. Serves the start of the daemon. */
export function readProcessingBatches(db: Db, afterId: number, limit: number): readonly BatchRow[] {
  // Written out: SQLite cannot see that a parameter fits the condition of `batches_processing`.
  const isProcessing = sql`${batches.status} = 'processing' AND ${batches.id} > ${afterId}`;
  return db.select().from(batches).where(isProcessing).orderBy(batches.id).limit(limit).all();
}

/** Remembers that the daemon died during this batch once more, without progress in between. */
export function noteDeath(db: Db, id: BatchId, deaths: number): void {
  db.update(batches).set({ deaths }).where(eq(batches.id, id)).run();
}

/** A hand may have given a batch a number from which none can go on: those are left out of account. */
const LARGEST_NUMBER = String(Number.MAX_SAFE_INTEGER);

// The highest and one. Where that is taken up to the last one, the first gap: read only then, since it reads the sync's batches.
const insertBatchStatement = statement<{ id: BatchId }, [number, string, number, number]>(
  `INSERT INTO batches (sync_id, number, type, size, created_at_ms, run_after_ms)
   VALUES (?1, coalesce(
     (SELECT iif(number + 1 < ${LARGEST_NUMBER}, number + 1, NULL) FROM batches
      WHERE sync_id = ?1 AND number < ${LARGEST_NUMBER} ORDER BY number DESC LIMIT 1),
     (SELECT number + 1 FROM batches AS before
      WHERE sync_id = ?1 AND number BETWEEN 0 AND ${LARGEST_NUMBER} - 2
        AND NOT EXISTS (SELECT 1 FROM batches WHERE sync_id = ?1 AND number = before.number + 1) ORDER BY number LIMIT 1),
     1), ?2, ?3, ?4, ?4)
   RETURNING id`,
);

/** A new pending batch, due at once, with the sync's next number, whatever numbers a hand wrote. */
export function insertBatch(db: Db, batch: { syncId: SyncId; type: BatchType; size: number; nowMs: EpochMs }): BatchId {
  const row = insertBatchStatement(db).get(batch.syncId, batch.type, batch.size, batch.nowMs);
  if (row === null) throw new Error(`Inserting a batch of sync ${batch.syncId} returned no id: a bug`);
  return row.id;
}

/**
 * A pending batch that waits becomes due, if it still waits. Not for the very moment that was seen: a hand may have
 * written one that no number here holds exactly.
 */
export function makeDue(db: Db, batchId: BatchId, nowMs: EpochMs): boolean {
  const changed = db
    .update(batches)
    .set({ runAfterMs: nowMs, waitReason: null, waitsUntilMs: null })
    .where(sql`${batches.id} = ${batchId} AND ${batches.status} = 'pending' AND ${batches.runAfterMs} > ${nowMs}`)
    .returning({ id: batches.id })
    .all();
  return changed.length > 0;
}

/** Makes every waiting batch of a sync due at once; returns how many waited. */
export function makeAllDue(db: Db, syncId: SyncId, nowMs: EpochMs): number {
  return db
    .update(batches)
    .set({ runAfterMs: nowMs, waitReason: null, waitsUntilMs: null })
    .where(and(eq(batches.syncId, syncId), LIVE, eq(batches.status, "pending"), gt(batches.runAfterMs, nowMs)))
    .returning({ id: batches.id })
    .all().length;
}

/** After a pause: what was due all the while stands in the queue from now. */
export function restartQueue(db: Db, syncId: SyncId, nowMs: EpochMs): void {
  db.update(batches)
    .set({ runAfterMs: nowMs })
    .where(and(eq(batches.syncId, syncId), LIVE, eq(batches.status, "pending"), lt(batches.runAfterMs, nowMs)))
    .run();
}

const makeWaitingDueStatement = statement<unknown, [number, number]>(
  `UPDATE batches SET run_after_ms = ?1, wait_reason = NULL, waits_until_ms = NULL WHERE id IN (
     SELECT id FROM batches INDEXED BY batches_due WHERE status = 'pending' AND run_after_ms > ?1 LIMIT ?2)`,
);

/** Makes batches that wait due at once, of whatever sync; at most `limit`. Returns how many. */
export function makeWaitingDue(db: Db, nowMs: EpochMs, limit: number): number {
  return makeWaitingDueStatement(db).run(nowMs, limit).changes;
}

/** Cancels one live batch; false when it is live no more. */
export function cancelBatch(db: Db, id: BatchId, nowMs: EpochMs): boolean {
  const changed = db
    .update(batches)
    .set({ status: "cancelled", completedAtMs: nowMs, leaseToken: null, leaseExpiresAtMs: null })
    .where(and(eq(batches.id, id), LIVE))
    .returning({ id: batches.id })
    .all();
  return changed.length > 0;
}

/** Cancels what is live of a sync that ends. A worker that holds one finds out at its next write. */
export function cancelLiveBatches(db: Db, syncId: SyncId, nowMs: EpochMs): void {
  db.update(batches)
    .set({ status: "cancelled", completedAtMs: nowMs, leaseToken: null, leaseExpiresAtMs: null })
    .where(and(eq(batches.syncId, syncId), LIVE))
    .run();
}

// Two equalities instead of one list: SQLite builds a table for a list, each time.
const hasLiveStatement = statement<{ found: 0 | 1 }, [number, string]>(
  `SELECT EXISTS (SELECT 1 FROM batches INDEXED BY batches_live
                  WHERE sync_id = ?1 AND status IN ('pending', 'processing') AND status = 'pending' AND type = ?2)
       OR EXISTS (SELECT 1 FROM batches INDEXED BY batches_live
                  WHERE sync_id = ?1 AND status IN ('pending', 'processing') AND status = 'processing' AND type = ?2) AS found`,
);

/** Whether anything of that type is live in the sync. */
export function hasLiveBatch(db: Db, syncId: SyncId, type: BatchType): boolean {
  return hasLiveStatement(db).get(syncId, type)?.found === 1;
}

const newestOfTypeStatement = statement<Pick<BatchRow, "status" | "exhausted" | "error">, [number, string]>(
  "SELECT status, exhausted, error FROM batches WHERE sync_id = ?1 AND type = ?2 ORDER BY number DESC LIMIT 1",
);

/** The newest batch of a type: whether it failed, and why. */
export function readNewestBatch(
  db: Db,
  syncId: SyncId,
  type: BatchType,
): Pick<BatchRow, "status" | "exhausted" | "error"> | null {
  return newestOfTypeStatement(db).get(syncId, type);
}

const nextDueAtStatement = statement<{ run_after_ms: EpochMs }, [number]>(
  "SELECT run_after_ms FROM batches WHERE status = 'pending' AND run_after_ms > ?1 ORDER BY run_after_ms LIMIT 1",
);

/** When the next batch that waits becomes due; undefined when none waits. */
export function nextDueAtMs(db: Db, nowMs: EpochMs): EpochMs | undefined {
  return nextDueAtStatement(db).get(nowMs)?.run_after_ms;
}

/** One batch; undefined when there is none of that id. */
export function readBatch(db: Db, id: BatchId): BatchRow | undefined {
  return db.select().from(batches).where(eq(batches.id, id)).get();
}

/** A page of a sync's batches by number, after `afterNumber`. */
export function readBatches(db: Db, syncId: SyncId, afterNumber: number, limit: number): readonly BatchRow[] {
  return db
    .select()
    .from(batches)
    .where(sql`${batches.syncId} = ${syncId} AND ${batches.number} > ${afterNumber}`)
    .orderBy(batches.number)
    .limit(limit)
    .all();
}

/** The newest batch of a sync, of any type; undefined when it has none. */
export function readNewestBatchOfSync(db: Db, syncId: SyncId): BatchRow | undefined {
  return db.select().from(batches).where(eq(batches.syncId, syncId)).orderBy(desc(batches.number)).limit(1).get();
}

/** A page of a sync's batches that match, by number, after `afterNumber`. */
export function findBatches(
  db: Db,
  filter: { syncId: SyncId; status?: BatchStatus | undefined; type?: BatchType | undefined },
  afterNumber: number,
  limit: number,
): readonly BatchRow[] {
  const conditions: SQL[] = [eq(batches.syncId, filter.syncId), gt(batches.number, afterNumber)];
  if (filter.status !== undefined) conditions.push(eq(batches.status, filter.status));
  if (filter.type !== undefined) conditions.push(eq(batches.type, filter.type));
  return db
    .select()
    .from(batches)
    .where(and(...conditions))
    .orderBy(batches.number)
    .limit(limit)
    .all();
}
