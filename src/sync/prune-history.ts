import { type EpochMs, plusMs } from "../core/units.ts";
import { pruneAudit } from "../db/audit.ts";
import type { Db } from "../db/open.ts";
import { foldOldDays } from "../db/packed-years.ts";
import { statement } from "../db/statement.ts";
import { believedNow } from "./believed-now.ts";
import type { SyncContext } from "./context.ts";
import { pruneOldEvents } from "./events/prune-events.ts";

/** A transaction deletes at most so many rows; a sync takes its batches and log lines with it. */
const ROWS_A_STEP = 20;
/** Days of counters, of which a year is one row afterwards. */
const DAYS_A_STEP = 200;

/** Their batches, log lines and listed ids go with them. */
const pruneSyncs = statement<unknown, [number, number]>(
  `DELETE FROM syncs WHERE id IN (
     SELECT id FROM syncs WHERE status <> 'in_progress' AND completed_at_ms < ?1 ORDER BY completed_at_ms LIMIT ?2)`,
);
const pruneFindings = statement<unknown, [number, number]>(
  `DELETE FROM findings WHERE id IN (
     SELECT id FROM findings WHERE settled_at_ms IS NOT NULL AND settled_at_ms < ?1 ORDER BY settled_at_ms LIMIT ?2)`,
);
const pruneLedger = statement<unknown, [number, number]>(
  "DELETE FROM quota_usage WHERE rowid IN (SELECT rowid FROM quota_usage WHERE day_start_ms < ?1 LIMIT ?2)",
);

const pruneTroubles = statement<unknown, [number, number]>(
  `DELETE FROM alert_troubles WHERE id IN (
     SELECT id FROM alert_troubles WHERE settled_at_ms IS NOT NULL AND settled_at_ms < ?1 ORDER BY settled_at_ms LIMIT ?2)`,
);
const pruneMessages = statement<unknown, [number, number]>(
  `DELETE FROM alert_messages WHERE id IN (
     SELECT id FROM alert_messages WHERE settled_at_ms IS NOT NULL AND settled_at_ms < ?1 ORDER BY settled_at_ms LIMIT ?2)`,
);

/** Used or expired: they let nobody in any more. There are few, so no index serves this. */
const pruneInvites = statement<unknown, [number, number]>(
  "DELETE FROM invites WHERE id IN (SELECT id FROM invites WHERE ifnull(used_at_ms, expires_at_ms) < ?1 LIMIT ?2)",
);

const byStatement =
  (of: typeof pruneSyncs) =>
  (db: Db, beforeMs: EpochMs, limit: number): number =>
    of(db).run(beforeMs, limit).changes;
const PRUNED = [
  ...[pruneSyncs, pruneFindings, pruneLedger, pruneTroubles, pruneMessages, pruneInvites].map(byStatement),
  pruneAudit,
];

/**
 * Deletes history older than the retention: ended syncs with their batches and logs, settled findings, the ledger's old
 * days, invitations that let nobody in any more, the audit, troubles and alerts that are settled; and Strava's events a
 * while after they were settled. Counters stay, packed once they are old: they are what history was counted for. A clock
 * that was set far ahead deletes none of it by itself (`core/believed-time.ts`).
 * @returns rows deleted (of these tables themselves).
 */
export async function pruneHistory(context: SyncContext, retentionMs: number): Promise<number> {
  const { db, commits } = context;
  const nowMs = believedNow(context);
  const beforeMs = plusMs(nowMs, -retentionMs);
  let deleted = await pruneOldEvents(context);
  for (const prune of PRUNED) {
    let step: number;
    do {
      step = await commits.soon(() => prune(db, beforeMs, ROWS_A_STEP));
      deleted += step;
    } while (step > 0);
  }
  while ((await commits.soon(() => foldOldDays(db, nowMs, DAYS_A_STEP))) > 0);
  if (deleted > 0)
    context.log.info("history.pruned", `${deleted} rows of history older than the retention were deleted.`);
  return deleted;
}
