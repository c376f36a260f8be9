import { describe, expect, test } from "bun:test";
import { DAY_MS, epochMs, MINUTE_MS } from "../../src/core/units.ts";
import { findHeldRace, storeLookedAtRace } from "../../src/db/looked-at-races.ts";
import type { Db } from "../../src/db/open.ts";
import { editRace, readRace } from "../../src/db/race-queries.ts";
import { storeNoDetail, withdrawIfHeld } from "../../src/db/races.ts";
import { stravaEvents } from "../../src/db/schema-connect.ts";
import {
  eraseEventsOf,
  insertEvent,
  type LookedAtEvents,
  nextEventDueAtMs,
  OPEN_EVENTS_LIMIT,
  postponeEvent,
  postponeEventsOf,
  pruneCrowd,
  pruneEvents,
  readDueEvents,
  settleEvent,
  settleEventsOf,
  viewInbox,
} from "../../src/db/strava-events.ts";
import {
  activity,
  anEvent,
  insertAthlete,
  insertBatch,
  insertRace,
  insertSync,
  later,
  NOW,
} from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const { objectId, ownerId } = anEvent();
const lookedAt = (changes: Partial<LookedAtEvents> = {}): LookedAtEvents => ({
  ownerId,
  objectType: "activity",
  objectId,
  throughId: 1_000_000,
  aspects: "all",
  ...changes,
});
const rows = (db: Db) => db.select().from(stravaEvents).orderBy(stravaEvents.id).all();
const openIds = (db: Db) => rows(db).flatMap((row) => (row.settledAtMs === null ? [row.id] : []));

describe("the inbox", () => {
  test("knows an event that is delivered again, also after it was settled", () => {
    const db = emptyDb();
    expect(insertEvent(db, anEvent(), NOW)).toBe("stored");
    expect(insertEvent(db, anEvent(), later(5))).toBe("known");
    settleEvent(db, 1, "stored", later(10));
    expect(insertEvent(db, anEvent(), later(15))).toBe("known");
    expect(rows(db)).toHaveLength(1);
    expect(rows(db)[0]).toMatchObject({ receivedAtMs: NOW, settledAtMs: later(10), outcome: "stored" });
  });

  test("tells events apart that differ in anything", () => {
    const db = emptyDb();
    const others = [
      {},
      { subscriptionId: 8 },
      { objectId: 1 },
      { aspect: "create" },
      { ownerId: 1 },
      { eventTimeSeconds: 1 },
      { objectType: "athlete" },
      { objectType: "athlete", isDeauthorized: true },
      { updatesHash: "renamed" },
    ] as const;
    for (const other of others) expect(insertEvent(db, anEvent(other), NOW)).toBe("stored");
    expect(
      readDueEvents(db, NOW, 50).map(
        ({ id: _id, receivedAtMs: _at, misses: _misses, isOurs: _ours, ...event }) => event,
      ),
    ).toEqual(others.map((other) => anEvent(other)));
  });

  test("holds ids up to 2^53 - 1 exactly", () => {
    const db = emptyDb();
    const largest = anEvent({ objectId: Number.MAX_SAFE_INTEGER, ownerId: Number.MAX_SAFE_INTEGER - 1 });
    insertEvent(db, largest, NOW);
    expect(readDueEvents(db, NOW, 1)).toMatchObject([largest]);
  });

  test("is full at its limit, not before; what is known is known all the same, and a settled one makes room", () => {
    const db = emptyDb();
    db.$client.run(
      `INSERT INTO strava_events (received_at_ms, subscription_id, object_type, object_id, aspect, owner_id, event_time_s)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${OPEN_EVENTS_LIMIT - 1}) SELECT ${NOW}, 7, 'activity', i, 'create', 1, 1 FROM n`,
    );
    expect(insertEvent(db, anEvent(), NOW)).toBe("stored");
    expect(viewInbox(db).open).toBe(OPEN_EVENTS_LIMIT);
    expect(insertEvent(db, anEvent({ objectId: 1_000_000 }), NOW)).toBe("full");
    expect(insertEvent(db, anEvent(), NOW)).toBe("known");
    settleEvent(db, 1, "no_matter", NOW);
    expect(insertEvent(db, anEvent({ objectId: 1_000_000 }), NOW)).toBe("stored");
  });

  test("says how many are open and since when, and forgets what was settled long ago, a few at a time", () => {
    const db = emptyDb();
    expect(viewInbox(db)).toEqual({ open: 0, oldestReceivedAtMs: null });
    for (let n = 1; n <= 5; n++) insertEvent(db, anEvent({ objectId: n }), later(n));
    expect(viewInbox(db)).toEqual({ open: 5, oldestReceivedAtMs: later(1) });
    for (const [id, atMs] of [
      [1, NOW],
      [2, later(1)],
      [3, later(2)],
    ] as const)
      settleEvent(db, id, "stored", atMs);
    expect(viewInbox(db)).toEqual({ open: 2, oldestReceivedAtMs: later(4) });
    expect([pruneEvents(db, later(2), 1), pruneEvents(db, later(2), 20), pruneEvents(db, later(2), 20)]).toEqual([
      1, 1, 0,
    ]);
    expect(rows(db).map((row) => row.id)).toEqual([3, 4, 5]);
  });

  test("keeps no more than so many of the newest once they are settled; open ones always", () => {
    const db = emptyDb();
    for (let n = 1; n <= 6; n++) insertEvent(db, anEvent({ objectId: n }), NOW);
    for (const id of [1, 3, 4, 5, 6]) settleEvent(db, id, "stored", NOW);
    expect([pruneCrowd(db, 2, 1), pruneCrowd(db, 2, 20), pruneCrowd(db, 2, 20)]).toEqual([1, 2, 0]);
    expect(rows(db).map((row) => row.id)).toEqual([2, 5, 6]);
  });

  test("forgets all of an athlete who is erased", () => {
    const db = emptyDb();
    insertEvent(db, anEvent(), NOW);
    insertEvent(db, anEvent({ objectId: 5 }), NOW);
    insertEvent(db, anEvent({ ownerId: 5 }), NOW);
    settleEvent(db, 1, "stored", NOW);
    eraseEventsOf(db, ownerId);
    expect(rows(db).map((row) => row.id)).toEqual([3]);
  });
});

