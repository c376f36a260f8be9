import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import type { BatchId, EpochMs, SyncId } from "../core/units.ts";
import { containing } from "./like.ts";
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

export type SyncLogFilter = {
  readonly syncId: SyncId;
  readonly level?: LogLevel | undefined;
  /** In the message or the event's name. */
  readonly q?: string | undefined;
};

/** A page of a sync's log, the newest first, before line `beforeId`. */
export function readSyncLogs(db: Db, filter: SyncLogFilter, beforeId: number, limit: number): readonly SyncLogRow[] {
  const conditions: SQL[] = [eq(syncLogs.syncId, filter.syncId), lt(syncLogs.id, beforeId)];
  if (filter.level !== undefined) conditions.push(eq(syncLogs.level, filter.level));
  if (filter.q !== undefined) {
    conditions.push(sql`${syncLogs.event} || ' ' || ${syncLogs.message} LIKE ${containing(filter.q)} ESCAPE '\\'`);
  }
  return db
    .select()
    .from(syncLogs)
    .where(and(...conditions))
    .orderBy(desc(syncLogs.id))
    .limit(limit)
    .all();
}
