import { expect, test } from "bun:test";
import { athleteId } from "../../src/core/units.ts";
import {
  countAthletesByStatus,
  eraseAthlete,
  findAthletes,
  noteListRead,
  noteSignedIn,
  noteSynced,
  readAthlete,
  readAthleteByStravaId,
  readAthletes,
  setAthleteStatus,
  updateAthlete,
  upsertAthlete,
} from "../../src/db/athletes.ts";
import {
  deleteRevocation,
  insertRevocation,
  postponeRevocation,
  readDueRevocations,
  replaceRevokedToken,
} from "../../src/db/revocations.ts";
import { readSealedTokens, storeSealedTokens } from "../../src/db/strava-tokens.ts";
import { insertAthlete, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const IMPORTED = { stravaId: 26_462_176, firstName: "Ada", lastName: "Alder", scope: "read", nowMs: NOW };

test("connecting again mends an athlete and keeps the id, the consent and the history", () => {
  const db = emptyDb();
  const first = upsertAthlete(db, IMPORTED);
  expect(first.isNew).toBe(true);
  updateAthlete(db, first.row.id, { publish: { value: true, nowMs: later(1), by: "admin" }, hidden: true });
  setAthleteStatus(db, first.row.id, { status: "needs_reconnect", reason: "Refused twice.", nowMs: later(1) });
  noteSynced(db, first.row.id, later(2));
  const again = upsertAthlete(db, {
    ...IMPORTED,
    firstName: "Ada B.",
    scope: "read,activity:read_all",
    nowMs: later(9),
  });
  expect(again.isNew).toBe(false);
  expect(again.row).toMatchObject({
    id: first.row.id,
    firstName: "Ada B.",
    scope: "read,activity:read_all",
    status: "connected",
    statusReason: null,
    needsReconnectSinceMs: null,
    publish: 1,
    publishChangedAtMs: later(1),
    publishChangedBy: "admin",
    hidden: 1,
    createdAtMs: NOW,
    lastSyncedAtMs: later(2),
  });
});

test("a change touches only what it names; no change, and nobody, change nothing", () => {
  const db = emptyDb();
  const id = insertAthlete(db, { publish: 1, publishChangedBy: "ada" });
  expect(updateAthlete(db, id, { hidden: true })).toMatchObject({ hidden: 1, publish: 1, publishChangedBy: "ada" });
  expect(updateAthlete(db, id, {})).toMatchObject({ hidden: 1 });
  expect(updateAthlete(db, id, { publish: { value: false, nowMs: NOW, by: "bo" } })).toMatchObject({
    hidden: 1,
    publish: 0,
    publishChangedBy: "bo",
  });
  expect(updateAthlete(db, athleteId(99), { hidden: true })).toBeUndefined();
});

test("only a complete list moves the moment of the last one; doubt about it is kept apart", () => {
  const db = emptyDb();
  const id = insertAthlete(db);
  noteListRead(db, id, { reachedMs: NOW, length: 1_132 }, later(1));
  noteListRead(db, id, null, later(2));
  expect(readAthlete(db, id)).toMatchObject({
    lastCompleteListAtMs: NOW,
    lastListLength: 1_132,
    emptiedAtMs: later(2),
  });
  noteListRead(db, id, { reachedMs: later(3), length: 1_133 }, null);
  expect(readAthlete(db, id)).toMatchObject({ lastCompleteListAtMs: later(3), emptiedAtMs: null });
});

test("athletes come by id a page at a time, and an erased one is gone", () => {
  const db = emptyDb();
  const [a, b, c] = [insertAthlete(db), insertAthlete(db), insertAthlete(db)];
  const page = (afterId: number, limit: number) => readAthletes(db, afterId, limit).map((row) => row.id);
  expect([page(0, 2), page(b, 2)]).toEqual([[a, b], [c]]);
  expect([eraseAthlete(db, b), eraseAthlete(db, b)]).toEqual([true, false]);
  expect(page(0, 10)).toEqual([a, c]);
  expect(readAthlete(db, b)).toBeUndefined();
});

test("athletes are found by status, by a part of the whole name, or by Strava's id", () => {
  const db = emptyDb();
  const a = insertAthlete(db, { firstName: "Ada", lastName: "Alder", stravaId: 71 });
  const b = insertAthlete(db, { firstName: "Bo", lastName: "Birch", stravaId: 710, status: "needs_reconnect" });
  const found = (filter: Parameters<typeof findAthletes>[1], afterId = 0) =>
    findAthletes(db, filter, afterId, 10).map((row) => row.id);
  expect([found({}), found({}, a), found({ status: "needs_reconnect" })]).toEqual([[a, b], [b], [b]]);
  expect([found({ q: "ada al" }), found({ q: "71" }), found({ q: "%" }), found({ q: "r" })]).toEqual([
    [a],
    [a],
    [],
    [a, b],
  ]);
});

test("a new pair of tokens takes the place of the one before, for its athlete only", () => {
  const db = emptyDb();
  const [id, other] = [insertAthlete(db), insertAthlete(db)];
  const pair = (value: string, owner = id) => ({
    athleteId: owner,
    keyId: "k",
    accessTokenSealed: `a-${value}`,
    refreshTokenSealed: `r-${value}`,
    expiresAtMs: later(1),
    updatedAtMs: NOW,
    refreshAskedAtMs: null,
  });
  expect(readSealedTokens(db, id)).toBeUndefined();
  storeSealedTokens(db, pair("old"));
  storeSealedTokens(db, pair("other", other));
  storeSealedTokens(db, pair("new"));
  expect(readSealedTokens(db, id)).toEqual(pair("new"));
  expect(readSealedTokens(db, other)).toEqual(pair("other", other));
});

test("a grant that must be revoked outlives its athlete, is tried when it is due, and goes once confirmed", () => {
  const db = emptyDb();
  const grant = (tokenSealed: string, nowMs = NOW) =>
    insertRevocation(db, { keyId: "k", sealContext: "c", tokenSealed, nowMs });
  const due = (nowMs = NOW) => readDueRevocations(db, nowMs, 10).map((row) => row.tokenSealed);
  grant("second");
  grant("first", later(-1));
  expect([due(later(-2)), due(later(-1)), due()]).toEqual([[], ["first"], ["first", "second"]]);
  const [first] = readDueRevocations(db, NOW, 1);
  if (first === undefined) throw new Error("Nothing is due");
  postponeRevocation(db, first, { attempts: 1, runAfterMs: later(10), error: "timeout" });
  expect([due(later(9)), due(later(10))]).toEqual([["second"], ["second", "first"]]);
  expect([deleteRevocation(db, first), deleteRevocation(db, first)]).toEqual([true, false]);
  expect(due(later(10))).toEqual(["second"]);
});

test("a grant that goes by another token meanwhile is not over when the old one is confirmed, or put off", () => {
  const db = emptyDb();
  insertRevocation(db, { keyId: "k", sealContext: "athlete:7:refresh", tokenSealed: "old", nowMs: NOW });
  const [tried] = readDueRevocations(db, NOW, 1);
  if (tried === undefined) throw new Error("Nothing is due");
  postponeRevocation(db, tried, { attempts: 3, runAfterMs: later(99), error: "timeout" });
  const next = { keyId: "k", tokenSealed: "new", nowMs: later(1) };
  expect(replaceRevokedToken(db, { ...next, sealContext: "athlete:8:refresh" })).toBe(false);
  expect(replaceRevokedToken(db, { ...next, sealContext: "athlete:7:refresh" })).toBe(true);
  postponeRevocation(db, tried, { attempts: 4, runAfterMs: later(99), error: "timeout" });
  expect(deleteRevocation(db, tried)).toBe(false);
  expect(readDueRevocations(db, later(1), 10)).toMatchObject([{ tokenSealed: "new", attempts: 0, error: null }]);
});

test("since when an athlete needs to reconnect is the first time in a row that it was said", () => {
  const db = emptyDb();
  const [id, other] = [insertAthlete(db), insertAthlete(db)];
  const since = (of = id) => readAthlete(db, of)?.needsReconnectSinceMs;
  const lose = (at: number) =>
    setAthleteStatus(db, id, { status: "needs_reconnect", reason: "Refused.", nowMs: later(at) });
  lose(1);
  lose(5);
  expect([since(), since(other)]).toEqual([later(1), null]);
  setAthleteStatus(db, id, { status: "disconnected", reason: null, nowMs: later(6) });
  expect(since()).toBeNull();
  lose(7);
  expect(since()).toBe(later(7));
  noteSignedIn(db, id, { firstName: "Bo", lastName: "Birch", scope: "read" });
  expect(readAthlete(db, id)).toMatchObject({ firstName: "Bo", scope: "read", needsReconnectSinceMs: later(7) });
});

test("athletes are counted by status, and found by their id at Strava", () => {
  const db = emptyDb();
  const id = insertAthlete(db, { stravaId: 71 });
  insertAthlete(db, { status: "needs_reconnect" });
  insertAthlete(db);
  expect([...countAthletesByStatus(db)].sort()).toEqual([
    ["connected", 2],
    ["needs_reconnect", 1],
  ]);
  expect([readAthleteByStravaId(db, 71)?.id, readAthleteByStravaId(db, 72)]).toEqual([id, undefined]);
});
