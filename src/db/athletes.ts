import { and, asc, eq, gt, type SQL, sql } from "drizzle-orm";
import type { AthleteId, EpochMs } from "../core/units.ts";
import { containing } from "./like.ts";
import type { Db } from "./open.ts";
import { type AthleteRow, type AthleteStatus, athletes } from "./schema-athletes.ts";
import { oncePerDb } from "./statement.ts";

/** Adds an athlete, or connects one that is known: by Strava's id. `isNew` tells which. */
export function upsertAthlete(
  db: Db,
  athlete: { stravaId: number; firstName: string; lastName: string; scope: string; nowMs: EpochMs },
): { row: AthleteRow; isNew: boolean } {
  const { stravaId, firstName, lastName, scope, nowMs } = athlete;
  const known = db.select({ id: athletes.id }).from(athletes).where(eq(athletes.stravaId, stravaId)).get();
  const connected = { status: "connected", statusReason: null, needsReconnectSinceMs: null } as const;
  const fields = { firstName, lastName, scope, ...connected };
  const row = db
    .insert(athletes)
    .values({ stravaId, createdAtMs: nowMs, ...fields })
    .onConflictDoUpdate({ target: athletes.stravaId, set: fields })
    .returning()
    .get();
  return { row, isNew: known === undefined };
}

/** One athlete; undefined when there is none of that id. */
export function readAthlete(db: Db, id: AthleteId): AthleteRow | undefined {
  return readAthleteById(db).get({ id });
}

const readAthleteById = oncePerDb((db) =>
  db
    .select()
    .from(athletes)
    .where(eq(athletes.id, sql.placeholder("id")))
    .prepare(),
);

