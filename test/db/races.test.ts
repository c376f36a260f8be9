import { expect, test } from "bun:test";
import type { DetailedActivity } from "../../src/core/activity.ts";
import { listFingerprint } from "../../src/core/race.ts";
import { type AthleteId, type BatchId, epochMs, type RaceId, SECOND_MS, type SyncId } from "../../src/core/units.ts";
import { forgetListed, noteListed } from "../../src/db/listed-activities.ts";
import type { Db } from "../../src/db/open.ts";
import { editRace, readRace, readRaces } from "../../src/db/race-queries.ts";
import {
  bindUnserved,
  countPending,
  countUnserved,
  countVanished,
  failExhausted,
  markSeen,
  readRacesOfBatch,
  retryFailedRaces,
  storeDetail,
  storeListedRace,
  storeNoDetail,
  tallyOfSync,
  withdrawIfHeld,
  withdrawVanished,
} from "../../src/db/races.ts";
import { races } from "../../src/db/schema.ts";
import { activity, insertAthlete, insertBatch, insertRace, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

type Scene = { db: Db; athlete: AthleteId; sync: SyncId };
/** An athlete with a sync in enrichment. */
function scene(): Scene {
  const db = emptyDb();
  const athlete = insertAthlete(db);
  return { db, athlete, sync: insertSync(db, { athleteId: athlete, phase: "enrichment" }) };
}
/** What the list shows at `nowMs`; the one race unless told otherwise. */
function list({ db, athlete, sync }: Scene, shown: Partial<DetailedActivity> = {}, nowMs = NOW): boolean {
  const race = activity(shown);
  return storeListedRace(db, {
    athleteId: athlete,
    activity: race,
    fingerprint: listFingerprint(race),
    syncId: sync,
    nowMs,
  });
}
const onlyRace = (db: Db) => db.select().from(races).get();
const batchOf = ({ db, sync }: Scene, values: Parameters<typeof insertBatch>[1] = {}) =>
  insertBatch(db, { syncId: sync, ...values });
const raceOf = ({ db, athlete }: Scene, values: Parameters<typeof insertRace>[1] = {}) =>
  insertRace(db, { athleteId: athlete, ...values });

test("a race that the list shows for the first time is stored as it is shown, and needs enrichment", () => {
  const s = scene();
  expect(list(s)).toBe(true);
  expect(onlyRace(s.db)).toMatchObject({
    athleteId: s.athlete,
    stravaActivityId: 16_500_000_000,
    name: "City run",
    sportType: "Run",
    distanceMeters: 10_012.5,
    movingSeconds: 2_501,
    elapsedSeconds: 2_510,
    elevationGainMeters: 42.4,
    startAtMs: NOW,
    startLocal: "2025-11-17T10:12:52",
    utcOffsetSeconds: 39_600,
    visibility: "everyone",
    summaryPolyline: "coarse",
    polyline: null,
    description: null,
    enrichment: "pending",
    firstSeenAtMs: NOW,
    lastSeenAtMs: NOW,
    seenInSyncId: s.sync,
  });
});

/** A race that was listed and enriched, with an edit of an admin's. */
function enriched(s: Scene, values: Parameters<typeof insertRace>[1] = {}): RaceId {
  const detail = activity();
  return raceOf(s, {
    stravaActivityId: detail.stravaActivityId,
    fingerprint: listFingerprint(detail),
    enrichment: "enriched",
    enrichedAtMs: later(-5),
    polyline: "full",
    description: "A fast course.",
    attempts: 2,
    batchId: 7 as BatchId,
    ...values,
  });
}

test("a race that is listed unchanged is seen again, and its detail is not fetched again", () => {
  const s = scene();
  const id = enriched(s);
  expect(list(s, {}, later(60))).toBe(false);
  expect(readRace(s.db, id)).toMatchObject({
    enrichment: "enriched",
    polyline: "full",
    description: "A fast course.",
    attempts: 2,
    batchId: 7,
    firstSeenAtMs: NOW,
    lastSeenAtMs: later(60),
    seenInSyncId: s.sync,
  });
});

test("a race whose listed fields changed is pending again with fresh attempts, and keeps its detail meanwhile", () => {
  const s = scene();
  const id = enriched(s);
  expect(list(s, { name: "City run, corrected" })).toBe(false);
  expect(readRace(s.db, id)).toMatchObject({
    name: "City run, corrected",
    enrichment: "pending",
    attempts: 0,
    polyline: "full",
    enrichedAtMs: later(-5),
  });
});

test("what only the list tells (visibility) is taken over without a new detail", () => {
  const s = scene();
  const id = enriched(s);
  list(s, { visibility: "only_me" });
  expect(readRace(s.db, id)).toMatchObject({ visibility: "only_me", enrichment: "enriched" });
});

test("a failed race that is listed unchanged stays failed with its reason; a changed one gets another try", () => {
  const s = scene();
  const id = enriched(s, { enrichment: "failed", enrichmentError: "Strava answered 500" });
  list(s);
  expect(readRace(s.db, id)).toMatchObject({
    enrichment: "failed",
    enrichmentError: "Strava answered 500",
    attempts: 2,
  });
  list(s, { distanceMeters: 5_000 });
  expect(readRace(s.db, id)).toMatchObject({ enrichment: "pending", enrichmentError: null, attempts: 0 });
});

test("an unavailable race that is listed again is visible again: pending, with fresh attempts", () => {
  const s = scene();
  const id = enriched(s, { enrichment: "unavailable" });
  list(s);
  expect(readRace(s.db, id)).toMatchObject({ enrichment: "pending", enrichmentError: null, attempts: 0 });
});

test("a withdrawn race that is listed again is back, with its detail where that still holds", () => {
  const s = scene();
  const id = enriched(s, { withdrawnAtMs: later(-9), withdrawnReason: "no longer in the list" });
  list(s);
  expect(readRace(s.db, id)).toMatchObject({ withdrawnAtMs: null, withdrawnReason: null, enrichment: "enriched" });
});

test("I9: what an admin edited or hid survives being listed, changed, withdrawn, back and enriched", () => {
  const s = scene();
  const id = enriched(s);
  editRace(s.db, id, { name: "Club champs", distanceMeters: 10_000, movingSeconds: 2_500, hidden: true });
  const edits = { editedName: "Club champs", editedDistanceMeters: 10_000, editedMovingSeconds: 2_500, hidden: 1 };
  list(s, { name: "Other", distanceMeters: 1, movingSeconds: 1 });
  expect(readRace(s.db, id)).toMatchObject(edits);
  withdrawIfHeld(s.db, s.athlete, 16_500_000_000, NOW, "no longer tagged as a race");
  list(s, { name: "Another" });
  const batch = batchOf(s);
  bindUnserved(s.db, { athleteId: s.athlete, syncId: s.sync, exhaustedSize: undefined, limit: 5 }, batch);
  expect(storeDetail(s.db, { id, batchId: batch, syncId: s.sync, activity: activity(), nowMs: NOW })).toBe(true);
  expect(readRace(s.db, id)).toMatchObject(edits);
});

test("two athletes may hold the same activity; each has their own race", () => {
  const s = scene();
  const other = insertAthlete(s.db);
  list(s);
  expect(list({ ...s, athlete: other })).toBe(true);
  expect(countPending(s.db, s.athlete)).toBe(1);
  expect(countPending(s.db, other)).toBe(1);
});

test("a listed activity that is no race withdraws the one that is held, once, and asks nothing more of it", () => {
  const s = scene();
  const [pending, done] = [
    raceOf(s, { stravaActivityId: 1, batchId: 3 as BatchId }),
    raceOf(s, { stravaActivityId: 2, enrichment: "enriched" }),
  ];
  const withdraw = (activityId: number, nowMs = NOW) => withdrawIfHeld(s.db, s.athlete, activityId, nowMs, "untagged");
  expect([withdraw(1), withdraw(2), withdraw(3)]).toEqual([true, true, false]);
  expect(withdraw(1, later(9))).toBe(false);
  expect(readRace(s.db, pending)).toMatchObject({
    withdrawnAtMs: NOW,
    withdrawnReason: "untagged",
    enrichment: "unavailable",
    batchId: null,
  });
  expect(readRace(s.db, done)).toMatchObject({ withdrawnAtMs: NOW, enrichment: "enriched" });
});

test("a race that the list shows but that could not be read is seen, and left as it is", () => {
  const s = scene();
  const id = enriched(s);
  const before = readRace(s.db, id);
  markSeen(s.db, s.athlete, 16_500_000_000, later(4), s.sync);
  expect(readRace(s.db, id)).toEqual({ ...before, lastSeenAtMs: later(4), seenInSyncId: s.sync } as typeof before);
});

test("only what a completely listed range no longer shows is withdrawn: its start is in it, its end is not", () => {
  const s = scene();
  const [from, to] = [later(-1_000 * SECOND_MS), NOW];
  const at = (startAtMs: typeof NOW, values: Parameters<typeof insertRace>[1] = {}) =>
    raceOf(s, { startAtMs, ...values });
  const inside = [at(from), at(epochMs(from + 1)), at(epochMs(to - 1))];
  const outside = [at(epochMs(from - 1)), at(to), at(epochMs(to + 1))];
  const kept = [
    at(later(-5_000), { seenInSyncId: s.sync }),
    at(later(-5_000), { fingerprint: "" }), // added by a hand: no list ever showed it
    at(later(-5_000), { withdrawnAtMs: later(-77), withdrawnReason: "untagged" }),
    insertRace(s.db, { startAtMs: later(-5_000) }), // another athlete's
  ];
  const older = at(later(-6_000), { seenInSyncId: insertSync(s.db, { athleteId: s.athlete, status: "completed" }) });
  const range = { athleteId: s.athlete, syncId: s.sync, fromMs: from, toMs: to };
  expect(countVanished(s.db, range)).toEqual({ held: 8, seen: 1, vanished: 4 });
  expect(withdrawVanished(s.db, range, NOW)).toBe(4);
  const withdrawnAt = (id: RaceId) => readRace(s.db, id)?.withdrawnAtMs;
  expect([...inside, older].map(withdrawnAt)).toEqual([NOW, NOW, NOW, NOW]);
  expect(outside.map(withdrawnAt)).toEqual([null, null, null]);
  expect(kept.map(withdrawnAt)).toEqual([null, null, later(-77), null]);
  expect(withdrawVanished(s.db, range, later(1))).toBe(0);
  // Their details are kept and asked for no more: they may come back.
  expect(readRace(s.db, older)).toMatchObject({ enrichment: "unavailable", batchId: null });
});

test("a detail is stored only by the batch that holds the race, and only while it is pending", () => {
  const s = scene();
  const [own, other] = [batchOf(s), batchOf(s)];
  const id = raceOf(s, { batchId: own, attempts: 3, enrichmentError: "timeout" });
  const store = (batch: BatchId, nowMs = NOW) =>
    storeDetail(s.db, {
      id,
      batchId: batch,
      syncId: s.sync,
      activity: activity({ movingSeconds: 2_500.6 }),
      nowMs,
    });
  const before = readRace(s.db, id);
  expect(store(other)).toBe(false);
  expect(readRace(s.db, id)).toEqual(before as NonNullable<typeof before>);
  expect(store(own)).toBe(true);
  expect(readRace(s.db, id)).toMatchObject({
    enrichment: "enriched",
    enrichmentError: null,
    enrichedAtMs: NOW,
    polyline: "full",
    description: "A fast course.",
    movingSeconds: 2_501,
    fingerprint: before?.fingerprint ?? "none",
    batchId: own,
  });
  expect(store(own, later(9))).toBe(false);
  expect(readRace(s.db, id)?.enrichedAtMs).toBe(NOW);
});

test("a try without a detail is stored only by the batch that holds the race, and only while it is pending", () => {
  const s = scene();
  const [own, other] = [batchOf(s), batchOf(s)];
  const id = raceOf(s, { batchId: own });
  const store = (batchId: BatchId, enrichment: "pending" | "failed", attempts: number) =>
    storeNoDetail(s.db, { id, batchId, enrichment, error: "no", attempts });
  expect(store(other, "failed", 5)).toBe(false);
  expect(readRace(s.db, id)).toMatchObject({ enrichment: "pending", attempts: 0 });
  expect(store(own, "pending", 1)).toBe(true);
  expect(readRace(s.db, id)).toMatchObject({ enrichment: "pending", attempts: 1, enrichmentError: "no" });
  expect(store(own, "failed", 2)).toBe(true);
  expect(store(own, "pending", 3)).toBe(false);
  expect(readRace(s.db, id)).toMatchObject({ enrichment: "failed", attempts: 2, enrichmentError: "no" });
});

test("races are served by live enrichment batches of this very sync, and by nothing else", () => {
  const s = scene();
  const served = [batchOf(s), batchOf(s, { status: "processing" })];
  for (const batchId of served) raceOf(s, { batchId });
  expect(countUnserved(s.db, s.athlete, s.sync)).toEqual([]);
  const former = insertSync(s.db, { athleteId: s.athlete, status: "cancelled", phase: "enrichment" });
  const unserving = [
    undefined,
    batchOf(s, { status: "completed" }),
    batchOf(s, { status: "cancelled" }),
    batchOf(s, { status: "failed" }), // by a hand: not by its own doing
    batchOf(s, { type: "discovery" }),
    insertBatch(s.db, { syncId: former }),
    99_999 as BatchId, // deleted by a hand
  ];
  for (const batchId of unserving) raceOf(s, { batchId: batchId ?? null });
  raceOf(s, { enrichment: "enriched" });
  insertRace(s.db); // another athlete's
  expect(countUnserved(s.db, s.athlete, s.sync)).toEqual([{ exhaustedSize: undefined, count: 7 }]);
  expect(countPending(s.db, s.athlete)).toBe(9);
});

test("races of batches that failed for good are counted by the size that failed", () => {
  const s = scene();
  const exhausted = (size: number) => batchOf(s, { status: "failed", exhausted: 1, size });
  const [seven, alsoSeven, one] = [exhausted(7), exhausted(7), exhausted(1)];
  for (const batchId of [seven, alsoSeven, alsoSeven, one, null]) raceOf(s, { batchId });
  raceOf(s, { batchId: seven, enrichment: "enriched" });
  expect(countUnserved(s.db, s.athlete, s.sync)).toEqual([
    { exhaustedSize: undefined, count: 1 },
    { exhaustedSize: 1, count: 1 },
    { exhaustedSize: 7, count: 3 },
  ]);
  const next = batchOf(s);
  const bind = (exhaustedSize: number | undefined) =>
    bindUnserved(s.db, { athleteId: s.athlete, syncId: s.sync, exhaustedSize, limit: 50 }, next);
  expect(bind(7)).toBe(3);
  expect(bind(3)).toBe(0);
  expect(countUnserved(s.db, s.athlete, s.sync)).toHaveLength(2);
});

test("a batch gets the newest unserved races, no more than it may hold, and lists them newest first", () => {
  const s = scene();
  const [old, newest, middle, twin] = [-30, -10, -20, -20].map((seconds) =>
    raceOf(s, { startAtMs: later(seconds * SECOND_MS) }),
  );
  const taken = raceOf(s, { startAtMs: later(-1), batchId: batchOf(s) });
  const batch = batchOf(s);
  const bind = (limit: number) =>
    bindUnserved(s.db, { athleteId: s.athlete, syncId: s.sync, exhaustedSize: undefined, limit }, batch);
  expect(bind(0)).toBe(0);
  expect(bind(3)).toBe(3);
  const held = () => readRacesOfBatch(s.db, { id: batch, athleteId: s.athlete }).map((race) => race.id);
  expect(held()).toEqual([newest, twin, middle] as RaceId[]);
  expect(bind(3)).toBe(1);
  expect(held().at(-1)).toBe(old as RaceId);
  // A hand may bind another athlete's race: it is none of this batch's.
  insertRace(s.db, { batchId: batch });
  expect(held()).toHaveLength(4);
  expect(readRace(s.db, taken)?.batchId).not.toBe(batch);
});

test("races that failed alone in their batch fail with its reason; those of larger batches stay pending", () => {
  const s = scene();
  const told = raceOf(s, {
    batchId: batchOf(s, { status: "failed", exhausted: 1, size: 1, error: "Strava answered 500" }),
  });
  const untold = raceOf(s, { batchId: batchOf(s, { status: "failed", exhausted: 1, size: 1 }) });
  const larger = raceOf(s, { batchId: batchOf(s, { status: "failed", exhausted: 1, size: 2 }) });
  expect(failExhausted(s.db, s.athlete, s.sync)).toBe(2);
  expect(readRace(s.db, told)).toMatchObject({ enrichment: "failed", enrichmentError: "Strava answered 500" });
  expect(readRace(s.db, untold)?.enrichmentError).toBe("its batch failed for good, even with this race alone");
  expect(readRace(s.db, larger)?.enrichment).toBe("pending");
  expect(failExhausted(s.db, s.athlete, s.sync)).toBe(0);
});

test("a sync's tally counts the races that its own enrichment batches took", () => {
  const s = scene();
  const own = batchOf(s);
  for (const enrichment of ["enriched", "enriched", "failed", "pending"] as const)
    raceOf(s, { batchId: own, enrichment });
  raceOf(s, { batchId: batchOf(s, { type: "discovery" }), enrichment: "enriched" });
  raceOf(s, { batchId: insertBatch(s.db), enrichment: "enriched" });
  expect(Object.fromEntries(tallyOfSync(s.db, s.sync, s.athlete))).toEqual({ enriched: 2, failed: 1, pending: 1 });
});

test("retrying takes an athlete's failed races only, with fresh attempts, and none that were withdrawn", () => {
  const s = scene();
  const failed = raceOf(s, { enrichment: "failed", attempts: 5, batchId: 4 as BatchId });
  const others = [
    raceOf(s, { enrichment: "failed", withdrawnAtMs: NOW }),
    raceOf(s, { enrichment: "unavailable" }),
    raceOf(s, { enrichment: "enriched" }),
    insertRace(s.db, { enrichment: "failed" }),
  ];
  expect(retryFailedRaces(s.db, s.athlete)).toBe(1);
  expect(readRace(s.db, failed)).toMatchObject({
    enrichment: "pending",
    attempts: 0,
    batchId: null,
    enrichmentError: null,
  });
  expect(others.map((id) => readRace(s.db, id)?.enrichment)).toEqual(["failed", "unavailable", "enriched", "failed"]);
});

test("an activity counts once a sync, however many pages show it, and is forgotten when nobody counts", () => {
  const s = scene();
  const other = insertSync(s.db);
  expect([noteListed(s.db, s.sync, 5), noteListed(s.db, s.sync, 5), noteListed(s.db, other, 5)]).toEqual([
    true,
    false,
    true,
  ]);
  forgetListed(s.db, s.sync);
  expect([noteListed(s.db, s.sync, 5), noteListed(s.db, other, 5)]).toEqual([true, false]);
});

test("races are listed newest first, page by page, by what is shown: edits count, withdrawn ones only when asked for", () => {
  const s = scene();
  const at = (startAtMs: typeof NOW, values: Parameters<typeof insertRace>[1] = {}) =>
    raceOf(s, { startAtMs, ...values });
  const old = at(later(-20), { distanceMeters: 5_000, name: "Harbour 5", stravaActivityId: 77 });
  const twin = at(later(-10), { distanceMeters: 21_097, editedDistanceMeters: 10_000, name: "Hills" });
  const newest = at(NOW, { distanceMeters: 42_195, editedName: "100% trail", enrichment: "enriched" });
  const twinAgain = at(later(-10), { distanceMeters: 10_000 });
  const withdrawn = at(later(-30), { withdrawnAtMs: NOW });
  const other = insertRace(s.db, { startAtMs: later(-40) });
  const listed = (filter: object = {}, after?: { startAtMs: number; id: number }, limit = 10) =>
    readRaces(s.db, { includeWithdrawn: false, ...filter }, after, limit).map((race) => race.id);
  expect(listed()).toEqual([newest, twinAgain, twin, old, other]);
  expect(listed({ athleteId: s.athlete, includeWithdrawn: true })).toEqual([newest, twinAgain, twin, old, withdrawn]);
  expect(listed({}, undefined, 2)).toEqual([newest, twinAgain]);
  expect(listed({}, { startAtMs: later(-10), id: twinAgain }, 2)).toEqual([twin, old]);
  expect(listed({ fromMs: later(-20), toMs: NOW })).toEqual([twinAgain, twin, old]);
  expect(listed({ minDistanceMeters: 10_000, maxDistanceMeters: 10_000 })).toEqual([twinAgain, twin]);
  expect(listed({ enrichment: "enriched" })).toEqual([newest]);
  expect([listed({ q: "100%" }), listed({ q: "%" }), listed({ q: "harbour" }), listed({ q: "77" })]).toEqual([
    [newest],
    [newest],
    [old],
    [old],
  ]);
});
