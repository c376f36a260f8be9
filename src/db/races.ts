import { sql } from "drizzle-orm";
import type { DetailedActivity, ListedActivity } from "../core/activity.ts";
import type { UnservedRaces } from "../core/plan.ts";
import type { AthleteId, BatchId, EpochMs, RaceId, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type RaceRow, races } from "./schema.ts";
import { statement } from "./statement.ts";

const listRaceStatement = statement<
  { isNew: 0 | 1 },
  [
    number,
    number,
    string,
    string,
    number,
    number,
    number,
    number | null,
    number,
    string,
    string | null,
    number | null,
    string,
    string | null,
    string,
    number,
    number | null,
  ]
>(
  `INSERT INTO races (athlete_id, strava_activity_id, name, sport_type, distance_m, moving_s, elapsed_s, elevation_gain_m,
     start_at_ms, start_local, timezone, utc_offset_s, visibility, summary_polyline, fingerprint, first_seen_at_ms, last_seen_at_ms, seen_in_sync_id)
   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17)
   ON CONFLICT (athlete_id, strava_activity_id) DO UPDATE SET
     name = excluded.name, sport_type = excluded.sport_type, distance_m = excluded.distance_m, moving_s = excluded.moving_s,
     elapsed_s = excluded.elapsed_s, elevation_gain_m = excluded.elevation_gain_m, start_at_ms = excluded.start_at_ms,
     start_local = excluded.start_local, timezone = excluded.timezone, utc_offset_s = excluded.utc_offset_s,
     visibility = excluded.visibility, summary_polyline = excluded.summary_polyline, last_seen_at_ms = excluded.last_seen_at_ms,
     seen_in_sync_id = ifnull(excluded.seen_in_sync_id, seen_in_sync_id), wiped_at_ms = NULL,
     withdrawn_at_ms = CASE WHEN not_found_in_sync_id IS NULL THEN NULL ELSE withdrawn_at_ms END,
     withdrawn_reason = CASE WHEN not_found_in_sync_id IS NULL THEN NULL ELSE withdrawn_reason END,
     enrichment = CASE WHEN fingerprint <> excluded.fingerprint OR enrichment NOT IN ('pending', 'enriched', 'failed') THEN 'pending' ELSE enrichment END,
     enrichment_error = CASE WHEN fingerprint <> excluded.fingerprint OR enrichment NOT IN ('pending', 'enriched', 'failed') THEN NULL
       WHEN enrichment = 'failed' THEN ifnull(enrichment_error, 'no reason was recorded') ELSE enrichment_error END,
     attempts = CASE WHEN fingerprint <> excluded.fingerprint OR enrichment = 'unavailable' THEN 0 ELSE attempts END,
     fingerprint = excluded.fingerprint
   RETURNING first_seen_at_ms = ?16 AND enriched_at_ms IS NULL AND batch_id IS NULL AS isNew`,
);

/**
 * Stores a race as the list shows it. A new one, or one whose listed fields changed, needs enrichment; one that was
 * unavailable is asked for again, and one that was withdrawn is back, but for one whose detail was answered 404 last:
 * only a detail brings that back. What an admin edited or hid stays (I9).
 * @param race.fingerprint of the listed fields, from `listFingerprint`.
 * @param race.syncId the sync whose list showed it; null: none did, and the one that last did stays noted.
 * @returns whether it was not known before.
 */
export function storeListedRace(
  db: Db,
  race: { athleteId: AthleteId; activity: ListedActivity; fingerprint: string; syncId: SyncId | null; nowMs: EpochMs },
): boolean {
  const { activity } = race;
  const row = listRaceStatement(db).get(
    race.athleteId,
    activity.stravaActivityId,
    activity.name,
    activity.sportType,
    activity.distanceMeters,
    Math.round(activity.movingSeconds),
    Math.round(activity.elapsedSeconds),
    activity.elevationGainMeters,
    activity.startMs,
    activity.startLocal,
    activity.timezone,
    activity.utcOffsetSeconds,
    activity.visibility,
    activity.summaryPolyline,
    race.fingerprint,
    race.nowMs,
    race.syncId,
  );
  return row?.isNew === 1;
}

