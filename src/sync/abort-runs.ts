import type { SyncId } from "../core/units.ts";
import { readLiveBatchesOf } from "../db/snapshot-pages.ts";
import type { SyncContext } from "./context.ts";
import type { Processor } from "./processor.ts";

/** One runs at a time; more only where a hand made them. */
const RUNS_LOOKED_FOR = 20;

/**
 * Calls off the runs of a sync once the open transaction is committed, so that a worker whose batch is about to go asks
 * Strava nothing more. Inside a transaction, before the batches are cancelled or erased.
 */
export function abortRunsAfterCommit(
  context: SyncContext,
  processor: Pick<Processor, "abortRun">,
  syncId: SyncId,
): void {
  for (const batch of readLiveBatchesOf(context.db, [syncId], RUNS_LOOKED_FOR)) {
    const { id, status, leaseToken } = batch;
    if (status === "processing" && leaseToken !== null) {
      context.commits.afterCommit(() => void processor.abortRun(id, leaseToken));
    }
  }
}
