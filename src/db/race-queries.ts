import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import type { AthleteId, RaceId } from "../core/units.ts";
import { containing } from "./like.ts";
import type { Db } from "./open.ts";
import { type RaceRow, races } from "./schema.ts";

/** One race; undefined when there is none of that id. */
export function readRace(db: Db, id: RaceId): RaceRow | undefined {
  return db.select().from(races).where(eq(races.id, id)).get();
}

export type RaceFilter = {
  readonly athleteId?: AthleteId | undefined;
  readonly enrichment?: RaceRow["enrichment"] | undefined;
  /** Started in [fromMs, toMs). */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly minDistanceMeters?: number | undefined;
  readonly maxDistanceMeters?: number | undefined;
  /** In the name as it is shown, or Strava's id of the activity. */
  readonly q?: string | undefined;
  /** Those that Strava no longer shows, too. */
  readonly includeWithdrawn: boolean;
  /** Only those that may be published now: seen at Strava since then, with consent, hidden from nobody. */
  readonly publishableSinceMs?: number | undefined;
};

/** A place in the list of races, newest first. */
export type RacePosition = { readonly startAtMs: number; readonly id: number };

/** A page of races, the newest first, behind `after`. An admin's edits count in filters as they do in what is shown. */
export function readRaces(
  db: Db,
  filter: RaceFilter,
  after: RacePosition | undefined,
  limit: number,
): readonly RaceRow[] {
  const distance = sql`ifnull(${races.editedDistanceMeters}, ${races.distanceMeters})`;
  const name = sql`ifnull(${races.editedName}, ${races.name})`;
  const conditions: SQL[] = filter.includeWithdrawn ? [] : [sql`${races.withdrawnAtMs} IS NULL`];
  if (after !== undefined) conditions.push(sql`(${races.startAtMs}, ${races.id}) < (${after.startAtMs}, ${after.id})`);
  if (filter.athleteId !== undefined) conditions.push(eq(races.athleteId, filter.athleteId));
  if (filter.enrichment !== undefined) conditions.push(eq(races.enrichment, filter.enrichment));
  if (filter.fromMs !== undefined) conditions.push(sql`${races.startAtMs} >= ${filter.fromMs}`);
  if (filter.toMs !== undefined) conditions.push(sql`${races.startAtMs} < ${filter.toMs}`);
  if (filter.minDistanceMeters !== undefined) conditions.push(sql`${distance} >= ${filter.minDistanceMeters}`);
  if (filter.maxDistanceMeters !== undefined) conditions.push(sql`${distance} <= ${filter.maxDistanceMeters}`);
  if (filter.publishableSinceMs !== undefined) {
    // The same as `isPublishable` in core/publication.ts; a test holds the two together.
    conditions.push(
      sql`${races.visibility} = 'everyone' AND ${races.hidden} = 0 AND ${races.withdrawnAtMs} IS NULL AND ${races.lastSeenAtMs} >= ${filter.publishableSinceMs}
        AND ${races.athleteId} IN (SELECT id FROM athletes WHERE publish = 1 AND hidden = 0)`,
    );
  }
  if (filter.q !== undefined) {
    conditions.push(sql`(${name} LIKE ${containing(filter.q)} ESCAPE '\\' OR ${races.stravaActivityId} = ${filter.q})`);
  }
  return db
    .select()
    .from(races)
    .where(and(...conditions))
    .orderBy(desc(races.startAtMs), desc(races.id))
    .limit(limit)
    .all();
}

/** What an admin writes instead of what Strava says; null takes the edit back. */
export type RaceEdit = {
  readonly name?: string | null;
  readonly distanceMeters?: number | null;
  readonly movingSeconds?: number | null;
  readonly hidden?: boolean;
};

/** Edits or hides a race; no sync ever undoes it (I9). undefined when there is none of that id. */
export function editRace(db: Db, id: RaceId, edit: RaceEdit): RaceRow | undefined {
  const change = {
    ...(edit.name === undefined ? {} : { editedName: edit.name }),
    ...(edit.distanceMeters === undefined ? {} : { editedDistanceMeters: edit.distanceMeters }),
    ...(edit.movingSeconds === undefined ? {} : { editedMovingSeconds: edit.movingSeconds }),
    ...(edit.hidden === undefined ? {} : { hidden: edit.hidden ? 1 : 0 }),
  };
  if (Object.keys(change).length === 0) return readRace(db, id);
  return db.update(races).set(change).where(eq(races.id, id)).returning().get();
}
