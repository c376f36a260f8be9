import type { PlanInput } from "../core/plan.ts";
import type { BatchCounts, LiveBatch, StrayRaces, SyncSnapshot } from "../core/snapshot.ts";
import type { SyncPhase } from "../core/sync.ts";
import type { BatchId, SyncId } from "../core/units.ts";
import { hasLiveBatch, readNewestBatch } from "../db/batches.ts";
import type { Db } from "../db/open.ts";
import { countPending, countUnserved } from "../db/races.ts";
import type { BatchRow, SyncRow } from "../db/schema.ts";
import {
  type CountedBatches,
  type CountedUnserved,
  countPendingOf,
  countUnservedOf,
  findPendingSyncs,
  type LiveBatchRow,
  readBatchCountsOf,
  readLiveBatchesOf,
  readNewestDiscoveryOf,
} from "../db/snapshot-pages.ts";
import { cursorOf, phaseOf } from "../db/syncs.ts";

/** A snapshot shows at most so many live batches: one bad sync must not make a health check slow. */
const LIVE_BATCHES_SHOWN = 500;

/** Reads what the plan looks at. Costs a few statements, and rows of this sync's own live work only. */
export function readPlanInput(db: Db, sync: SyncRow): PlanInput {
  const phase = phaseOf(sync);
  const hasLive = hasLiveBatch(db, sync.id, phase);
  const newest = phase === "discovery" && !hasLive ? readNewestBatch(db, sync.id, "discovery") : null;
  return {
    ...listOf(sync),
    liveBatches: hasLive ? 1 : 0,
    discoveryFailure: newest === null ? undefined : failureOf(newest),
    unserved: phase === "enrichment" ? countUnserved(db, sync.athleteId, sync.id) : [],
    racesPending: countPending(db, sync.athleteId),
  };
}

/** Reads a sync in progress as diagnosis and status see it. Inside one transaction, where others may write. */
export function readSnapshot(db: Db, sync: SyncRow): SyncSnapshot {
  const snapshot = readSnapshots(db, [sync]).get(sync.id);
  if (snapshot === undefined) throw new Error(`No snapshot was read of sync ${sync.id}: a bug`);
  return snapshot;
}

/**
 * Reads a page of syncs in progress as diagnosis and status see them: five statements, however many syncs there are, and
 * nothing of history. Inside one transaction, where others may write.
 */
export function readSnapshots(db: Db, syncs: readonly SyncRow[]): ReadonlyMap<SyncId, SyncSnapshot> {
  const live = readLive(db, syncs);
  const counts = readBatchCounts(db, syncs);
  const unserved = groupBySync(countUnservedOf(db, idsOf(inPhase(syncs, "enrichment"))));
  const pending = countPendingOf(
    db,
    syncs.map((sync) => sync.athleteId),
  );
  return new Map(
    syncs.map((sync): [SyncId, SyncSnapshot] => {
      const groups = unserved.get(sync.id) ?? [];
      const common = live.commonOf(sync, {
        unserved: groups.map(({ exhaustedSize, count }) => ({ exhaustedSize: exhaustedSize ?? undefined, count })),
        racesPending: pending.get(sync.athleteId) ?? 0,
      });
      return [sync.id, { ...common, strayRaces: straysIn(groups), counts: counts.get(sync.id) ?? toCounts([]) }];
    }),
  );
}

/** Reads how many batches of its current phase each sync has; an ended one keeps the phase in which it ended. */
export function readBatchCounts(db: Db, syncs: readonly SyncRow[]): ReadonlyMap<SyncId, BatchCounts> {
  const rows = groupBySync(readBatchCountsOf(db, idsOf(syncs)));
  const countsOf = (sync: SyncRow) => (rows.get(sync.id) ?? []).filter((row) => row.type === phaseOf(sync));
  return new Map(syncs.map((sync) => [sync.id, toCounts(countsOf(sync))]));
}

/**
 * Reads of a page of syncs as much as tells whether anything is wrong with them, for the least that it can cost: a row of each live
 * batch, and a few rows a sync. In a snapshot as this one, a count of races is none or some, batches that
 * have ended are not counted, and `diagnose` finds something just when it does in a whole one.
 */
export function readVitals(db: Db, syncs: readonly SyncRow[]): ReadonlyMap<SyncId, SyncSnapshot> {
  const live = readLive(db, syncs);
  // Where not all live batches are shown, gaps are wider than they are: only a whole snapshot can tell.
  const gaps = inPhase(syncs, "enrichment").map(({ id, athleteId }) => ({
    syncId: id,
    athleteId,
    gaps: gapsBetween(live.of(id).filter(({ type }) => type === "enrichment")),
  }));
  const pending = new Map(findPendingSyncs(db, gaps).map((found) => [found.syncId, found]));
  return new Map(
    syncs.map((sync): [SyncId, SyncSnapshot] => {
      const found = pending.get(sync.id);
      const common = live.commonOf(sync, {
        unserved: found?.hasUnserved === 1 ? [{ exhaustedSize: undefined, count: 1 }] : [],
        racesPending: found === undefined ? 0 : 1,
      });
      return [sync.id, { ...common, counts: toCounts([]) }];
    }),
  );
}

