import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import {
  classRank,
  type ListCursor,
  type SyncClass,
  type SyncMode,
  type SyncPhase,
  type SyncStatus,
} from "../core/sync.ts";
import { type AthleteId, type EpochMs, type EpochSeconds, HOUR_MS, type SyncId } from "../core/units.ts";
import { matchesAthlete } from "./athletes.ts";
import { countIn } from "./count-in.ts";
import type { Db } from "./open.ts";
import { type SyncRow, syncs } from "./schema.ts";
import { anyRow, oncePerDb, statement } from "./statement.ts";

/** A new sync in discovery. The unique index refuses a second one in progress for the athlete (I2). */
export function insertSync(
  db: Db,
  sync: {
    athleteId: AthleteId;
    mode: SyncMode;
    syncClass: SyncClass;
    phase: SyncPhase;
    startedAtMs: EpochMs;
    listFromSeconds: EpochSeconds | null;
    cursor: ListCursor;
    servedAtMs: EpochMs;
  },
): SyncId {
  return db
    .insert(syncs)
    .values({
      athleteId: sync.athleteId,
      mode: sync.mode,
      class: sync.syncClass,
      classRank: classRank(sync.syncClass),
      phase: sync.phase,
      startedAtMs: sync.startedAtMs,
      listComplete: sync.phase === "enrichment" ? 1 : 0,
      listFromSeconds: sync.listFromSeconds,
      listToSeconds: sync.cursor.beforeSeconds,
      cursorBeforeSeconds: sync.cursor.beforeSeconds,
      cursorPage: sync.cursor.page,
      lastActivityAtMs: sync.startedAtMs,
      lastProgressAtMs: sync.startedAtMs,
      servedAtMs: sync.servedAtMs,
    })
    .returning({ id: syncs.id })
    .get().id;
}

/** One sync, in progress or ended; undefined when there is none of that id. */
export function readSync(db: Db, id: SyncId): SyncRow | undefined {
  return readSyncById(db).get({ id });
}

const readSyncById = oncePerDb((db) =>
  db
    .select()
    .from(syncs)
    .where(eq(syncs.id, sql.placeholder("id")))
    .prepare(),
);

