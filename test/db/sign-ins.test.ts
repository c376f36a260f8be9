import { expect, test } from "bun:test";
import type { AthleteId } from "../../src/core/units.ts";
import { deleteInvite, findInvite, insertInvite, noteInvited, readInvites, takeInvite } from "../../src/db/invites.ts";
import { beginExchange, deleteExpiredSignIns, endExchange, insertSignIn, takeSignIn } from "../../src/db/sign-ins.ts";
import {
  noteRefreshAsked,
  readSealedTokens,
  type SealedTokens,
  storeSealedTokens,
} from "../../src/db/strava-tokens.ts";
import { loseLeftExchanges } from "../../src/sync/athletes/lost-exchanges.ts";
import { insertAthlete, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const begun = (stateHash: string, inviteId: number | null = null) => ({
  stateHash,
  nowMs: NOW,
  expiresAtMs: later(10),
  inviteId,
});

test("a sign-in is taken once, by its own state, and until it expires", () => {
  const db = emptyDb();
  insertSignIn(db, begun("a", 7), 9);
  insertSignIn(db, begun("b"), 9);
  expect(takeSignIn(db, "c", NOW)).toBeUndefined();
  expect(takeSignIn(db, "a", later(9))).toEqual({ inviteId: 7 });
  expect(takeSignIn(db, "a", later(9))).toBeUndefined();
  expect(takeSignIn(db, "b", later(10))).toBeUndefined();
  expect(takeSignIn(db, "b", later(9))).toEqual({ inviteId: null });
});

test("one whose code is exchanged is taken as well, and remembered until the exchange has ended, however long it takes", () => {
  const db = emptyDb();
  insertSignIn(db, begun("a", 7), 9);
  expect(beginExchange(db, "a", later(10))).toBeUndefined();
  expect(beginExchange(db, "a", later(9))).toEqual({ inviteId: 7 });
  expect([beginExchange(db, "a", later(9)), takeSignIn(db, "a", later(9))]).toEqual([undefined, undefined]);
  deleteExpiredSignIns(db, later(99));
  expect([endExchange(db, "a"), endExchange(db, "a")]).toEqual([true, false]);
  insertSignIn(db, begun("b"), 9);
  expect(endExchange(db, "b")).toBe(false);
  expect(takeSignIn(db, "b", NOW)).toEqual({ inviteId: null });
});

test("an exchange that a former process left puts every pair in doubt, once, and what has not been exchanged is left alone", () => {
  const db = emptyDb();
  const athletes = [insertAthlete(db), insertAthlete(db)];
  const [first, second] = athletes as [AthleteId, AthleteId];
  for (const athleteId of athletes) storeSealedTokens(db, pairOf(athleteId));
  noteRefreshAsked(db, second, NOW);
  const doubts = () => athletes.map((athleteId) => readSealedTokens(db, athleteId)?.refreshAskedAtMs);
  insertSignIn(db, begun("a"), 9);
  loseLeftExchanges(db, later(1));
  expect(doubts()).toEqual([null, NOW]);
  insertSignIn(db, begun("b"), 9);
  beginExchange(db, "b", later(2));
  loseLeftExchanges(db, later(3));
  expect(doubts()).toEqual([later(3), NOW]);
  storeSealedTokens(db, pairOf(first));
  loseLeftExchanges(db, later(4));
  expect(doubts()).toEqual([null, NOW]);
  expect(takeSignIn(db, "a", later(5))).toEqual({ inviteId: null });
});

const pairOf = (athleteId: AthleteId): SealedTokens => ({
  athleteId,
  keyId: "key",
  accessTokenSealed: "access",
  refreshTokenSealed: "refresh",
  expiresAtMs: later(60),
  updatedAtMs: NOW,
  refreshAskedAtMs: null,
});

test("no more are under way than the limit, and those that have expired make room", () => {
  const db = emptyDb();
  expect([insertSignIn(db, begun("a"), 2), insertSignIn(db, begun("b"), 2), insertSignIn(db, begun("c"), 2)]).toEqual([
    true,
    true,
    false,
  ]);
  deleteExpiredSignIns(db, later(9));
  expect(insertSignIn(db, begun("c"), 2)).toBe(false);
  deleteExpiredSignIns(db, later(10));
  expect(insertSignIn(db, begun("c"), 2)).toBe(true);
});

test("an invitation is used once, and not after it has expired or was taken back", () => {
  const db = emptyDb();
  const make = (tokenHash: string) =>
    insertInvite(db, { label: tokenHash, tokenHash, nowMs: NOW, by: "admin", expiresAtMs: later(10) }).id;
  const [a, b, c] = [make("a"), make("b"), make("c")];
  expect(readInvites(db, 99, 2).map((row) => row.label)).toEqual(["c", "b"]);
  expect(readInvites(db, b, 2).map((row) => row.label)).toEqual(["a"]);
  expect([takeInvite(db, a, later(9)), takeInvite(db, a, later(9))]).toEqual([true, false]);
  expect(takeInvite(db, b, later(10))).toBe(false);
  expect([deleteInvite(db, c), deleteInvite(db, c), takeInvite(db, c, NOW)]).toEqual([true, false, false]);
  const athleteId = insertAthlete(db);
  noteInvited(db, a, athleteId);
  expect(findInvite(db, "a")).toMatchObject({ usedAtMs: later(9), usedByAthleteId: athleteId });
  expect(findInvite(db, "b")).toMatchObject({ usedAtMs: null, usedByAthleteId: null });
});
