import { t } from "elysia";
import type { BatchRow } from "../db/schema.ts";
import { OrNull, Time, Word } from "./operation.ts";

export const BATCH_TYPES = ["discovery", "enrichment"] as const;
export const BATCH_STATUSES = ["pending", "processing", "completed", "failed", "cancelled"] as const;

/** A batch as every answer shows it. Its lease token stays inside. */
export const BatchJson = t.Object({
  id: t.Integer(),
  sync_id: t.String(),
  number: t.Integer({ description: "From 1, within its sync." }),
  type: Word(BATCH_TYPES),
  status: Word(BATCH_STATUSES),
  attempts: t.Integer({ description: "Runs that failed by its own doing; waits and restarts spend none." }),
  runs: t.Integer({ description: "All its runs; each was a trace." }),
  size: t.Integer({ description: "Races it was made for; 1 in discovery." }),
  created_at: Time("When it was made."),
  run_after: Time("When it is due."),
  wait_reason: OrNull(t.String({ description: "Why it is not due yet." })),
  started_at: OrNull(Time("When it was first claimed.")),
  completed_at: OrNull(Time("When it ended.")),
  lease_expires_at: OrNull(Time("When its worker loses it without a heartbeat.")),
  heartbeat_at: OrNull(Time("Its worker's last sign of life.")),
  error: OrNull(t.String()),
  requests: t.Integer(),
  activities_fetched: t.Integer(),
  races_added: t.Integer(),
  races_enriched: t.Integer(),
  races_failed: t.Integer(),
  trace_id: OrNull(t.String({ description: "Of its newest run." })),
  trace_url: OrNull(t.String()),
});
export type BatchJson = typeof BatchJson.static;

/** Shows a batch. */
export function showBatch(batch: BatchRow, traceUrl: (traceId: string) => string | null): BatchJson {
  return {
    id: batch.id,
    sync_id: String(batch.syncId),
    number: batch.number,
    type: batch.type,
    status: batch.status,
    attempts: batch.attempts,
    runs: batch.runs,
    size: batch.size,
    created_at: batch.createdAtMs,
    run_after: batch.runAfterMs,
    wait_reason: batch.waitReason,
    started_at: batch.startedAtMs,
    completed_at: batch.completedAtMs,
    lease_expires_at: batch.leaseExpiresAtMs,
    heartbeat_at: batch.heartbeatAtMs,
    error: batch.error,
    requests: batch.requests,
    activities_fetched: batch.activitiesFetched,
    races_added: batch.racesAdded,
    races_enriched: batch.racesEnriched,
    races_failed: batch.racesFailed,
    trace_id: batch.traceId,
    trace_url: batch.traceId === null ? null : traceUrl(batch.traceId),
  };
}
