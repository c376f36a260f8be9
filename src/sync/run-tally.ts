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
  /** Not written yet; undefined: nothing is. */
  let added: BatchTally | undefined;

  function change(to: BatchTally | undefined): void {
    const before = added;
    added = to;
    commits.ifUndone(() => {
      added = before;
    });
  }

  function write(): void {
    if (added === undefined) return;
    const written = { ...added, requests: takeUnbooked(context, run) };
    change(undefined);
    if (tallyUnderLease(db, run.fence, written)) noteProgress(db, run.syncId, clock.nowMs(), written.requests);
  }

  return {
    isHeld() {
      if (transaction === commits.transaction()) return isHeld;
      transaction = commits.transaction();
      commits.ifUndone(() => {
        transaction = -1;
      });
      isHeld = holdsLease(db, run.fence);
      if (isHeld) commits.atEnd(write);
      return isHeld;
    },
    add({ racesEnriched, racesFailed }) {
      const before = added ?? NOTHING;
      change({
        ...NOTHING,
        racesEnriched: before.racesEnriched + racesEnriched,
        racesFailed: before.racesFailed + racesFailed,
      });
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

/** The requests of a run that are on no row yet; whoever takes them writes them. */
export function takeUnbooked({ commits }: SyncContext, run: Run): number {
  const requests = run.unbookedRequests;
  run.unbookedRequests = 0;
  commits.ifUndone(() => {
    run.unbookedRequests += requests;
  });
  return requests;
}

const NOTHING: BatchTally = { requests: 0, activitiesFetched: 0, racesAdded: 0, racesEnriched: 0, racesFailed: 0 };
