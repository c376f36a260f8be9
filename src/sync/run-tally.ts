import { type BatchTally, holdsLease, tallyUnderLease } from "../db/batches.ts";
import { noteProgress } from "../db/syncs.ts";
import type { SyncContext } from "./context.ts";
import type { Run } from "./run.ts";

/** What a run has done, written once a transaction however many of its results share it. Inside transactions only. */
export type RunTally = {
  /** Whether the lease still holds: asked once a transaction, in which nobody else can take it. */
  isHeld(): boolean;
  add(done: Pick<BatchTally, "racesEnriched" | "racesFailed">): void;
  /** Writes what was added; at the end of the transaction at the latest. */
  write(): void;
};

/** Opens the tally of a run. */
export function createRunTally(context: SyncContext, run: Run): RunTally {
  const { db, commits, clock } = context;
  let transaction = -1;
  let isHeld = false;
  let tally = NOTHING;

  function write(): void {
    if (tally.requests === 0) return;
    const written = tally;
    tally = NOTHING;
    if (tallyUnderLease(db, run.fence, written)) noteProgress(db, run.syncId, clock.nowMs(), written.requests);
  }

  return {
    isHeld() {
      if (transaction === commits.transaction()) return isHeld;
      transaction = commits.transaction();
      // What a transaction that failed had added was never written, and its results are nobody's.
      tally = NOTHING;
      isHeld = holdsLease(db, run.fence);
      if (isHeld) commits.atEnd(write);
      return isHeld;
    },
    add({ racesEnriched, racesFailed }) {
      tally = {
        ...NOTHING,
        requests: tally.requests + 1,
        racesEnriched: tally.racesEnriched + racesEnriched,
        racesFailed: tally.racesFailed + racesFailed,
      };
    },
    write,
  };
}

const NOTHING: BatchTally = { requests: 0, activitiesFetched: 0, racesAdded: 0, racesEnriched: 0, racesFailed: 0 };
