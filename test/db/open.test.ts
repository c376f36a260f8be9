import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APPLICATION_ID, DatabaseCorruptError, DatabaseForeignError, inspectFile } from "../../src/db/inspect.ts";
import { closeDatabase, DatabaseMissingError, openDatabase, openMemoryDatabase } from "../../src/db/open.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-open-"));
  path = join(directory, "broomwagon.sqlite");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Makes a database of ours with `rows` batches, and leaves it at rest. */
function makeOurs(rows = 1): void {
  const db = openDatabase(path);
  db.$client.run(`
    PRAGMA application_id = ${APPLICATION_ID};
    CREATE TABLE migrations (name TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL, program_version TEXT NOT NULL) STRICT;
    INSERT INTO migrations VALUES ('0000_init', 'abc', 5, '0.1.0');
    CREATE TABLE batches (id INTEGER PRIMARY KEY, status TEXT NOT NULL CHECK (status IN ('pending', 'completed')), padding TEXT) STRICT;
  `);
  const insert = db.$client.prepare("INSERT INTO batches (status, padding) VALUES ('pending', ?)");
  db.$client.transaction(() => {
    for (let row = 0; row < rows; row++) insert.run("x".repeat(500));
  })();
  insert.finalize();
  closeDatabase(db);
  for (const file of [`${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

function pragma(client: Database, name: string): unknown {
  return Object.values(client.query<Record<string, unknown>, []>(`PRAGMA ${name}`).get() ?? {})[0];
}

test("every connection for writing waits briefly, logs ahead, syncs in full and keeps foreign keys", () => {
  const db = openDatabase(path);
  expect(pragma(db.$client, "busy_timeout")).toBe(25);
  expect(pragma(db.$client, "journal_mode")).toBe("wal");
  expect(pragma(db.$client, "synchronous")).toBe(2);
  expect(pragma(db.$client, "foreign_keys")).toBe(1);
  expect(pragma(db.$client, "temp_store")).toBe(2);
  expect(pragma(db.$client, "journal_size_limit")).toBe(16 * 1024 * 1024);
  expect(pragma(db.$client, "mmap_size") ?? 0).toBe(0);
  expect(pragma(db.$client, "cache_size")).toBe(-16 * 1024);
  closeDatabase(db);
});

test("a new database is readable by its owner only, its log too", () => {
  const db = openDatabase(path);
  db.$client.run("CREATE TABLE t (x INTEGER) STRICT");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  closeDatabase(db);
});

test("closing leaves every committed row in the one file, even with a statement still prepared", () => {
  const db = openDatabase(path);
  db.$client.run("CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES (7)");
  const stillPrepared = db.$client.prepare("SELECT x FROM t");
  closeDatabase(db);
  const copyPath = join(directory, "copy.sqlite");
  writeFileSync(copyPath, readFileSync(path));
  const copy = new Database(copyPath, { readonly: true });
  expect(copy.query<{ x: number }, []>("SELECT x FROM t").get()).toEqual({ x: 7 });
  copy.close();
  stillPrepared.finalize();
});

test("closing goes through while a foreign connection reads", () => {
  makeOurs();
  const foreign = new Database(path);
  foreign.run("BEGIN");
  foreign.query("SELECT count(*) FROM batches").get();
  const db = openDatabase(path, { mode: "write" });
  db.$client.run("INSERT INTO batches (status) VALUES ('pending')");
  expect(() => closeDatabase(db)).not.toThrow();
  foreign.run("COMMIT");
  expect(foreign.query("SELECT count(*) AS count FROM batches").get()).toEqual({ count: 2 });
  foreign.close();
});

test("closing goes through while a foreign connection writes, and loses nothing", () => {
  makeOurs(2_000);
  const db = openDatabase(path, { mode: "write" });
  const foreign = new Database(path);
  foreign.run("BEGIN IMMEDIATE");
  expect(() => closeDatabase(db)).not.toThrow();
  foreign.run("COMMIT");
  expect(foreign.query("SELECT count(*) AS count FROM batches").get()).toEqual({ count: 2_000 });
  foreign.close();
});

test("a database opened to read refuses to write, and closes while rows are only in the log", () => {
  makeOurs();
  const writer = openDatabase(path, { mode: "write" });
  writer.$client.run("INSERT INTO batches (status) VALUES ('pending')");
  const db = openDatabase(path, { mode: "read" });
  expect(db.$client.query("SELECT count(*) AS count FROM batches").get()).toEqual({ count: 2 });
  expect(() => db.$client.run("DELETE FROM batches")).toThrow("readonly");
  expect(() => closeDatabase(db)).not.toThrow();
  closeDatabase(writer);
});

test("a command beside the daemon makes no database of its own", () => {
  expect(() => openDatabase(path, { mode: "write" })).toThrow(DatabaseMissingError);
  expect(() => openDatabase(path, { mode: "read" })).toThrow(DatabaseMissingError);
  expect(readdirSync(directory)).toEqual([]);
});

test("a database in memory keeps foreign keys too", () => {
  const db = openMemoryDatabase();
  expect(pragma(db.$client, "foreign_keys")).toBe(1);
  closeDatabase(db);
});

test("nothing there is missing; no bytes, and no tables, are empty", () => {
  expect(inspectFile(path)).toEqual({ kind: "missing" });
  writeFileSync(path, "");
  expect(inspectFile(path)).toEqual({ kind: "empty" });
  closeDatabase(openDatabase(path));
  expect(inspectFile(path)).toEqual({ kind: "empty" });
});

test("a file of ours tells which migrations it has seen, by which program", () => {
  makeOurs();
  const applied = { name: "0000_init", checksum: "abc", appliedAtMs: 5, programVersion: "0.1.0" };
  expect(inspectFile(path)).toEqual({ kind: "ours", appliedMigrations: [applied] });
});

test("looking changes no byte and leaves no file behind", () => {
  makeOurs();
  const before = readFileSync(path);
  inspectFile(path);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readdirSync(directory)).toEqual(["broomwagon.sqlite"]);
});

test("looking sees what is committed and still only in the log", () => {
  makeOurs();
  const writer = openDatabase(path, { mode: "write" });
  writer.$client.run("INSERT INTO migrations VALUES ('0001_more', 'def', 6, '0.2.0')");
  const logBefore = readFileSync(`${path}-wal`);
  const seen = inspectFile(path);
  expect(seen.kind === "ours" && seen.appliedMigrations.map(({ name }) => name)).toEqual(["0000_init", "0001_more"]);
  expect(readFileSync(`${path}-wal`).equals(logBefore)).toBe(true);
  closeDatabase(writer);
});

test("a file of something else is refused, and stays as it is", () => {
  writeFileSync(path, "name,distance\nMorning run,5000\n".repeat(200));
  const before = readFileSync(path);
  expect(inspectFile(path)).toEqual({ kind: "not_sqlite" });
  expect(() => openDatabase(path)).toThrow(DatabaseForeignError);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(inspectFile(directory)).toEqual({ kind: "not_sqlite" });
});

test("another program's database is refused by its stamp or its tables, and stays as it is", () => {
  const other = new Database(path, { create: true });
  other.run("CREATE TABLE invoices (id INTEGER)");
  other.close();
  const before = readFileSync(path);
  expect(inspectFile(path)).toEqual({ kind: "foreign", applicationId: 0, tables: ["invoices"] });
  expect(() => openDatabase(path)).toThrow(/invoices/);
  expect(readFileSync(path).equals(before)).toBe(true);

  const stamped = new Database(path);
  stamped.run("DROP TABLE invoices; PRAGMA application_id = 42");
  stamped.close();
  expect(inspectFile(path)).toEqual({ kind: "foreign", applicationId: 42, tables: [] });
});

test("a damaged database is refused with what is wrong and what to do", () => {
  makeOurs(200);
  const bytes = readFileSync(path);
  bytes.fill(0xff, 4096 * 5, 4096 * 7);
  writeFileSync(path, bytes);
  expect(inspectFile(path).kind).toBe("corrupt");
  expect(() => openDatabase(path)).toThrow(DatabaseCorruptError);
  expect(() => openDatabase(path)).toThrow(/put a sound copy in its place/);
  // Only the first page is read for a command beside the daemon.
  expect(inspectFile(path, { pages: "first" }).kind).toBe("ours");
});

test("a database cut short, or with a damaged first page, is damaged and not foreign", () => {
  makeOurs(200);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, 4096 * 3));
  expect(inspectFile(path).kind).toBe("corrupt");
  bytes.fill(0xff, 16, 100);
  writeFileSync(path, bytes);
  expect(inspectFile(path).kind).toBe("corrupt");
});

test("ours without its table of migrations is damaged", () => {
  makeOurs();
  const hand = new Database(path);
  hand.run("DROP TABLE migrations");
  hand.close();
  expect(inspectFile(path)).toMatchObject({ kind: "corrupt" });
});

test("rows that a hand changed against the checks are no damage: the daemon heals them", () => {
  makeOurs();
  const hand = new Database(path);
  hand.run("PRAGMA ignore_check_constraints = ON; UPDATE batches SET status = 'nonsense'");
  hand.close();
  expect(inspectFile(path).kind).toBe("ours");
});

test("a path with a question mark and a hash is the file of that name", () => {
  path = join(directory, "odd?name#1 %20.sqlite");
  makeOurs();
  expect(inspectFile(path).kind).toBe("ours");
  expect(readdirSync(directory)).toEqual(["odd?name#1 %20.sqlite"]);
});

test.skipIf(process.getuid?.() === 0)("a file that may not be read is an error, not a finding", () => {
  makeOurs();
  chmodSync(path, 0o000);
  expect(() => inspectFile(path)).toThrow();
});
