import type { EpochMs, EpochSeconds } from "./units.ts";
import { epochMs, epochSeconds, plusMs, SECOND_MS, toEpochSeconds } from "./units.ts";

export type SyncMode = "full" | "incremental";
export type SyncPhase = "discovery" | "enrichment";
export type SyncStatus = "in_progress" | "completed" | "failed" | "cancelled";

/** Who waits for it; earlier ones are served first. */
export type SyncClass =
  | "manual" // a person asked for it
  | "event" // Strava said that something changed
  | "connect" // an athlete has just connected
  | "schedule"; // its time had come

export const SYNC_CLASSES: readonly SyncClass[] = ["manual", "event", "connect", "schedule"];

/** The order of classes as a number, as the claim sorts by it: 0 first. */
export const classRank = (syncClass: SyncClass): number => SYNC_CLASSES.indexOf(syncClass);

/** Where the next page of an athlete's list starts: page `page` of what started before `beforeSeconds`. */
export type ListCursor = {
  readonly beforeSeconds: EpochSeconds;
  readonly page: number;
  /** After a short page: where to go on by time, should that page turn out not to be the last. */
  readonly resumeBeforeSeconds?: EpochSeconds | undefined;
};

/** Strava's largest page, so the fewest requests. */
export const PAGE_SIZE = 200;

/** The walk starts at the moment of the start: activities that start after it belong to the next sync. */
export const firstCursor = (startedAtMs: EpochMs): ListCursor => ({
  beforeSeconds: toEpochSeconds(startedAtMs),
  page: 1,
});

/** What is known of Strava's clock comes from whole seconds that have travelled: it may be so far ahead of the truth. */
const CLOCK_DOUBT_MS = 2 * SECOND_MS;

/** A moment that Strava's clock has reached for certain, however far it is behind ours. @param skewMs how far it is ahead. */
export const reachedAtStrava = (nowMs: EpochMs, skewMs: number): EpochSeconds =>
  toEpochSeconds(skewMs < 0 ? plusMs(nowMs, skewMs - CLOCK_DOUBT_MS) : nowMs);

/**
 * Where a walk began, or is to begin; null where nobody knows. A walk under way of which nothing is noted (the version before
 * did not) began when its sync did.
 */
export function startOfWalk(sync: {
  readonly listToSeconds: EpochSeconds | null;
  readonly activitiesListed: number;
  readonly startedAtMs: EpochMs;
}): EpochSeconds | null {
  return sync.listToSeconds ?? (sync.activitiesListed > 0 ? toEpochSeconds(sync.startedAtMs) : null);
}

/**
 * Where a walk goes on that may not have begun: its first page begins no later than Strava's present, since a time in the
 * future may be refused. What began in between is not listed, so the page that is asked for says where the list ends.
 * @param listToSeconds where the walk was to begin; null where nobody knows.
 */
export function heldToPresent(
  cursor: ListCursor,
  listToSeconds: EpochSeconds | null,
  presentSeconds: EpochSeconds,
): ListCursor {
  return isFirstPage(cursor, listToSeconds) && cursor.beforeSeconds > presentSeconds
    ? { ...cursor, beforeSeconds: presentSeconds }
    : cursor;
}

/** Whether a cursor is where its walk begins. */
export function isFirstPage(cursor: ListCursor, listToSeconds: EpochSeconds | null): boolean {
  if (cursor.page > 1 || cursor.resumeBeforeSeconds !== undefined) return false;
  return listToSeconds === null || cursor.beforeSeconds >= listToSeconds;
}

/**
 * The end of what a sync has listed: what began at or after it is not its to withdraw. The walk shows
 * nothing that Strava's clock had not reached; what is now known of that clock (`skewMs`: how far it is ahead of ours)
 * may say less than where the walk began, and then the less is true.
 */
export function endOfListed(
  sync: { readonly startedAtMs: EpochMs; readonly listToSeconds: EpochSeconds | null },
  skewMs: number,
): EpochSeconds {
  const reachedSeconds = toEpochSeconds(epochMs(sync.startedAtMs + Math.min(0, skewMs)));
  return epochSeconds(Math.min(reachedSeconds, sync.listToSeconds ?? reachedSeconds));
}

/** What a page of the list showed, as far as the walk needs it. */
export type PageSeen = { readonly itemCount: number; readonly oldestStartSeconds: EpochSeconds | undefined };

/**
 * The next step of the walk, newest first. After a full page: before = oldest start seen + 1 s, page 1; so ids make the
 * overlap harmless, and two activities in one second lose none. Where that does not move, because a page's worth of
 * activities share a second: the next page. After a short page: the next page of the same range, since Strava may
 * return short pages in the middle; when it is not empty, the walk goes on by time from the short page, since a page
 * counted in items skips one when something on the page before was deleted meanwhile. After an empty page: the end.
 * @returns the next cursor, or "end".
 * @see https://developers.strava.com/docs/ "Pagination": a short page need not be the last
 */
export function nextCursor(cursor: ListCursor, page: PageSeen, pageSize = PAGE_SIZE): ListCursor | "end" {
  if (page.itemCount === 0) return "end";
  if (cursor.resumeBeforeSeconds !== undefined) return { beforeSeconds: cursor.resumeBeforeSeconds, page: 1 };
  const nextPage = { beforeSeconds: cursor.beforeSeconds, page: cursor.page + 1 };
  if (page.oldestStartSeconds === undefined) return nextPage;
  const beforeSeconds = epochSeconds(page.oldestStartSeconds + 1);
  const moves = beforeSeconds < cursor.beforeSeconds;
  if (page.itemCount < pageSize) return moves ? { ...nextPage, resumeBeforeSeconds: beforeSeconds } : nextPage;
  return moves ? { beforeSeconds, page: 1 } : nextPage;
}
