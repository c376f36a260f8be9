import { type EpochMs, toEpochSeconds } from "../core/units.ts";
import type { SandboxActivity } from "./activity.ts";
import type { Slot } from "./activity-store.ts";

const DEFAULT_PER_PAGE = 30;
const MAX_PER_PAGE = 200;

/** What a list request asks for; times in epoch seconds. */
export type ListQuery = { before?: number; after?: number; page: number; perPage: number };

export type ListQueryReading = { outcome: "read"; query: ListQuery } | { outcome: "refused"; field: string };

/**
 * Reads `before`, `after`, `page`, `per_page`. Refused (400): anything but whole numbers, an empty value, `after` in the
 * future (seen by users of elevate, #1124), `before` in the future where so switched, a page size over 200 (unknown of the real Strava, so refused loudly).
 */
export function readListQuery(
  search: string,
  { nowMs, refuseFutureBefore }: { nowMs: EpochMs; refuseFutureBefore: boolean },
): ListQueryReading {
  const params = new URLSearchParams(search);
  const query: ListQuery = { page: 1, perPage: DEFAULT_PER_PAGE };
  for (const [name, key, least, most] of PARAMETERS) {
    const text = params.get(name);
    if (text === null) continue;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) return { outcome: "refused", field: name };
    query[key] = value;
  }
  const isFuture = (seconds: number | undefined) => seconds !== undefined && seconds > toEpochSeconds(nowMs);
  if (isFuture(query.after)) return { outcome: "refused", field: "after" };
  if (refuseFutureBefore && isFuture(query.before)) return { outcome: "refused", field: "before" };
  return { outcome: "read", query };
}

/**
 * One page of a list. Newest first, but oldest first with `after` alone; `after` is exclusive, `before` by option.
 * A page past the end is empty.
 * @param slots newest first
 */
export function selectPage(slots: readonly Slot[], query: ListQuery, beforeInclusive: boolean): SandboxActivity[] {
  const { before, after, page, perPage } = query;
  const newest =
    before === undefined
      ? 0
      : firstIndex(slots, ({ startSeconds }) => (beforeInclusive ? startSeconds <= before : startSeconds < before));
  const end = after === undefined ? slots.length : firstIndex(slots, ({ startSeconds }) => startSeconds <= after);
  const skipped = (page - 1) * perPage;
  if (after !== undefined && before === undefined) {
    const last = Math.max(newest, end - skipped);
    return listed(slots.slice(Math.max(newest, last - perPage), last)).reverse();
  }
  return listed(slots.slice(Math.min(newest + skipped, end), Math.min(newest + skipped + perPage, end)));
}

const PARAMETERS = [
  ["before", "before", 0, Number.POSITIVE_INFINITY],
  ["after", "after", 0, Number.POSITIVE_INFINITY],
  ["page", "page", 1, Number.POSITIVE_INFINITY],
  ["per_page", "perPage", 1, MAX_PER_PAGE],
] as const;

/** The first slot that the test holds for, where it holds for all behind that; the length when for none. */
function firstIndex(slots: readonly Slot[], holds: (slot: Slot) => boolean): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const slot = slots[middle];
    if (slot !== undefined && holds(slot)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const listed = (slots: readonly Slot[]): SandboxActivity[] => slots.flatMap(({ activity }) => activity ?? []);
