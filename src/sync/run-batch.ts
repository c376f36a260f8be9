import { plusMs } from "../core/units.ts";
import { holdsLease, renewLease } from "../db/batches.ts";
import { markFalseRemedy } from "../db/findings.ts";
import { countFalseRemedy } from "../db/measures.ts";
import type { SyncContext } from "./context.ts";
import { discoverPage, isLeaseLost } from "./discover-page.ts";
import { endOf, finishRun } from "./end-run.ts";
import { requireReconnect } from "./end-sync.ts";
import { enrichRaces } from "./enrich-races.ts";
import type { Run, RunResult } from "./run.ts";
import { bookRequests } from "./run-tally.ts";

/** A heartbeat every third of the lease: two may be lost before it is. */
const HEARTBEATS_A_LEASE = 3;

/**
 * Runs a claimed batch to its end, renewing its lease meanwhile. Never rejects: whatever is thrown inside becomes a
 * failed attempt, and where not even that can be written, the lease runs out and the batch is swept.
 */
export async function runBatch(context: SyncContext, run: Run, abort: (reason: string) => void): Promise<void> {
  const stopHeartbeat = startHeartbeat(context, run, abort);
  const result = await attempt(context, run);
  stopHeartbeat();
  try {
    await writeEnd(context, run, result);
  } catch (error) {
    run.span.fail(`The end of the run could not be written: ${messageOf(error)}`);
    context.log.error(
      "batch.end_not_written",
      `The end of the run could not be written; the batch is swept when its lease ends: ${messageOf(error)}`,
      {
        sync_id: run.syncId,
        batch_id: run.batchId,
        trace_id: run.span.traceId,
      },
    );
  }
  run.span.setAttributes({ "broomwagon.run.result": result.result });
  if (result.result === "error") run.span.fail(result.error);
  if (result.result === "reconnect") run.span.fail(result.reason);
  run.span.end();
}

async function attempt(context: SyncContext, run: Run): Promise<RunResult> {
  try {
    return await (run.batch.type === "discovery" ? discoverPage(context, run) : enrichRaces(context, run));
  } catch (error) {
    if (isLeaseLost(error)) return { result: "lease_lost" };
    return { result: "error", error: `Unexpected: ${messageOf(error)}` };
  }
}

async function writeEnd(context: SyncContext, run: Run, result: RunResult): Promise<void> {
  const { commits } = context;
  if (result.result === "lease_lost") return noteLostLease(context, run);
  if (result.result === "reconnect") {
    const isOver = await commits.soon(() => giveUpAthlete(context, run, result));
    if (!isOver) await noteLostLease(context, run);
    return;
  }
  const end = endOf(result);
  if (end === undefined) return;
  const span = context.tracer.startSpan("db.end_run", { parent: run.span });
  const isHeld = await commits.soon(() => finishRun(context, run, end));
  span.end();
  if (!isHeld) await noteLostLease(context, run);
}

/**
 * Strava lets this run in no more. Under its lease: a run of a sync that is over says nothing of the athlete. Inside a
 * transaction.
 * @returns false when the lease is lost.
 */
function giveUpAthlete(context: SyncContext, run: Run, lost: Extract<RunResult, { result: "reconnect" }>): boolean {
  if (!holdsLease(context.db, run.fence)) return false;
  bookRequests(context, run);
  if (requireReconnect(context, run.athleteId, lost)) return true;
  return finishRun(context, run, { how: "released", why: "the athlete has connected again meanwhile" });
}

/** The batch was taken from a worker that is alive: if a remedy took it, that remedy was wrong, and is counted so. */
async function noteLostLease(context: SyncContext, run: Run): Promise<void> {
  const { db, commits, clock, log } = context;
  if (run.signal.aborted && run.signal.reason === "aborted") return;
  await commits.soon(() => {
    const kind = markFalseRemedy(db, run.fence);
    if (kind !== undefined) countFalseRemedy(db, kind, clock.nowMs());
  });
  log.warn(
    "batch.lease_lost",
    `Batch ${run.batch.number} was taken from its worker; what it had not committed was dropped.`,
    {
      sync_id: run.syncId,
      batch_id: run.batchId,
      trace_id: run.span.traceId,
    },
  );
}

function startHeartbeat(context: SyncContext, run: Run, abort: (reason: string) => void): () => void {
  const { db, commits, clock, rules } = context;
  const everyMs = Math.max(1, Math.floor(rules.leaseMs / HEARTBEATS_A_LEASE));
  let isOver = false;
  let callOff = () => {};
  const beat = (): void => {
    const nowMs = clock.nowMs();
    commits
      .soon(() => {
        const leaseExpiresAtMs = plusMs(nowMs, rules.leaseMs);
        const isHeld = renewLease(db, run.fence, leaseExpiresAtMs, nowMs);
        if (isHeld)
          commits.afterCommit(() => {
            run.leaseExpiresAtMs = leaseExpiresAtMs;
          });
        return isHeld;
      })
      .then(
        (isHeld) => {
          if (!isHeld && !isOver) abort("lease_lost");
        },
        (error: unknown) => {
          context.log.warn("batch.heartbeat_failed", `A heartbeat could not be written: ${messageOf(error)}`, {
            batch_id: run.batchId,
          });
        },
      );
    callOff = clock.after(everyMs, beat);
  };
  callOff = clock.after(everyMs, beat);
  return () => {
    isOver = true;
    callOff();
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
