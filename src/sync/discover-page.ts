import type { ListedActivity } from "../core/activity.ts";
import { isRace, listFingerprint } from "../core/race.ts";
import {
  heldToPresent,
  isFirstPage,
  type ListCursor,
  nextCursor,
  PAGE_SIZE,
  reachedAtStrava,
  startOfWalk,
} from "../core/sync.ts";
import { type EpochSeconds, toEpochSeconds } from "../core/units.ts";
import { readAthlete } from "../db/athletes.ts";
import { tallyUnderLease } from "../db/batches.ts";
import { noteListed } from "../db/listed-activities.ts";
import { markSeen, storeListedRace, withdrawIfHeld } from "../db/races.ts";
import type { SyncRow } from "../db/schema.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import { addWarning, cursorOf, readSync, storeCursor } from "../db/syncs.ts";
import type { ActivityPage } from "../strava/reply.ts";
import type { SyncContext } from "./context.ts";
import { finishRun } from "./end-run.ts";
import { finishList } from "./finish-list.ts";
import { recordEvent } from "./record.ts";
import { askStrava } from "./requests/ask-strava.ts";
import type { Run, RunResult } from "./run.ts";
import { takeUnbooked } from "./run-tally.ts";

/**
 * Runs one discovery batch: asks for the page at the sync's cursor, and commits its races, the cursor, the end of the
 * batch and the batch that follows in one transaction.
 */
export async function discoverPage(context: SyncContext, run: Run): Promise<RunResult> {
  const sync = readSync(context.db, run.syncId);
  const athlete = readAthlete(context.db, run.athleteId);
  if (sync === undefined) return { result: "lease_lost" };
  if (athlete === undefined) return { result: "reconnect", reason: "The athlete's row is gone.", refused: undefined };
  const cursor = cursorOf(sync);
  const listToSeconds = startOfWalk(sync);
  let asked = cursor;
  const answer = await askStrava(context, run, {
    name: "strava.list_activities",
    phase: "discovery",
    item: "list",
    isLastTry: run.batch.attempts + 1 >= context.rules.maxAttempts,
    attributes: { "broomwagon.list.page": cursor.page, "broomwagon.list.before_s": cursor.beforeSeconds },
    send: (strava, accessToken) => {
      const present = reachedAtStrava(context.clock.nowMs(), context.governor.view().skewMs);
      asked = heldToPresent(cursor, listToSeconds, present);
      const { beforeSeconds, page } = asked;
      return strava.listActivities(accessToken, { beforeSeconds, page, perPage: PAGE_SIZE }, run.signal);
    },
  });
  switch (answer.got) {
    case "value":
      return commitPage(context, run, {
        sync,
        athlete,
        cursor: asked,
        listToSeconds: isFirstPage(cursor, listToSeconds) ? asked.beforeSeconds : listToSeconds,
        page: answer.value,
      });
    case "hold":
      return { result: "wait", reason: answer.hold.reason, untilMs: answer.hold.untilMs };
    case "reconnect":
      return { result: "reconnect", reason: answer.reason, refused: answer.refused };
    case "fault":
      return { result: "error", error: answer.fault.message };
    case "trouble":
      return { result: "error", error: answer.error };
    case "crowded_out":
      return { result: "released", why: "no request of it found a place" };
    case "called_off":
      return { result: "released", why: "it was called off" };
    default:
      return answer satisfies never;
  }
}

type Page = {
  sync: SyncRow;
  athlete: AthleteRow;
  /** As it was asked for. */
  cursor: ListCursor;
  listToSeconds: EpochSeconds | null;
  page: ActivityPage;
};

async function commitPage(context: SyncContext, run: Run, listed: Page): Promise<RunResult> {
  const span = context.tracer.startSpan("db.store_page", { parent: run.span });
  try {
    const committed = await context.commits.soon(() => storePageAndAdvanceCursor(context, run, listed));
    return committed ? { result: "ended" } : { result: "lease_lost" };
  } finally {
    span.end();
  }
}

