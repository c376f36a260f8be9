import type { Hold, LiveBatch, SyncSnapshot } from "./snapshot.ts";
import { type BatchId, type EpochMs, epochMs, type LeaseToken, MINUTE_MS } from "./units.ts";

export type DiagnosisRules = {
  readonly nowMs: EpochMs;
  readonly stallAfterDiscoveryMs: number;
  readonly stallAfterEnrichmentMs: number;
  readonly leaseMs: number;
  readonly enrichmentBatchSize: number;
  /** What holds back requests of this sync's class now. */
  readonly hold: Hold | undefined;
  /** False while the whole daemon is paused: then nobody claims, on purpose. */
  readonly isClaiming: boolean;
  /** Every worker is busy: who waits for one stands in a queue, and the runs are watched by themselves. */
  readonly isFull: boolean;
  /** When the processor last claimed a batch, or started. */
  readonly lastClaimAtMs: EpochMs;
  /** When requests of this class were last let out again, or will be: before that a batch that was due stood in no queue. */
  readonly claimableSinceMs?: EpochMs | undefined;
  /** Until then, age proves nothing: the daemon has just started, slept, or its clock has jumped. */
  readonly ageProvesNothingUntilMs: EpochMs;
  /** The clock was set back, and waits lie as far ahead: they prove nothing until they are made good. */
  readonly waitsProveNothing?: boolean;
  /**
   * Leases of the runs that are alive in this very process, and the batch of each. While a row names its lease, its worker lives,
   * whatever the clock or a hand has done to the end of the lease: the next heartbeat puts that right.
   */
  readonly ownLeases?: ReadonlyMap<LeaseToken, BatchId>;
};

type PendingBatch = Extract<LiveBatch, { status: "pending" }>;

/** How long a sync may do nothing in its phase. */
export function stallAfterMs(snapshot: SyncSnapshot, rules: DiagnosisRules): number {
  return snapshot.plan.phase === "discovery" ? rules.stallAfterDiscoveryMs : rules.stallAfterEnrichmentMs;
}

/** Whether verdicts may go by age now. */
export const ageProves = (rules: DiagnosisRules): boolean => rules.nowMs >= rules.ageProvesNothingUntilMs;

/** A clock that is set back by more than this is always noticed; by less, it may not be. */
const UNNOTICED_MS = 10 * MINUTE_MS;

/**
 * Since when something has been so, as far as it counts: the latest of these moments, and not before age began to prove
 * something. A moment in the future is from before a clock was set back: it counts as now, or, where that was noticed, not
 * at all, since a clock that was set back by hours would hide a stall for as long.
 */
export function countsSinceMs(rules: DiagnosisRules, ...moments: readonly EpochMs[]): EpochMs {
  const { nowMs, ageProvesNothingUntilMs } = rules;
  const counted = moments.map((moment) => (moment - nowMs > UNNOTICED_MS ? 0 : Math.min(moment, nowMs)));
  return epochMs(Math.max(Math.min(ageProvesNothingUntilMs, nowMs), ...counted));
}

/** Of the batches that are due, the one that has been for longest: it is the next of this sync to be claimed. */
export function longestDue(snapshot: SyncSnapshot, nowMs: EpochMs): PendingBatch | undefined {
  let longest: PendingBatch | undefined;
  for (const batch of snapshot.liveBatches) {
    if (batch.status !== "pending" || batch.runAfterMs > nowMs) continue;
    if (longest === undefined || batch.runAfterMs < longest.runAfterMs) longest = batch;
  }
  return longest;
}

/** Since when a batch that is due stands in the queue: while it could not have been claimed, it stood in none. */
export function queuesSinceMs(
  snapshot: SyncSnapshot,
  batch: { readonly runAfterMs: EpochMs; readonly createdAtMs: EpochMs },
  rules: DiagnosisRules,
): EpochMs {
  const { claimableSinceMs = batch.runAfterMs } = rules;
  return countsSinceMs(rules, batch.runAfterMs, batch.createdAtMs, snapshot.lastProgressAtMs, claimableSinceMs);
}

/** Whether a worker of this very process holds the batch. */
export const isOurs = (rules: DiagnosisRules, batch: { id: BatchId }, leaseToken: LeaseToken): boolean =>
  rules.ownLeases?.get(leaseToken) === batch.id;
