import type { IncidentBatchState, IncidentRace } from "../../core/incident.ts";
import type { BatchId, EpochMs } from "../../core/units.ts";
import type { RaceInSync } from "../../db/incident-rows.ts";
import type { BatchRow } from "../../db/schema.ts";
import { asTime, type History, madeBy, numberOf } from "./history.ts";
import type { VanishedBatch } from "./vanished.ts";

/** Which batch was to take a race, from a moment on. */
export type Binding = { readonly atMs: EpochMs; readonly batchId: BatchId };

type Taker = { readonly id: BatchId; readonly createdAtMs: EpochMs; room: number };

/**
 * Which batches were to take each race. The row tells the last; a batch that was made for more races than it has now had
 * them before. Which race it was of several does not matter: they are counted, never told apart.
 */
export function bindRaces(history: History, vanished: readonly VanishedBatch[]): ReadonlyMap<RaceInSync, Binding[]> {
  const takers: Taker[] = [...history.batches, ...vanished]
    .filter(({ type }) => type === "enrichment")
    .map(({ id, createdAtMs, size }) => ({ id, createdAtMs, room: size }))
    .sort((a, b) => a.createdAtMs - b.createdAtMs || Math.abs(a.id) - Math.abs(b.id));
  const byId = new Map(takers.map((taker) => [taker.id, taker]));
  const bound = new Map<RaceInSync, Binding[]>();
  for (const race of history.races) {
    const last = race.batchId === null ? undefined : byId.get(race.batchId);
    if (last !== undefined) last.room--;
    bound.set(race, last === undefined ? [] : [{ atMs: last.createdAtMs, batchId: last.id }]);
  }
  const lost = new Set(history.batches.filter((batch) => didAll(batch, history)).map(({ id }) => id));
  const former = takers.filter(({ id }) => !lost.has(id));
  const order = [...bound].sort(([, a], [, b]) => (a[0]?.atMs ?? LATE) - (b[0]?.atMs ?? LATE));
  for (const [race, bindings] of order) bindings.unshift(...formerBindings(race, bindings[0]?.atMs ?? LATE, former));
  return bound;
}
const LATE = Number.POSITIVE_INFINITY;

/** A batch that completed by itself has settled every race that it was for. */
function didAll({ status, completedAtMs, createdAtMs }: BatchRow, { exportedAtMs }: History): boolean {
  return (
    status === "completed" && completedAtMs !== null && completedAtMs >= createdAtMs && completedAtMs <= exportedAtMs
  );
}

function formerBindings(race: RaceInSync, beforeMs: number, takers: readonly Taker[]): Binding[] {
  const bindings: Binding[] = [];
  for (const taker of takers) {
    const { id, createdAtMs, room } = taker;
    if (room <= 0 || createdAtMs >= beforeMs || createdAtMs < race.firstSeenAtMs) continue;
    if (bindings.at(-1)?.atMs === createdAtMs) continue;
    taker.room--;
    bindings.push({ atMs: createdAtMs, batchId: id });
  }
  return bindings;
}

/** Shows the races by numbers of their own: when each needed enrichment, which batch was to take it, what became of it. */
export function showRaces(
  history: History,
  bound: ReadonlyMap<RaceInSync, readonly Binding[]>,
  parts: { readonly lastStates: LastStates; readonly scrub: (text: string) => string },
): IncidentRace[] {
  const plannedAtMs = [...new Set([...bound.values()].flat().map(({ atMs }) => atMs))];
  return [...bound].map(([race, bindings], index) => {
    const seen = seenLeft(history, race, { first: bindings[0], plannedAtMs });
    return {
      number: index + 1,
      pending_at: pendingSince(history, race, { first: bindings[0], seen }),
      bound: boundOf(history, bindings, seen),
      ...settle(history, race, { last: bindings.at(-1), lastStates: parts.lastStates }),
      attempts: race.attempts,
      error: race.error === null ? null : parts.scrub(race.error),
    };
  });
}

/** What a check saw of a race that became pending again: bound to a batch that had ended, or to none. */
type SeenLeft = { readonly atMs: EpochMs; readonly batchId: BatchId | null };

/**
 * A plan binds whatever is pending: a race that an earlier one left unbound was not pending then, but since a check saw races
 * that nothing would take, or since it was bound. Undefined where no plan left it.
 */
