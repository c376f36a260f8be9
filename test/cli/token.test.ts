import { afterEach, beforeEach, expect, test } from "bun:test";
import { hashToken } from "../../src/api/auth.ts";
import { DAY_MS, epochMs } from "../../src/core/units.ts";
import { findAdminToken } from "../../src/db/admin-tokens.ts";
import { readAudit } from "../../src/db/audit.ts";
import { dataDirectoryPaths } from "../../src/db/data-directory.ts";
import { closeDatabase, openDatabase } from "../../src/db/open.ts";
import { createTestWorld, NOW_MS, type TestWorld } from "./test-world.ts";

let world: TestWorld;
beforeEach(async () => {
  world = createTestWorld();
  expect(await world.run("migrate")).toBe(0);
  world.lines.length = 0;
});
afterEach(() => world.discard());

test("a token is printed alone on standard output, stored as a hash, and good till it expires", async () => {
  expect(await world.run("token", "create", "--scope", "operate", "--label", "script", "--expires", "30d")).toBe(0);
  expect(world.lines).toHaveLength(1);
  const token = world.lines[0] ?? "";
  expect(world.errors.join("\n")).not.toContain(token);
  const db = openDatabase(dataDirectoryPaths(world.directory).databasePath, { mode: "read" });
  const at = (ms: number) => findAdminToken(db, hashToken(token), epochMs(ms))?.scope;
  expect(at(NOW_MS + 30 * DAY_MS - 1)).toBe("operate");
  expect(at(NOW_MS + 30 * DAY_MS)).toBeUndefined();
  closeDatabase(db);
});

test("what is wrong with a wish is wrong usage, and makes no token", async () => {
  for (const flags of [
    ["--scope", "root"],
    ["--expires", "yesterday"],
    ["--expires", "2025-11-17T01:59:59Z"],
    ["--label", " "],
  ]) {
    expect(await world.run("token", "create", ...flags)).toBe(2);
  }
  expect(await world.run("token", "list", "--json")).toBe(0);
  expect(JSON.parse(world.lines.join(""))).toEqual({ items: [] });
});

test("a list shows what tokens are for, and a revoked one is gone", async () => {
  await world.run("token", "create", "--label", "first");
  await world.run("token", "create", "--label", "second", "--expires", "2026-01-01T00:00:00Z");
  world.lines.length = 0;
  await world.run("token", "list");
  expect(world.lines.join("\n")).toContain("2   second  read   02:00:00  2026-01-01 00:00:00  never");
  expect(await world.run("token", "revoke", "1")).toBe(0);
  expect(await world.run("token", "revoke", "1")).toBe(1);
  expect(await world.run("token", "revoke", "x")).toBe(2);
  world.lines.length = 0;
  await world.run("token", "list");
  expect(world.lines.join("\n")).not.toContain("first");
  // The audit tells it as it tells what the API does.
  const db = openDatabase(dataDirectoryPaths(world.directory).databasePath, { mode: "read" });
  expect(readAudit(db, {}, 100, 10).map(({ actor, action, target }) => [actor, action, target])).toEqual([
    ["command line", "token.revoked", "token:1"],
    ["command line", "token.made", "token:2"],
    ["command line", "token.made", "token:1"],
  ]);
  closeDatabase(db);
});

test("migrating twice changes nothing the second time", async () => {
  expect(await world.run("migrate")).toBe(0);
  expect(world.lines.join("\n")).toContain("nothing was changed");
});
