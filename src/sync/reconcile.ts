import { planNextStep, type Step } from "../core/plan.ts";
import type { SyncId } from "../core/units.ts";
import { insertBatch } from "../db/batches.ts";
import { bindUnserved, failExhausted } from "../db/races.ts";
import type { SyncRow } from "../db/schema.ts";
import { phaseOf, readSync, setPhase } from "../db/syncs.ts";
import type { SyncContext } from "./context.ts";
import { completeSync, failSync } from "./end-sync.ts";
import { recordEvent } from "./record.ts";
import { readPlanInput } from "./snapshot.ts";

/** Entering enrichment, failing exhausted races, batches for each size that failed, completing: few steps, always. */
const MAX_STEPS = 20;
/** A step makes at most so many batches; the next step makes the next ones. */
const MAX_BATCHES_A_STEP = 200;

/**
 * Takes the steps that the plan says a sync still needs, until it needs none: the same code when a batch ends, when a
 * sync starts and when a health check finds one that nothing would move. Inside a transaction; running it twice changes
 * nothing.
 * @returns the steps taken, in order.
 */
export function reconcile(context: SyncContext, syncId: SyncId): readonly Step[] {
  const taken: Step[] = [];
  while (taken.length < MAX_STEPS) {
    const sync = readSync(context.db, syncId);
    if (sync === undefined || sync.status !== "in_progress") break;
    if (sync.phase !== phaseOf(sync)) setPhase(context.db, syncId, phaseOf(sync), context.clock.nowMs());
    const step = planNextStep(readPlanInput(context.db, sync), context.rules);
    if (step === undefined) break;
    takeStep(context, sync, step);
    taken.push(step);
  }
  return taken;
}

function takeStep(context: SyncContext, sync: SyncRow, step: Step): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  switch (step.step) {
    case "create_discovery_batch":
      insertBatch(db, { syncId: sync.id, type: "discovery", size: 1, nowMs });
      return;
    case "enter_enrichment":
      setPhase(db, sync.id, "enrichment", nowMs);
      recordEvent(context, {
        syncId: sync.id,
        event: "sync.list_complete",
        message: `The list is complete: ${sync.activitiesListed} activities.`,
        traceId: sync.traceId ?? undefined,
      });
      return;
    case "return_to_discovery":
      setPhase(db, sync.id, "discovery", nowMs);
      return;
    case "create_enrichment_batches":
      createEnrichmentBatches(context, sync, step);
      return;
    case "fail_exhausted_races": {
      const failed = failExhausted(db, sync.athleteId, sync.id);
      recordEvent(context, {
        syncId: sync.id,
        level: "warn",
        event: "races.failed",
        message: `${failed} races failed for good, even alone in their batch; retry-failed tries them again.`,
        traceId: sync.traceId ?? undefined,
      });
      return;
    }
    case "complete":
      completeSync(context, sync);
      return;
    case "fail":
      failSync(context, sync, step.reason);
      return;
    default:
      step satisfies never;
  }
}

function createEnrichmentBatches(
  context: SyncContext,
  sync: SyncRow,
  step: Extract<Step, { step: "create_enrichment_batches" }>,
): void {
  const { db, clock } = context;
  const batches = Math.min(step.batches, MAX_BATCHES_A_STEP);
  let left = step.count;
  for (let made = 0; made < batches; made++) {
    const limit = Math.min(step.batchSize, left);
    const batchId = insertBatch(db, { syncId: sync.id, type: "enrichment", size: limit, nowMs: clock.nowMs() });
    left -= bindUnserved(
      db,
      { athleteId: sync.athleteId, syncId: sync.id, exhaustedSize: step.exhaustedSize, limit },
      batchId,
    );
  }
  recordEvent(context, {
    syncId: sync.id,
    event: "batches.created",
    message: `Created ${batches} enrichment batches of up to ${step.batchSize} for ${step.count} races.`,
    traceId: sync.traceId ?? undefined,
  });
}
