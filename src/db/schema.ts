/**
 * The tables, as Drizzle sees them. The SQL that makes them is under `drizzle/` (STRICT added by hand, since the
 * generator does not emit it; a test holds the two together). Times are `…_ms`, milliseconds since the epoch, UTC.
 *
 * Columns that `ARCHITECTURE.md` lists as open to outside tools may be written by a hand at any moment, so every other
 * column has a default, and each transition writes all columns of the state that it sets.
 */
import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Visibility } from "../core/activity.ts";
import type { BatchStatus, BatchType, WaitReason } from "../core/batch.ts";
import type { Enrichment } from "../core/enrichment.ts";
import type { FindingOutcome } from "../core/findings.ts";
import type { SyncClass, SyncMode, SyncPhase, SyncStatus } from "../core/sync.ts";
import type {
  AthleteId,
  BatchId,
  EpochMs,
  EpochSeconds,
  FindingId,
  LeaseToken,
  RaceId,
  SyncId,
} from "../core/units.ts";
import { athletes, now } from "./schema-athletes.ts";

export const syncs = sqliteTable(
  "syncs",
  {
    id: integer().$type<SyncId>().primaryKey({ autoIncrement: true }),
    athleteId: integer("athlete_id")
      .$type<AthleteId>()
      .notNull()
      .references(() => athletes.id, { onDelete: "cascade" }),
    mode: text().$type<SyncMode>().notNull().default("full"),
    class: text().$type<SyncClass>().notNull().default("schedule"),
    /** The order of classes as a number (`classRank`), for the claim's index. */
    classRank: integer("class_rank").notNull().default(3),
    phase: text().$type<SyncPhase>().notNull().default("discovery"),
    status: text().$type<SyncStatus>().notNull().default("in_progress"),
    startedAtMs: integer("started_at_ms").$type<EpochMs>().notNull().default(now),
    completedAtMs: integer("completed_at_ms").$type<EpochMs>(),
    pausedAtMs: integer("paused_at_ms").$type<EpochMs>(),
    /** 1 when the list was read to its end, 0 when not; null on a row that a hand made: its phase tells. */
    listComplete: integer("list_complete"),
    /** An incremental sync looks at activities that started after this; null: at all. */
    listFromSeconds: integer("list_from_s").$type<EpochSeconds>(),
    /** Where the walk of the list began; null on a row that a hand made, and, till its next page, on one from before this column. */
    listToSeconds: integer("list_to_s").$type<EpochSeconds>(),
    /** Where the next page of the list starts. A row that a hand made starts at the moment of its making. */
    cursorBeforeSeconds: integer("cursor_before_s").$type<EpochSeconds>().notNull().default(sql`(unixepoch())`),
    cursorPage: integer("cursor_page").notNull().default(1),
    cursorResumeBeforeSeconds: integer("cursor_resume_before_s").$type<EpochSeconds>(),
    activitiesListed: integer("activities_listed").notNull().default(0),
    /** Set when the sync ends; while it runs, its races tell. */
    racesEnriched: integer("races_enriched").notNull().default(0),
    racesFailed: integer("races_failed").notNull().default(0),
    requests: integer().notNull().default(0),
    /** Only ever rises: a remedy is verified when it has risen since. */
    batchesCompleted: integer("batches_completed").notNull().default(0),
    lastActivityAtMs: integer("last_activity_at_ms").$type<EpochMs>().notNull().default(now),
    /** When a page was stored or a race settled last; liveness (heartbeats) is kept apart, on the batch. */
    lastProgressAtMs: integer("last_progress_at_ms").$type<EpochMs>().notNull().default(now),
    /** Copied from the athlete at the start and moved on by each claim. */
    servedAtMs: integer("served_at_ms").$type<EpochMs>().notNull().default(sql`0`),
    error: text(),
    warnings: text().notNull().default("[]"),
    traceId: text("trace_id"),
  },
  (sync) => [
    uniqueIndex("syncs_one_in_progress_per_athlete").on(sync.athleteId).where(sql`status = 'in_progress'`),
    // Serves readNextDueBatch: the order in which athletes are served.
    index("syncs_serving_order").on(sync.classRank, sync.servedAtMs, sync.id).where(sql`status = 'in_progress'`),
    // Serves readSyncsInProgress, a page at a time.
    index("syncs_in_progress").on(sync.id).where(sql`status = 'in_progress'`),
    // Serves readRecentSyncs and pruneHistory.
    index("syncs_ended").on(sync.completedAtMs, sync.id).where(sql`status <> 'in_progress'`),
    // Serves the list of one athlete's syncs.
    index("syncs_of_athlete").on(sync.athleteId, sync.id),
    // Serves mendUnknownStates: ended in a way that only a hand can write.
    index("syncs_unknown")
      .on(sync.id)
      .where(
        sql`status NOT IN ('in_progress', 'completed', 'failed', 'cancelled') OR (status <> 'in_progress' AND completed_at_ms IS NULL)`,
      ),
    check("syncs_mode", sql`mode IN ('full', 'incremental')`),
    check("syncs_class", sql`class IN ('manual', 'event', 'connect', 'schedule')`),
    check("syncs_phase", sql`phase IN ('discovery', 'enrichment')`),
    check("syncs_status", sql`status IN ('in_progress', 'completed', 'failed', 'cancelled')`),
    check("syncs_ended_has_time", sql`(status = 'in_progress') = (completed_at_ms IS NULL)`),
    check("syncs_list_complete", sql`list_complete IN (0, 1)`),
    check("syncs_cursor", sql`cursor_page >= 1`),
  ],
);