const withdrawStatement = statement<unknown, [number, number, number, string]>(
  `UPDATE races SET withdrawn_at_ms = ?3, withdrawn_reason = ?4, batch_id = NULL,
     enrichment = CASE WHEN enrichment IN ('enriched', 'failed') THEN enrichment ELSE 'unavailable' END,
     enrichment_error = CASE WHEN enrichment = 'failed' THEN ifnull(enrichment_error, 'no reason was recorded') ELSE enrichment_error END
   WHERE athlete_id = ?1 AND strava_activity_id = ?2 AND withdrawn_at_ms IS NULL`,
);

/** An activity that the list shows and that is no race (any more): if we hold it, it is withdrawn at once. */
export function withdrawIfHeld(
  db: Db,
  athleteId: AthleteId,
  stravaActivityId: number,
  nowMs: EpochMs,
  reason: string,
): boolean {
  return withdrawStatement(db).run(athleteId, stravaActivityId, nowMs, reason).changes > 0;
}

const markSeenStatement = statement<unknown, [number, number, number, number]>(
  "UPDATE races SET last_seen_at_ms = ?3, seen_in_sync_id = ?4 WHERE athlete_id = ?1 AND strava_activity_id = ?2",
);

/** The list shows it, though it could not be read: seen, and left as it is. */
export function markSeen(db: Db, athleteId: AthleteId, stravaActivityId: number, nowMs: EpochMs, syncId: SyncId): void {
  markSeenStatement(db).run(athleteId, stravaActivityId, nowMs, syncId);
}

/** The part of the list that a sync read to its end. */
export type ListedRange = {
  readonly athleteId: AthleteId;
  readonly syncId: SyncId;
  readonly fromMs: EpochMs;
  readonly toMs: EpochMs;
};

const countVanishedStatement = statement<Vanished, [number, number, number, number]>(
  `SELECT count(*) AS held, ifnull(sum(seen_in_sync_id IS ?2), 0) AS seen, ifnull(sum(seen_in_sync_id IS NOT ?2 AND start_at_ms >= ?3 AND start_at_ms < ?4), 0) AS vanished
   FROM races WHERE athlete_id = ?1 AND withdrawn_at_ms IS NULL AND fingerprint <> ''`,
);

/** Of the races held of an athlete: how many there are, how many the list showed, how many its range no longer shows. */
export type Vanished = { readonly held: number; readonly seen: number; readonly vanished: number };

/** Counts what a completely listed range no longer shows. */
export function countVanished(db: Db, range: ListedRange): Vanished {
  const counted = countVanishedStatement(db).get(range.athleteId, range.syncId, range.fromMs, range.toMs);
  return counted ?? { held: 0, seen: 0, vanished: 0 };
}

const withdrawVanishedStatement = statement<unknown, [number, number, number, number, number]>(
  `UPDATE races SET withdrawn_at_ms = ?5, withdrawn_reason = 'no longer in the list', batch_id = NULL,
     enrichment = CASE WHEN enrichment IN ('enriched', 'failed') THEN enrichment ELSE 'unavailable' END,
     enrichment_error = CASE WHEN enrichment = 'failed' THEN ifnull(enrichment_error, 'no reason was recorded') ELSE enrichment_error END
   WHERE athlete_id = ?1 AND seen_in_sync_id IS NOT ?2 AND start_at_ms >= ?3 AND start_at_ms < ?4
     AND withdrawn_at_ms IS NULL AND fingerprint <> ''`,
);

/** Withdraws what a completely listed range no longer shows; returns how many. */
export function withdrawVanished(db: Db, range: ListedRange, nowMs: EpochMs): number {
  return withdrawVanishedStatement(db).run(range.athleteId, range.syncId, range.fromMs, range.toMs, nowMs).changes;
}

/** A race to enrich, with what its request needs. */
export type RaceToEnrich = { readonly id: RaceId; readonly stravaActivityId: number; readonly attempts: number };

const racesOfBatchStatement = statement<RaceToEnrich, [number, number]>(
  `SELECT id, strava_activity_id AS stravaActivityId, attempts FROM races
   WHERE batch_id = ?1 AND +athlete_id = ?2 AND enrichment = 'pending' ORDER BY start_at_ms DESC, id DESC`,
);

/**
 * What a batch still has to enrich, newest first. Only races of its own athlete: a hand may have bound others, and asked for
 * with the wrong athlete's token they would look as if Strava did not show them.
 */
export function readRacesOfBatch(db: Db, batch: { id: BatchId; athleteId: AthleteId }): readonly RaceToEnrich[] {
  return racesOfBatchStatement(db).all(batch.id, batch.athleteId);
}

