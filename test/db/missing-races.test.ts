import { expect, test } from "bun:test";
import { listFingerprint } from "../../src/core/race.ts";
import type { RaceId, SyncId } from "../../src/core/units.ts";
import { askAgainForMissing, storeNotFound } from "../../src/db/missing-races.ts";
import { readRace } from "../../src/db/race-queries.ts";
import { storeDetail, storeListedRace, storeNoDetail } from "../../src/db/races.ts";
import { activity, insertAthlete, insertBatch, insertRace, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

/** An athlete with two syncs, one after the other, each with a batch; and how a race is bound, listed and read. */
function scene() {
  const db = emptyDb();
  const athleteId = insertAthlete(db);
  const first = insertSync(db, { athleteId, status: "completed" });
  const second = insertSync(db, { athleteId, phase: "enrichment" });
  const batches = new Map([first, second].map((syncId) => [syncId, insertBatch(db, { syncId })]));
  const batchOf = (syncId: SyncId) => batches.get(syncId) ?? (0 as never);
  return {
    db,
    athleteId,
    first,
    second,
    batchOf,
    bind(id: RaceId, syncId: SyncId) {
      db.$client.run("UPDATE races SET batch_id = ?2 WHERE id = ?1", [id, batchOf(syncId)]);
      return { id, batchId: batchOf(syncId) };
    },
    list(syncId: SyncId, nowMs = NOW) {
      const race = activity();
      storeListedRace(db, { athleteId, activity: race, fingerprint: listFingerprint(race), syncId, nowMs });
    },
    state: (id: RaceId) => readRace(db, id),
  };
}

test("the first sync that is told 404 makes a race unavailable, a second one withdraws it, and asking again within one sync is no second one", () => {
  const { db, athleteId, first, second, bind, list, state } = scene();
  const id = insertRace(db, { athleteId, stravaActivityId: 16_500_000_000 });
  expect(storeNotFound(db, { ...bind(id, first), syncId: first, nowMs: NOW })).toBe(true);
  expect(state(id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null, notFoundInSyncId: first });
  list(first);
  storeNotFound(db, { ...bind(id, first), syncId: first, nowMs: later(1) });
  expect(state(id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null });
  list(second);
  storeNotFound(db, { ...bind(id, second), syncId: second, nowMs: later(2) });
  expect(state(id)).toMatchObject({ withdrawnAtMs: later(2), withdrawnReason: "no longer shown" });
});

test("a 404 is stored only by the batch that holds the race, and only while it is pending", () => {
  const { db, athleteId, first, second, batchOf, bind, state } = scene();
  const id = insertRace(db, { athleteId });
  bind(id, second);
  expect(storeNotFound(db, { id, batchId: batchOf(first), syncId: first, nowMs: NOW })).toBe(false);
  const enriched = insertRace(db, { athleteId, enrichment: "enriched" });
  expect(storeNotFound(db, { ...bind(enriched, second), syncId: second, nowMs: NOW })).toBe(false);
  expect([state(id)?.enrichment, state(enriched)?.enrichment]).toEqual(["pending", "enriched"]);
});

test("what was withdrawn before keeps its time and reason when a detail says 404 too", () => {
  const { db, athleteId, first, second, bind, state } = scene();
  const values = { withdrawnAtMs: later(-5), withdrawnReason: "no longer in the list", notFoundInSyncId: first };
  const id = insertRace(db, { athleteId, ...values });
  storeNotFound(db, { ...bind(id, second), syncId: second, nowMs: NOW });
  expect(state(id)).toMatchObject({ ...values, notFoundInSyncId: second, enrichment: "unavailable" });
});

test("a list alone does not bring back what a detail was last told is not there; a detail does, and a failure leaves it to the next list", () => {
  for (const [settle, isBack] of [
    ["detail", true],
    ["failure", false],
  ] as const) {
    const { db, athleteId, first, second, bind, list, state } = scene();
    const withdrawn = { withdrawnAtMs: NOW, withdrawnReason: "no longer shown", notFoundInSyncId: first };
    const id = insertRace(db, { athleteId, stravaActivityId: 16_500_000_000, enrichment: "unavailable", ...withdrawn });
    list(second);
    expect(state(id)).toMatchObject({ enrichment: "pending", ...withdrawn });
    const key = bind(id, second);
    if (settle === "detail") storeDetail(db, { ...key, syncId: second, activity: activity(), nowMs: NOW });
    else storeNoDetail(db, { ...key, enrichment: "failed", error: "500", attempts: 5 });
    expect(state(id)).toMatchObject({ notFoundInSyncId: null, withdrawnAtMs: isBack ? null : NOW });
    list(second);
    expect(state(id)).toMatchObject({ withdrawnAtMs: null, withdrawnReason: null });
  }
});

test("asked for again is what the list has just withdrawn, and what was unavailable and the list did not show; nothing else", () => {
  const { db, athleteId, first, second, state } = scene();
  const gone = { withdrawnAtMs: NOW, withdrawnReason: "no longer in the list", seenInSyncId: first };
  const race = (values: Parameters<typeof insertRace>[1]) =>
    insertRace(db, { athleteId, enrichment: "enriched", ...values });
  const asked = [
    race(gone),
    race({ ...gone, enrichment: "failed" }),
    race({ enrichment: "unavailable", seenInSyncId: first }),
  ];
  const left = [
    race({ ...gone, withdrawnAtMs: later(-1) }),
    race({ ...gone, withdrawnReason: "no longer tagged as a race" }),
    race({ enrichment: "unavailable", seenInSyncId: second }),
    race({ enrichment: "unavailable", seenInSyncId: first, withdrawnAtMs: later(-1) }),
    race({ seenInSyncId: first }),
    race({ ...gone, fingerprint: "" }),
    insertRace(db, { enrichment: "enriched", ...gone }),
  ];
  const before = left.map(state);
  expect(askAgainForMissing(db, athleteId, second, NOW)).toBe(3);
  for (const id of asked)
    expect(state(id)).toMatchObject({ enrichment: "pending", enrichmentError: null, attempts: 0, batchId: null });
  expect(left.map(state)).toEqual(before);
});
