import type { SyncStatus } from "../core/sync.ts";
import type { AthleteId } from "../core/units.ts";
import { noteSynced, setAthleteStatus } from "../db/athletes.ts";
import { cancelLiveBatches } from "../db/batches.ts";
import { addToCounter, type CounterName } from "../db/counters.ts";
import { forgetListed } from "../db/listed-activities.ts";
import { tallyOfSync } from "../db/races.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSentences } from "../db/stored-json.ts";
import { endSync, readSyncInProgress } from "../db/syncs.ts";
import type { SyncContext } from "./context.ts";
import { recordEvent } from "./record.ts";
import type { RefusedToken } from "./requests/token-store.ts";

/** Ends a sync that has nothing left to do. Also with failed races: it says how many. Inside a transaction. */
export function completeSync(context: SyncContext, sync: SyncRow): void {
  const tally = tallies(context, sync);
  const { enriched, failed } = tally;
  const warning = failed === 0 ? [] : [`${failed} races failed and keep their reason; retry-failed tries just those.`];
  const message = `Completed: ${sync.activitiesListed} activities listed, ${enriched} races enriched, ${failed} failed.`;
  end(context, sync, { status: "completed", error: null, warning, message }, tally);
  noteSynced(context.db, sync.athleteId, context.clock.nowMs());
}

/** Ends a sync that cannot go on, with the reason and what to do about it. Inside a transaction. */
export function failSync(context: SyncContext, sync: SyncRow, reason: string): void {
  end(
    context,
    sync,
    { status: "failed", error: reason, warning: [], message: `Failed: ${reason}` },
    tallies(context, sync),
  );
}

/** Ends a sync because somebody said so. Its pending races are left to the athlete's next sync. Inside a transaction. */
export function cancelSync(context: SyncContext, sync: SyncRow): void {
  end(context, sync, { status: "cancelled", error: null, warning: [], message: "Cancelled." }, tallies(context, sync));
}

/**
 * Strava will not let us in for this athlete any more: they must connect again, and their sync fails with that cure. Inside a
 * transaction.
 * @returns false when the token that was refused is no longer theirs: they have connected again, and nothing is written.
 */
export function requireReconnect(
  context: SyncContext,
  athleteId: AthleteId,
  lost: { readonly reason: string; readonly refused: RefusedToken | undefined },
): boolean {
  const { reason, refused } = lost;
  if (refused !== undefined && !context.tokens.isCurrent(athleteId, refused)) return false;
  const nowMs = context.clock.nowMs();
  setAthleteStatus(context.db, athleteId, { status: "needs_reconnect", reason, nowMs });
  const sync = readSyncInProgress(context.db, athleteId);
  if (sync !== undefined)
    failSync(
      context,
      sync,
      `${reason} The athlete must connect again: send them the link ${context.links.reconnect()}, or import fresh tokens with POST /api/admin/athletes.`,
    );
  return true;
}

const COUNTER_OF: Readonly<Record<Exclude<SyncStatus, "in_progress">, CounterName>> = {
  completed: "syncs_completed",
  failed: "syncs_failed",
  cancelled: "syncs_cancelled",
};

function end(
  context: SyncContext,
  sync: SyncRow,
  how: {
    status: Exclude<SyncStatus, "in_progress">;
    error: string | null;
    warning: readonly string[];
    message: string;
  },
  { enriched, failed }: Tally,
): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const { status, error, warning, message } = how;
  const warnings = [...readSentences(sync.warnings), ...warning];
  if (!endSync(db, sync.id, { status, nowMs, error, racesEnriched: enriched, racesFailed: failed, warnings })) return;
  cancelLiveBatches(db, sync.id, nowMs);
  forgetListed(db, sync.id);
  addToCounter(db, COUNTER_OF[status], 1, nowMs);
  if (enriched > 0) addToCounter(db, "races_enriched", enriched, nowMs);
  recordEvent(context, {
    syncId: sync.id,
    level: status === "failed" ? "error" : "info",
    event: `sync.${status}`,
    message,
    traceId: sync.traceId ?? undefined,
  });
}

type Tally = { readonly enriched: number; readonly failed: number };

function tallies(context: SyncContext, sync: SyncRow): Tally {
  const tally = tallyOfSync(context.db, sync.id, sync.athleteId);
  return { enriched: tally.get("enriched") ?? 0, failed: tally.get("failed") ?? 0 };
}
