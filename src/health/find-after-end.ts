import { diagnoseLeftRaces, diagnoseStranded, type StrandedBatches } from "../core/diagnose-ended.ts";
import type { Finding } from "../core/findings.ts";
import type { BatchId, SyncId } from "../core/units.ts";
import { readAthletesWithLeftRaces, readStrandedBatches, type StrandedBatch } from "../db/ended-syncs.ts";
import type { SyncContext } from "../sync/context.ts";

/** A check looks at so many; what is left is found by the next. */
const LIMIT = 100;

/**
 * What is wrong around syncs that are not in progress any more: batches that outlived theirs, and races that a completed
 * one left. Nothing of it comes about by itself; a hand can do it.
 */
export function findAfterEnd(context: SyncContext): readonly Finding[] {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const stranded = bySync(readStrandedBatches(db, LIMIT)).map((batches) => diagnoseStranded(batches, nowMs));
  const left = context.strava === undefined ? [] : readAthletesWithLeftRaces(db, LIMIT).map(diagnoseLeftRaces);
  return [...stranded, ...left];
}

function bySync(batches: readonly StrandedBatch[]): StrandedBatches[] {
  const groups = new Map<SyncId, { syncId: SyncId; athleteId: StrandedBatches["athleteId"]; batchIds: BatchId[] }>();
  for (const { batchId, syncId, athleteId } of batches) {
    const group = groups.get(syncId);
    if (group === undefined) groups.set(syncId, { syncId, athleteId: athleteId ?? undefined, batchIds: [batchId] });
    else group.batchIds.push(batchId);
  }
  return [...groups.values()];
}
