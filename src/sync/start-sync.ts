import { firstCursor, type SyncClass, type SyncMode } from "../core/sync.ts";
import { type AthleteId, epochMs, type SyncId, toEpochSeconds } from "../core/units.ts";
import { readAthlete } from "../db/athletes.ts";
import { addToCounter } from "../db/counters.ts";
import { retryFailedRaces } from "../db/races.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import { insertSync, readSync, readSyncInProgress } from "../db/syncs.ts";
import { abortRunsAfterCommit } from "./abort-runs.ts";
import { recordByHand } from "./by-hand.ts";
import type { SyncContext } from "./context.ts";
import { cancelSync } from "./end-sync.ts";
import type { Processor } from "./processor.ts";
import { reconcile } from "./reconcile.ts";
import { recordEvent } from "./record.ts";

export type StartSync = {
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  /** Left out: incremental once there was a complete list, else full. */
  readonly mode?: SyncMode | undefined;
  /** Cancels the one in progress first. */
  readonly restart?: boolean | undefined;
  /** Whose hand starts it; left out: nobody's. */
  readonly by?: string | undefined;
};

/** Who runs the batches: it hears of new work, and calls off runs whose sync is over. */
export type RunsBatches = Pick<Processor, "wake" | "abortRun">;

export type Started =
  | { outcome: "started"; syncId: SyncId; mode: SyncMode }
  | { outcome: "athlete_unknown" }
  | { outcome: "strava_not_configured" }
  | { outcome: "needs_reconnect"; reason: string }
  | { outcome: "in_progress"; syncId: SyncId };

/**
 * Starts a sync of one athlete: the sync, its first batch and the log line in one transaction, so that nothing ever
 * sees a sync without a batch. The processor hears of it after the commit.
 */
export function startSync(context: SyncContext, request: StartSync, processor: RunsBatches): Started {
  return context.commits.now((): Started => startSyncWithin(context, request, processor));
}

/** The same, inside a transaction. */
export function startSyncWithin(context: SyncContext, request: StartSync, processor: RunsBatches): Started {
  const athlete = readAthlete(context.db, request.athleteId);
  const refusal = refuse(context, athlete);
  if (refusal !== undefined) return refusal;
  if (athlete === undefined) return { outcome: "athlete_unknown" };
  const running = readSyncInProgress(context.db, athlete.id);
  if (running !== undefined) {
    if (request.restart !== true) return { outcome: "in_progress", syncId: running.id };
    abortRunsAfterCommit(context, processor, running.id);
    cancelSync(context, running);
  }
  const mode = request.mode ?? (athlete.lastCompleteListAtMs === null ? "full" : "incremental");
  const syncId = insertStarted(context, athlete, { mode, syncClass: request.syncClass, phase: "discovery" });
  const detail = { athlete_id: athlete.id, mode, restarted_sync_id: running?.id };
  recordByHand(context, request.by, { action: "sync.started", target: `sync:${syncId}`, detail });
  context.commits.afterCommit(() => processor.wake());
  return { outcome: "started", syncId, mode };
}

export type Retried =
  | { outcome: "started"; syncId: SyncId; races: number }
  | { outcome: "sync_unknown" }
  | { outcome: "nothing_failed" }
  | Exclude<Started, { outcome: "started" }>;

/** Starts a sync over just the races of an athlete that failed, without listing anything. */
export function retryFailed(context: SyncContext, syncId: SyncId, processor: RunsBatches, by?: string): Retried {
  return context.commits.now((): Retried => {
    const ended = readSync(context.db, syncId);
    if (ended === undefined) return { outcome: "sync_unknown" };
    const athlete = readAthlete(context.db, ended.athleteId);
    const refusal = refuse(context, athlete);
    if (refusal !== undefined) return refusal;
    if (athlete === undefined) return { outcome: "athlete_unknown" };
    const running = readSyncInProgress(context.db, athlete.id);
    if (running !== undefined) return { outcome: "in_progress", syncId: running.id };
    const races = retryFailedRaces(context.db, athlete.id);
    if (races === 0) return { outcome: "nothing_failed" };
    const started = insertStarted(context, athlete, { mode: ended.mode, syncClass: "manual", phase: "enrichment" });
    const detail = { races, started_sync_id: started };
    recordByHand(context, by, { action: "sync.failed_races_retried", target: `sync:${syncId}`, detail });
    context.commits.afterCommit(() => processor.wake());
    return { outcome: "started", syncId: started, races };
  });
}

/**
 * Starts a sync over the races that a completed one left, without listing anything. Inside a transaction.
 * @returns its id; undefined when the athlete cannot be synced, or is being synced.
 */
export function startOverLeftRaces(context: SyncContext, athleteId: AthleteId): SyncId | undefined {
  const athlete = readAthlete(context.db, athleteId);
  if (athlete === undefined || refuse(context, athlete) !== undefined) return undefined;
  if (readSyncInProgress(context.db, athleteId) !== undefined) return undefined;
  return insertStarted(context, athlete, { mode: "incremental", syncClass: "schedule", phase: "enrichment" });
}

function refuse(
  context: SyncContext,
  athlete: AthleteRow | undefined,
): Exclude<Started, { outcome: "started" }> | undefined {
  if (athlete === undefined) return { outcome: "athlete_unknown" };
  if (context.strava === undefined) return { outcome: "strava_not_configured" };
  if (athlete.status !== "connected") {
    return { outcome: "needs_reconnect", reason: athlete.statusReason ?? `The athlete is ${athlete.status}.` };
  }
  return undefined;
}

function insertStarted(
  context: SyncContext,
  athlete: AthleteRow,
  sync: { mode: SyncMode; syncClass: SyncClass; phase: "discovery" | "enrichment" },
): SyncId {
  const { db, clock, rules } = context;
  const nowMs = clock.nowMs();
  const { lastCompleteListAtMs } = athlete;
  const fromMs =
    sync.mode === "full" || lastCompleteListAtMs === null
      ? null
      : // A list in the future was dated by a clock that has since been set back.
        Math.min(lastCompleteListAtMs, nowMs) - rules.rescanMs;
  const syncId = insertSync(db, {
    athleteId: athlete.id,
    mode: sync.mode,
    syncClass: sync.syncClass,
    phase: sync.phase,
    startedAtMs: nowMs,
    listFromSeconds: fromMs === null ? null : toEpochSeconds(epochMs(Math.max(0, fromMs))),
    cursor: firstCursor(nowMs),
    servedAtMs: athlete.lastServedAtMs,
  });
  addToCounter(db, "syncs_started", 1, nowMs);
  recordEvent(context, { syncId, event: "sync.started", message: `Started (${sync.mode}, ${sync.syncClass}).` });
  reconcile(context, syncId);
  return syncId;
}
