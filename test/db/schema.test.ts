import { expect, test } from "bun:test";
import { is } from "drizzle-orm";
import { getTableConfig, SQLiteTable } from "drizzle-orm/sqlite-core";
import { epochMs, leaseToken } from "../../src/core/units.ts";
import type { Db } from "../../src/db/open.ts";
import * as syncing from "../../src/db/schema.ts";
import * as alerts from "../../src/db/schema-alerts.ts";
import * as athletes from "../../src/db/schema-athletes.ts";
import * as books from "../../src/db/schema-books.ts";
import * as connecting from "../../src/db/schema-connect.ts";
import { insertAthlete, insertBatch, insertRace, insertSync, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const schema = { ...syncing, ...athletes, ...books, ...connecting, ...alerts };
const tables = Object.values(schema).filter((value) => is(value, SQLiteTable));
const all = <Row>(db: Db, sql: string, ...params: string[]) => db.$client.query<Row, string[]>(sql).all(...params);
const flat = (sql: string) => sql.replaceAll(/[`"\s]/g, "").toLowerCase();
const sqlOf = (db: Db, name: string) =>
  all<{ sql: string }>(db, "SELECT sql FROM sqlite_master WHERE name = ?1", name)[0]?.sql ?? "";

test("the database has the tables of the schema and that of the migrations, and no others", () => {
  const names = all<{ name: string }>(
    emptyDb(),
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  const declared = tables.map((table) => getTableConfig(table).name);
  expect(names.map((row) => row.name).sort()).toEqual([...declared, "migrations"].sort());
  expect(declared.length).toBeGreaterThan(10);
});

test("every table is STRICT: a text never hides in a number", () => {
  const db = emptyDb();
  const lax = all<{ name: string }>(
    db,
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND type = 'table'",
  );
  expect(lax.map((row) => row.name).filter((name) => !name.startsWith("sqlite_"))).toEqual([]);
  expect(() => db.$client.run("INSERT INTO athletes (strava_id) VALUES ('Hannah')")).toThrow("cannot store TEXT");
});

test("every column of the schema is in the database, with its type, its default and its NOT NULL, and no other is", () => {
  const db = emptyDb();
  for (const table of tables) {
    const { name, columns, primaryKeys } = getTableConfig(table);
    const rows = all<{ name: string; type: string; notnull: number; hasDefault: number; pk: number }>(
      db,
      `SELECT name, type, "notnull", dflt_value IS NOT NULL AS hasDefault, pk FROM pragma_table_info(?1)`,
      name,
    );
    const inDatabase = rows.map((row) => [row.name, row.type.toLowerCase(), row.notnull === 1, row.hasDefault === 1]);
    expect(inDatabase.sort()).toEqual(
      columns.map((column) => [column.name, column.getSQLType(), column.notNull, column.default !== undefined]).sort(),
    );
    const keys = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
    const declared = keys.length > 0 ? keys : columns.filter((column) => column.primary).map((column) => column.name);
    expect(rows.filter((row) => row.pk > 0).map((row) => row.name)).toEqual(declared);
  }
});

test("every index of the schema is in the database, on its columns, unique or partial as it says", () => {
  const db = emptyDb();
  const declared = tables.flatMap((table) => getTableConfig(table).indexes.map((index) => index.config));
  for (const index of declared) {
    const sql = flat(sqlOf(db, index.name));
    expect(sql).toStartWith(index.unique ? "createuniqueindex" : "createindex");
    const columns = index.columns.map((column) => ("name" in column ? column.name : "")).filter((name) => name !== "");
    for (const column of columns) expect(sql).toContain(flat(column));
    expect(sql.includes("where")).toBe(index.where !== undefined);
    for (const chunk of index.where?.queryChunks ?? []) {
      if (typeof chunk === "object" && chunk !== null && "value" in chunk)
        expect(sql).toContain(flat(String(chunk.value)));
    }
  }
  const names = all<{ name: string }>(db, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL");
  expect(names.map((row) => row.name).sort()).toEqual(declared.map((index) => index.name).sort());
});

test("every CHECK of the schema is in the database, word for word, and no other is", () => {
  const db = emptyDb();
  for (const table of tables) {
    const { name, checks } = getTableConfig(table);
    const sql = flat(sqlOf(db, name));
    for (const check of checks) {
      const words = check.value.queryChunks.map((chunk) =>
        typeof chunk === "object" && chunk !== null && "value" in chunk ? String(chunk.value) : "",
      );
      expect(sql).toContain(flat(`CONSTRAINT ${check.name} CHECK(${words.join("")})`));
    }
    expect(sql.split("check(").length - 1).toBe(checks.length);
  }
});

test("every foreign key of the schema is in the database, with what a deletion does, and is enforced", () => {
  const db = emptyDb();
  for (const table of tables) {
    const { name, foreignKeys } = getTableConfig(table);
    const declared = foreignKeys.map((key) => {
      const { columns, foreignTable, foreignColumns } = key.reference();
      const [from, to] = [columns[0]?.name, foreignColumns[0]?.name];
      return { from, table: getTableConfig(foreignTable).name, to, onDelete: key.onDelete?.toUpperCase() };
    });
    const inDatabase = all(
      db,
      `SELECT "from", "table", "to", on_delete AS onDelete FROM pragma_foreign_key_list(?1)`,
      name,
    );
    expect(inDatabase).toEqual(declared);
  }
  expect(() => insertSync(db, { athleteId: 99 as never })).toThrow();
});

test("erasing an athlete takes races, syncs, batches, logs, listed activities and tokens along", () => {
  const db = emptyDb();
  const athlete = insertAthlete(db);
  const sync = insertSync(db, { athleteId: athlete });
  insertBatch(db, { syncId: sync });
  insertRace(db, { athleteId: athlete });
  db.$client.run("INSERT INTO listed_activities VALUES (?, 5)", [sync]);
  db.$client.run("INSERT INTO sync_logs (sync_id, at_ms, level, event, message) VALUES (?, 1, 'info', 'e', 'm')", [
    sync,
  ]);
  db.$client.run("INSERT INTO strava_tokens VALUES (?, 'k', 'a', 'r', 1, 1, NULL)", [athlete]);
  const other = insertRace(db);
  db.$client.run("DELETE FROM athletes WHERE id = ?", [athlete]);
  for (const table of ["syncs", "batches", "listed_activities", "sync_logs", "strava_tokens"])
    expect(all(db, `SELECT * FROM ${table}`)).toEqual([]);
  expect(all(db, "SELECT id FROM races")).toEqual([{ id: other }]);
});

test("I2: an athlete has one sync in progress; ended ones beside it are history", () => {
  const db = emptyDb();
  const athleteId = insertAthlete(db);
  insertSync(db, { athleteId });
  expect(() => insertSync(db, { athleteId })).toThrow();
  insertSync(db, { athleteId, status: "completed" });
  insertSync(db, { athleteId, status: "failed" });
  insertSync(db);
});

test("unique keys refuse doubles: athlete, batch number, live page, activity of an athlete, hash of a token", () => {
  const db = emptyDb();
  insertAthlete(db, { stravaId: 5 });
  expect(() => insertAthlete(db, { stravaId: 5 })).toThrow();
  const syncId = insertSync(db);
  insertBatch(db, { syncId, number: 1 });
  expect(() => insertBatch(db, { syncId, number: 1, status: "completed" })).toThrow();
  insertBatch(db, { syncId: insertSync(db), number: 1 });
  insertBatch(db, { syncId, type: "discovery", status: "processing" });
  expect(() => insertBatch(db, { syncId, type: "discovery" })).toThrow();
  insertBatch(db, { syncId, type: "discovery", status: "completed" });
  insertBatch(db, { syncId, type: "enrichment" });
  const athleteId = insertAthlete(db);
  insertRace(db, { athleteId, stravaActivityId: 7 });
  expect(() => insertRace(db, { athleteId, stravaActivityId: 7 })).toThrow();
  insertRace(db, { stravaActivityId: 7 });
  const token = "INSERT INTO admin_tokens (label, scope, token_hash, created_at_ms) VALUES ('l', 'read', 'h', 1)";
  db.$client.run(token);
  expect(() => db.$client.run(token)).toThrow();
});

test("one trouble has one open finding, for a sync and a batch or for none", () => {
  const db = emptyDb();
  const found = (values: string) =>
    db.$client.run(`INSERT INTO findings (kind, sync_id, batch_id, outcome, settled_at_ms) VALUES ${values}`);
  found("('schedule_overdue', NULL, NULL, 'pending', NULL)");
  expect(() => found("('schedule_overdue', NULL, NULL, 'proposed', NULL)")).toThrow();
  found("('schedule_overdue', NULL, NULL, 'verified', 5)");
  found("('schedule_overdue', 1, NULL, 'pending', NULL)");
  found("('schedule_overdue', 1, 2, 'pending', NULL)");
  expect(() => found("('schedule_overdue', 1, 2, 'pending', NULL)")).toThrow();
});

test("CHECKs refuse states that cannot be", () => {
  const db = emptyDb();
  const syncId = insertSync(db);
  const lease = { leaseToken: leaseToken("x"), leaseExpiresAtMs: NOW };
  const refused: (() => unknown)[] = [
    () => insertAthlete(db, { status: "gone" as never }),
    () => insertAthlete(db, { hidden: 2 }),
    () => insertSync(db, { status: "completed", completedAtMs: null }),
    () => insertSync(db, { completedAtMs: NOW }),
    () => insertSync(db, { mode: "half" as never }),
    () => insertSync(db, { phase: "resting" as never }),
    () => insertSync(db, { class: "royal" as never }),
    () => insertSync(db, { status: "stalled" as never, completedAtMs: NOW }),
    () => insertSync(db, { listComplete: 2 }),
    () => insertSync(db, { cursorPage: 0 }),
    () => insertBatch(db, { syncId, type: "guess" as never }),
    () => insertBatch(db, { syncId, status: "running" as never }),
    () => insertBatch(db, { syncId, status: "processing", leaseToken: null }),
    () => insertBatch(db, { syncId, status: "processing", leaseExpiresAtMs: null }),
    () => insertBatch(db, { syncId, status: "pending", ...lease }),
    () => insertBatch(db, { syncId, status: "completed", ...lease }),
    () => insertBatch(db, { syncId, status: "completed", completedAtMs: null }),
    () => insertBatch(db, { syncId, status: "pending", completedAtMs: NOW }),
    () => insertBatch(db, { syncId, size: 0 }),
    () => insertBatch(db, { syncId, waitReason: "lunch" as never }),
    () => insertRace(db, { enrichment: "maybe" as never }),
    () => insertRace(db, { enrichment: "failed", enrichmentError: null }),
    () => insertRace(db, { visibility: "friends" as never }),
    () => insertRace(db, { hidden: 3 }),
    () => db.$client.run("INSERT INTO findings (kind, outcome) VALUES ('x', 'verified')"),
    () => db.$client.run("INSERT INTO findings (kind, outcome, settled_at_ms) VALUES ('x', 'pending', 1)"),
    () => db.$client.run("INSERT INTO findings (kind, outcome) VALUES ('x', 'solved')"),
    () => db.$client.run("INSERT INTO quota_windows VALUES ('write', 'day', 1, 1, 1)"),
    () => db.$client.run("INSERT INTO quota_windows VALUES ('read', 'hour', 1, 1, 1)"),
    () =>
      db.$client.run(
        `INSERT INTO sync_logs (sync_id, at_ms, level, event, message) VALUES (${syncId}, 1, 'loud', 'e', 'm')`,
      ),
    () =>
      db.$client.run("INSERT INTO admin_tokens (label, scope, token_hash, created_at_ms) VALUES ('l', 'god', 'h', 1)"),
  ];
  for (const insert of refused) expect(insert, insert.toString()).toThrow();
});

/** The columns that `ARCHITECTURE.md` opens to outside tools, with what a hand may write there. */
const BY_HAND = {
  athletes: "(id, strava_id, status) VALUES (1, 26462176, 'connected')",
  syncs:
    "(id, athlete_id, mode, phase, status, completed_at_ms) VALUES (1, 1, 'full', 'enrichment', 'in_progress', NULL)",
  batches:
    "(id, sync_id, number, type, status, attempts, run_after_ms, lease_token, lease_expires_at_ms, trace_id) VALUES (1, 1, 1, 'enrichment', 'pending', 0, 0, NULL, NULL, NULL)",
  races:
    "(id, athlete_id, strava_activity_id, enrichment, batch_id, polyline, description, withdrawn_at_ms) VALUES (1, 1, 5, 'pending', NULL, NULL, NULL, NULL)",
  findings: "(id, kind, sync_id, outcome) VALUES (1, 'missing_enrichment_batches', 1, 'pending')",
};

test("a hand may add a row with nothing but the columns that are open to it", () => {
  const db = emptyDb();
  db.$client.run("PRAGMA foreign_keys = OFF");
  db.$client.run("PRAGMA ignore_check_constraints = ON");
  const before = Date.parse(String(all<{ now: string }>(db, "SELECT strftime('%FT%TZ') AS now")[0]?.now));
  for (const [table, row] of Object.entries(BY_HAND)) {
    db.$client.run(`INSERT INTO ${table} ${row}`);
    expect(all(db, `SELECT id FROM ${table}`)).toEqual([{ id: 1 }]);
  }
  // Such rows are whole: our own statements take them, and their times are the moment of the insert.
  db.$client.run("PRAGMA ignore_check_constraints = OFF");
  const sync = db.select().from(schema.syncs).get();
  expect(sync).toMatchObject({ class: "schedule", classRank: 3, listComplete: null, cursorPage: 1, warnings: "[]" });
  expect(sync?.startedAtMs).toBeGreaterThanOrEqual(epochMs(before));
  expect(sync?.lastProgressAtMs).toBeLessThan(before + 60_000);
  expect(all(db, "SELECT * FROM pragma_integrity_check")).toEqual([{ integrity_check: "ok" }]);
  expect(all(db, "SELECT * FROM pragma_foreign_key_check")).toEqual([]);
});

test("a hand may write states that cannot be, and unique keys stand against it all the same", () => {
  const db = emptyDb();
  for (const [table, row] of Object.entries(BY_HAND)) db.$client.run(`INSERT INTO ${table} ${row}`);
  db.$client.run("PRAGMA foreign_keys = OFF");
  db.$client.run("PRAGMA ignore_check_constraints = ON");
  db.$client.run("UPDATE batches SET status = 'processing'");
  db.$client.run("UPDATE syncs SET status = 'completed'");
  db.$client.run("UPDATE races SET enrichment = 'failed', batch_id = 12345");
  db.$client.run("DELETE FROM batches");
  db.$client.run("UPDATE syncs SET status = 'in_progress'");
  expect(() => db.$client.run("INSERT INTO syncs (athlete_id) VALUES (1)")).toThrow("UNIQUE");
});
