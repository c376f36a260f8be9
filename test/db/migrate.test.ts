import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS, type EpochMs, epochMs, plusMs } from "../../src/core/units.ts";
import { inspectFile } from "../../src/db/inspect.ts";
import {
  MigrationFailedError,
  migrate,
  migrationsFolder,
  readMigrations,
  SchemaChangedError,
  SchemaTooNewError,
} from "../../src/db/migrate.ts";
import { closeDatabase, type Db, openDatabase, openMemoryDatabase } from "../../src/db/open.ts";

const NOW = epochMs(1_763_334_772_370); // 2025-11-16T23:12:52.370Z
const INIT = `CREATE TABLE syncs (id INTEGER PRIMARY KEY) STRICT;
--> statement-breakpoint
CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  sync_id INTEGER NOT NULL REFERENCES syncs (id) ON DELETE CASCADE
) STRICT;
`;

let directory: string;
let folder: string;
let databasePath: string;
let db: Db;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-migrate-"));
  folder = join(directory, "drizzle");
  databasePath = join(directory, "broomwagon.sqlite");
  mkdirSync(join(folder, "meta"), { recursive: true });
  write("0000_init", INIT);
  db = openDatabase(databasePath);
});
afterEach(() => {
  closeDatabase(db);
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.sql`), text);
}

function run(options: { nowMs?: EpochMs; programVersion?: string; backupTo?: string } = {}) {
  return migrate(db, { folder, nowMs: NOW, programVersion: "0.1.0", ...options });
}

function tables(): string[] {
  return db.$client
    .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .all()
    .map(({ name }) => name);
}

const copies = () =>
  readdirSync(directory)
    .filter((file) => file.startsWith("broomwagon-before-"))
    .sort();

test("a new database gets every migration in the order of the names, recorded, stamped as ours, without a copy", () => {
  write("0010_second", "ALTER TABLE syncs ADD COLUMN mode TEXT");
  write("0002_first", "CREATE TABLE athletes (id INTEGER PRIMARY KEY) STRICT");
  expect(run()).toEqual({ applied: ["0000_init", "0002_first", "0010_second"] });
  expect(tables()).toEqual(["athletes", "batches", "migrations", "syncs"]);
  const inspection = inspectFile(databasePath);
  expect(inspection).toMatchObject({
    kind: "ours",
    appliedMigrations: [
      { name: "0000_init", appliedAtMs: NOW, programVersion: "0.1.0" },
      { name: "0002_first" },
      { name: "0010_second" },
    ],
  });
  expect(copies()).toEqual([]);
});

test("the table of migrations is strict", () => {
  run();
  expect(db.$client.query("SELECT strict FROM pragma_table_list WHERE name = 'migrations'").get()).toEqual({
    strict: 1,
  });
});

test("a current database is left alone: nothing applied, no copy, no write", () => {
  run();
  const before = db.$client.query("PRAGMA data_version").get();
  const changes = db.$client.query("SELECT total_changes() AS changes").get();
  expect(run()).toEqual({ applied: [] });
  expect(db.$client.query("PRAGMA data_version").get()).toEqual(before);
  expect(db.$client.query("SELECT total_changes() AS changes").get()).toEqual(changes);
  expect(copies()).toEqual([]);
});

test("a migration that came in between two applied ones is applied too", () => {
  write("0002_last", "CREATE TABLE b (x INTEGER) STRICT");
  run();
  write("0001_other_branch", "CREATE TABLE a (x INTEGER) STRICT");
  expect(run().applied).toEqual(["0001_other_branch"]);
});

test("when one migration fails, none of the pending ones is kept, and the copy goes too", () => {
  run();
  db.$client.run("INSERT INTO syncs VALUES (1)");
  write("0001_good", "CREATE TABLE good (x INTEGER) STRICT");
  write("0002_bad", "CREATE TABLE half (x INTEGER) STRICT;--> statement-breakpoint\nINSERT INTO nowhere VALUES (1)");
  expect(() => run()).toThrow(MigrationFailedError);
  expect(() => run()).toThrow(/0002_bad.*nowhere/);
  expect(tables()).toEqual(["batches", "migrations", "syncs"]);
  expect(inspectFile(databasePath)).toMatchObject({ appliedMigrations: [{ name: "0000_init" }] });
  expect(copies()).toEqual([]);
  expect(db.$client.query("PRAGMA foreign_keys").get()).toEqual({ foreign_keys: 1 });
});

test("a failed first migration leaves no stamp: the next start finds an empty database", () => {
  write("0000_init", "CREATE TABLE syncs (id INTEGER) STRICT; CREATE TABLE syncs (id INTEGER) STRICT");
  expect(() => run()).toThrow(MigrationFailedError);
  expect(inspectFile(databasePath)).toEqual({ kind: "empty" });
});

test("a migration that ends its transaction is refused before it is recorded", () => {
  write("0000_init", "CREATE TABLE a (x INTEGER) STRICT;--> statement-breakpoint\nCOMMIT");
  expect(() => run()).toThrow(/ends the transaction/);
});

test("a database with an unknown migration is refused, naming it and the program that can open it", () => {
  write("0001_future", "CREATE TABLE future (x INTEGER) STRICT");
  run({ programVersion: "0.9.2" });
  rmSync(join(folder, "0001_future.sql"));
  write("0001_ours", "CREATE TABLE ours (x INTEGER) STRICT");
  expect(() => run()).toThrow(SchemaTooNewError);
  expect(() => run()).toThrow(/0001_future.*0\.9\.2/);
  expect(tables()).not.toContain("ours");
  expect(copies()).toEqual([]);
});

test("an applied migration whose text changed is refused; one whose line ends changed is the same", () => {
  run();
  write("0000_init", INIT.replaceAll("\n", "\r\n"));
  expect(run()).toEqual({ applied: [] });
  write("0000_init", `${INIT}-- reworded`);
  expect(() => run()).toThrow(SchemaChangedError);
  expect(() => run()).toThrow(/0000_init/);
});

test("a database that holds something is copied first: private, whole, with what was only in the log", () => {
  run();
  db.$client.run("INSERT INTO syncs VALUES (7)");
  write("0001_drop", "DELETE FROM syncs");
  const { applied, backup } = run();
  expect(applied).toEqual(["0001_drop"]);
  expect(backup).toBe(join(directory, "broomwagon-before-0001_drop-20251116T231252370Z.sqlite"));
  expect(statSync(backup ?? "").mode & 0o777).toBe(0o600);
  expect(inspectFile(backup ?? "")).toMatchObject({ kind: "ours", appliedMigrations: [{ name: "0000_init" }] });
  const copy = new Database(backup, { readonly: true });
  expect(copy.query("SELECT id FROM syncs").get()).toEqual({ id: 7 });
  copy.close();
});

test("the last three copies are kept, and files of other names are never touched", () => {
  run();
  writeFileSync(join(directory, "broomwagon-before-summer-party.sqlite"), "made by hand");
  for (let number = 1; number <= 4; number++) {
    write(`000${number}_step`, `CREATE TABLE t${number} (x INTEGER) STRICT`);
    run({ nowMs: plusMs(NOW, (number - 1) * DAY_MS) });
    expect(copies()).toHaveLength(Math.min(number, 3) + 1);
  }
  expect(copies()).toEqual([
    "broomwagon-before-0002_step-20251117T231252370Z.sqlite",
    "broomwagon-before-0003_step-20251118T231252370Z.sqlite",
    "broomwagon-before-0004_step-20251119T231252370Z.sqlite",
    "broomwagon-before-summer-party.sqlite",
  ]);
});

test("the copy goes where it is told to", () => {
  run();
  const elsewhere = join(directory, "copies");
  mkdirSync(elsewhere);
  write("0001_more", "CREATE TABLE more (x INTEGER) STRICT");
  expect(run({ backupTo: elsewhere }).backup).toStartWith(elsewhere);
});

test("no copy can be made: nothing is migrated", () => {
  run();
  write("0001_more", "CREATE TABLE more (x INTEGER) STRICT");
  expect(() => run({ backupTo: join(directory, "missing") })).toThrow();
  expect(tables()).not.toContain("more");
});

test("a table that is rebuilt does not take the rows that point to it along", () => {
  run();
  db.$client.run("INSERT INTO syncs VALUES (1); INSERT INTO batches VALUES (10, 1)");
  write(
    "0001_rebuild",
    `PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE __new_syncs (id INTEGER PRIMARY KEY, mode TEXT) STRICT;--> statement-breakpoint
INSERT INTO __new_syncs (id) SELECT id FROM syncs;--> statement-breakpoint
DROP TABLE syncs;--> statement-breakpoint
ALTER TABLE __new_syncs RENAME TO syncs;--> statement-breakpoint
PRAGMA foreign_keys=ON;`,
  );
  run();
  expect(db.$client.query("SELECT id, sync_id FROM batches").all()).toEqual([{ id: 10, sync_id: 1 }]);
  expect(() => db.$client.run("INSERT INTO batches VALUES (11, 2)")).toThrow(/FOREIGN KEY/);
});

test("a migration that leaves rows pointing nowhere is undone", () => {
  run();
  db.$client.run("INSERT INTO syncs VALUES (1); INSERT INTO batches VALUES (10, 1)");
  write("0001_orphans", "DELETE FROM syncs");
  expect(() => run()).toThrow(/1 rows that point nowhere \(batches → syncs\)/);
  expect(db.$client.query("SELECT count(*) AS count FROM syncs").get()).toEqual({ count: 1 });
});

test("rows that pointed nowhere before do not stop a migration: the daemon heals them", () => {
  run();
  db.$client.run("PRAGMA foreign_keys = OFF; INSERT INTO batches VALUES (10, 99); PRAGMA foreign_keys = ON");
  write("0001_more", "CREATE TABLE more (x INTEGER) STRICT");
  expect(run().applied).toEqual(["0001_more"]);
});

test("a part of a migration with comments only is skipped", () => {
  write("0001_note", "-- nothing to do here\n--> statement-breakpoint\nCREATE TABLE note (x INTEGER) STRICT; -- done");
  expect(run().applied).toContain("0001_note");
  expect(tables()).toContain("note");
});

test("a database in memory is migrated, and leaves no copy anywhere", () => {
  const memory = openMemoryDatabase();
  migrate(memory, { folder, nowMs: NOW, programVersion: "0.1.0" });
  write("0001_more", "CREATE TABLE more (x INTEGER) STRICT");
  expect(migrate(memory, { folder, nowMs: NOW, programVersion: "0.1.0" })).toEqual({ applied: ["0001_more"] });
  closeDatabase(memory);
  expect(copies()).toEqual([]);
});

test("a folder without migrations is an error: an empty database would pass for a current one", () => {
  expect(() => readMigrations(join(folder, "meta"))).toThrow(/no migrations/);
});

test("the migrations of a checkout are in drizzle/ at its top", () => {
  expect(migrationsFolder()).toBe(join(import.meta.dir, "../../drizzle"));
  expect(existsSync(migrationsFolder())).toBe(true);
});