/** The athletes of those ids that are there. */
export function readAthletesById(db: Db, ids: readonly AthleteId[]): readonly AthleteRow[] {
  return db
    .select()
    .from(athletes)
    .where(sql`${athletes.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .all();
}

/** The athlete of that id at Strava; undefined when we know none. */
export function readAthleteByStravaId(db: Db, stravaId: number): AthleteRow | undefined {
  return readByStravaId(db).get({ stravaId });
}

const readByStravaId = oncePerDb((db) =>
  db
    .select()
    .from(athletes)
    .where(eq(athletes.stravaId, sql.placeholder("stravaId")))
    .prepare(),
);

/** How many athletes are in each status; those that nobody is in are left out. */
export function countAthletesByStatus(db: Db): ReadonlyMap<AthleteStatus, number> {
  const rows = db
    .select({ status: athletes.status, count: sql<number>`count(*)` })
    .from(athletes)
    .groupBy(athletes.status)
    .all();
  return new Map(rows.map(({ status, count }) => [status, count]));
}

/** A page of athletes by id, after `afterId`; at most `limit`. */
export function readAthletes(db: Db, afterId: number, limit: number): readonly AthleteRow[] {
  return db
    .select()
    .from(athletes)
    .where(gt(athletes.id, afterId as AthleteId))
    .orderBy(asc(athletes.id))
    .limit(limit)
    .all();
}

export type AthleteFilter = {
  readonly status?: AthleteStatus | undefined;
  /** In the athlete's name, or Strava's id of the athlete. */
  readonly q?: string | undefined;
};

/** A page of athletes that match, by id, after `afterId`. */
export function findAthletes(db: Db, filter: AthleteFilter, afterId: number, limit: number): readonly AthleteRow[] {
  const conditions: SQL[] = [gt(athletes.id, afterId as AthleteId)];
  if (filter.status !== undefined) conditions.push(eq(athletes.status, filter.status));
  if (filter.q !== undefined) conditions.push(matchesAthlete(filter.q));
  return db
    .select()
    .from(athletes)
    .where(and(...conditions))
    .orderBy(asc(athletes.id))
    .limit(limit)
    .all();
}

/** For a query of `athletes`: those whose name holds `q`, or whose id at Strava it is. */
export const matchesAthlete = (q: string): SQL =>
  sql`(${athletes.firstName} || ' ' || ${athletes.lastName} LIKE ${containing(q)} ESCAPE '\\' OR ${athletes.stravaId} = ${q})`;

/**
 * Sets an athlete's status, with the reason in plain words (null: nothing is wrong). Since when an athlete needs to
 * reconnect is the first time in a row that this was said.
 */
export function setAthleteStatus(
  db: Db,
  id: AthleteId,
  change: { status: AthleteStatus; reason: string | null; nowMs: EpochMs },
): void {
  const { status, reason, nowMs } = change;
  const needsReconnectSinceMs =
    status === "needs_reconnect" ? sql`ifnull(${athletes.needsReconnectSinceMs}, ${nowMs})` : null;
  db.update(athletes).set({ status, statusReason: reason, needsReconnectSinceMs }).where(eq(athletes.id, id)).run();
}

/** What Strava said of an athlete who signed in, whether or not they granted enough. */
export function noteSignedIn(
  db: Db,
  id: AthleteId,
  told: { firstName: string; lastName: string; scope: string },
): void {
  db.update(athletes).set(told).where(eq(athletes.id, id)).run();
}

/** What an admin may change of an athlete. */
export function updateAthlete(
  db: Db,
  id: AthleteId,
  change: { publish?: { value: boolean; nowMs: EpochMs; by: string }; hidden?: boolean },
): AthleteRow | undefined {
  const publish =
    change.publish === undefined
      ? {}
      : {
          publish: change.publish.value ? 1 : 0,
          publishChangedAtMs: change.publish.nowMs,
          publishChangedBy: change.publish.by,
        };
  const hidden = change.hidden === undefined ? {} : { hidden: change.hidden ? 1 : 0 };
  if (change.publish === undefined && change.hidden === undefined) return readAthlete(db, id);
  return db
    .update(athletes)
    .set({ ...publish, ...hidden })
    .where(eq(athletes.id, id))
    .returning()
    .get();
}

/**
 * A list was read to its end. `list`: to when it reached and how long it was, if it was a complete one; null: it had a bound.
 * `emptiedAtMs`: since when complete lists show nothing that we hold.
 */
export function noteListRead(
  db: Db,
  id: AthleteId,
  list: { reachedMs: EpochMs; length: number } | null,
  emptiedAtMs: EpochMs | null,
): void {
  const complete = list === null ? {} : { lastCompleteListAtMs: list.reachedMs, lastListLength: list.length };
  db.update(athletes)
    .set({ ...complete, emptiedAtMs })
    .where(eq(athletes.id, id))
    .run();
}

/** A sync of the athlete completed. */
export function noteSynced(db: Db, id: AthleteId, nowMs: EpochMs): void {
  db.update(athletes).set({ lastSyncedAtMs: nowMs }).where(eq(athletes.id, id)).run();
}

/** Starts the clock of erasure of athletes who need to reconnect and have none: a hand set their status. */
export function markReconnectTimes(db: Db, nowMs: EpochMs): void {
  db.update(athletes)
    .set({ needsReconnectSinceMs: nowMs })
    .where(sql`${athletes.status} = 'needs_reconnect' AND ${athletes.needsReconnectSinceMs} IS NULL`)
    .run();
}

/** Athletes whose access has been gone since `sinceMs` or longer; at most `limit`. */
export function readLongLost(db: Db, sinceMs: EpochMs, limit: number): readonly AthleteId[] {
  return db
    .select({ id: athletes.id })
    .from(athletes)
    .where(
      sql`${athletes.needsReconnectSinceMs} IS NOT NULL AND ${athletes.needsReconnectSinceMs} <= ${sinceMs} AND ${athletes.status} = 'needs_reconnect'`,
    )
    .orderBy(asc(athletes.needsReconnectSinceMs))
    .limit(limit)
    .all()
    .map(({ id }) => id);
}

/** Erases an athlete: races, syncs, logs and tokens go with the row. False when there was none. */
export function eraseAthlete(db: Db, id: AthleteId): boolean {
  return db.delete(athletes).where(eq(athletes.id, id)).returning({ id: athletes.id }).all().length > 0;
}
