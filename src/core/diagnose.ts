import { LONGEST_WAIT_MS } from "./batch.ts";
import type { Evidence } from "./evidence.ts";
import type { Finding, FindingKind, Remedy } from "./findings.ts";
import { planNextStep, type Step } from "./plan.ts";
import type { Hold, LiveBatch, SyncSnapshot } from "./snapshot.ts";
import type { BatchId, EpochMs } from "./units.ts";

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
  /** Until then, age proves nothing: the daemon has just started, slept, or its clock has jumped. */
  readonly ageProvesNothingUntilMs: EpochMs;
};

/** A lease is renewed to one length from now: one that ends later than two was not given by this daemon. */
const IMPOSSIBLE_LEASES_AHEAD = 2;

/**
 * What is wrong with a sync, most urgent first; empty when it moves, or waits for a known time. Pure: the same snapshot
 * and rules give the same findings, and after its remedy a finding is gone (but for `queued_too_long`, whose remedy changes no row).
 */
export function diagnose(snapshot: SyncSnapshot, rules: DiagnosisRules): readonly Finding[] {
  return [
    ...gather(snapshot, (batch) => diagnoseLease(batch, rules), rememberLeases),
    ...gather(snapshot, (batch) => diagnoseStray(snapshot, batch, rules), rememberStrays),
    ...gather(snapshot, (batch) => diagnoseWait(batch, rules), rememberWaits),
    ...diagnosePlan(snapshot, rules),
    ...snapshot.liveBatches.flatMap((batch) => diagnoseProgress(snapshot, batch, rules)),
    ...diagnoseQueue(snapshot, rules),
  ];
}

/** What is wrong with one batch. */
type Trouble = Pick<Finding, "kind" | "beganAtMs" | "evidence" | "message" | "whyNotWaiting">;

/** One finding a kind: what befell several batches of a sync alike is one trouble, with one remedy. */
function gather(
  snapshot: SyncSnapshot,
  diagnoseBatch: (batch: LiveBatch) => Trouble | undefined,
  remedyFor: (batches: readonly LiveBatch[]) => Remedy,
): Finding[] {
  const byKind = new Map<FindingKind, { trouble: Trouble; batches: LiveBatch[] }>();
  for (const batch of snapshot.liveBatches) {
    const trouble = diagnoseBatch(batch);
    if (trouble === undefined) continue;
    const known = byKind.get(trouble.kind);
    if (known === undefined) byKind.set(trouble.kind, { trouble, batches: [batch] });
    else known.batches.push(batch);
  }
  return [...byKind.values()].map(({ trouble, batches }) => ({
    ...of(snapshot, batches[0]?.id ?? null),
    ...trouble,
    evidence: { ...trouble.evidence, batches: batches.length },
    message: batches.length === 1 ? trouble.message : `${trouble.message} So it is with ${batches.length} batches.`,
    remedy: remedyFor(batches),
  }));
}

function diagnoseLease(batch: LiveBatch, rules: DiagnosisRules): Trouble | undefined {
  if (batch.status !== "processing") return undefined;
  const { leaseToken, leaseExpiresAtMs, attempts } = batch;
  const found = (kind: FindingKind, message: string, evidence: Evidence, beganAtMs: EpochMs): Trouble => ({
    kind,
    beganAtMs,
    evidence: { ...evidence, attempts, lease_ms: rules.leaseMs },
    message,
    whyNotWaiting: "A batch that is processing must have a worker, and this one has shown no sign of life.",
  });
  if (leaseToken === null || leaseExpiresAtMs === null) {
    return found(
      "impossible_lease",
      `Batch ${batch.number} is processing without a lease, so no worker can hold it.`,
      { lease_expires_at_ms: leaseExpiresAtMs },
      batch.leasedAtMs ?? rules.nowMs,
    );
  }
  // A clock that jumped makes good leases look expired or far away: verdicts wait for the next heartbeat.
  if (!ageProves(rules)) return undefined;
  const aheadMs = leaseExpiresAtMs - rules.nowMs;
  if (aheadMs > IMPOSSIBLE_LEASES_AHEAD * rules.leaseMs) {
    return found(
      "impossible_lease",
      `The lease of batch ${batch.number} ends in ${seconds(aheadMs)}, but leases last ${seconds(rules.leaseMs)}.`,
      { lease_expires_at_ms: leaseExpiresAtMs, ahead_ms: aheadMs },
      rules.nowMs,
    );
  }
  if (aheadMs > 0) return undefined;
  return found(
    "orphaned_batch",
    `The lease of batch ${batch.number} expired ${seconds(-aheadMs)} ago, and nobody renewed it.`,
    { lease_expires_at_ms: leaseExpiresAtMs, expired_for_ms: -aheadMs, heartbeat_at_ms: batch.heartbeatAtMs },
    leaseExpiresAtMs,
  );
}

