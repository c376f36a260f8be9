import { makeWaitingDue } from "../db/batches.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import type { Breather } from "./breather.ts";

/** A transaction changes at most so many rows. */
const ROWS_A_STEP = 200;

/**
 * After the clock was set back: batches that were due, and waits that were about to end, lie as far ahead as it was set. They
 * become due at once; whatever must wait on is sent back with the right time by the governor. No stall, and no remedy:
 * nothing was wrong with the syncs.
 */
export async function readjustWaits(context: SyncContext, processor: Processor, breather: Breather): Promise<void> {
  const { db, commits, clock, log } = context;
  let changed = 0;
  for (;;) {
    const step = commits.now(() => makeWaitingDue(db, clock.nowMs(), ROWS_A_STEP));
    changed += step;
    if (step < ROWS_A_STEP) break;
    await breather.turn();
  }
  if (changed === 0) return;
  log.warn("monitor.waits_readjusted", `The clock was set back: ${changed} batches that lay ahead of it are due.`);
  processor.wake();
}
