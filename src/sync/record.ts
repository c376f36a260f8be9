import type { BatchId, SyncId } from "../core/units.ts";
import { type LogLevel, logSync } from "../db/sync-logs.ts";
import type { SyncContext } from "./context.ts";

export type RecordedEvent = {
  readonly syncId: SyncId;
  readonly batchId?: BatchId | undefined;
  readonly level?: LogLevel;
  /** Few values: `batch.completed`. */
  readonly event: string;
  /** What happened, for an operator: ids and numbers, no names (I10). */
  readonly message: string;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
};

/**
 * Tells one event of a sync: a row of its log, in the transaction that does what it tells, and a log line once that is
 * committed.
 */
export function recordEvent(
  context: Pick<SyncContext, "db" | "commits" | "clock" | "log">,
  recorded: RecordedEvent,
): void {
  const { syncId, batchId, level = "info", event, message, traceId, spanId } = recorded;
  logSync(context.db, {
    syncId,
    batchId: batchId ?? null,
    atMs: context.clock.nowMs(),
    level,
    event,
    message,
    traceId: traceId ?? null,
  });
  context.commits.afterCommit(() => {
    context.log[level](event, message, { sync_id: syncId, batch_id: batchId, trace_id: traceId, span_id: spanId });
  });
}
