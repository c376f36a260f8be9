import type { DiagnosisRules } from "../../src/core/diagnose.ts";
import type { PlanInput } from "../../src/core/plan.ts";
import type { BatchCounts, LiveBatch, SyncSnapshot } from "../../src/core/snapshot.ts";
import {
  athleteId,
  batchId,
  type EpochMs,
  epochMs,
  epochSeconds,
  leaseToken,
  MINUTE_MS,
  plusMs,
  SECOND_MS,
  syncId,
} from "../../src/core/units.ts";

/** The moment of the diagnosis in tests. */
export const NOW = epochMs(1_763_334_772_370);
export const ago = (durationMs: number): EpochMs => plusMs(NOW, -durationMs);
export const ahead = (durationMs: number): EpochMs => plusMs(NOW, durationMs);

/** A daemon that has run long, claims, and is held back by nothing. Discovery may idle 10 minutes, enrichment 20. */
export function rulesWith(values: Partial<DiagnosisRules> = {}): DiagnosisRules {
  return {
    nowMs: NOW,
    stallAfterDiscoveryMs: 10 * MINUTE_MS,
    stallAfterEnrichmentMs: 20 * MINUTE_MS,
    leaseMs: 60 * SECOND_MS,
    enrichmentBatchSize: 15,
    hold: undefined,
    isClaiming: true,
    isFull: false,
    lastClaimAtMs: ago(5 * SECOND_MS),
    ageProvesNothingUntilMs: ago(60 * MINUTE_MS),
    ...values,
  };
}

type Common = Partial<Pick<LiveBatch, "number" | "type" | "attempts" | "createdAtMs">>;

/** A pending enrichment batch, due since it was made a moment ago. */
export function pendingBatch(
  values: Common & Partial<Omit<Extract<LiveBatch, { status: "pending" }>, "status">> = {},
): LiveBatch {
  const number = values.number ?? 4;
  return {
    id: batchId(40 + number),
    number,
    type: "enrichment",
    attempts: 0,
    createdAtMs: ago(30 * SECOND_MS),
    status: "pending",
    runAfterMs: ago(30 * SECOND_MS),
    waitReason: null,
    waitsUntilMs: null,
    ...values,
  };
}

/** A processing enrichment batch, claimed half a minute ago, its heartbeat ten seconds old. */
export function processingBatch(
  values: Common & Partial<Omit<Extract<LiveBatch, { status: "processing" }>, "status">> = {},
): LiveBatch {
  const number = values.number ?? 4;
  return {
    id: batchId(40 + number),
    number,
    type: "enrichment",
    attempts: 0,
    createdAtMs: ago(60 * SECOND_MS),
    status: "processing",
    leaseToken: leaseToken("lease"),
    leaseExpiresAtMs: ahead(50 * SECOND_MS),
    leasedAtMs: ago(30 * SECOND_MS),
    heartbeatAtMs: ago(10 * SECOND_MS),
    ...values,
  };
}

/** A sync in enrichment with those live batches; counts and plan follow from them, unless told otherwise. */
export function snapshotWith(
  liveBatches: readonly LiveBatch[],
  values: Partial<Omit<SyncSnapshot, "plan" | "counts">> & {
    plan?: Partial<PlanInput>;
    counts?: Partial<BatchCounts>;
  } = {},
): SyncSnapshot {
  const phase = values.plan?.phase ?? "enrichment";
  const live = liveBatches.filter((batch) => batch.type === phase);
  const counts = {
    total: live.length + 3,
    completed: 3,
    pending: live.filter((batch) => batch.status === "pending").length,
    processing: live.filter((batch) => batch.status === "processing").length,
    failed: 0,
    ...values.counts,
  };
  const plan: PlanInput = {
    phase,
    listComplete: phase === "enrichment",
    cursor: { beforeSeconds: epochSeconds(1_763_000_000), page: 1 },
    liveBatches: live.length,
    discoveryFailure: undefined,
    unserved: [],
    racesPending: live.length * 15,
    ...values.plan,
  };
  return {
    syncId: syncId(7),
    athleteId: athleteId(3),
    syncClass: "schedule",
    isPaused: false,
    startedAtMs: ago(40 * MINUTE_MS),
    lastProgressAtMs: ago(20 * SECOND_MS),
    batchesCompleted: 3,
    ...values,
    liveBatches,
    plan,
    counts,
  };
}
