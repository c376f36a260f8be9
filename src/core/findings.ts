import type { Evidence } from "./evidence.ts";
import { OWN_KINDS, type OwnRemedy } from "./own-findings.ts";
import type { AthleteId, BatchId, EpochMs, LeaseToken, SyncId } from "./units.ts";

/** What can be wrong with a sync, and with the daemon. How each comes about: `ARCHITECTURE.md`, "Healing". */
export const FINDING_KINDS = [
  "missing_enrichment_batches", // races need enrichment, nothing live will take them
  "missing_discovery_batch", // the list is not complete, nothing live reads on
  "unfinished_completion", // nothing left to do, still in progress
  "orphaned_batch", // processing, its lease expired
  "impossible_lease", // processing, with no lease or one far in the future
  "exhausted_batches", // batches failed for good while their work remains
  "no_progress", // live work with heartbeats, and nothing done past the threshold
  "waiting_past_reset", // waits for a time that has passed
  "far_wait", // waits longer than any window or backoff
  "stray_batch", // a live batch of the wrong phase, or of a sync that has ended
  "stray_race", // pending races bound to a batch that will never take them, while others go on
  "twin_batches", // two live batches read one list
  "unfinished_races", // a completed sync left races pending
  "queued_too_long", // due, nothing holds it back, and nobody claims it
  "left_by_former_process", // processing when the daemon died; taken up at the next start
  ...OWN_KINDS,
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** A kind as it is counted: rows may hold a word of a hand's, and what is counted by must stay few. */
export const knownKind = (kind: string): FindingKind | "other" =>
  FINDING_KINDS.find((known) => known === kind) ?? "other";

export type FindingOutcome =
  | "proposed" // suggest mode: waits for a person
  | "pending" // remedied; a later check will tell
  | "verified" // a batch of the sync, or the sync, completed afterwards
  | "failed" // the same trouble came back
  | "superseded"; // gone by itself, or overtaken

/** What to do about it: a value, guarded by what the diagnosis saw. The healer acts, and never runs the work itself. */
export type Remedy =
  | { do: "replan" } // create what the plan says is missing, or complete
  | { do: "sweep_leases"; batches: readonly LeasedBatch[] }
  | { do: "abort_run"; batchId: BatchId; leaseToken: LeaseToken; attempts: number }
  | { do: "make_due"; batches: readonly WaitingBatch[] }
  | { do: "cancel_batches"; batches: readonly { readonly batchId: BatchId }[] }
  | { do: "unbind_races" } // from batches that will never take them; then plan
  | { do: "start_sync"; athleteId: AthleteId } // over the races that are left; lists nothing
  | { do: "wake_processor" };

/** What was seen of a batch: the guard of its change. One trouble may have befallen several batches of a sync alike. */
export type LeasedBatch = {
  readonly batchId: BatchId;
  readonly leaseToken: LeaseToken | null;
  readonly attempts: number;
};
export type WaitingBatch = { readonly batchId: BatchId; readonly runAfterMs: EpochMs };

export type Finding = {
  readonly kind: FindingKind;
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly batchId: BatchId | null;
  /** Since when, as far as the rows tell. */
  readonly beganAtMs: EpochMs;
  readonly evidence: Evidence;
  /** One sentence: what is wrong, with the numbers. No names. */
  readonly message: string;
  /** Why this is not just waiting. */
  readonly whyNotWaiting: string;
  readonly remedy: Remedy;
};

/** The remedy in words, for the API and the command line. */
export function remedyInWords(remedy: Remedy | OwnRemedy): string {
  switch (remedy.do) {
    case "replan":
      return "plan again: create what is missing, or complete the sync";
    case "sweep_leases":
      return `put ${named(remedy.batches)} back to pending, one attempt spent each`;
    case "abort_run":
      return `abort the run of batch ${remedy.batchId} and release it, one attempt spent`;
    case "make_due":
      return `make ${named(remedy.batches)} due`;
    case "cancel_batches":
      return `cancel ${named(remedy.batches)}`;
    case "unbind_races":
      return "unbind those races, and create batches for them";
    case "start_sync":
      return "start a sync over the races that are left";
    case "wake_processor":
      return "wake the batch processor";
    case "run_jobs":
      return `run ${remedy.jobs.join(", ")}, by the catch-up policy`;
    default:
      return remedy satisfies never;
  }
}

function named(batches: readonly { readonly batchId: BatchId }[]): string {
  return batches.length === 1 ? `batch ${batches[0]?.batchId}` : `${batches.length} batches`;
}