function rememberLeases(batches: readonly LiveBatch[]): Remedy {
  const seen = batches.map((batch) => ({
    batchId: batch.id,
    leaseToken: batch.status === "processing" ? batch.leaseToken : null,
    attempts: batch.attempts,
  }));
  return { do: "sweep_leases", batches: seen };
}

function diagnoseStray(snapshot: SyncSnapshot, batch: LiveBatch, rules: DiagnosisRules): Trouble | undefined {
  if (batch.type === snapshot.plan.phase) return undefined;
  return {
    kind: "stray_batch",
    beganAtMs: rules.nowMs,
    evidence: { batch_type: batch.type, phase: snapshot.plan.phase },
    message: `Batch ${batch.number} is live as ${batch.type}, but the sync is in ${snapshot.plan.phase}.`,
    whyNotWaiting: "No phase of this sync will ever need it.",
  };
}

function rememberStrays(batches: readonly LiveBatch[]): Remedy {
  return { do: "cancel_batches", batches: batches.map((batch) => ({ batchId: batch.id })) };
}

function diagnoseWait(batch: LiveBatch, rules: DiagnosisRules): Trouble | undefined {
  if (batch.status !== "pending" || batch.runAfterMs <= rules.nowMs) return undefined;
  const { runAfterMs, waitReason, waitsUntilMs } = batch;
  const evidence = {
    run_after_ms: runAfterMs,
    wait_reason: waitReason,
    waits_until_ms: waitsUntilMs,
    now_ms: rules.nowMs,
  };
  const aheadMs = runAfterMs - rules.nowMs;
  if (aheadMs > LONGEST_WAIT_MS) {
    return {
      kind: "far_wait",
      beganAtMs: rules.nowMs,
      evidence,
      message: `Batch ${batch.number} would wait ${seconds(aheadMs)}, longer than any quota window or backoff.`,
      whyNotWaiting: "Nothing that Broomwagon waits for is that far away.",
    };
  }
  if (waitReason !== null && waitsUntilMs !== null && waitsUntilMs > rules.nowMs) return undefined;
  const why =
    waitReason !== null && waitsUntilMs !== null
      ? `what it waits for (${waitReason}) passed ${seconds(rules.nowMs - waitsUntilMs)} ago`
      : "it has no reason to wait";
  return {
    kind: "waiting_past_reset",
    beganAtMs: waitsUntilMs ?? rules.nowMs,
    evidence,
    message: `Batch ${batch.number} is set to wait ${seconds(aheadMs)} more, but ${why}.`,
    whyNotWaiting: "The time that it waits for has passed, or nobody recorded one.",
  };
}

function rememberWaits(batches: readonly LiveBatch[]): Remedy {
  const seen = batches.map((batch) => ({
    batchId: batch.id,
    runAfterMs: batch.status === "pending" ? batch.runAfterMs : batch.createdAtMs,
  }));
  return { do: "make_due", batches: seen };
}

function diagnosePlan(snapshot: SyncSnapshot, rules: DiagnosisRules): Finding[] {
  if (snapshot.isPaused) return [];
  const step = planNextStep(snapshot.plan, rules);
  if (step === undefined) return [];
  const { kind, message } = describeStep(step, snapshot);
  return [
    {
      ...of(snapshot, null),
      kind,
      beganAtMs: snapshot.lastProgressAtMs,
      evidence: {
        phase: snapshot.plan.phase,
        races_pending: snapshot.plan.racesPending,
        races_unserved: snapshot.plan.unserved.reduce((sum, group) => sum + group.count, 0),
        live_batches: snapshot.plan.liveBatches,
        total_batches: snapshot.counts.total,
        completed_batches: snapshot.counts.completed,
        failed_batches: snapshot.counts.failed,
        step: step.step,
        batches_to_create: step.step === "create_enrichment_batches" ? step.batches : null,
      },
      message,
      whyNotWaiting: "No live batch will do this, so no time that passes can move it.",
      remedy: { do: "replan" },
    },
  ];
}

