import { diagnoseBatches } from "./diagnose-batches.ts";
import { diagnosePlan } from "./diagnose-plan.ts";
import {
  countsSinceMs,
  type DiagnosisRules,
  isOurs,
  longestDue,
  queuesSinceMs,
  stallAfterMs,
} from "./diagnosis-rules.ts";
import { sayDuration } from "./duration-words.ts";
import type { Finding } from "./findings.ts";
import type { LiveBatch, SyncSnapshot } from "./snapshot.ts";
import { epochMs } from "./units.ts";

export type { DiagnosisRules } from "./diagnosis-rules.ts";

/**
 * What is wrong with a sync, most urgent first; empty when it moves, or waits for a known time. Pure: the same snapshot
 * and rules give the same findings, and after its remedy a finding is gone (but for `queued_too_long`, whose remedy changes no row).
 */
export function diagnose(snapshot: SyncSnapshot, rules: DiagnosisRules): readonly Finding[] {
  const findings = [
    ...diagnoseBatches(snapshot, rules),
    ...diagnosePlan(snapshot, rules),
    ...snapshot.liveBatches.flatMap((batch) => diagnoseProgress(snapshot, batch, rules)),
    ...diagnoseQueue(snapshot, rules),
  ];
  // Rows from before a clock was set back tell of the future.
  return findings.map((finding) => ({ ...finding, beganAtMs: epochMs(Math.min(finding.beganAtMs, rules.nowMs)) }));
}

function diagnoseProgress(snapshot: SyncSnapshot, batch: LiveBatch, rules: DiagnosisRules): Finding[] {
  if (batch.status !== "processing" || batch.leaseToken === null) return [];
  const { leaseToken, leaseExpiresAtMs } = batch;
  if (leaseExpiresAtMs === null) return [];
  if (leaseExpiresAtMs <= rules.nowMs && !isOurs(rules, batch, leaseToken)) return [];
  const thresholdMs = stallAfterMs(snapshot, rules);
  const sinceMs = countsSinceMs(rules, snapshot.lastProgressAtMs, batch.leasedAtMs ?? snapshot.lastProgressAtMs);
  const idleMs = rules.nowMs - sinceMs;
  if (idleMs <= thresholdMs) return [];
  return [
    {
      syncId: snapshot.syncId,
      athleteId: snapshot.athleteId,
      batchId: batch.id,
      kind: "no_progress",
      beganAtMs: sinceMs,
      evidence: {
        idle_ms: idleMs,
        threshold_ms: thresholdMs,
        heartbeat_at_ms: batch.heartbeatAtMs,
        attempts: batch.attempts,
      },
      message: `Batch ${batch.number} has a live worker but has done nothing for ${sayDuration(idleMs)} (threshold ${sayDuration(thresholdMs)}).`,
      whyNotWaiting: "A wait would have released the batch; this one is held by a worker.",
      remedy: { do: "abort_run", batchId: batch.id, leaseToken: batch.leaseToken, attempts: batch.attempts },
    },
  ];
}

function diagnoseQueue(snapshot: SyncSnapshot, rules: DiagnosisRules): Finding[] {
  if (snapshot.isPaused || !rules.isClaiming || rules.isFull || rules.hold !== undefined) return [];
  if (snapshot.liveBatches.some((batch) => batch.status === "processing")) return [];
  const oldest = longestDue(snapshot, rules.nowMs);
  if (oldest === undefined) return [];
  const dueSinceMs = queuesSinceMs(snapshot, oldest, rules);
  const thresholdMs = stallAfterMs(snapshot, rules);
  const waitedMs = rules.nowMs - dueSinceMs;
  // While others are being claimed it stands in a queue that moves.
  const claimlessMs =
    rules.nowMs - countsSinceMs(rules, rules.lastClaimAtMs, rules.claimableSinceMs ?? rules.lastClaimAtMs);
  if (waitedMs <= thresholdMs || claimlessMs <= thresholdMs) return [];
  return [
    {
      syncId: snapshot.syncId,
      athleteId: snapshot.athleteId,
      batchId: oldest.id,
      kind: "queued_too_long",
      beganAtMs: dueSinceMs,
      evidence: { due_for_ms: waitedMs, no_claim_for_ms: claimlessMs, threshold_ms: thresholdMs },
      message: `Batch ${oldest.number} has been due for ${sayDuration(waitedMs)} and nobody claims it.`,
      whyNotWaiting: "Nothing holds it back, and the processor has claimed nothing for as long.",
      remedy: { do: "wake_processor" },
    },
  ];
}
