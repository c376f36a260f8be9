import type { DetailedActivity } from "../../src/core/activity.ts";
import type { StravaEvent } from "../../src/core/strava-event.ts";
import {
  type AthleteId,
  type BatchId,
  type EpochMs,
  epochMs,
  epochSeconds,
  leaseToken,
  MINUTE_MS,
  plusMs,
  type RaceId,
  type SyncId,
} from "../../src/core/units.ts";
import type { Db } from "../../src/db/open.ts";
import { batches, races, syncs } from "../../src/db/schema.ts";
import { athletes } from "../../src/db/schema-athletes.ts";

/** 2025-11-16 23:12:52.370 UTC: the moment at which rows of tests are made. */
export const NOW = epochMs(1_763_334_772_370);

/** A number that no other row of these tests has. */
let unique = 0;

/** A connected athlete, unless told otherwise. */
export function insertAthlete(db: Db, values: Partial<typeof athletes.$inferInsert> = {}): AthleteId {
  const row = { stravaId: 26_000_000 + unique++, createdAtMs: NOW, ...values };
  return db.insert(athletes).values(row).returning({ id: athletes.id }).get().id;
}

/** A full sync in discovery that started now, of an athlete of its own; ended ones get the time of their end. */
export function insertSync(db: Db, values: Partial<typeof syncs.$inferInsert> = {}): SyncId {
  const isEnded = values.status !== undefined && values.status !== "in_progress";
  const row = {
    athleteId: values.athleteId ?? insertAthlete(db),
    startedAtMs: NOW,
    lastActivityAtMs: NOW,
    lastProgressAtMs: NOW,
    completedAtMs: isEnded ? NOW : null,
    listComplete: values.phase === "enrichment" ? 1 : 0,
    cursorBeforeSeconds: epochSeconds(Math.floor(NOW / 1_000)),
    ...values,
  };
  return db.insert(syncs).values(row).returning({ id: syncs.id }).get().id;
}

/** An enrichment batch of a sync of its own, pending and due; processing ones get a lease, ended ones their time. */
export function insertBatch(db: Db, values: Partial<typeof batches.$inferInsert> = {}): BatchId {
  const isProcessing = values.status === "processing";
  const isEnded = values.status === "completed" || values.status === "failed" || values.status === "cancelled";
  const lease = {
    leaseToken: leaseToken(`lease-${unique++}`),
    leaseExpiresAtMs: plusMs(NOW, MINUTE_MS),
    leasedAtMs: NOW,
    heartbeatAtMs: NOW,
    owner: "this-boot",
  };
  const row = {
    syncId: values.syncId ?? insertSync(db, { phase: "enrichment" }),
    number: 1 + unique++,
    type: "enrichment" as const,
    createdAtMs: NOW,
    runAfterMs: NOW,
    completedAtMs: isEnded ? NOW : null,
    ...(isProcessing ? lease : {}),
    ...values,
  };
  return db.insert(batches).values(row).returning({ id: batches.id }).get().id;
}

/** A pending race that a list has shown, bound to no batch, of an athlete of its own. */
export function insertRace(db: Db, values: Partial<typeof races.$inferInsert> = {}): RaceId {
  const row = {
    athleteId: values.athleteId ?? insertAthlete(db),
    stravaActivityId: 16_000_000_000 + unique++,
    name: "Parkrun",
    sportType: "Run",
    startAtMs: NOW,
    fingerprint: "listed",
    firstSeenAtMs: NOW,
    lastSeenAtMs: NOW,
    ...(values.enrichment === "failed" ? { enrichmentError: "Strava answered 500" } : {}),
    ...values,
  };
  return db.insert(races).values(row).returning({ id: races.id }).get().id;
}

/** A race as Strava's detail shows it; the list shows the same without the last two fields. */
export function activity(values: Partial<DetailedActivity> = {}): DetailedActivity {
  return {
    stravaActivityId: 16_500_000_000,
    athleteStravaId: 26_462_176,
    name: "City run",
    type: "Run",
    sportType: "Run",
    workoutType: 1,
    distanceMeters: 10_012.5,
    movingSeconds: 2_501,
    elapsedSeconds: 2_510,
    elevationGainMeters: 42.4,
    startMs: NOW,
    startLocal: "2025-11-17T10:12:52",
    timezone: "(GMT+10:00) Australia/Sydney",
    utcOffsetSeconds: 39_600,
    visibility: "everyone",
    summaryPolyline: "coarse",
    manual: false,
    polyline: "full",
    description: "A fast course.",
    ...values,
  };
}

/** One of Strava's events, parsed: an activity was updated. */
export function anEvent(changes: Partial<StravaEvent> = {}): StravaEvent {
  return {
    subscriptionId: 7,
    objectType: "activity",
    objectId: 16_500_000_000,
    aspect: "update",
    ownerId: 26_500_001,
    eventTimeSeconds: 1_763_334_770,
    isDeauthorized: false,
    updatesHash: "",
    ...changes,
  };
}

/** A time after (or before) that of the rows. */
export const later = (durationMs: number): EpochMs => plusMs(NOW, durationMs);