function seenLeft(
  { sync, sightings }: History,
  { firstSeenAtMs }: RaceInSync,
  { first, plannedAtMs }: { first: Binding | undefined; plannedAtMs: readonly EpochMs[] },
): SeenLeft | undefined {
  if (first === undefined) return undefined;
  const sinceMs = Math.max(firstSeenAtMs, sync.startedAtMs);
  const leftAtMs = plannedAtMs.filter((atMs) => atMs >= sinceMs && atMs < first.atMs);
  if (leftAtMs.length === 0) return undefined;
  const lastMs = Math.max(...leftAtMs);
  const seen = sightings.find(({ atMs, unserved }) => atMs > lastMs && atMs <= first.atMs && unserved > 0);
  return { atMs: seen?.atMs ?? first.atMs, batchId: seen?.finding.batchId ?? null };
}

function pendingSince(
  { sync, exportedAtMs }: History,
  { firstSeenAtMs, enrichment }: RaceInSync,
  { first, seen }: { first: Binding | undefined; seen: SeenLeft | undefined },
): number {
  // A completed sync leaves none pending: whatever is, became so afterwards.
  if (sync.status === "completed" && enrichment === "pending") return exportedAtMs;
  if (seen !== undefined) return seen.atMs;
  const sinceMs = Math.max(firstSeenAtMs, sync.startedAtMs);
  return first === undefined ? sinceMs : Math.min(sinceMs, first.atMs);
}

function boundOf(history: History, bindings: readonly Binding[], seen: SeenLeft | undefined): IncidentRace["bound"] {
  const known = history.batches.some(({ id }) => id === seen?.batchId);
  const before =
    seen === undefined || seen.batchId === null || !known
      ? []
      : [{ at: seen.atMs, batch_id: seen.batchId, by: "unknown" as const }];
  return [
    ...before,
    ...bindings.map(({ atMs, batchId }) => ({ at: atMs, batch_id: batchId, by: madeBy(history, atMs) })),
  ];
}

/** What became of each batch in the end. */
type LastStates = ReadonlyMap<number, IncidentBatchState | undefined>;

type Settled = Pick<IncidentRace, "settled_at" | "settled" | "settled_by" | "is_time_known">;

function settle(
  history: History,
  race: RaceInSync,
  parts: { last: Binding | undefined; lastStates: LastStates },
): Settled {
  const { sync, exportedAtMs } = history;
  const { enrichment, enrichedAtMs, settledInSyncId } = race;
  const { last, lastStates } = parts;
  const sinceMs = last?.atMs ?? sync.startedAtMs;
  const end = last === undefined ? undefined : lastStates.get(last.batchId);
  const wasEnded = end !== undefined && end.by !== "unknown" && (end.status === "completed" || end.status === "failed");
  const endedAtMs = wasEnded ? end.at : undefined;
  switch (enrichment) {
    case "enriched": {
      const at = asTime(enrichedAtMs);
      if (settledInSyncId === sync.id && at !== null && at >= sinceMs && at <= exportedAtMs)
        return { settled_at: at, settled: enrichment, settled_by: "daemon", is_time_known: true };
      // What is pending when the list is complete gets a batch: what got none was done by then.
      const plannedAtMs = last === undefined ? listCompleteMs(history) : undefined;
      const settledAt = Math.min(doneByMs(history, sinceMs), endedAtMs ?? LATE, plannedAtMs ?? LATE);
      return { settled_at: settledAt, settled: enrichment, settled_by: "unknown", is_time_known: false };
    }
    case "unavailable":
    case "failed": {
      const settledAt = endedAtMs ?? doneByMs(history, sinceMs);
      const settledBy = endedAtMs === undefined ? "unknown" : "daemon";
      return { settled_at: settledAt, settled: enrichment, settled_by: settledBy, is_time_known: false };
    }
    default:
      // A word that is no state is pending again at the next check.
      return { settled_at: null, settled: null, settled_by: null, is_time_known: true };
  }
}

const listCompleteMs = ({ log }: History): number | undefined =>
  log.find(({ event }) => event === "sync.list_complete")?.atMs;

/** When nobody recorded that a race was done: at the next check that saw none left to do. */
function doneByMs(history: History, sinceMs: number): number {
  const seen = history.sightings.find(
    (sighting) => sighting.atMs > sinceMs && numberOf(sighting, "races_pending") === 0,
  );
  const { sync, exportedAtMs } = history;
  return seen?.atMs ?? Math.max(sinceMs, sync.completedAtMs ?? exportedAtMs);
}