const enrichStatement = statement<
  unknown,
  [
    number,
    number,
    string,
    string,
    number,
    number,
    number,
    number | null,
    number,
    string,
    string | null,
    number | null,
    string,
    string | null,
    string | null,
    string | null,
    number,
    number,
  ]
>(
  `UPDATE races SET name = ?3, sport_type = ?4, distance_m = ?5, moving_s = ?6, elapsed_s = ?7, elevation_gain_m = ?8, start_at_ms = ?9,
     start_local = ?10, timezone = ?11, utc_offset_s = ?12, visibility = ?13, summary_polyline = ?14,
     polyline = ?15, description = ?16, enrichment = 'enriched', enrichment_error = NULL, enriched_at_ms = ?17, last_seen_at_ms = ?17, settled_in_sync_id = ?18,
     not_found_in_sync_id = NULL, withdrawn_at_ms = NULL, withdrawn_reason = NULL, wiped_at_ms = NULL
   WHERE id = ?1 AND batch_id = ?2 AND enrichment = 'pending'`,
);

/**
 * Stores a detail: Strava shows the race, so that it is no longer withdrawn. It must still be this batch's to enrich:
 * false when it is not, and nothing is written. The fingerprint stays the list's own: should a detail ever spell a field
 * otherwise, every list would ask for it again.
 */
export function storeDetail(
  db: Db,
  race: { id: RaceId; batchId: BatchId; syncId: SyncId; activity: DetailedActivity; nowMs: EpochMs },
): boolean {
  const { activity } = race;
  return (
    enrichStatement(db).run(
      race.id,
      race.batchId,
      activity.name,
      activity.sportType,
      activity.distanceMeters,
      Math.round(activity.movingSeconds),
      Math.round(activity.elapsedSeconds),
      activity.elevationGainMeters,
      activity.startMs,
      activity.startLocal,
      activity.timezone,
      activity.utcOffsetSeconds,
      activity.visibility,
      activity.summaryPolyline,
      activity.polyline,
      activity.description,
      race.nowMs,
      race.syncId,
    ).changes > 0
  );
}

const settleStatement = statement<unknown, [number, number, string, string, number]>(
  `UPDATE races SET enrichment = ?3, enrichment_error = ?4, attempts = ?5, not_found_in_sync_id = iif(?3 = 'failed', NULL, not_found_in_sync_id)
   WHERE id = ?1 AND batch_id = ?2 AND enrichment = 'pending'`,
);

/** Stores that no detail came: failed with its reason, or still pending with one more attempt. */
export function storeNoDetail(
  db: Db,
  race: {
    id: RaceId;
    batchId: BatchId;
    enrichment: "pending" | "failed";
    error: string;
    attempts: number;
  },
): boolean {
  return settleStatement(db).run(race.id, race.batchId, race.enrichment, race.error, race.attempts).changes > 0;
}

const countPendingStatement = statement<{ count: number }, [number]>(
  "SELECT count(*) AS count FROM races WHERE athlete_id = ?1 AND enrichment = 'pending'",
);

/** Races of an athlete that need enrichment. Reads those only. */
export function countPending(db: Db, athleteId: AthleteId): number {
  return countPendingStatement(db).get(athleteId)?.count ?? 0;
}

/**
 * A race is served when a live enrichment batch of this very sync holds it. `r` is the race, `b` its batch, if any.
 * @param syncId the sync, in SQL.
 */
export const isUnserved = (syncId: string): string =>
  `(b.id IS NULL OR b.sync_id <> ${syncId} OR b.type <> 'enrichment' OR b.status NOT IN ('pending', 'processing'))`;

/** A batch that failed for good leaves its races bound to it, which tells how small the next batches must be. */
export const exhaustedSize = (syncId: string): string =>
  `CASE WHEN b.status = 'failed' AND b.exhausted = 1 AND b.sync_id = ${syncId} AND b.type = 'enrichment' THEN b.size END`;

const EXHAUSTED_SIZE = exhaustedSize("?2");
/** The index is named because SQLite, with no statistics, would as soon read all races of the athlete. */
const UNSERVED = `
  FROM races r INDEXED BY races_pending LEFT JOIN batches b ON b.id = r.batch_id
  WHERE r.athlete_id = ?1 AND r.enrichment = 'pending' AND ${isUnserved("?2")}`;

