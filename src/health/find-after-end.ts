import { diagnoseLeftRaces, diagnoseStranded } from "../core/diagnose-ended.ts";
import type { Finding } from "../core/findings.ts";
import type { AthleteId, SyncId } from "../core/units.ts";
import {
  type AthleteWithPendingRaces,
  BEFORE_ALL,
  readAthletesWithPendingRaces,
  readSyncsWithLiveBatches,
  type SyncWithLiveBatches,
} from "../db/ended-syncs.ts";
import { readLiveBatchesOf } from "../db/snapshot-pages.ts";
import type { SyncContext } from "../sync/context.ts";

/** Syncs, or athletes, that are looked at in one turn of the event loop. */
const PAGE = 50;
/** One finding names at most so many batches; the next check finds the rest. */
const BATCHES_A_FINDING = 100;

/**
 * What is wrong around syncs that are not in progress any more: batches that outlived theirs, and races that a completed
 * one left. Nothing of it comes about by itself; a hand can do it. A page at a time, so that the event loop can run
 * in between: after a page that says `isFull`, there may be more.
 */
export function* findAfterEnd(context: SyncContext): Generator<{ findings: readonly Finding[]; isFull: boolean }> {
  for (let after: number = BEFORE_ALL; ; ) {
    const page = readSyncsWithLiveBatches(context.db, after, PAGE);
    yield { findings: strandedIn(context, page), isFull: page.length === PAGE };
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.syncId;
  }
  for (let after: number = BEFORE_ALL; ; ) {
    const page = readAthletesWithPendingRaces(context.db, after, PAGE);
    yield { findings: leftIn(context, page), isFull: page.length === PAGE };
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.athleteId;
  }
}

/** The same for one sync and one athlete: whether what was found is still there. */
export function findAfterEndOf(
  context: SyncContext,
  of: { readonly syncId: SyncId | null; readonly athleteId: AthleteId | null },
): readonly Finding[] {
  const { db } = context;
  const { syncId, athleteId } = of;
  const syncs = syncId === null ? [] : readSyncsWithLiveBatches(db, syncId - 1, 1).filter((s) => s.syncId === syncId);
  const athletes =
    athleteId === null
      ? []
      : readAthletesWithPendingRaces(db, athleteId - 1, 1).filter((athlete) => athlete.athleteId === athleteId);
  return [...strandedIn(context, syncs), ...leftIn(context, athletes)];
}

function strandedIn(context: SyncContext, page: readonly SyncWithLiveBatches[]): readonly Finding[] {
  const stranded = page.filter((sync) => sync.status !== "in_progress");
  if (stranded.length === 0) return [];
  const nowMs = context.clock.nowMs();
  const ids = stranded.map((sync) => sync.syncId);
  const batches = readLiveBatchesOf(context.db, ids, BATCHES_A_FINDING);
  return stranded.map(({ syncId, athleteId }) => {
    const batchIds = batches.filter((batch) => batch.syncId === syncId).map((batch) => batch.id);
    return diagnoseStranded({ syncId, athleteId: athleteId ?? undefined, batchIds }, nowMs);
  });
}

function leftIn(context: SyncContext, page: readonly AthleteWithPendingRaces[]): readonly Finding[] {
  if (context.strava === undefined) return [];
  return page.flatMap(({ athleteId, left }) => (left === undefined ? [] : [diagnoseLeftRaces({ athleteId, ...left })]));
}