describe("what is due", () => {
  test("comes in the order of its time, then of its coming; what is not due yet says when", () => {
    const db = emptyDb();
    for (let n = 1; n <= 4; n++) insertEvent(db, anEvent({ objectId: n }), NOW);
    postponeEvent(db, 1, later(MINUTE_MS));
    postponeEvent(db, 3, epochMs(NOW - 1));
    settleEvent(db, 2, "stored", NOW);
    const dueAt = (atMs: number) => readDueEvents(db, epochMs(atMs), 10).map(({ id }) => id);
    expect([dueAt(NOW - 1), dueAt(NOW), dueAt(NOW + MINUTE_MS - 1), dueAt(NOW + MINUTE_MS)]).toEqual([
      [3],
      [3, 4],
      [3, 4],
      [3, 4, 1],
    ]);
    expect(readDueEvents(db, later(DAY_MS), 2)).toHaveLength(2);
    expect(nextEventDueAtMs(db, NOW)).toBe(later(MINUTE_MS));
    expect(nextEventDueAtMs(db, later(MINUTE_MS))).toBeUndefined();
  });
});

describe("one look", () => {
  /** 1 create, 2 update, 3 delete, 4 update that came later; 5 and 6 of others. */
  function scene(): Db {
    const db = emptyDb();
    const events = [
      { aspect: "create" },
      { eventTimeSeconds: 2 },
      { aspect: "delete" },
      { eventTimeSeconds: 4 },
      { objectId: 5 },
      { ownerId: 5 },
    ] as const;
    for (const [n, event] of events.entries()) insertEvent(db, anEvent(event), later(n));
    return db;
  }

  test("settles all open events of its object, due or not, and none that came after it began", () => {
    const db = scene();
    postponeEvent(db, 2, later(DAY_MS));
    const settled = { outcome: "stored", nowMs: later(50) } as const;
    expect(settleEventsOf(db, lookedAt({ throughId: 3 }), settled)).toBe(3);
    expect(openIds(db)).toEqual([4, 5, 6]);
    expect(settleEventsOf(db, lookedAt({ throughId: 3 }), settled)).toBe(0);
  });

  test("settles ends and changes apart where they part", () => {
    const db = scene();
    settleEventsOf(db, lookedAt({ aspects: "delete" }), { outcome: "withdrawn", nowMs: NOW });
    expect(openIds(db)).toEqual([1, 2, 4, 5, 6]);
    settleEventsOf(db, lookedAt({ aspects: "change" }), { outcome: "refused", nowMs: NOW, receivedUntilMs: later(1) });
    expect(openIds(db)).toEqual([4, 5, 6]);
  });

  test("an athlete's events are not an activity's, were their ids the same", () => {
    const db = emptyDb();
    insertEvent(db, anEvent({ objectId: ownerId, objectType: "athlete", isDeauthorized: true }), NOW);
    insertEvent(db, anEvent({ objectId: ownerId }), NOW);
    settleEventsOf(db, lookedAt({ objectId: ownerId, objectType: "athlete" }), { outcome: "false_alarm", nowMs: NOW });
    expect(openIds(db)).toEqual([2]);
  });

  test("puts off what was due, and leaves to the others their own time and count", () => {
    const db = scene();
    postponeEvent(db, 2, later(DAY_MS));
    postponeEventsOf(db, lookedAt({ aspects: "change", throughId: 4 }), {
      atMs: later(MINUTE_MS),
      misses: 2,
      error: "Strava failed to answer (500)",
      nowMs: later(10),
    });
    expect(rows(db).map((row) => [row.runAfterMs, row.attempts, row.error])).toEqual([
      [later(MINUTE_MS), 2, "Strava failed to answer (500)"],
      [later(DAY_MS), 0, null],
      [later(2), 0, null],
      [later(MINUTE_MS), 2, "Strava failed to answer (500)"],
      [later(4), 0, null],
      [later(5), 0, null],
    ]);
    expect(readDueEvents(db, later(MINUTE_MS), 10).map((event) => event.misses)).toEqual([0, 0, 0, 2, 2]);
  });
});

