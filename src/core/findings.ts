import type { AthleteId, BatchId, EpochMs, LeaseToken, SyncId } from "./units.ts";

/** What can be wrong with a sync. How each comes about: `ARCHITECTURE.md`, "Healing". */
export type FindingKind =
  | "missing_enrichment_batches" // races need enrichment, nothing live will take them
  | "missing_discovery_batch" // the list is not complete, nothing live reads on
  | "unfinished_completion" // nothing left to do, still in progress
  | "orphaned_batch" // processing, its lease expired
  | "impossible_lease" // processing, with no lease or one far in the future
  | "exhausted_batches" // batches failed for good while their work remains
  | "no_progress" // live work with heartbeats, and nothing done past the threshold
  | "waiting_past_reset" // waits for a time that has passed
  | "far_wait" // waits longer than any window or backoff
  | "stray_batch" // a live batch of the wrong phase
  | "queued_too_long" // due, nothing holds it back, and nobody claims it
  | "left_by_former_process"; // processing when the daemon died; taken up at the next start

export type FindingOutcome =
  | "proposed" // suggest mode: waits for a person
  | "pending" // remedied; a later check will tell
  | "verified" // a batch of the sync, or the sync, completed afterwards
  | "failed" // the same trouble came back
  | "superseded"; // gone by itself, or overtaken

/** What to do about it: a value, guarded by what the diagnosis saw. The healer acts, and never runs the work itself. */
export type Remedy =
  | { do: "replan" } // create what the plan says is missing, or complete
  | { do: "sweep_lease"; batchId: BatchId; leaseToken: LeaseToken | null; attempts: number }
  | { do: "abort_run"; batchId: BatchId; leaseToken: LeaseToken; attempts: number }
  | { do: "make_due"; batchId: BatchId; runAfterMs: EpochMs }
  | { do: "cancel_batch"; batchId: BatchId }
  | { do: "wake_processor" };

export type Evidence = Readonly<Record<string, number | string | null>>;

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
export function remedyInWords(remedy: Remedy): string {
  switch (remedy.do) {
    case "replan":
      return "plan again: create what is missing, or complete the sync";
    case "sweep_lease":
      return `put batch ${remedy.batchId} back to pending, one attempt spent`;
    case "abort_run":
      return `abort the run of batch ${remedy.batchId} and release it, one attempt spent`;
    case "make_due":
      return `make batch ${remedy.batchId} due`;
    case "cancel_batch":
      return `cancel batch ${remedy.batchId}`;
    case "wake_processor":
      return "wake the batch processor";
    default:
      return remedy satisfies never;
  }
}
