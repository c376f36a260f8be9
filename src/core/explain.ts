import {
  ageProves,
  countsSinceMs,
  type DiagnosisRules,
  longestDue,
  queuesSinceMs,
  stallAfterMs,
} from "./diagnosis-rules.ts";
import { sayDuration } from "./duration-words.ts";
import type { SyncSnapshot } from "./snapshot.ts";

/** Why a sync that a worker is busy with is not stalled, with the numbers. */
export function explainProcessing(snapshot: SyncSnapshot, rules: DiagnosisRules): string {
  const batch = snapshot.liveBatches.find((one) => one.status === "processing");
  if (batch === undefined || batch.status !== "processing") return "A worker is busy with it.";
  const { heartbeatAtMs, leaseExpiresAtMs } = batch;
  const sinceMs = countsSinceMs(rules, snapshot.lastProgressAtMs, batch.leasedAtMs ?? snapshot.lastProgressAtMs);
  const signs = [
    heartbeatAtMs === null ? "" : `last sign of life ${ago(rules, heartbeatAtMs)}`,
    leaseExpiresAtMs === null || leaseExpiresAtMs <= rules.nowMs
      ? ""
      : `lease good for ${sayDuration(leaseExpiresAtMs - rules.nowMs)} more`,
    `last progress ${ago(rules, snapshot.lastProgressAtMs)}`,
  ].filter((sign) => sign !== "");
  return `Batch ${batch.number} is running: ${signs.join(", ")}. ${threshold(snapshot, rules, sinceMs, "without progress")}`;
}

/** Why a sync that is due and that no worker has taken up is not stalled, with the numbers. */
export function explainQueue(snapshot: SyncSnapshot, rules: DiagnosisRules): string {
  const due = longestDue(snapshot, rules.nowMs);
  if (due === undefined) return "It runs as soon as a worker is free.";
  const dueSinceMs = queuesSinceMs(snapshot, due, rules);
  const dueFor = sayDuration(rules.nowMs - dueSinceMs);
  if (rules.isFull) {
    return `Batch ${due.number} has been due for ${dueFor}, and every worker is busy; it runs as soon as one is free.`;
  }
  const lastClaim = ago(rules, rules.lastClaimAtMs);
  return `Batch ${due.number} has been due for ${dueFor}, and the last batch was claimed ${lastClaim}; it runs as soon as it is its turn. ${threshold(snapshot, rules, rules.nowMs, "without a claim")}`;
}

/** What is left to do, for a sync that waits. */
export function whatWaits(snapshot: SyncSnapshot): string {
  const { phase, racesPending } = snapshot.plan;
  // Not of the batches that are shown: these may be a part.
  const live = snapshot.counts.pending + snapshot.counts.processing;
  const batches = counted(live, "batch", "batches");
  return phase === "discovery"
    ? `${batches} of its list ${live === 1 ? "waits" : "wait"}.`
    : `${counted(racesPending, "race", "races")} in ${batches} ${racesPending === 1 ? "waits" : "wait"}.`;
}

function threshold(snapshot: SyncSnapshot, rules: DiagnosisRules, sinceMs: number, what: string): string {
  const limitMs = stallAfterMs(snapshot, rules);
  if (!ageProves(rules)) {
    return `The daemon has just started, slept, or had its clock set, so age proves nothing for ${sayDuration(rules.ageProvesNothingUntilMs - rules.nowMs)} more.`;
  }
  const left = Math.max(0, sinceMs + limitMs - rules.nowMs);
  return left === limitMs
    ? `It counts as stalled after ${sayDuration(limitMs)} ${what}.`
    : `It counts as stalled after ${sayDuration(limitMs)} ${what}: in ${sayDuration(left)}, if nothing happens.`;
}

const ago = (rules: DiagnosisRules, atMs: number): string =>
  atMs > rules.nowMs ? "before the clock was set back" : `${sayDuration(rules.nowMs - atMs)} ago`;

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
