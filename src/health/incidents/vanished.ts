import type { BatchType } from "../../core/batch.ts";
import { type BatchId, batchId, type EpochMs } from "../../core/units.ts";
import type { History } from "./history.ts";

/** A batch of which no row is left: a hand deleted it. What it was for is told by what the daemon did around it. */
export type VanishedBatch = {
  /** Its own where the log or a race still names it; else made up, from -1 down. */
  readonly id: BatchId;
  readonly type: BatchType;
  readonly size: number;
  readonly createdAtMs: EpochMs;
};

/** The batches that must have been there and are not, by the moment of their making. */
export function findVanished(history: History): readonly VanishedBatch[] {
  const nextId = madeUpIds();
  const found = [...vanishedPages(history, nextId), ...vanishedEnrichment(history, nextId)];
  return found.sort((a, b) => a.createdAtMs - b.createdAtMs || Math.abs(a.id) - Math.abs(b.id));
}

function madeUpIds(): () => BatchId {
  let last = 0;
  return () => batchId(--last);
}

/**
 * Each page of the list is followed by the next in the same commit, until the list is complete, and a check makes one where
 * it found none: where a moment of making has no row, the batch is gone.
 */
function vanishedPages(history: History, nextId: () => BatchId): VanishedBatch[] {
  const { sync, batches, log, sightings } = history;
  const pages = batches.filter(({ type }) => type === "discovery");
  const ends = log.filter(({ event, message }) => event === "batch.completed" && message.includes("(discovery)"));
  if (pages.length === 0 && ends.length === 0 && sync.listComplete === 1) return [];
  const listEndMs = log.find(({ event }) => event === "sync.list_complete")?.atMs ?? sync.completedAtMs ?? LATE;
  const mended = sightings.filter(({ evidence }) => evidence.step === "create_discovery_batch");
  const momentsMs = [
    sync.startedAtMs,
    ...ends.map(({ atMs }) => atMs),
    ...mended.flatMap(({ remediedAtMs }) => remediedAtMs ?? []),
  ]
    .filter((atMs) => atMs < listEndMs)
    .sort((a, b) => a - b);
  const withRow = new Set<number>(pages.map(({ createdAtMs }) => createdAtMs));
  return [...new Set(momentsMs)].flatMap((createdAtMs, index, all) => {
    if (withRow.has(createdAtMs)) return [];
    const untilMs = all[index + 1] ?? listEndMs;
    const id = nameOfPage(history, createdAtMs, untilMs) ?? nextId();
    return [{ id, type: "discovery" as const, size: 1, createdAtMs }];
  });
}
const LATE = Number.POSITIVE_INFINITY;

/** The id by which the log or a check still names the page that was live in that stretch. */
function nameOfPage({ batches, log, sightings }: History, fromMs: number, untilMs: number): BatchId | undefined {
  const known = new Set(batches.map(({ id }) => id));
  const isIn = (atMs: number) => atMs > fromMs && atMs <= untilMs;
  const logged = log.find(
    ({ batchId: id, atMs, message }) => id !== null && !known.has(id) && isIn(atMs) && message.includes("(discovery)"),
  );
  const seen = sightings.filter(({ atMs }) => isIn(atMs)).flatMap(({ batchIds }) => batchIds);
  return logged?.batchId ?? seen.find((id) => !known.has(id));
}

const CREATED = /^Created (\d+) enrichment batches of up to (\d+) for (\d+) races/;

/** The log says how many batches were made when, and for how many races: what has no row is gone. */
function vanishedEnrichment(history: History, nextId: () => BatchId): VanishedBatch[] {
  const { batches, log } = history;
  const sizesAt = new Map<EpochMs, number[]>();
  for (const { event, message, atMs } of log) {
    const [, made, size, races] = (event === "batches.created" && CREATED.exec(message)) || [];
    if (made === undefined) continue;
    const sizes = sizesAt.get(atMs) ?? [];
    for (let left = Number(races), n = 0; n < Number(made); n++, left -= Number(size))
      sizes.push(Math.max(1, Math.min(Number(size), left)));
    sizesAt.set(atMs, sizes);
  }
  for (const { type, createdAtMs, size } of batches) {
    const sizes = sizesAt.get(createdAtMs);
    if (type !== "enrichment" || sizes === undefined) continue;
    const place = sizes.indexOf(size);
    sizes.splice(place === -1 ? 0 : place, 1);
  }
  const missing = [...sizesAt].flatMap(([createdAtMs, sizes]) => sizes.map((size) => ({ createdAtMs, size })));
  const ids = idsWithoutRow(history, { limit: missing.length, afterMs: missing[0]?.createdAtMs ?? 0 });
  return missing.map(({ createdAtMs, size }, index) => {
    return { id: ids[index] ?? nextId(), type: "enrichment", size, createdAtMs };
  });
}

/** Ids that races, the log or checks still name, the oldest first; at most so many, the newest of them. */
function idsWithoutRow(
  { sync, batches, races, log, sightings }: History,
  { limit, afterMs }: { limit: number; afterMs: number },
): BatchId[] {
  if (limit === 0) return [];
  const known = new Set(batches.map(({ id }) => id));
  const named = new Set<BatchId>();
  const note = (id: BatchId | null): void => {
    if (id !== null && !known.has(id)) named.add(id);
  };
  for (const { batchId: id, enrichment, settledInSyncId } of races)
    if (enrichment === "pending" || settledInSyncId === sync.id) note(id);
  for (const { batchId: id, message } of log) if (message.includes("(enrichment)")) note(id);
  for (const { batchIds, atMs } of sightings) if (atMs > afterMs) for (const id of batchIds) note(id);
  return [...named].sort((a, b) => a - b).slice(-limit);
}