export const batches = sqliteTable(
  "batches",
  {
    id: integer().$type<BatchId>().primaryKey({ autoIncrement: true }),
    syncId: integer("sync_id")
      .$type<SyncId>()
      .notNull()
      .references(() => syncs.id, { onDelete: "cascade" }),
    number: integer().notNull(),
    type: text().$type<BatchType>().notNull(),
    status: text().$type<BatchStatus>().notNull().default("pending"),
    attempts: integer().notNull().default(0),
    /** How many races it was made for (1 page in discovery): what a smaller batch after it is measured by. */
    size: integer().notNull().default(1),
    /** Executions so far, whether or not they spent an attempt; each was a trace. */
    runs: integer().notNull().default(0),
    runAfterMs: integer("run_after_ms").$type<EpochMs>().notNull().default(sql`0`),
    waitReason: text("wait_reason").$type<WaitReason>(),
    /** The moment that the wait is for; `run_after_ms` is at most a little later. */
    waitsUntilMs: integer("waits_until_ms").$type<EpochMs>(),
    leaseToken: text("lease_token").$type<LeaseToken>(),
    leaseExpiresAtMs: integer("lease_expires_at_ms").$type<EpochMs>(),
    leasedAtMs: integer("leased_at_ms").$type<EpochMs>(),
    heartbeatAtMs: integer("heartbeat_at_ms").$type<EpochMs>(),
    /** Random for each start of the daemon: whose run this was, whatever the clocks say. */
    owner: text(),
    /** Deaths of the daemon during this batch, in a row, without progress in between. */
    deaths: integer().notNull().default(0),
    /** 1 when it failed by its own doing for good: what replaces it is smaller. */
    exhausted: integer().notNull().default(0),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull().default(now),
    startedAtMs: integer("started_at_ms").$type<EpochMs>(),
    completedAtMs: integer("completed_at_ms").$type<EpochMs>(),
    error: text(),
    requests: integer().notNull().default(0),
    activitiesFetched: integer("activities_fetched").notNull().default(0),
    racesAdded: integer("races_added").notNull().default(0),
    racesEnriched: integer("races_enriched").notNull().default(0),
    racesFailed: integer("races_failed").notNull().default(0),
    traceId: text("trace_id"),
    spanId: text("span_id"),
  },
  (batch) => [
    uniqueIndex("batches_number").on(batch.syncId, batch.number),
    // One live page per sync: twins are refused here.
    uniqueIndex("batches_one_live_page")
      .on(batch.syncId)
      .where(sql`type = 'discovery' AND status IN ('pending', 'processing')`),
    // Serves readNextDueBatch and readLiveBatchesOf.
    index("batches_live")
      .on(batch.syncId, batch.status, batch.runAfterMs, batch.number)
      .where(sql`status IN ('pending', 'processing')`),
    // Serves nextDueAtMs.
    index("batches_due").on(batch.runAfterMs).where(sql`status = 'pending'`),
    // Serves readProcessingBatches: what a former process left.
    index("batches_processing").on(batch.id).where(sql`status = 'processing'`),
    // Serves mendUnknownStates, as does `races_unknown`.
    index("batches_unknown")
      .on(batch.id)
      .where(sql`status NOT IN ('pending', 'processing', 'completed', 'failed', 'cancelled')`),
    check("batches_type", sql`type IN ('discovery', 'enrichment')`),
    check("batches_status", sql`status IN ('pending', 'processing', 'completed', 'failed', 'cancelled')`),
    check(
      "batches_processing_has_lease",
      sql`(status = 'processing') = (lease_token IS NOT NULL AND lease_expires_at_ms IS NOT NULL)`,
    ),
    check(
      "batches_ended_has_time",
      sql`(status IN ('completed', 'failed', 'cancelled')) = (completed_at_ms IS NOT NULL)`,
    ),
    // Not of `attempts` and `number`: a hand may write anything there, and no claim may fail over it.
    check("batches_counts", sql`size >= 1 AND runs >= 0`),
    check(
      "batches_wait_reason",
      sql`wait_reason IN ('quota_15min', 'quota_daily', 'quota_reserve', 'backoff', 'strava_unavailable', 'app_inactive')`,
    ),
  ],
);

