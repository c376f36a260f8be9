import { and, desc, eq, lt } from "drizzle-orm";
import type { BatchId, EpochMs, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { syncLogs } from "./schema.ts";
import { statement } from "./statement.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type SyncLogRow = typeof syncLogs.$inferSelect;
export type SyncLogEntry = {
  readonly syncId: SyncId;
  readonly batchId?: BatchId | null;
  readonly atMs: EpochMs;
  readonly level: LogLevel;
  readonly event: string;
  /** What happened, for an operator: ids and numbers, no names (I10). */
  readonly message: string;
  readonly traceId?: string | null;
};

const insertStatement = statement<unknown, [number, number | null, number, string, string, string, string | null]>(
  "INSERT INTO sync_logs (sync_id, batch_id, at_ms, level, event, message, trace_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
);

/** Adds a line to a sync's log, in the transaction that did what it tells. */
export function logSync(db: Db, entry: SyncLogEntry): void {
  const { syncId, batchId, atMs, level, event, message, traceId } = entry;
  insertStatement(db).run(syncId, batchId ?? null, atMs, level, event, message, traceId ?? null);
}

/** A page of a sync's log, the newest first, before line `beforeId`. */
export function readSyncLogs(db: Db, syncId: SyncId, beforeId: number, limit: number): readonly SyncLogRow[] {
  return db
    .select()
    .from(syncLogs)
    .where(and(eq(syncLogs.syncId, syncId), lt(syncLogs.id, beforeId)))
    .orderBy(desc(syncLogs.id))
    .limit(limit)
    .all();
}
