import { expect, test } from "bun:test";
import {
  deleteAdminToken,
  findAdminToken,
  hasAdminToken,
  insertAdminToken,
  readAdminTokens,
} from "../../src/db/admin-tokens.ts";
import { later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const token = { label: "script", scope: "read", tokenHash: "hash", nowMs: NOW, expiresAtMs: later(10) } as const;

test("a token is good until the moment of its expiry, by the hash of it alone", () => {
  const db = emptyDb();
  expect(hasAdminToken(db)).toBe(false);
  const { id } = insertAdminToken(db, token);
  expect(hasAdminToken(db)).toBe(true);
  const found = (nowMs: typeof NOW) => findAdminToken(db, "hash", nowMs)?.id;
  expect([found(later(9)), found(later(10)), found(later(11))]).toEqual([id, undefined, undefined]);
  expect(findAdminToken(db, "HASH", NOW)).toBeUndefined();
});

test("a token without an expiry stays good until it is revoked", () => {
  const db = emptyDb();
  const { id } = insertAdminToken(db, { ...token, expiresAtMs: null });
  expect(findAdminToken(db, "hash", later(10 ** 12))?.scope).toBe("read");
  expect([deleteAdminToken(db, id), deleteAdminToken(db, id)]).toEqual([true, false]);
  expect(findAdminToken(db, "hash", NOW)).toBeUndefined();
});

test("tokens are listed by id a page at a time", () => {
  const db = emptyDb();
  const ids = ["a", "b", "c"].map((tokenHash) => insertAdminToken(db, { ...token, tokenHash }).id);
  expect(readAdminTokens(db, 0, 2).map((row) => row.id)).toEqual(ids.slice(0, 2));
  expect(readAdminTokens(db, ids[1] ?? 0, 2).map((row) => row.id)).toEqual(ids.slice(2));
});
