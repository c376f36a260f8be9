import type { Finding } from "./findings.ts";
import type { AthleteId, BatchId, EpochMs, SyncId } from "./units.ts";

/** Live batches of a sync that has ended, or that is gone: nobody would ever claim them. */
export type StrandedBatches = {
  readonly syncId: SyncId;
  /** undefined: the sync is gone. */
  readonly athleteId: AthleteId | undefined;
  readonly batchIds: readonly BatchId[];
};

/** Races that need enrichment although the athlete's last sync is completed. */
export type LeftRaces = {
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly racesPending: number;
  readonly endedAtMs: EpochMs;
};

/** What is wrong with batches that outlived their sync. Pure, like `diagnose`. */
export function diagnoseStranded(stranded: StrandedBatches, nowMs: EpochMs): Finding {
  const { syncId, athleteId, batchIds } = stranded;
  const what = athleteId === undefined ? "is gone" : "has ended";
  return {
    kind: "stray_batch",
    syncId,
    athleteId: athleteId ?? (0 as AthleteId),
    batchId: batchIds[0] ?? null,
    beganAtMs: nowMs,
    evidence: { batches: batchIds.length, sync: what },
    message:
      batchIds.length === 1
        ? `A batch is live, but its sync ${what}.`
        : `${batchIds.length} batches are live, but their sync ${what}.`,
    whyNotWaiting: "Batches of a sync that is not in progress are never claimed.",
    remedy: { do: "cancel_batches", batches: batchIds.map((batchId) => ({ batchId })) },
  };
}

/** What is wrong with a completed sync that left races pending (I1). Pure, like `diagnose`. */
export function diagnoseLeftRaces(left: LeftRaces): Finding {
  const { syncId, athleteId, racesPending, endedAtMs } = left;
  return {
    kind: "unfinished_races",
    syncId,
    athleteId,
    batchId: null,
    beganAtMs: endedAtMs,
    evidence: { races_pending: racesPending, completed_sync: syncId },
    message: `${racesPending} races need enrichment, but the athlete's last sync is completed.`,
    whyNotWaiting: "No sync is in progress that could take them.",
    remedy: { do: "start_sync", athleteId },
  };
}
