import { type AfterRun, afterRun, type RunEnd } from "../core/batch.ts";
import { endRun, hasLiveBatch } from "../db/batches.ts";
import { addToCounter } from "../db/counters.ts";
import { noteActivity, noteBatchCompleted } from "../db/syncs.ts";
import type { SyncContext } from "./context.ts";
import { reconcile } from "./reconcile.ts";
import { recordEvent } from "./record.ts";
import type { Run, RunResult } from "./run.ts";
import { bookRequests } from "./run-tally.ts";

/**
 * Ends a run under its lease: the batch becomes what the state machine says, and, in the same transaction, what the
 * sync still needs is planned: so a batch that ends while work is left creates what is missing, with no monitor.
 * Inside a transaction.
 * @returns false when the lease is lost: then nothing is written.
 */
export function finishRun(context: SyncContext, run: Run, end: RunEnd): boolean {
  const { db, clock, dice, rules } = context;
  const nowMs = clock.nowMs();
  const after = afterRun(end, run.batch, { maxAttempts: rules.maxAttempts, nowMs, jitter: dice() });
  bookRequests(context, run);
  if (!endRun(db, run.fence, after, nowMs)) return false;
  if (after.status === "completed") noteBatchCompleted(db, run.syncId);
  if (after.status === "completed") addToCounter(db, "batches_completed", 1, nowMs);
  if (after.status === "failed") addToCounter(db, "batches_failed", 1, nowMs);
  if (after.status === "pending") noteActivity(db, run.syncId, nowMs, 0);
  recordRunEnd(context, run, end, after);
  // While another batch of the phase is live, the end of that one will plan; but what a failed batch leaves is nobody's.
  const isLastLive = after.status === "completed" && !hasLiveBatch(db, run.syncId, run.batch.type);
  if (after.status === "failed" || isLastLive) reconcile(context, run.syncId);
  run.onEnded();
  return true;
}

/** What a result means for the batch; undefined where the run has nothing left to write. */
export function endOf(result: RunResult): RunEnd | undefined {
  switch (result.result) {
    case "wait":
      return { how: "wait", reason: result.reason, untilMs: result.untilMs };
    case "error":
      return { how: "error", error: result.error };
    case "released":
      return { how: "released", why: result.why };
    case "ended":
    case "lease_lost":
    case "reconnect":
      return undefined;
    default:
      return result satisfies never;
  }
}

function recordRunEnd(context: SyncContext, run: Run, end: RunEnd, after: AfterRun): void {
  const { traceId, spanId } = run.span;
  const told = { syncId: run.syncId, batchId: run.batchId, traceId, spanId };
  const what = `Batch ${run.batch.number} (${run.batch.type})`;
  switch (after.status) {
    case "completed":
      recordEvent(context, { ...told, event: "batch.completed", message: `${what} completed.` });
      return;
    case "pending":
      recordEvent(context, {
        ...told,
        level: end.how === "error" ? "warn" : "info",
        event: end.how === "error" ? "batch.retrying" : end.how === "wait" ? "batch.waiting" : "batch.released",
        message:
          end.how === "wait"
            ? `${what} waits (${end.reason}) until ${new Date(end.untilMs).toISOString()}.`
            : end.how === "error"
              ? `${what} failed its attempt ${after.attempts}: ${end.error} It is tried again at ${new Date(after.runAfterMs).toISOString()}.`
              : `${what} was released${end.how === "released" ? `: ${end.why}` : ""}. It is due again.`,
      });
      return;
    case "failed":
      recordEvent(context, {
        ...told,
        level: "error",
        event: "batch.failed",
        message: `${what} failed for good: ${after.error}`,
      });
      return;
    default:
      after satisfies never;
  }
}
