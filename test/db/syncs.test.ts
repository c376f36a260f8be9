import { expect, test } from "bun:test";
import { athleteId, epochSeconds, syncId } from "../../src/core/units.ts";
import { readAthlete } from "../../src/db/athletes.ts";
import {
  addWarning,
  countEndedSince,
  endSync,
  insertSync as insertStarted,
  noteActivity,
  noteBatchCompleted,
  noteProgress,
  noteServed,
  readRecentSyncs,
  readSync,
  readSyncInProgress,
  readSyncs,
  readSyncsInProgress,
  setPaused,
  setPhase,
  storeCursor,
} from "../../src/db/syncs.ts";
import { insertAthlete, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const CURSOR = { beforeSeconds: epochSeconds(1_763_000_000), page: 2 };
const END = {
  status: "completed",
  nowMs: later(9),
  error: null,
  racesEnriched: 4,
  racesFailed: 1,
  warnings: ["w"],
} as const;

test("a sync starts with its class as a rank, its cursor, and a list that is complete only where it lists nothing", () => {
  const db = emptyDb();
  const start = (phase: "discovery" | "enrichment") =>
    insertStarted(db, {
      athleteId: insertAthlete(db),
      mode: "incremental",
      syncClass: "connect",
      phase,
      startedAtMs: NOW,
      listFromSeconds: epochSeconds(5),
      cursor: CURSOR,
      servedAtMs: later(-7),
    });
  expect(readSync(db, start("discovery"))).toMatchObject({
    mode: "incremental",
    class: "connect",
    classRank: 2,
    status: "in_progress",
    listComplete: 0,
    listFromSeconds: 5,
    cursorBeforeSeconds: 1_763_000_000,
    cursorPage: 2,
    lastActivityAtMs: NOW,
    lastProgressAtMs: NOW,
    servedAtMs: later(-7),
  });
  expect(readSync(db, start("enrichment"))).toMatchObject({ phase: "enrichment", listComplete: 1 });
});

test("I2: a second sync of an athlete is refused while one is in progress", () => {
  const db = emptyDb();
  const owner = insertAthlete(db);
  const first = insertSync(db, { athleteId: owner });
  expect(() => insertSync(db, { athleteId: owner })).toThrow();
  expect(readSyncInProgress(db, owner)?.id).toBe(first);
  endSync(db, first, END);
  expect(readSyncInProgress(db, owner)).toBeUndefined();
  insertSync(db, { athleteId: owner });
});

test("a sync ends once: whoever comes later changes nothing", () => {
  const db = emptyDb();
  const id = insertSync(db, { pausedAtMs: NOW });
  expect(endSync(db, id, END)).toBe(true);
  const ended = readSync(db, id);
  expect(ended).toMatchObject({
    status: "completed",
    completedAtMs: later(9),
    pausedAtMs: null,
    racesEnriched: 4,
    racesFailed: 1,
    warnings: '["w"]',
  });
  expect(endSync(db, id, { ...END, status: "failed", error: "no" })).toBe(false);
  expect(
    storeCursor(db, id, {
      cursor: CURSOR,
      listToSeconds: CURSOR.beforeSeconds,
      isListComplete: true,
      newlyListed: 5,
      requests: 1,
      nowMs: later(10),
    }),
  ).toBe(false);
  expect(noteProgress(db, id, later(10), 1)).toBe(false);
  expect(setPaused(db, id, later(10))).toBe(false);
  setPhase(db, id, "enrichment", later(10));
  expect(readSync(db, id)).toEqual(ended as NonNullable<typeof ended>);
});

test("a stored page moves the cursor, the counts and the progress; activity alone is no progress", () => {
  const db = emptyDb();
  const id = insertSync(db);
  expect(
    storeCursor(db, id, {
      cursor: CURSOR,
      listToSeconds: CURSOR.beforeSeconds,
      isListComplete: false,
      newlyListed: 200,
      requests: 1,
      nowMs: later(1),
    }),
  ).toBe(true);
  storeCursor(db, id, {
    cursor: CURSOR,
    listToSeconds: CURSOR.beforeSeconds,
    isListComplete: true,
    newlyListed: 3,
    requests: 1,
    nowMs: later(2),
  });
  noteActivity(db, id, later(5), 2);
  expect(readSync(db, id)).toMatchObject({
    cursorPage: 2,
    listComplete: 1,
    activitiesListed: 203,
    requests: 4,
    lastProgressAtMs: later(2),
    lastActivityAtMs: later(5),
  });
  expect(noteProgress(db, id, later(7), 1)).toBe(true);
  expect(readSync(db, id)).toMatchObject({ requests: 5, lastProgressAtMs: later(7), lastActivityAtMs: later(7) });
});

test("a phase goes with what is known of the list", () => {
  const db = emptyDb();
  const id = insertSync(db);
  setPhase(db, id, "enrichment", later(1));
  expect(readSync(db, id)).toMatchObject({ phase: "enrichment", listComplete: 1 });
  setPhase(db, id, "discovery", later(1));
  expect(readSync(db, id)).toMatchObject({ phase: "discovery", listComplete: 0 });
});

test("being served sends sync and athlete to the end of the line, and names the newest trace", () => {
  const db = emptyDb();
  const owner = insertAthlete(db);
  const id = insertSync(db, { athleteId: owner });
  noteServed(db, { id, athleteId: owner }, later(3), "trace-2");
  expect(readSync(db, id)).toMatchObject({ servedAtMs: later(3), traceId: "trace-2", lastProgressAtMs: NOW });
  expect(readAthlete(db, owner)?.lastServedAtMs).toBe(later(3));
  noteBatchCompleted(db, id);
  noteBatchCompleted(db, id);
  expect(readSync(db, id)?.batchesCompleted).toBe(2);
});

test("pausing and resuming each change a sync once", () => {
  const db = emptyDb();
  const id = insertSync(db);
  expect([setPaused(db, id, NOW), setPaused(db, id, later(1))]).toEqual([true, false]);
  expect(readSync(db, id)?.pausedAtMs).toBe(NOW);
  expect([setPaused(db, id, null), setPaused(db, id, null)]).toEqual([true, false]);
  expect(setPaused(db, syncId(99), NOW)).toBe(false);
});

test("warnings are kept as they are said, quotes and all", () => {
  const db = emptyDb();
  const id = insertSync(db);
  addWarning(db, id, `a "list" that isn't`);
  addWarning(db, id, "second");
  expect(JSON.parse(readSync(db, id)?.warnings ?? "")).toEqual([`a "list" that isn't`, "second"]);
});

test("syncs in progress come by id a page at a time, ended ones the newest end first", () => {
  const db = emptyDb();
  const [a, b, c] = [insertSync(db), insertSync(db), insertSync(db)];
  const early = insertSync(db, { status: "failed", completedAtMs: later(1) });
  const late = insertSync(db, { status: "cancelled", completedAtMs: later(2) });
  const tie = insertSync(db, { status: "completed", completedAtMs: later(1) });
  const page = (afterId: number, limit: number) => readSyncsInProgress(db, afterId, limit).map((row) => row.id);
  expect([page(0, 2), page(b, 2), page(c, 2)]).toEqual([[a, b], [c], []]);
  expect(readRecentSyncs(db, 10).map((row) => row.id)).toEqual([late, tie, early]);
  expect(readRecentSyncs(db, 1).map((row) => row.id)).toEqual([late]);
  expect(readSyncInProgress(db, athleteId(999))).toBeUndefined();
});

test("syncs are listed newest first before an id, by state, athlete, phase, and the athlete's name or Strava id", () => {
  const db = emptyDb();
  const ada = insertAthlete(db, { firstName: "Ada", lastName: "Alder", stravaId: 71 });
  const a = insertSync(db, { athleteId: ada, status: "completed", completedAtMs: NOW });
  const b = insertSync(db, { athleteId: ada, phase: "enrichment" });
  const c = insertSync(db, { status: "failed", completedAtMs: later(-1) });
  const ids = (filter: Parameters<typeof readSyncs>[1], beforeId = 1_000, limit = 10) =>
    readSyncs(db, filter, beforeId, limit).map((row) => row.id);
  expect([ids({}), ids({}, c), ids({}, 1_000, 1)]).toEqual([[c, b, a], [b, a], [c]]);
  expect([ids({ status: "completed" }), ids({ athleteId: ada }), ids({ phase: "enrichment" })]).toEqual([
    [a],
    [b, a],
    [b],
  ]);
  expect([ids({ q: "ada al" }), ids({ q: "71" }), ids({ q: "_da" })]).toEqual([[b, a], [b, a], []]);
  expect([...countEndedSince(db, NOW)]).toEqual([["completed", 1]]);
  expect([...countEndedSince(db, later(-1))].sort()).toEqual([
    ["completed", 1],
    ["failed", 1],
  ]);
});
