import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate, migrationsFolder } from "../../src/db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "../../src/db/open.ts";
import { readSyncsInProgress } from "../../src/db/syncs.ts";
import { insertAthlete, insertBatch, insertRace, insertSync, NOW } from "../support/builders.ts";
import { planOf } from "../support/plans.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-statistics-"));
  path = join(directory, "broomwagon.sqlite");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function opened(): Db {
  const db = openDatabase(path);
  migrate(db, { folder: migrationsFolder(), nowMs: NOW, programVersion: "test" });
  return db;
}

/** A club of one: every table is quicker read through than looked up. */
function withAFewRows(db: Db): Db {
  const athleteId = insertAthlete(db);
  const syncId = insertSync(db, { athleteId, phase: "enrichment" });
  insertRace(db, { athleteId, batchId: insertBatch(db, { syncId }) });
  return db;
}

const statistics = (db: Db) =>
  db.$client.query("SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'").get() === null
    ? 0
    : db.$client.query("SELECT * FROM sqlite_stat1").all().length;
const planOfPage = (db: Db) => planOf(db, () => readSyncsInProgress(db, 0, 50));

test("closing a small database leaves no statistics that would mislead a large one", () => {
  closeDatabase(withAFewRows(opened()));
  const left = openDatabase(path);
  expect(statistics(left)).toBe(0);
  closeDatabase(left);
  const db = opened();
  expect(planOfPage(db)).toContain("syncs_in_progress");
  closeDatabase(db);
});

test("statistics that somebody made are forgotten at the start, and no plan goes by them", () => {
  const before = withAFewRows(opened());
  before.$client.run("ANALYZE");
  expect(planOfPage(before)).toContain("SCAN syncs");
  closeDatabase(before);
  const db = opened();
  expect(statistics(db)).toBe(0);
  expect(planOfPage(db)).toContain("syncs_in_progress");
  closeDatabase(db);
});