/** False when the lease is lost: then nothing is written. */
function storePageAndAdvanceCursor(context: SyncContext, run: Run, listed: Page): boolean {
  const { db, clock } = context;
  const { sync, athlete, cursor, listToSeconds, page } = listed;
  const nowMs = clock.nowMs();
  const own = page.activities.filter((activity) => isOwn(activity, athlete));
  const foreign = page.activities.filter((activity) => !isOwn(activity, athlete));
  const { racesAdded, newlyListed } = storeActivities(context, sync, own);
  // What cannot be read, or be true, is no word of what has vanished.
  for (const { stravaActivityId } of [...page.malformed, ...foreign]) {
    if (stravaActivityId !== undefined) markSeen(db, athlete.id, stravaActivityId, nowMs, sync.id);
  }
  const next = nextCursor(cursor, { itemCount: page.rawCount, oldestStartSeconds: oldestStart(page.activities) });
  const isListComplete = next === "end" || reachesBack(sync, page);
  const requests = takeUnbooked(context, run);
  const tally = { requests, activitiesFetched: page.rawCount, racesAdded, racesEnriched: 0, racesFailed: 0 };
  if (!tallyUnderLease(db, run.fence, tally)) throw new LeaseLostInsideCommit();
  storeCursor(db, sync.id, {
    cursor: next === "end" ? cursor : next,
    listToSeconds,
    isListComplete,
    newlyListed,
    requests,
    nowMs,
  });
  warnOfUnread(context, run, page, foreign.length);
  if (isListComplete) finishList(context, sync.id);
  return finishRun(context, run, { how: "done" });
}

/** Rolls the savepoint back: rows of a page that came too late must not stay (I3). */
class LeaseLostInsideCommit extends Error {
  override readonly name = "LeaseLostInsideCommit";
}

/** Whether an error says that a commit was refused by its fence. */
export const isLeaseLost = (error: unknown): boolean => error instanceof LeaseLostInsideCommit;

/** A list that named another athlete's activity would be a fault of Strava's: such items are never stored. */
function isOwn(activity: ListedActivity, athlete: AthleteRow): boolean {
  return activity.athleteStravaId === undefined || activity.athleteStravaId === athlete.stravaId;
}

function storeActivities(
  context: SyncContext,
  sync: SyncRow,
  activities: readonly ListedActivity[],
): { racesAdded: number; newlyListed: number } {
  const { db, clock, rules } = context;
  const nowMs = clock.nowMs();
  let racesAdded = 0;
  let newlyListed = 0;
  for (const activity of activities) {
    const isFirstSeen = noteListed(db, sync.id, activity.stravaActivityId);
    if (isFirstSeen) newlyListed++;
    if (isRace(activity, rules)) {
      const race = {
        athleteId: sync.athleteId,
        activity,
        fingerprint: listFingerprint(activity),
        syncId: sync.id,
        nowMs,
      };
      if (storeListedRace(db, race) && isFirstSeen) racesAdded++;
    } else {
      withdrawIfHeld(db, sync.athleteId, activity.stravaActivityId, nowMs, "no longer tagged as a race");
    }
  }
  return { racesAdded, newlyListed };
}

/** The order of a list is a hint: the oldest start is computed, not taken from the end. */
function oldestStart(activities: readonly ListedActivity[]): EpochSeconds | undefined {
  let oldest: EpochSeconds | undefined;
  for (const { startMs } of activities) {
    const start = toEpochSeconds(startMs);
    if (oldest === undefined || start < oldest) oldest = start;
  }
  return oldest;
}

/** An incremental sync ends with the page that reaches behind what it has to look at. */
function reachesBack(sync: SyncRow, page: ActivityPage): boolean {
  const oldest = oldestStart(page.activities);
  return sync.listFromSeconds !== null && oldest !== undefined && oldest < sync.listFromSeconds;
}

function warnOfUnread(context: SyncContext, run: Run, page: ActivityPage, foreign: number): void {
  if (page.malformed.length === 0 && foreign === 0) return;
  const first = page.malformed[0];
  const warning = [
    page.malformed.length === 0
      ? ""
      : `${page.malformed.length} activities of a page could not be read (the first: ${first?.reason}).`,
    foreign === 0 ? "" : `${foreign} activities of a page belong to another athlete and were left out.`,
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
  addWarning(context.db, run.syncId, warning);
  recordEvent(context, {
    syncId: run.syncId,
    batchId: run.batchId,
    level: "warn",
    event: "page.unread",
    message: warning,
    traceId: run.span.traceId,
    spanId: run.span.spanId,
  });
}
