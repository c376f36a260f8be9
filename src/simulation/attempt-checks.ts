import type { Found } from "./found.ts";
import type { Scene } from "./scene.ts";

type Spent = { id: number; status: string; attempts: number; failures: number; sweeps: number };

/** Remedies that take a batch from its worker, and spend an attempt of it. */
const SWEEPING = "'orphaned_batch', 'impossible_lease', 'no_progress'";

/**
 * A run that failed, or was taken from its worker, spends an attempt of its batch; a wait, a stop, and the death of a process
 * spend none. Who has spent all of them has failed.
 */
export function findOverspentAttempts({ file, config, disturbances }: Scene): Found | undefined {
  if (disturbances.was("rows_by_hand")) return undefined;
  const tried = file.client
    .query<Spent, []>(
      `SELECT b.id, b.status, b.attempts,
         (SELECT count(*) FROM sync_logs l WHERE l.sync_id = b.sync_id AND l.batch_id = b.id AND l.event IN ('batch.retrying', 'batch.failed')) AS failures,
         (SELECT count(*) FROM findings f WHERE f.sync_id = b.sync_id AND f.kind IN (${SWEEPING}) AND f.remedied_at_ms IS NOT NULL) AS sweeps
       FROM batches b WHERE b.attempts > 0`,
    )
    .all();
  for (const { id, status, attempts, failures, sweeps } of tried) {
    if (attempts > failures + sweeps) {
      const says = `Batch ${id} has spent ${attempts} attempts: ${failures} runs of it failed, and ${sweeps} were taken from their workers`;
      return { invariant: "attempts", says };
    }
    // Of those that have failed, and those that were called off, the last run was one more.
    const isOver = status === "failed" || status === "cancelled";
    if (attempts > config.maxAttempts || (attempts === config.maxAttempts && !isOver)) {
      const says = `Batch ${id} is ${status} after ${attempts} attempts of ${config.maxAttempts}`;
      return { invariant: "attempts", says };
    }
  }
  return undefined;
}
