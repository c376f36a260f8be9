import type { FindingOutcome } from "./findings.ts";
import type { SyncStatus } from "./sync.ts";

/** What is known of a sync when an open finding about it is judged. */
export type Aftermath = {
  /** undefined: the sync is gone, erased with its athlete. */
  readonly syncStatus: SyncStatus | undefined;
  /** Batches of the sync that completed since the remedy. */
  readonly batchesCompletedSince: number;
  /** The same trouble is there again, or still. */
  readonly isFoundAgain: boolean;
  readonly isWaiting: boolean;
  /** It stands in a queue that does not move: the daemon's trouble, one for as long as it lasts. */
  readonly isQueued?: boolean;
};

/**
 * Judges a finding that is still open: a remedy counts as a fix only when a batch of the sync, or the sync itself,
 * completed after it. Undefined: too early to tell.
 */
export function judgeFinding(outcome: "proposed" | "pending", aftermath: Aftermath): FindingOutcome | undefined {
  const { syncStatus, batchesCompletedSince, isFoundAgain, isWaiting, isQueued } = aftermath;
  if (outcome === "proposed") return isFoundAgain ? undefined : "superseded";
  if (syncStatus === "completed" || batchesCompletedSince > 0) return "verified";
  if (syncStatus !== "in_progress") return "superseded";
  if (isWaiting || isQueued) return undefined;
  return isFoundAgain ? "failed" : undefined;
}
