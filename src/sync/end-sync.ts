import type { SyncStatus } from "../core/sync.ts";
import type { AthleteId } from "../core/units.ts";
import { dropTrouble } from "../db/alert-troubles.ts";
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
import { tellTrouble, tellTroubleOver } from "./trouble.ts";

/** Ends a sync that has nothing left to do. Also with failed races: it says how many. Inside a transaction. */
export function completeSync(context: SyncContext, sync: SyncRow): void {
  const tally = tallies(context, sync);
  const { enriched, failed } = tally;
  const warning = failed === 0 ? [] : [`${failed} races failed and keep their reason; retry-failed tries just those.`];
  const message = `Completed: ${sync.activitiesListed} activities listed, ${enriched} races enriched, ${failed} failed.`;
  end(context, sync, { status: "completed", error: null, warning, message }, tally);
  tellTroubleOver(context, { rule: "sync_failed", subject: `athlete:${sync.athleteId}` });
  noteSynced(context.db, sync.athleteId, context.clock.nowMs());
}

/** Ends a sync that cannot go on, with the reason and what to do about it. Inside a transaction. */
export function failSync(context: SyncContext, sync: SyncRow, reason: string): void {
  if (!failQuietly(context, sync, reason)) return;
  tellTrouble(context, {
    rule: "sync_failed",
    subject: `athlete:${sync.athleteId}`,
    message: `Sync ${sync.id} of athlete ${sync.athleteId} failed: ${reason}`,
    traceId: sync.traceId,
  });
}

/** Without an alert of its own: what made it fail has one. False when it had ended already. */
function failQuietly(context: SyncContext, sync: SyncRow, reason: string): boolean {
  return end(
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
  const cure = `The athlete must connect again: send them the link ${context.links.reconnect()}, or import fresh tokens with POST /api/admin/athletes.`;
  const sync = readSyncInProgress(context.db, athleteId);
  if (sync !== undefined) failQuietly(context, sync, `${reason} ${cure}`);
  tellTrouble(context, {
    rule: "needs_reconnect",
    subject: `athlete:${athleteId}`,
    message: `Athlete ${athleteId} cannot be synced: ${reason} ${cure}`,
    traceId: sync?.traceId,
  });
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
): boolean {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const { status, error, warning, message } = how;
  const warnings = [...readSentences(sync.warnings), ...warning];
  if (!endSync(db, sync.id, { status, nowMs, error, racesEnriched: enriched, racesFailed: failed, warnings }))
    return false;
  endStall(context, sync, status);
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
  return true;
}

/** A stall that was not repaired ends with its sync; only where that completed is it good news. */
function endStall(context: SyncContext, sync: SyncRow, status: SyncStatus): void {
  const stall = { rule: "stall_not_repaired", subject: `sync:${sync.id}` } as const;
  if (status === "completed") tellTroubleOver(context, stall);
  else dropTrouble(context.db, stall, context.clock.nowMs());
}

type Tally = { readonly enriched: number; readonly failed: number };

function tallies(context: SyncContext, sync: SyncRow): Tally {
  const tally = tallyOfSync(context.db, sync.id, sync.athleteId);
  return { enriched: tally.get("enriched") ?? 0, failed: tally.get("failed") ?? 0 };
}
