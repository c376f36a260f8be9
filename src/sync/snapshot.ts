import type { PlanInput } from "../core/plan.ts";
import type { LiveBatch, SyncSnapshot } from "../core/snapshot.ts";
import { countBatches, hasLiveBatch, readLiveBatches, readNewestBatch } from "../db/batches.ts";
import type { Db } from "../db/open.ts";
import { countPending, countUnserved } from "../db/races.ts";
import type { BatchRow, SyncRow } from "../db/schema.ts";
import { cursorOf, phaseOf } from "../db/syncs.ts";

/** A snapshot shows at most so many live batches: one bad sync must not make a health check slow. */
const LIVE_BATCHES_SHOWN = 500;

/** Reads what the plan looks at. Costs a few statements, and rows of this sync's own live work only. */
export function readPlanInput(db: Db, sync: SyncRow): PlanInput {
  const phase = phaseOf(sync);
  const cursor = cursorOf(sync);
  const listComplete = sync.listComplete === null ? undefined : sync.listComplete === 1;
  const hasLive = hasLiveBatch(db, sync.id, phase);
  const newest = phase === "discovery" && !hasLive ? readNewestBatch(db, sync.id, "discovery") : null;
  return {
    phase,
    listComplete,
    cursor,
    liveBatches: hasLive ? 1 : 0,
    discoveryFailure:
      newest?.status === "failed" && newest.exhausted === 1 ? (newest.error ?? "its batch failed for good") : undefined,
    unserved: phase === "enrichment" ? countUnserved(db, sync.athleteId, sync.id) : [],
    racesPending: countPending(db, sync.athleteId),
  };
}

/** Reads a sync in progress as diagnosis and status see it. Inside one transaction, where others may write. */
export function readSnapshot(db: Db, sync: SyncRow): SyncSnapshot {
  const counts = countBatches(db, sync.id, phaseOf(sync));
  const countOf = (status: BatchRow["status"]) => counts.get(status) ?? 0;
  const liveBatches = readLiveBatches(db, sync.id, LIVE_BATCHES_SHOWN).map(toLiveBatch);
  return {
    syncId: sync.id,
    athleteId: sync.athleteId,
    syncClass: sync.class,
    isPaused: sync.pausedAtMs !== null,
    startedAtMs: sync.startedAtMs,
    lastProgressAtMs: sync.lastProgressAtMs,
    plan: { ...readPlanInput(db, sync), liveBatches: countOf("pending") + countOf("processing") },
    liveBatches,
    counts: {
      total: [...counts.values()].reduce((sum, count) => sum + count, 0),
      completed: countOf("completed"),
      pending: countOf("pending"),
      processing: countOf("processing"),
      failed: countOf("failed"),
    },
    batchesCompleted: sync.batchesCompleted,
  };
}

function toLiveBatch(row: BatchRow): LiveBatch {
  const common = {
    id: row.id,
    number: row.number,
    type: row.type,
    attempts: row.attempts,
    createdAtMs: row.createdAtMs,
  };
  if (row.status === "processing") {
    const { leaseToken, leaseExpiresAtMs, leasedAtMs, heartbeatAtMs } = row;
    return { ...common, status: "processing", leaseToken, leaseExpiresAtMs, leasedAtMs, heartbeatAtMs };
  }
  const { runAfterMs, waitReason, waitsUntilMs } = row;
  return { ...common, status: "pending", runAfterMs, waitReason, waitsUntilMs };
}
