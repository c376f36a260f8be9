import { expect, test } from "bun:test";
import {
  closeTrouble,
  dropTrouble,
  eraseTroublesOf,
  holdTroubleOpen,
  isTroubleOpen,
  noteTroublesTold,
  openTrouble,
  readOpenTroublesOfRule,
  readTroubles,
  readUnsettledTroubles,
  settleTroubles,
} from "../../src/db/alert-troubles.ts";
import type { Db } from "../../src/db/open.ts";
import { insertAthlete, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const KEY = { rule: "sync_failed", subject: "athlete:3" } as const;
const open = (db: Db, atMs = 0, message = "It failed.") =>
  openTrouble(db, { ...KEY, message, nowMs: later(atMs), traceId: `trace-${atMs}` });
const all = (db: Db) => readTroubles(db, {}, Number.MAX_SAFE_INTEGER, 50);

test("an occurrence opens a trouble; the next counts on it, with the newest words", () => {
  const db = emptyDb();
  open(db);
  open(db, 5_000, "It failed again.");
  expect(all(db)).toMatchObject([
    {
      ...KEY,
      message: "It failed again.",
      openedAtMs: NOW,
      lastSeenAtMs: later(5_000),
      occurrences: 2,
      closedAtMs: null,
      settledAtMs: null,
      notifiedAtMs: null,
      traceId: "trace-5000",
    },
  ]);
});

test("a state that lasts opens a trouble once, however often it is seen", () => {
  const db = emptyDb();
  const seen = { ...KEY, message: "Inactive.", nowMs: NOW };
  expect([holdTroubleOpen(db, seen), holdTroubleOpen(db, { ...seen, nowMs: later(60_000) })]).toEqual([true, false]);
  expect(all(db)).toMatchObject([{ occurrences: 1, lastSeenAtMs: NOW }]);
  closeTrouble(db, KEY, later(90_000));
  expect(holdTroubleOpen(db, { ...seen, nowMs: later(120_000) })).toBe(true);
  expect(all(db)).toMatchObject([{ occurrences: 2, closedAtMs: null, openedAtMs: NOW }]);
});

test("closing is done once; what comes back before it is settled is the same trouble, and what it told stays told", () => {
  const db = emptyDb();
  open(db);
  noteTroublesTold(db, [1], later(1_000));
  expect([closeTrouble(db, KEY, later(2_000)), closeTrouble(db, KEY, later(3_000))]).toEqual([true, false]);
  expect(all(db)).toMatchObject([{ closedAtMs: later(2_000), settledAtMs: null }]);
  expect(isTroubleOpen(db, KEY)).toBe(false);
  open(db, 4_000);
  expect(all(db)).toMatchObject([{ occurrences: 2, closedAtMs: null, notifiedAtMs: later(1_000) }]);
});

test("what comes back after it was settled is another trouble; one that is open is never settled", () => {
  const db = emptyDb();
  open(db);
  settleTroubles(db, [1], later(500));
  expect(all(db)).toMatchObject([{ settledAtMs: null }]);
  closeTrouble(db, KEY, later(1_000));
  settleTroubles(db, [1], later(2_000));
  open(db, 3_000);
  expect(all(db)).toMatchObject([
    { id: 2, occurrences: 1, openedAtMs: later(3_000), closedAtMs: null },
    { id: 1, settledAtMs: later(2_000) },
  ]);
  expect(readUnsettledTroubles(db, 0, 10).map(({ id }) => id)).toEqual([2]);
});

test("one that something else takes the place of is settled with no word", () => {
  const db = emptyDb();
  open(db);
  dropTrouble(db, KEY, later(1_000));
  expect(all(db)).toMatchObject([{ closedAtMs: later(1_000), settledAtMs: later(1_000) }]);
  expect(readUnsettledTroubles(db, 0, 10)).toEqual([]);
});

test("troubles are told apart by rule and by subject, and listed by either, the newest first", () => {
  const db = emptyDb();
  open(db);
  openTrouble(db, { ...KEY, subject: "athlete:4", message: "x", nowMs: NOW });
  openTrouble(db, { ...KEY, rule: "needs_reconnect", message: "x", nowMs: NOW });
  closeTrouble(db, KEY, later(1));
  const ids = (filter: Parameters<typeof readTroubles>[1], beforeId = 99, limit = 50) =>
    readTroubles(db, filter, beforeId, limit).map(({ id }) => id);
  expect([ids({}), ids({}, 3, 1), ids({ rule: "sync_failed" })]).toEqual([[3, 2, 1], [2], [2, 1]]);
  expect([ids({ state: "open" }), ids({ state: "closed" })]).toEqual([[3, 2], [1]]);
  expect(readOpenTroublesOfRule(db, "sync_failed", 10).map(({ subject }) => subject)).toEqual(["athlete:4"]);
});

test("with an athlete goes what was told of them and of their syncs, and of nobody else", () => {
  const db = emptyDb();
  const [gone, stays] = [insertAthlete(db), insertAthlete(db)];
  const syncIds = [gone, stays].map((athleteId) => insertSync(db, { athleteId }));
  for (const subject of [`athlete:${gone}`, `athlete:${stays}`, ...syncIds.map((id) => `sync:${id}`)] as const)
    openTrouble(db, { rule: "sync_failed", subject: subject as "application", message: "x", nowMs: NOW });
  eraseTroublesOf(db, gone);
  expect(all(db).map(({ subject }) => String(subject))).toEqual([`sync:${syncIds[1]}`, `athlete:${stays}`]);
});
