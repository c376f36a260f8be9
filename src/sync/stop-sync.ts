import type { AthleteId, SyncId } from "../core/units.ts";
import { readAthlete } from "../db/athletes.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSync, readSyncInProgress } from "../db/syncs.ts";
import { abortRunsAfterCommit } from "./abort-runs.ts";
import { recordByHand } from "./by-hand.ts";
import type { SyncContext } from "./context.ts";
import { cancelSync } from "./end-sync.ts";
import type { Processor } from "./processor.ts";

export type Stopped =
  | { outcome: "cancelled"; syncId: SyncId }
  | { outcome: "not_in_progress" }
  | { outcome: "unknown" };

/** Cancels one sync, because somebody said so. What it committed stays; its pending races are left to the next sync. */
export function stopSync(context: SyncContext, processor: Processor, syncId: SyncId, by?: string): Stopped {
  return context.commits.now((): Stopped => {
    const sync = readSync(context.db, syncId);
    if (sync === undefined) return { outcome: "unknown" };
    return stop(context, processor, sync.status === "in_progress" ? sync : undefined, by);
  });
}

/** Cancels the sync that an athlete has in progress. */
export function stopSyncOf(context: SyncContext, processor: Processor, athleteId: AthleteId, by?: string): Stopped {
  return context.commits.now((): Stopped => {
    if (readAthlete(context.db, athleteId) === undefined) return { outcome: "unknown" };
    return stop(context, processor, readSyncInProgress(context.db, athleteId), by);
  });
}

function stop(context: SyncContext, processor: Processor, sync: SyncRow | undefined, by: string | undefined): Stopped {
  if (sync === undefined) return { outcome: "not_in_progress" };
  abortRunsAfterCommit(context, processor, sync.id);
  cancelSync(context, sync);
  const detail = { athlete_id: sync.athleteId };
  recordByHand(context, by, { action: "sync.cancelled", target: `sync:${sync.id}`, detail });
  context.commits.afterCommit(() => processor.wake());
  return { outcome: "cancelled", syncId: sync.id };
}