/** Activities that a sync in discovery has listed so far: pages overlap, and each activity counts once. */
export const listedActivities = sqliteTable(
  "listed_activities",
  {
    syncId: integer("sync_id")
      .$type<SyncId>()
      .notNull()
      .references(() => syncs.id, { onDelete: "cascade" }),
    stravaActivityId: integer("strava_activity_id").notNull(),
  },
  (listed) => [primaryKey({ columns: [listed.syncId, listed.stravaActivityId] })],
);

export const races = sqliteTable(
  "races",
  {
    id: integer().$type<RaceId>().primaryKey({ autoIncrement: true }),
    athleteId: integer("athlete_id")
      .$type<AthleteId>()
      .notNull()
      .references(() => athletes.id, { onDelete: "cascade" }),
    stravaActivityId: integer("strava_activity_id").notNull(),
    name: text().notNull().default(""),
    sportType: text("sport_type").notNull().default(""),
    distanceMeters: real("distance_m").notNull().default(0),
    movingSeconds: integer("moving_s").notNull().default(0),
    elapsedSeconds: integer("elapsed_s").notNull().default(0),
    elevationGainMeters: real("elevation_gain_m"),
    startAtMs: integer("start_at_ms").$type<EpochMs>().notNull().default(sql`0`),
    /** Local wall time without a zone, as the athlete saw it. */
    startLocal: text("start_local").notNull().default(""),
    timezone: text(),
    utcOffsetSeconds: real("utc_offset_s"),
    /** Nobody but the operator sees a race until Strava says otherwise. */
    visibility: text().$type<Visibility>().notNull().default("only_me"),
    summaryPolyline: text("summary_polyline"),
    /** Of the listed fields: when it changes, the detail is fetched again. */
    fingerprint: text().notNull().default(""),
    polyline: text(),
    description: text(),
    enrichment: text().$type<Enrichment>().notNull().default("pending"),
    enrichmentError: text("enrichment_error"),
    enrichedAtMs: integer("enriched_at_ms").$type<EpochMs>(),
    /** Runs that failed on this very race. */
    attempts: integer().notNull().default(0),
    /** The batch that is to enrich it, or that did. No foreign key: a batch may go, its races stay. */
    batchId: integer("batch_id").$type<BatchId>(),
    firstSeenAtMs: integer("first_seen_at_ms").$type<EpochMs>().notNull().default(now),
    lastSeenAtMs: integer("last_seen_at_ms").$type<EpochMs>().notNull().default(now),
    /** The sync that enriched it last: what its count of enriched races is made of. */
    settledInSyncId: integer("settled_in_sync_id").$type<SyncId>(),
    /** The sync whose list showed it last: a complete list withdraws what it no longer shows. */
    seenInSyncId: integer("seen_in_sync_id").$type<SyncId>(),
    /** The sync in which Strava last answered 404 to its detail; null since a detail came, or failed otherwise. */
    notFoundInSyncId: integer("not_found_in_sync_id").$type<SyncId>(),
    withdrawnAtMs: integer("withdrawn_at_ms").$type<EpochMs>(),
    withdrawnReason: text("withdrawn_reason"),
    /** When what Strava said of a withdrawn race was wiped; the row is left as a tombstone. */
    wipedAtMs: integer("wiped_at_ms").$type<EpochMs>(),
    hidden: integer().notNull().default(0),
    /** What an admin wrote instead; a sync never touches these (I9). */
    editedName: text("edited_name"),
    editedDistanceMeters: real("edited_distance_m"),
    editedMovingSeconds: integer("edited_moving_s"),
  },
  (race) => [
    uniqueIndex("races_activity").on(race.athleteId, race.stravaActivityId),
    // Serves the plan: what still needs enrichment, newest first.
    index("races_pending").on(race.athleteId, race.startAtMs, race.id).where(sql`enrichment = 'pending'`),
    // Serves the health check: which batches an athlete's pending races are bound to, read by one entry a batch.
    index("races_pending_by_batch").on(race.athleteId, race.batchId).where(sql`enrichment = 'pending'`),
    // Serves the races of a batch, and how many a sync enriched.
    index("races_of_batch").on(race.batchId, race.enrichment),
    // Serves withdrawal after a complete list, and the list of one athlete's races.
    index("races_of_athlete").on(race.athleteId, race.startAtMs),
    // Serves mendUnknownStates: empty, unless a hand wrote a word that is no state.
    index("races_unknown").on(race.id).where(sql`enrichment NOT IN ('pending', 'enriched', 'unavailable', 'failed')`),
    // Serves the list of all races, newest first.
    index("races_newest").on(race.startAtMs, race.id),
    // Serves wipeWithdrawn and deleteTombstones: what Strava no longer shows, the longest ago first.
    index("races_withdrawn").on(race.withdrawnAtMs).where(sql`withdrawn_at_ms IS NOT NULL`),
    check("races_enrichment", sql`enrichment IN ('pending', 'enriched', 'unavailable', 'failed')`),
    check("races_visibility", sql`visibility IN ('everyone', 'followers_only', 'only_me')`),
    check("races_failed_has_reason", sql`enrichment <> 'failed' OR enrichment_error IS NOT NULL`),
    check("races_hidden", sql`hidden IN (0, 1)`),
  ],
);

