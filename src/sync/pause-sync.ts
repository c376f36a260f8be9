import type { SyncId } from "../core/units.ts";
import { makeAllDue, restartQueue } from "../db/batches.ts";
import { readSync, setPaused } from "../db/syncs.ts";
import { recordByHand } from "./by-hand.ts";
import type { SyncContext } from "./context.ts";
import { recordEvent } from "./record.ts";

export type Paused =
  | { outcome: "paused"; isChanged: boolean }
  | { outcome: "not_in_progress" }
  | { outcome: "unknown" };

/** Holds a sync: nothing more of it is claimed. A batch that runs finishes. */
export function pauseSync(context: SyncContext, syncId: SyncId, by?: string): Paused {
  return context.commits.now((): Paused => {
    const refusal = refuse(context, syncId);
    if (refusal !== undefined) return refusal;
    const isChanged = setPaused(context.db, syncId, context.clock.nowMs());
    if (isChanged) {
      recordEvent(context, { syncId, event: "sync.paused", message: "Paused by a person." });
      recordByHand(context, by, { action: "sync.paused", target: `sync:${syncId}` });
    }
    return { outcome: "paused", isChanged };
  });
}

export type Resumed =
  /** `madeDue`: batches that waited and are due now. */
  { outcome: "resumed"; isChanged: boolean; madeDue: number } | { outcome: "not_in_progress" } | { outcome: "unknown" };

/** Lets a sync go on, and makes what waits in it due at once. The quota still decides. */
export function resumeSync(context: SyncContext, syncId: SyncId, wake: () => void, by?: string): Resumed {
  return context.commits.now((): Resumed => {
    const refusal = refuse(context, syncId);
    if (refusal !== undefined) return refusal;
    const wasPaused = setPaused(context.db, syncId, null);
    context.governor.tryAgain();
    const madeDue = makeAllDue(context.db, syncId, context.clock.nowMs());
    if (wasPaused) restartQueue(context.db, syncId, context.clock.nowMs());
    const isChanged = wasPaused || madeDue > 0;
    if (isChanged) {
      recordEvent(context, {
        syncId,
        event: "sync.resumed",
        message: `Resumed by a person; ${madeDue} batches made due.`,
      });
      const detail = { was_paused: wasPaused, batches_made_due: madeDue };
      recordByHand(context, by, { action: "sync.resumed", target: `sync:${syncId}`, detail });
    }
    context.commits.afterCommit(wake);
    return { outcome: "resumed", isChanged, madeDue };
  });
}

function refuse(
  context: SyncContext,
  syncId: SyncId,
): { outcome: "unknown" } | { outcome: "not_in_progress" } | undefined {
  const sync = readSync(context.db, syncId);
  if (sync === undefined) return { outcome: "unknown" };
  return sync.status === "in_progress" ? undefined : { outcome: "not_in_progress" };
}
