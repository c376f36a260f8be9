import type { BatchType, WaitReason } from "./batch.ts";
import type { PlanInput } from "./plan.ts";
import type { SyncClass } from "./sync.ts";
import type { AthleteId, BatchId, EpochMs, LeaseToken, SyncId } from "./units.ts";

/** A sync in progress, as plan, diagnosis and status see it: read in one transaction, judged as a value. */
export type SyncSnapshot = {
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  readonly isPaused: boolean;
  readonly startedAtMs: EpochMs;
  /** When a page was stored or a race settled last. */
  readonly lastProgressAtMs: EpochMs;
  readonly plan: PlanInput;
  /** Pending and processing batches of any type, the oldest first; at most a page of them, and those in processing before others. */
  readonly liveBatches: readonly LiveBatch[];
  /** Pending races that are bound to a batch which will never take them: it has ended, or is not this sync's. */
  readonly strayRaces?: StrayRaces | undefined;
  /** Of the current phase. */
  readonly counts: BatchCounts;
  /** Batches of this sync that ever completed. */
  readonly batchesCompleted: number;
};

/** `batchId`: one of the batches that they are bound to. */
export type StrayRaces = { readonly count: number; readonly batchId: BatchId };

export type BatchCounts = {
  readonly total: number;
  readonly completed: number;
  readonly pending: number;
  readonly processing: number;
  readonly failed: number;
};

export type LiveBatch = {
  readonly id: BatchId;
  readonly number: number;
  readonly type: BatchType;
  readonly attempts: number;
  readonly createdAtMs: EpochMs;
} & LiveBatchState;

/** What a hand may have done to a row is part of the type: a lease may be missing, a wait may have no reason. */
export type LiveBatchState =
  | {
      readonly status: "pending";
      readonly runAfterMs: EpochMs;
      readonly waitReason: WaitReason | null;
      readonly waitsUntilMs: EpochMs | null;
    }
  | {
      readonly status: "processing";
      readonly leaseToken: LeaseToken | null;
      readonly leaseExpiresAtMs: EpochMs | null;
      readonly leasedAtMs: EpochMs | null;
      readonly heartbeatAtMs: EpochMs | null;
    };

/** Why no request goes out for now, to anybody or to one class: the governor's word. */
export type Hold = {
  readonly reason: Exclude<WaitReason, "backoff">;
  readonly untilMs: EpochMs;
};