describe("a race that a look has seen", () => {
  const seen = activity({ description: "New words", polyline: "full" });
  const race = (db: Db, athleteId: ReturnType<typeof insertAthlete>) => {
    const id = findHeldRace(db, athleteId, seen.stravaActivityId);
    const row = id === undefined ? undefined : readRace(db, id);
    if (row === undefined) throw new Error("it is not held");
    return row;
  };

  test("is stored as listed and enriched at once when it is new", () => {
    const db = emptyDb();
    const athleteId = insertAthlete(db);
    expect(findHeldRace(db, athleteId, seen.stravaActivityId)).toBeUndefined();
    storeLookedAtRace(db, { athleteId, activity: seen, syncId: null, nowMs: NOW });
    expect(race(db, athleteId)).toMatchObject({
      name: "City run",
      enrichment: "enriched",
      polyline: "full",
      description: "New words",
      firstSeenAtMs: NOW,
      lastSeenAtMs: NOW,
      enrichedAtMs: NOW,
      seenInSyncId: null,
    });
  });

  for (const enrichment of ["pending", "enriched", "unavailable", "failed"] as const) {
    test(`is enriched where it was ${enrichment}, withdrawn or not; what an admin did stays, and so does its batch (I9)`, () => {
      const db = emptyDb();
      const athleteId = insertAthlete(db);
      const batchId = insertBatch(db, { syncId: insertSync(db, { athleteId, phase: "enrichment" }) });
      const id = insertRace(db, {
        athleteId,
        stravaActivityId: seen.stravaActivityId,
        enrichment,
        batchId,
        attempts: 3,
      });
      editRace(db, id, { name: "Ours", hidden: true });
      storeLookedAtRace(db, { athleteId, activity: seen, syncId: null, nowMs: later(5) });
      const stored = { enrichment: "enriched", enrichmentError: null, attempts: 0, polyline: "full", batchId } as const;
      expect(race(db, athleteId)).toMatchObject({ ...stored, editedName: "Ours", hidden: 1, name: "City run" });
      // A batch that asked for it meanwhile finds it done, and spoils nothing.
      expect(storeNoDetail(db, { id, batchId, enrichment: "failed", error: "500", attempts: 5 })).toBe(false);
      withdrawIfHeld(db, athleteId, seen.stravaActivityId, later(6), "gone");
      expect(findHeldRace(db, athleteId, seen.stravaActivityId)).toBeUndefined();
      storeLookedAtRace(db, { athleteId, activity: seen, syncId: null, nowMs: later(7) });
      expect(race(db, athleteId)).toMatchObject({
        ...stored,
        batchId: null,
        withdrawnAtMs: null,
        withdrawnReason: null,
      });
    });
  }

  test("stays among what the list of a sync has shown, though no sync is in progress by now", () => {
    const db = emptyDb();
    const athleteId = insertAthlete(db);
    const syncId = insertSync(db, { athleteId });
    insertRace(db, { athleteId, stravaActivityId: seen.stravaActivityId, seenInSyncId: syncId });
    storeLookedAtRace(db, { athleteId, activity: seen, syncId: null, nowMs: later(5) });
    expect(race(db, athleteId)).toMatchObject({ seenInSyncId: syncId, lastSeenAtMs: later(5) });
    const next = insertSync(db, { athleteId, status: "completed" });
    storeLookedAtRace(db, { athleteId, activity: seen, syncId: next, nowMs: later(6) });
    expect(race(db, athleteId)).toMatchObject({ seenInSyncId: next });
  });

  test("is back also where a sync was told 404 for its detail: this was its detail", () => {
    const db = emptyDb();
    const athleteId = insertAthlete(db);
    const notFoundInSyncId = insertSync(db, { athleteId });
    insertRace(db, {
      athleteId,
      stravaActivityId: seen.stravaActivityId,
      enrichment: "unavailable",
      notFoundInSyncId,
      withdrawnAtMs: NOW,
      withdrawnReason: "no longer shown",
    });
    storeLookedAtRace(db, { athleteId, activity: seen, syncId: null, nowMs: later(5) });
    expect(race(db, athleteId)).toMatchObject({
      enrichment: "enriched",
      withdrawnReason: null,
      notFoundInSyncId: null,
    });
  });

  test("counts as seen by the sync in progress", () => {
    const db = emptyDb();
    const athleteId = insertAthlete(db);
    const syncId = insertSync(db, { athleteId });
    storeLookedAtRace(db, { athleteId, activity: seen, syncId, nowMs: NOW });
    expect(race(db, athleteId).seenInSyncId).toBe(syncId);
  });
});
