import { DAY_MS, plusMs } from "../../core/units.ts";
import { areEventsCrowded, EVENTS_KEPT, pruneCrowd, pruneEvents } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";

/** Settled events are kept so long, to know one that is delivered again; Strava tries for minutes. */
const KEPT_MS = 7 * DAY_MS;
const ROWS_A_STEP = 500;

/** Forgets events that were settled long ago; returns how many. */
export async function pruneOldEvents({ db, clock, commits }: SyncContext): Promise<number> {
  const beforeMs = plusMs(clock.nowMs(), -KEPT_MS);
  return inSteps(() => commits.soon(() => pruneEvents(db, beforeMs, ROWS_A_STEP)));
}

/** After a flood: forgets settled events beyond the newest; returns how many. Writes nothing where there are few. */
export async function pruneCrowdedEvents({ db, commits }: SyncContext): Promise<number> {
  if (!areEventsCrowded(db)) return 0;
  return inSteps(() => commits.soon(() => pruneCrowd(db, EVENTS_KEPT, ROWS_A_STEP)));
}

async function inSteps(step: () => Promise<number>): Promise<number> {
  let pruned = 0;
  for (let rows = await step(); rows > 0; rows = await step()) pruned += rows;
  return pruned;
}
