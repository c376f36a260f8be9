import { LONGEST_WAIT_MS } from "./batch.ts";
import { ageProves, type DiagnosisRules, isOurs } from "./diagnosis-rules.ts";
import { sayDuration } from "./duration-words.ts";
import type { Evidence } from "./evidence.ts";
import type { Finding, FindingKind, Remedy } from "./findings.ts";
import type { LiveBatch, SyncSnapshot } from "./snapshot.ts";
import type { BatchId, EpochMs } from "./units.ts";

/** A lease is renewed to one length from now: one that ends later than two was not given by this daemon. */
const IMPOSSIBLE_LEASES_AHEAD = 2;

/** What is wrong with live batches of a sync, each by itself: leases, strays, twins, waits. Most urgent first. */
export function diagnoseBatches(snapshot: SyncSnapshot, rules: DiagnosisRules): Finding[] {
  const oldestPage = snapshot.liveBatches.find((batch) => batch.type === "discovery");
  return [
    ...gather(snapshot, (batch) => diagnoseLease(batch, rules), rememberLeases),
    ...gather(snapshot, (batch) => diagnoseStray(snapshot, batch, rules), cancelThem),
    ...gather(snapshot, (batch) => diagnoseTwin(snapshot, batch, oldestPage), cancelThem),
    ...gather(snapshot, (batch) => diagnoseWait(batch, rules), rememberWaits),
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
  if (!ageProves(rules) || isOurs(rules, batch, leaseToken)) return undefined;
  const aheadMs = leaseExpiresAtMs - rules.nowMs;
  if (aheadMs > IMPOSSIBLE_LEASES_AHEAD * rules.leaseMs) {
    return found(
      "impossible_lease",
      `The lease of batch ${batch.number} ends in ${sayDuration(aheadMs)}, but leases last ${sayDuration(rules.leaseMs)}.`,
      { lease_expires_at_ms: leaseExpiresAtMs, ahead_ms: aheadMs },
      rules.nowMs,
    );
  }
  if (aheadMs > 0) return undefined;
  return found(
    "orphaned_batch",
    `The lease of batch ${batch.number} expired ${sayDuration(-aheadMs)} ago, and nobody renewed it.`,
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

function diagnoseTwin(snapshot: SyncSnapshot, batch: LiveBatch, oldest: LiveBatch | undefined): Trouble | undefined {
  if (snapshot.plan.phase !== "discovery" || batch.type !== "discovery") return undefined;
  if (oldest === undefined || oldest.id === batch.id) return undefined;
  return {
    kind: "twin_batches",
    beganAtMs: batch.createdAtMs,
    evidence: { older_batch_id: oldest.id, older_batch_number: oldest.number, page: snapshot.plan.cursor.page },
    message: `Batch ${batch.number} is live beside batch ${oldest.number}, and both would read on at the same place of the list.`,
    whyNotWaiting: "A list is read by one batch at a time; the older one goes on.",
  };
}

function cancelThem(batches: readonly LiveBatch[]): Remedy {
  return { do: "cancel_batches", batches: batches.map((batch) => ({ batchId: batch.id })) };
}

function diagnoseWait(batch: LiveBatch, rules: DiagnosisRules): Trouble | undefined {
  if (batch.status !== "pending" || batch.runAfterMs <= rules.nowMs || rules.waitsProveNothing) return undefined;
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
      message: `Batch ${batch.number} would wait ${sayDuration(aheadMs)}, longer than any quota window or backoff.`,
      whyNotWaiting: "Nothing that Broomwagon waits for is that far away.",
    };
  }
  if (waitReason !== null && waitsUntilMs !== null && waitsUntilMs > rules.nowMs) return undefined;
  const why =
    waitReason !== null && waitsUntilMs !== null
      ? `what it waits for (${waitReason}) passed ${sayDuration(rules.nowMs - waitsUntilMs)} ago`
      : "it has no reason to wait";
  return {
    kind: "waiting_past_reset",
    beganAtMs: waitsUntilMs ?? rules.nowMs,
    evidence,
    message: `Batch ${batch.number} is set to wait ${sayDuration(aheadMs)} more, but ${why}.`,
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

const of = (snapshot: SyncSnapshot, batchId: BatchId | null) => ({
  syncId: snapshot.syncId,
  athleteId: snapshot.athleteId,
  batchId,
});