const countUnservedStatement = statement<{ exhaustedSize: number | null; count: number }, [number, number]>(
  `SELECT ${EXHAUSTED_SIZE} AS exhaustedSize, count(*) AS count ${UNSERVED} GROUP BY 1 ORDER BY 1`,
);

/** Races that need enrichment and that no live batch of the sync will take, by the batch that failed with them. */
export function countUnserved(db: Db, athleteId: AthleteId, syncId: SyncId): readonly UnservedRaces[] {
  return countUnservedStatement(db)
    .all(athleteId, syncId)
    .map((row) => ({ exhaustedSize: row.exhaustedSize ?? undefined, count: row.count }));
}

const bindUnservedStatement = statement<unknown, [number, number, number | null, number, number]>(
  `UPDATE races SET batch_id = ?5 WHERE id IN (
     SELECT r.id ${UNSERVED} AND ${EXHAUSTED_SIZE} IS ?3 ORDER BY r.start_at_ms DESC, r.id DESC LIMIT ?4)`,
);

/** Gives the newest `limit` unserved races to a batch; returns how many it got. */
export function bindUnserved(
  db: Db,
  unserved: { athleteId: AthleteId; syncId: SyncId; exhaustedSize: number | undefined; limit: number },
  batchId: BatchId,
): number {
  const { athleteId, syncId, exhaustedSize, limit } = unserved;
  return bindUnservedStatement(db).run(athleteId, syncId, exhaustedSize ?? null, limit, batchId).changes;
}

const unbindStraysStatement = statement<unknown, [number]>(
  `UPDATE races SET batch_id = NULL WHERE id IN (
     SELECT r.id FROM syncs s CROSS JOIN races r INDEXED BY races_pending ON r.athlete_id = s.athlete_id AND r.enrichment = 'pending'
       CROSS JOIN batches b ON b.id = r.batch_id
     WHERE s.id = ?1 AND ${isUnserved("s.id")} AND ${exhaustedSize("s.id")} IS NULL)`,
);

/** Unbinds pending races of a sync's athlete from batches that will never take them; returns how many. */
export function unbindStrays(db: Db, syncId: SyncId): number {
  return unbindStraysStatement(db).run(syncId).changes;
}

const failExhaustedStatement = statement<unknown, [number, number]>(
  `UPDATE races SET enrichment = 'failed', not_found_in_sync_id = NULL,
     enrichment_error = ifnull((SELECT error FROM batches WHERE id = races.batch_id), 'its batch failed for good, even with this race alone')
   WHERE id IN (SELECT r.id ${UNSERVED} AND ${EXHAUSTED_SIZE} = 1)`,
);

/** Fails the races that were alone in a batch that failed for good, each with its reason; returns how many. */
export function failExhausted(db: Db, athleteId: AthleteId, syncId: SyncId): number {
  return failExhaustedStatement(db).run(athleteId, syncId).changes;
}

// By the sync that settled it, or by the batch that holds it: a hand may have deleted the batches, or made the rows.
const tallyOfSyncStatement = statement<{ enrichment: RaceRow["enrichment"]; count: number }, [number, number]>(
  `SELECT enrichment, count(*) AS count FROM races
   WHERE athlete_id = ?2 AND (settled_in_sync_id = ?1
     OR EXISTS (SELECT 1 FROM batches WHERE id = races.batch_id AND sync_id = ?1 AND type = 'enrichment'))
   GROUP BY enrichment`,
);

/** What became of the races that a sync took: the rows tell, whatever a hand did to counts. */
export function tallyOfSync(db: Db, syncId: SyncId, athleteId: AthleteId): ReadonlyMap<RaceRow["enrichment"], number> {
  return new Map(
    tallyOfSyncStatement(db)
      .all(syncId, athleteId)
      .map((row) => [row.enrichment, row.count]),
  );
}

/** Gives the failed races of an athlete another try; returns how many. */
export function retryFailedRaces(db: Db, athleteId: AthleteId): number {
  return db
    .update(races)
    .set({ enrichment: "pending", enrichmentError: null, attempts: 0, batchId: null })
    .where(sql`${races.athleteId} = ${athleteId} AND ${races.enrichment} = 'failed' AND ${races.withdrawnAtMs} IS NULL`)
    .returning({ id: races.id })
    .all().length;
}
