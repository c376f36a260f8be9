import type { WaitReason } from "./batch.ts";
import { type DiagnosisRules, diagnose } from "./diagnose.ts";
import { explainProcessing, explainQueue, whatWaits } from "./explain.ts";
import type { Finding } from "./findings.ts";
import type { SyncSnapshot } from "./snapshot.ts";
import type { EpochMs } from "./units.ts";

export type Waiting = {
  readonly reason: WaitReason | "queue" | "paused";
  /** When it moves again; null where that hangs on others. */
  readonly resumesAtMs: EpochMs | null;
  readonly detail: string;
};

/**
 * What a sync in progress is doing, computed when asked by the same diagnosis that the health check uses. The explanation says
 * why it is stalled, or why it is not, with the numbers.
 */
export type SyncState = { readonly explanation: string } & (
  | { readonly state: "processing" }
  | { readonly state: "waiting"; readonly waiting: Waiting }
  | { readonly state: "stalled"; readonly finding: Finding; readonly warning: string }
);

export type HealingMode = "automatic" | "suggest";

/** Judges one sync in progress. */
export function describeState(
  snapshot: SyncSnapshot,
  rules: DiagnosisRules & { readonly healing: HealingMode },
): SyncState {
  const finding = diagnose(snapshot, rules)[0];
  if (finding !== undefined) {
    const explanation = `${finding.message} ${finding.whyNotWaiting}`;
    return { state: "stalled", finding, warning: warningFor(finding, snapshot, rules.healing), explanation };
  }
  if (!snapshot.isPaused && snapshot.liveBatches.some((batch) => batch.status === "processing"))
    return { state: "processing", explanation: explainProcessing(snapshot, rules) };
  const waiting = describeWait(snapshot, rules);
  const explanation = waiting.reason === "queue" ? waiting.detail : `${waiting.detail} ${whatWaits(snapshot)}`;
  return { state: "waiting", waiting, explanation };
}

/** The batch that will be due first says what the sync waits for; once it is due, the governor or the queue does. */
function describeWait(snapshot: SyncSnapshot, rules: DiagnosisRules): Waiting {
  if (snapshot.isPaused) return paused("Paused; it goes on when somebody resumes it.");
  if (!rules.isClaiming) return paused("The whole daemon is paused; it goes on when somebody resumes it.");
  let first: { runAfterMs: EpochMs; waitReason: WaitReason | null } | undefined;
  for (const batch of snapshot.liveBatches) {
    if (batch.status === "pending" && (first === undefined || batch.runAfterMs < first.runAfterMs)) first = batch;
  }
  if (first !== undefined && first.runAfterMs > rules.nowMs && first.waitReason !== null) {
    return {
      reason: first.waitReason,
      resumesAtMs: first.runAfterMs,
      detail: waitInWords(first.waitReason, first.runAfterMs),
    };
  }
  if (rules.hold !== undefined) {
    const { reason, untilMs } = rules.hold;
    return { reason, resumesAtMs: untilMs, detail: waitInWords(reason, untilMs) };
  }
  return { reason: "queue", resumesAtMs: null, detail: explainQueue(snapshot, rules) };
}

const paused = (detail: string): Waiting => ({ reason: "paused", resumesAtMs: null, detail });

function waitInWords(reason: WaitReason, untilMs: EpochMs): string {
  const until = `${new Date(untilMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  switch (reason) {
    case "quota_15min":
      return `Strava's quota of this quarter of an hour is used up; it goes on at ${until}.`;
    case "quota_daily":
      return `Strava's quota of this day is used up; it goes on at ${until}.`;
    case "quota_reserve":
      return `What is left of the day's quota is kept for people who wait; it goes on at ${until}.`;
    case "backoff":
      return `Its last try failed; it tries again at ${until}.`;
    case "strava_unavailable":
      return `Strava is not available; it tries again at ${until}.`;
    case "app_inactive":
      return `Strava refuses the application (inactive, or a wrong client id or secret): see its settings at Strava. It tries again at ${until}.`;
    default:
      return reason satisfies never;
  }
}

function warningFor(finding: Finding, snapshot: SyncSnapshot, healing: HealingMode): string {
  const hasNothingLive = snapshot.counts.pending === 0 && snapshot.counts.processing === 0;
  const what =
    finding.remedy.do === "replan" && hasNothingLive && finding.kind !== "unfinished_completion"
      ? "Sync appears stalled: no pending batches but sync not complete."
      : `Sync appears stalled: ${finding.message}`;
  return `${what} ${healing === "suggest" ? "Apply the proposed remedy to go on." : cureInWords(finding)}`;
}

function cureInWords(finding: Finding): string {
  switch (finding.kind) {
    case "missing_enrichment_batches":
    case "missing_discovery_batch":
      return "System will auto-create missing batches.";
    case "unfinished_completion":
      return "System will complete it.";
    default:
      return "System will repair it at the next health check.";
  }
}
