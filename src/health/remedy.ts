import { afterLostLease } from "../core/batch.ts";
import type { LeasedBatch, Remedy } from "../core/findings.ts";
import type { BatchId, SyncId } from "../core/units.ts";
import { cancelBatch, makeDue, readBatch, sweepBatch } from "../db/batches.ts";
import { addToCounter } from "../db/counters.ts";
import { unbindStrays } from "../db/races.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { reconcile } from "../sync/reconcile.ts";
import { startOverLeftRaces } from "../sync/start-sync.ts";

/**
 * Applies a remedy: one guarded change, made of what the diagnosis saw, then whatever the plan says follows from it.
 * The healer re-queues; it never runs the work. Inside a transaction.
 * @returns false when nothing changed: the finding was stale.
 */
export function applyRemedy(context: SyncContext, processor: Processor, syncId: SyncId, remedy: Remedy): boolean {
  const isApplied = change(context, processor, syncId, remedy);
  if (isApplied) context.commits.afterCommit(() => processor.wake());
  return isApplied;
}

function change(context: SyncContext, processor: Processor, syncId: SyncId, remedy: Remedy): boolean {
  const { db, clock } = context;
  switch (remedy.do) {
    case "replan":
      return reconcile(context, syncId).length > 0;
    case "sweep_leases":
      return anyOf(remedy.batches, (seen) => takeBack(context, syncId, seen, "Its lease was lost."));
    case "abort_run": {
      const { batchId, leaseToken } = remedy;
      const isTaken = takeBack(context, syncId, remedy, "Its run was aborted: no progress past the threshold.");
      if (isTaken) context.commits.afterCommit(() => processor.abortRun(batchId, leaseToken));
      return isTaken;
    }
    case "make_due":
      return anyOf(remedy.batches, ({ batchId }) => makeDue(db, batchId, clock.nowMs()));
    case "cancel_batches": {
      const isCancelled = anyOf(remedy.batches, ({ batchId }) => callOff(context, processor, batchId));
      if (isCancelled) reconcile(context, syncId);
      return isCancelled;
    }
    case "unbind_races": {
      const isUnbound = unbindStrays(db, syncId) > 0;
      if (isUnbound) reconcile(context, syncId);
      return isUnbound;
    }
    case "start_sync":
      return startOverLeftRaces(context, remedy.athleteId) !== undefined;
    case "wake_processor":
      return true;
    default:
      return remedy satisfies never;
  }
}

/** Does it to each; true when any changed. */
function anyOf<T>(batches: readonly T[], change: (batch: T) => boolean): boolean {
  return batches.map(change).includes(true);
}

/** Cancels a live batch; whoever runs it asks Strava nothing more. */
function callOff(context: SyncContext, processor: Processor, batchId: BatchId): boolean {
  const leaseToken = readBatch(context.db, batchId)?.leaseToken ?? null;
  if (!cancelBatch(context.db, batchId, context.clock.nowMs())) return false;
  if (leaseToken !== null) context.commits.afterCommit(() => void processor.abortRun(batchId, leaseToken));
  return true;
}

/** Back to pending, one attempt spent; past the last one it has failed, and the plan decides what replaces it. */
function takeBack(context: SyncContext, syncId: SyncId, seen: LeasedBatch, why: string): boolean {
  const { db, clock, rules } = context;
  const after = afterLostLease(seen.attempts, rules.maxAttempts);
  const error = readBatch(db, seen.batchId)?.error ?? why;
  if (!sweepBatch(db, seen, { ...after, error, keepsItsPlace: false }, clock.nowMs())) return false;
  if (after.status === "failed") {
    addToCounter(db, "batches_failed", 1, clock.nowMs());
    reconcile(context, syncId);
  }
  return true;
}
