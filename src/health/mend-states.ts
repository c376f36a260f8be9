import { hasUnknownStates, mendUnknownStates } from "../db/unknown-states.ts";
import type { SyncContext } from "../sync/context.ts";

/** A check mends at most so many rows of each table; the next one goes on. */
const LIMIT = 500;

/**
 * Gives rows that a hand put into a state that is none one that the rest can work with, and says so. What follows from
 * it (races without a batch, a sync that ended) is then found like anything else. In suggest mode as well: a word that is no
 * state is no decision for a person. It is made readable, so that the diagnosis can see it; what follows is proposed as usual.
 * @returns whether anything was mended.
 */
export function mendStates(context: SyncContext): boolean {
  const { db, commits, clock, log } = context;
  if (!hasUnknownStates(db)) return false;
  const mended = commits.now(() => mendUnknownStates(db, LIMIT, clock.nowMs()));
  const { athletes, races, batches, syncs, batchIds, ranks } = mended;
  log.warn(
    "monitor.unknown_states",
    `Rows were in a state that is none: ${races} races are pending again, ${batches} batches cancelled, ${syncs} syncs ended with the reason, ${athletes} athletes taken to be connected, ${batchIds} batches have an id that can be named, ${ranks} syncs stand in line again.`,
    { athletes, races, batches, syncs, batch_ids: batchIds, ranks },
  );
  return true;
}