function describeStep(step: Step, snapshot: SyncSnapshot): { kind: FindingKind; message: string } {
  const { racesPending, liveBatches } = snapshot.plan;
  switch (step.step) {
    case "create_discovery_batch":
    case "return_to_discovery":
      return {
        kind: "missing_discovery_batch",
        message: "The athlete's list is not complete, and no live batch reads on.",
      };
    case "create_enrichment_batches":
      if (step.exhaustedSize !== undefined) {
        return {
          kind: "exhausted_batches",
          message: `${step.count} races are left of batches that failed for good; ${step.batches} smaller batches of up to ${step.batchSize} can find the one that fails.`,
        };
      }
      return {
        kind: "missing_enrichment_batches",
        message: `${step.count} races need enrichment and no live batch will take them (${snapshot.counts.completed} of ${snapshot.counts.total} batches completed, ${liveBatches} live).`,
      };
    case "fail_exhausted_races":
      return { kind: "exhausted_batches", message: `${step.count} races failed for good even alone in their batch.` };
    case "fail":
      return { kind: "exhausted_batches", message: `Discovery failed for good: ${step.reason}` };
    case "enter_enrichment":
      return racesPending > 0
        ? {
            kind: "missing_enrichment_batches",
            message: `The list is complete, ${racesPending} races need enrichment, and nothing is live.`,
          }
        : {
            kind: "unfinished_completion",
            message: "The list is complete and nothing is left to do, but the sync is still in progress.",
          };
    case "complete":
      return { kind: "unfinished_completion", message: "Nothing is left to do, but the sync is still in progress." };
    default:
      return step satisfies never;
  }
}

function diagnoseProgress(snapshot: SyncSnapshot, batch: LiveBatch, rules: DiagnosisRules): Finding[] {
  if (batch.status !== "processing" || batch.leaseToken === null || !ageProves(rules)) return [];
  if ((batch.leaseExpiresAtMs ?? 0) <= rules.nowMs) return [];
  const thresholdMs = stallAfterMs(snapshot, rules);
  const sinceMs = Math.max(snapshot.lastProgressAtMs, batch.leasedAtMs ?? 0) as EpochMs;
  const idleMs = rules.nowMs - sinceMs;
  if (idleMs <= thresholdMs) return [];
  return [
    {
      ...of(snapshot, batch.id),
      kind: "no_progress",
      beganAtMs: sinceMs,
      evidence: {
        idle_ms: idleMs,
        threshold_ms: thresholdMs,
        heartbeat_at_ms: batch.heartbeatAtMs,
        attempts: batch.attempts,
      },
      message: `Batch ${batch.number} has a live worker but has done nothing for ${seconds(idleMs)} (threshold ${seconds(thresholdMs)}).`,
      whyNotWaiting: "A wait would have released the batch; this one is held by a worker.",
      remedy: { do: "abort_run", batchId: batch.id, leaseToken: batch.leaseToken, attempts: batch.attempts },
    },
  ];
}

function diagnoseQueue(snapshot: SyncSnapshot, rules: DiagnosisRules): Finding[] {
  if (snapshot.isPaused || !rules.isClaiming || rules.isFull || rules.hold !== undefined || !ageProves(rules))
    return [];
  if (snapshot.liveBatches.some((batch) => batch.status === "processing")) return [];
  const oldest = snapshot.liveBatches.find((batch) => batch.status === "pending" && batch.runAfterMs <= rules.nowMs);
  if (oldest === undefined || oldest.status !== "pending") return [];
  const dueSinceMs = Math.max(oldest.runAfterMs, oldest.createdAtMs, snapshot.lastProgressAtMs) as EpochMs;
  const thresholdMs = stallAfterMs(snapshot, rules);
  const waitedMs = rules.nowMs - dueSinceMs;
  // While others are being claimed it stands in a queue that moves.
  const claimlessMs = rules.nowMs - rules.lastClaimAtMs;
  if (waitedMs <= thresholdMs || claimlessMs <= thresholdMs) return [];
  return [
    {
      ...of(snapshot, oldest.id),
      kind: "queued_too_long",
      beganAtMs: dueSinceMs,
      evidence: { due_for_ms: waitedMs, no_claim_for_ms: claimlessMs, threshold_ms: thresholdMs },
      message: `Batch ${oldest.number} has been due for ${seconds(waitedMs)} and nobody claims it.`,
      whyNotWaiting: "Nothing holds it back, and the processor has claimed nothing for as long.",
      remedy: { do: "wake_processor" },
    },
  ];
}

function stallAfterMs(snapshot: SyncSnapshot, rules: DiagnosisRules): number {
  return snapshot.plan.phase === "discovery" ? rules.stallAfterDiscoveryMs : rules.stallAfterEnrichmentMs;
}

const ageProves = (rules: DiagnosisRules): boolean => rules.nowMs >= rules.ageProvesNothingUntilMs;

const of = (snapshot: SyncSnapshot, batchId: BatchId | null) => ({
  syncId: snapshot.syncId,
  athleteId: snapshot.athleteId,
  batchId,
});

/** A duration as a person says it: whole seconds, or minutes from two minutes on. */
function seconds(durationMs: number): string {
  return durationMs < 120_000 ? `${Math.round(durationMs / 1_000)} s` : `${Math.round(durationMs / 60_000)} min`;
}