/** Beyond what an id can be, in either direction. */
const BELOW_IDS = -1e19;
const ABOVE_IDS = 1e19;

/** The ranges of ids between these batches, and around them: batches are mostly made in a row, which leaves two. */
function gapsBetween(batches: readonly { readonly id: BatchId }[]): [number, number][] {
  const gaps: [number, number][] = [];
  let first = BELOW_IDS;
  for (const id of batches.map((batch): number => batch.id).sort((a, b) => a - b)) {
    if (first < id) gaps.push([first, id - 1]);
    first = id + 1;
  }
  return [...gaps, [first, ABOVE_IDS]];
}

/** The part that both kinds of snapshots have in common. */
type Live = {
  of(syncId: SyncId): readonly LiveBatchRow[];
  commonOf(sync: SyncRow, races: Pick<PlanInput, "unserved" | "racesPending">): Omit<SyncSnapshot, "counts">;
};

function readLive(db: Db, syncs: readonly SyncRow[]): Live {
  const rows = groupBySync(readLiveBatchesOf(db, idsOf(syncs), LIVE_BATCHES_SHOWN));
  const of = (syncId: SyncId) => rows.get(syncId) ?? [];
  const neededBy = (sync: SyncRow) => of(sync.id).filter((batch) => batch.type === phaseOf(sync)).length;
  const idle = inPhase(syncs, "discovery").filter((sync) => neededBy(sync) === 0);
  const failures = new Map(readNewestDiscoveryOf(db, idsOf(idle)).map((batch) => [batch.syncId, failureOf(batch)]));
  return {
    of,
    commonOf: (sync, races) => ({
      syncId: sync.id,
      athleteId: sync.athleteId,
      syncClass: sync.class,
      isPaused: sync.pausedAtMs !== null,
      startedAtMs: sync.startedAtMs,
      lastProgressAtMs: sync.lastProgressAtMs,
      plan: { ...listOf(sync), ...races, liveBatches: neededBy(sync), discoveryFailure: failures.get(sync.id) },
      liveBatches: of(sync.id).map(toLiveBatch),
      batchesCompleted: sync.batchesCompleted,
    }),
  };
}

function listOf(sync: SyncRow): Pick<PlanInput, "phase" | "listComplete" | "cursor"> {
  const listComplete = sync.listComplete === null ? undefined : sync.listComplete === 1;
  return { phase: phaseOf(sync), listComplete, cursor: cursorOf(sync) };
}

function failureOf(newest: Pick<BatchRow, "status" | "exhausted" | "error">): string | undefined {
  return newest.status === "failed" && newest.exhausted === 1
    ? (newest.error ?? "its batch failed for good")
    : undefined;
}

function straysIn(groups: readonly CountedUnserved[]): StrayRaces | undefined {
  const batchId = groups.find((group) => group.strayBatchId !== null)?.strayBatchId ?? null;
  return batchId === null ? undefined : { batchId, count: groups.reduce((sum, { strays }) => sum + strays, 0) };
}

function toCounts(rows: readonly CountedBatches[]): BatchCounts {
  const countOf = (status: BatchRow["status"]) => rows.find((row) => row.status === status)?.count ?? 0;
  return {
    total: rows.reduce((sum, { count }) => sum + count, 0),
    completed: countOf("completed"),
    pending: countOf("pending"),
    processing: countOf("processing"),
    failed: countOf("failed"),
  };
}

function toLiveBatch(row: LiveBatchRow): LiveBatch {
  const { id, number, type, attempts, createdAtMs } = row;
  const common = { id, number, type, attempts, createdAtMs };
  if (row.status === "processing") {
    const { leaseToken, leaseExpiresAtMs, leasedAtMs, heartbeatAtMs } = row;
    return { ...common, status: "processing", leaseToken, leaseExpiresAtMs, leasedAtMs, heartbeatAtMs };
  }
  const { runAfterMs, waitReason, waitsUntilMs } = row;
  return { ...common, status: "pending", runAfterMs, waitReason, waitsUntilMs };
}

const idsOf = (syncs: readonly SyncRow[]): SyncId[] => syncs.map((sync) => sync.id);

const inPhase = (syncs: readonly SyncRow[], phase: SyncPhase): SyncRow[] =>
  syncs.filter((sync) => phaseOf(sync) === phase);

function groupBySync<Row extends { readonly syncId: SyncId }>(
  rows: readonly Row[],
): ReadonlyMap<SyncId, readonly Row[]> {
  const groups = new Map<SyncId, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.syncId);
    if (group === undefined) groups.set(row.syncId, [row]);
    else group.push(row);
  }
  return groups;
}