/** The syncs of those ids that are there. */
export function readSyncsById(db: Db, ids: readonly SyncId[]): readonly SyncRow[] {
  return db
    .select()
    .from(syncs)
    .where(sql`${syncs.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .all();
}

/** The sync that an athlete has in progress. */
export function readSyncInProgress(db: Db, athleteId: AthleteId): SyncRow | undefined {
  return (
    db
      .select()
      .from(syncs)
      // The status is written out, so that SQLite sees that the partial unique index serves.
      .where(and(eq(syncs.athleteId, athleteId), sql`${syncs.status} = 'in_progress'`))
      .get()
  );
}

/** A page of syncs in progress by id, after `afterId`. Serves the health check and the status page. */
export function readSyncsInProgress(db: Db, afterId: number, limit: number): readonly SyncRow[] {
  return anyInProgress(db, afterId) ? readPageInProgress(db).all({ afterId, limit }) : [];
}

const anyInProgress = anyRow<[number]>("SELECT 1 FROM syncs WHERE status = 'in_progress' AND id > ?1");

const readPageInProgress = oncePerDb((db) =>
  db
    .select()
    .from(syncs)
    .where(sql`${syncs.status} = 'in_progress' AND ${syncs.id} > ${sql.placeholder("afterId")}`)
    .orderBy(syncs.id)
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** The classes of the syncs in progress, each once. */
export function readClassesInProgress(db: Db): readonly SyncClass[] {
  return readClasses(db)
    .all()
    .map((row) => row.class);
}

const readClasses = statement<{ class: SyncClass }, []>(
  "SELECT DISTINCT class FROM syncs WHERE status = 'in_progress'",
);

/** The syncs that ended last, the newest first. */
export function readRecentSyncs(db: Db, limit: number): readonly SyncRow[] {
  return db
    .select()
    .from(syncs)
    .where(sql`${syncs.status} <> 'in_progress'`)
    .orderBy(desc(syncs.completedAtMs), desc(syncs.id))
    .limit(limit)
    .all();
}

export type SyncFilter = {
  readonly status?: SyncStatus | undefined;
  readonly athleteId?: AthleteId | undefined;
  readonly phase?: SyncPhase | undefined;
  /** In the athlete's name, or Strava's id of the athlete. */
  readonly q?: string | undefined;
};

/** A page of syncs, the newest first, before id `beforeId`. */
export function readSyncs(db: Db, filter: SyncFilter, beforeId: number, limit: number): readonly SyncRow[] {
  const conditions: SQL[] = [lt(syncs.id, beforeId as SyncId)];
  if (filter.status !== undefined) conditions.push(eq(syncs.status, filter.status));
  if (filter.athleteId !== undefined) conditions.push(eq(syncs.athleteId, filter.athleteId));
  if (filter.phase !== undefined) conditions.push(eq(syncs.phase, filter.phase));
  if (filter.q !== undefined) {
    conditions.push(sql`${syncs.athleteId} IN (SELECT id FROM athletes WHERE ${matchesAthlete(filter.q)})`);
  }
  return db
    .select()
    .from(syncs)
    .where(and(...conditions))
    .orderBy(desc(syncs.id))
    .limit(limit)
    .all();
}

const endedSinceStatement = statement<{ status: SyncStatus; count: number }, [number, number]>(
  `SELECT status, sum(count) AS count FROM (
     SELECT status, count FROM ended_sync_counts WHERE hour_start_ms >= ?2
     UNION ALL
     SELECT status, count(*) FROM syncs WHERE status <> 'in_progress' AND completed_at_ms >= ?1 AND completed_at_ms < ?2 GROUP BY status)
   GROUP BY status`,
);

/** How many syncs ended since, by status: whole hours are counted as they happen, and the first, begun one is read. */
export function countEndedSince(db: Db, sinceMs: EpochMs): ReadonlyMap<SyncStatus, number> {
  const firstWholeHourMs = Math.ceil(sinceMs / HOUR_MS) * HOUR_MS;
  return new Map(
    endedSinceStatement(db)
      .all(sinceMs, firstWholeHourMs)
      .map((row) => [row.status, row.count]),
  );
}

/** Ends a sync that is still in progress. Returns false when it was not: somebody else ended it. */
export function endSync(
  db: Db,
  id: SyncId,
  end: {
    status: Exclude<SyncStatus, "in_progress">;
    nowMs: EpochMs;
    error: string | null;
    racesEnriched: number;
    racesFailed: number;
    warnings: readonly string[];
  },
): boolean {
  const changed = db
    .update(syncs)
    .set({
      status: end.status,
      completedAtMs: end.nowMs,
      pausedAtMs: null,
      error: end.error,
      racesEnriched: end.racesEnriched,
      racesFailed: end.racesFailed,
      warnings: JSON.stringify(end.warnings),
      lastActivityAtMs: end.nowMs,
    })
    .where(and(eq(syncs.id, id), eq(syncs.status, "in_progress")))
    .returning({ id: syncs.id })
    .all();
  return changed.length > 0;
}

/** Moves a sync to another phase; what is known of its list goes with it. */
export function setPhase(db: Db, id: SyncId, phase: SyncPhase, nowMs: EpochMs): void {
  db.update(syncs)
    .set({ phase, listComplete: phase === "enrichment" ? 1 : 0, lastActivityAtMs: nowMs })
    .where(and(eq(syncs.id, id), eq(syncs.status, "in_progress")))
    .run();
}

const storeCursorStatement = statement<
  unknown,
  [number, number, number, number | null, number, number, number, number, number | null]
>(
  `UPDATE syncs SET list_to_s = ?9, cursor_before_s = ?2, cursor_page = ?3, cursor_resume_before_s = ?4, list_complete = ?5,
     activities_listed = ${countIn("activities_listed")} + ?6, requests = ${countIn("requests")} + ?8, last_activity_at_ms = ?7, last_progress_at_ms = ?7
   WHERE id = ?1 AND status = 'in_progress'`,
);

/** Moves the walk on, in the transaction that stores the page it comes after. */
export function storeCursor(
  db: Db,
  id: SyncId,
  page: {
    cursor: ListCursor;
    listToSeconds: EpochSeconds | null;
    isListComplete: boolean;
    newlyListed: number;
    requests: number;
    nowMs: EpochMs;
  },
): boolean {
  const { beforeSeconds, page: pageNumber, resumeBeforeSeconds } = page.cursor;
  const isComplete = page.isListComplete ? 1 : 0;
  return (
    storeCursorStatement(db).run(
      id,
      beforeSeconds,
      pageNumber,
      resumeBeforeSeconds ?? null,
      isComplete,
      page.newlyListed,
      page.nowMs,
      page.requests,
      page.listToSeconds,
    ).changes > 0
  );
}

/** The phase of a sync; where a hand wrote a word that is none, what is known of its list tells. */
export function phaseOf(sync: SyncRow): SyncPhase {
  if (sync.phase === "discovery" || sync.phase === "enrichment") return sync.phase;
  return sync.listComplete === 1 ? "enrichment" : "discovery";
}

/** Where the walk of a sync stands. */
export function cursorOf(sync: SyncRow): ListCursor {
  return {
    beforeSeconds: sync.cursorBeforeSeconds,
    page: sync.cursorPage,
    resumeBeforeSeconds: sync.cursorResumeBeforeSeconds ?? undefined,
  };
}

const noteProgressStatement = statement<unknown, [number, number, number]>(
  `UPDATE syncs SET requests = ${countIn("requests")} + ?3, last_activity_at_ms = ?2, last_progress_at_ms = ?2 WHERE id = ?1 AND status = 'in_progress'`,
);

/** Races settled: the sync moved. Returns false when the sync has ended. */
export function noteProgress(db: Db, id: SyncId, nowMs: EpochMs, requests: number): boolean {
  return noteProgressStatement(db).run(id, nowMs, requests).changes > 0;
}

const noteActivityStatement = statement<unknown, [number, number, number]>(
  `UPDATE syncs SET requests = ${countIn("requests")} + ?3, last_activity_at_ms = ?2 WHERE id = ?1`,
);

/** Something happened (a request, a claim, a wait) that settled nothing. */
export function noteActivity(db: Db, id: SyncId, nowMs: EpochMs, requests: number): void {
  noteActivityStatement(db).run(id, nowMs, requests);
}

const noteServedStatement = statement<unknown, [number, number, string]>(
  "UPDATE syncs SET served_at_ms = ?2, last_activity_at_ms = ?2, trace_id = ?3 WHERE id = ?1",
);
const noteAthleteServedStatement = statement<unknown, [number, number]>(
  "UPDATE athletes SET last_served_at_ms = ?2 WHERE id = ?1",
);

/** A batch of it was claimed: the athlete goes to the end of the line. */
export function noteServed(db: Db, sync: { id: SyncId; athleteId: AthleteId }, nowMs: EpochMs, traceId: string): void {
  noteServedStatement(db).run(sync.id, nowMs, traceId);
  noteAthleteServedStatement(db).run(sync.athleteId, nowMs);
}

const noteBatchCompletedStatement = statement<unknown, [number]>(
  `UPDATE syncs SET batches_completed = ${countIn("batches_completed")} + 1 WHERE id = ?1`,
);

/** Counts a completed batch: what verifies a remedy. */
export function noteBatchCompleted(db: Db, id: SyncId): void {
  noteBatchCompletedStatement(db).run(id);
}

/** Adds a sentence to the sync's warnings. */
export function addWarning(db: Db, id: SyncId, warning: string): void {
  db.update(syncs)
    .set({
      warnings: sql`json_insert(iif(json_valid(${syncs.warnings}), ${syncs.warnings}, '[]'), '$[#]', ${warning})`,
    })
    .where(eq(syncs.id, id))
    .run();
}

/** Pauses or resumes; false when the sync is not in progress or was so already. */
export function setPaused(db: Db, id: SyncId, pausedAtMs: EpochMs | null): boolean {
  const changed = db
    .update(syncs)
    .set({ pausedAtMs })
    .where(
      sql`${syncs.id} = ${id} AND ${syncs.status} = 'in_progress' AND (${syncs.pausedAtMs} IS NULL) <> (${pausedAtMs} IS NULL)`,
    )
    .returning({ id: syncs.id })
    .all();
  return changed.length > 0;
}