export const findings = sqliteTable(
  "findings",
  {
    id: integer().$type<FindingId>().primaryKey({ autoIncrement: true }),
    kind: text().notNull(),
    syncId: integer("sync_id").$type<SyncId>(),
    athleteId: integer("athlete_id").$type<AthleteId>(),
    batchId: integer("batch_id").$type<BatchId>(),
    detectedAtMs: integer("detected_at_ms").$type<EpochMs>().notNull().default(now),
    /** When the trouble began, as far as the rows tell: what time to detect is measured from. */
    beganAtMs: integer("began_at_ms").$type<EpochMs>(),
    message: text().notNull().default(""),
    /** JSON: the numbers that crossed which threshold. */
    evidence: text().notNull().default("{}"),
    /** JSON: the remedy, with the guard that it was given. */
    remedy: text().notNull().default("null"),
    remediedAtMs: integer("remedied_at_ms").$type<EpochMs>(),
    /** `syncs.batches_completed` when the remedy was applied. */
    batchesCompletedBefore: integer("batches_completed_before").notNull().default(0),
    /** 1 when the daemon's own restart made it necessary: not counted against the remedies. */
    ownRestart: integer("own_restart").notNull().default(0),
    /** 1 when its target turned out to have been alive. */
    falseRemedy: integer("false_remedy").notNull().default(0),
    outcome: text().$type<FindingOutcome>().notNull().default("pending"),
    settledAtMs: integer("settled_at_ms").$type<EpochMs>(),
    traceId: text("trace_id"),
  },
  (finding) => [
    // One finding a trouble: while one is open, the same trouble is not found twice.
    uniqueIndex("findings_one_open_a_trouble")
      .on(finding.kind, sql`ifnull(sync_id, 0)`, sql`ifnull(batch_id, 0)`)
      .where(sql`outcome IN ('proposed', 'pending')`),
    // Serves the verdicts of each check.
    index("findings_open").on(finding.syncId, finding.id).where(sql`outcome IN ('proposed', 'pending')`),
    // Serves the findings of one sync, and its budget of remedies.
    index("findings_of_sync").on(finding.syncId, finding.detectedAtMs),
    // Serves pruneHistory.
    index("findings_settled").on(finding.settledAtMs).where(sql`settled_at_ms IS NOT NULL`),
    check("findings_outcome", sql`outcome IN ('proposed', 'pending', 'verified', 'failed', 'superseded')`),
    check("findings_settled_has_time", sql`(outcome IN ('proposed', 'pending')) = (settled_at_ms IS NULL)`),
  ],
);

export const syncLogs = sqliteTable(
  "sync_logs",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    syncId: integer("sync_id")
      .$type<SyncId>()
      .notNull()
      .references(() => syncs.id, { onDelete: "cascade" }),
    batchId: integer("batch_id").$type<BatchId>(),
    atMs: integer("at_ms").$type<EpochMs>().notNull(),
    level: text().notNull(),
    event: text().notNull(),
    message: text().notNull(),
    traceId: text("trace_id"),
  },
  (log) => [
    index("sync_logs_of_sync").on(log.syncId, log.id),
    check("sync_logs_level", sql`level IN ('debug', 'info', 'warn', 'error')`),
  ],
);

export type FindingRow = typeof findings.$inferSelect;
export type SyncRow = typeof syncs.$inferSelect;
export type BatchRow = typeof batches.$inferSelect;
export type RaceRow = typeof races.$inferSelect;
