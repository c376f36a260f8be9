import { DEATHS_TILL_EXHAUSTED } from "../core/batch.ts";
import type { Finding } from "../core/findings.ts";
import { cancelBatch, noteDeath, readProcessingBatches, sweepBatch } from "../db/batches.ts";
import { BEFORE_ALL } from "../db/ended-syncs.ts";
import { insertFinding, readOpenFindingsOfSync } from "../db/findings.ts";
import type { BatchRow, SyncRow } from "../db/schema.ts";
import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import { reconcile } from "../sync/reconcile.ts";
import { recordEvent } from "../sync/record.ts";
import { settle } from "./judge-findings.ts";

/** A transaction takes up at most so many. */
const PAGE = 100;

/**
 * At the start, takes up whatever the former process left `processing`: due again at once, no attempt spent, in every
 * mode, by its owner and not by its age. Must run before the first claim.
 * @returns how many batches it took up.
 */
export function recoverLeftBatches(context: SyncContext): number {
  let recovered = 0;
  for (let afterId: number = BEFORE_ALL; ; ) {
    const page = readProcessingBatches(context.db, afterId, PAGE);
    const lastId = page.at(-1)?.id;
    // Each is looked at once: one that could not be taken must not keep the daemon from starting.
    if (lastId === undefined || lastId <= afterId) return recovered;
    afterId = lastId;
    const left = page.filter((batch) => batch.owner !== context.owner);
    if (left.length === 0) continue;
    context.commits.now(() => {
      for (const batch of left) if (recover(context, batch)) recovered++;
    });
  }
}

/** @returns false when it has moved since it was read. */
function recover(context: SyncContext, batch: BatchRow): boolean {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const sync = readSync(db, batch.syncId);
  if (sync === undefined || sync.status !== "in_progress") {
    return cancelBatch(db, batch.id, nowMs);
  }
  // A hand may have written a number that has no successor.
  const deaths = Math.min(Math.max(batch.deaths, 0) + 1, DEATHS_TILL_EXHAUSTED);
  const isExhausted = deaths >= DEATHS_TILL_EXHAUSTED;
  const error = isExhausted
    ? `The daemon died ${deaths} times in a row while this batch ran, so the batch may be what kills it.`
    : batch.error;
  const seen = { batchId: batch.id, leaseToken: batch.leaseToken, attempts: batch.attempts };
  // Behind the others of its sync it would be met by deaths alone, with lives between them in which it had no turn.
  const after = {
    status: isExhausted ? "failed" : "pending",
    attempts: batch.attempts,
    error,
    keepsItsPlace: true,
  } as const;
  if (!sweepBatch(db, seen, after, nowMs)) return false;
  noteDeath(db, batch.id, deaths);
  recordFinding(context, sync, batch, deaths);
  if (isExhausted) reconcile(context, sync.id);
  return true;
}

function recordFinding(context: SyncContext, sync: SyncRow, batch: BatchRow, deaths: number): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const finding: Finding = {
    kind: "left_by_former_process",
    syncId: sync.id,
    athleteId: sync.athleteId,
    batchId: batch.id,
    beganAtMs: batch.heartbeatAtMs ?? nowMs,
    evidence: { deaths_in_a_row: deaths, attempts: batch.attempts, heartbeat_at_ms: batch.heartbeatAtMs },
    message: `Batch ${batch.number} was processing when the former process ended; it is due again, and no attempt is spent.`,
    whyNotWaiting: "Its worker died with the process.",
    remedy: {
      do: "sweep_leases",
      batches: [{ batchId: batch.id, leaseToken: batch.leaseToken, attempts: batch.attempts }],
    },
  };
  for (const open of readOpenFindingsOfSync(db, sync.id)) {
    if (open.kind === finding.kind && open.batchId === batch.id) settle(context, open, "superseded");
  }
  const batchesCompletedBefore = sync.batchesCompleted;
  insertFinding(db, finding, { nowMs, outcome: "pending", batchesCompletedBefore, isOwnRestart: true, traceId: null });
  recordEvent(context, {
    syncId: sync.id,
    batchId: batch.id,
    level: "warn",
    event: "finding.left_by_former_process",
    message: finding.message,
  });
}
