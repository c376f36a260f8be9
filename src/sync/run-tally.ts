import { type BatchTally, holdsLease, tallyUnderLease } from "../db/batches.ts";
import { noteActivity, noteProgress } from "../db/syncs.ts";
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
  let hasResults = false;

  function write(): void {
    if (!hasResults) return;
    const written = { ...tally, requests: takeUnbooked(context, run) };
    tally = NOTHING;
    hasResults = false;
    if (tallyUnderLease(db, run.fence, written)) noteProgress(db, run.syncId, clock.nowMs(), written.requests);
  }

  return {
    isHeld() {
      if (transaction === commits.transaction()) return isHeld;
      transaction = commits.transaction();
      // What a transaction that failed had added was never written, and its results are nobody's.
      tally = NOTHING;
      hasResults = false;
      isHeld = holdsLease(db, run.fence);
      if (isHeld) commits.atEnd(write);
      return isHeld;
    },
    add({ racesEnriched, racesFailed }) {
      hasResults = true;
      tally = {
        ...NOTHING,
        racesEnriched: tally.racesEnriched + racesEnriched,
        racesFailed: tally.racesFailed + racesFailed,
      };
    },
    write,
  };
}

/** Books what a run has asked since it was booked last, when nothing else of the run is written. Under its lease. */
export function bookRequests(context: SyncContext, run: Run): void {
  const requests = takeUnbooked(context, run);
  if (requests === 0) return;
  tallyUnderLease(context.db, run.fence, { ...NOTHING, requests });
  noteActivity(context.db, run.syncId, context.clock.nowMs(), requests);
}

/**
 * The requests of a run that are on no row yet; whoever takes them writes them. They are taken for good by the commit: one
 * that fails is tried again, or never, and what it took is still to be written.
 */
export function takeUnbooked({ commits }: SyncContext, run: Run): number {
  const transaction = commits.transaction();
  if (run.booking.transaction !== transaction) run.booking = { transaction, requests: 0 };
  const requests = run.unbookedRequests - run.booking.requests;
  run.booking.requests += requests;
  commits.afterCommit(() => {
    run.unbookedRequests -= requests;
  });
  return requests;
}

const NOTHING: BatchTally = { requests: 0, activitiesFetched: 0, racesAdded: 0, racesEnriched: 0, racesFailed: 0 };
