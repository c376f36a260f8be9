import { expect, test } from "bun:test";
import { deleteInvite, findInvite, insertInvite, noteInvited, readInvites, takeInvite } from "../../src/db/invites.ts";
import { deleteExpiredSignIns, insertSignIn, takeSignIn } from "../../src/db/sign-ins.ts";
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
