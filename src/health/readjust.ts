import { LONGEST_WAIT_MS } from "../core/batch.ts";
import { type EpochMs, plusMs } from "../core/units.ts";
import { makeWaitingDue } from "../db/batches.ts";
import { hasRevocationBeyond, makeRevocationsDue } from "../db/revocations.ts";
import { hasEventBeyond, makeEventsDue } from "../db/strava-events.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import type { Breather } from "./breather.ts";

/** A transaction changes at most so many rows. */
const ROWS_A_STEP = 200;

/**
 * After the clock was set back: what was due, and waits that were about to end, lie as far ahead as it was set. They become
 * due at once; whatever must wait on is sent back with the right time by the governor. No stall, and no remedy: nothing
 * was wrong with the syncs.
 */
export async function readjustWaits(context: SyncContext, processor: Processor, breather: Breather): Promise<void> {
  const { db, clock, log } = context;
  // One moment for all: what a step has made due must not lie beyond the moment of the next.
  const nowMs = clock.nowMs();
  const batches = await inSteps(context, breather, () => makeWaitingDue(db, nowMs, ROWS_A_STEP));
  const others = await makeOthersDue(context, breather, { nowMs, beyondMs: nowMs });
  if (batches + others === 0) return;
  log.warn(
    "monitor.waits_readjusted",
    `The clock was set back: ${batches} batches and ${others} events and revocations that lay ahead of it are due.`,
  );
  processor.wake();
}

/**
 * Strava's events and revocations that wait longer than anything can (the clock was set back while the daemon was down, or a
 * hand wrote it) are due. Of batches the diagnosis finds that.
 */
export async function mendFarWaits(context: SyncContext, breather: Breather): Promise<void> {
  const nowMs = context.clock.nowMs();
  const mended = await makeOthersDue(context, breather, { nowMs, beyondMs: plusMs(nowMs, LONGEST_WAIT_MS) });
  if (mended === 0) return;
  context.log.warn(
    "monitor.far_waits_mended",
    `${mended} events and revocations were set to wait longer than anything waits: they are due.`,
  );
}

async function makeOthersDue(
  context: SyncContext,
  breather: Breather,
  { nowMs, beyondMs }: { nowMs: EpochMs; beyondMs: EpochMs },
): Promise<number> {
  const { db } = context;
  const events = () => makeEventsDue(db, nowMs, beyondMs, ROWS_A_STEP);
  const revocations = () => makeRevocationsDue(db, nowMs, beyondMs, ROWS_A_STEP);
  // A look without the write lock: an idle check writes nothing.
  const madeDue = hasEventBeyond(db, beyondMs) ? await inSteps(context, breather, events) : 0;
  return madeDue + (hasRevocationBeyond(db, beyondMs) ? await inSteps(context, breather, revocations) : 0);
}

async function inSteps({ commits }: SyncContext, breather: Breather, change: () => number): Promise<number> {
  for (let changed = 0; ; ) {
    const step = commits.now(change);
    changed += step;
    if (step < ROWS_A_STEP) return changed;
    await breather.turn();
  }
}
