import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { epochMs, HOUR_MS, plusMs, type SyncId } from "../../src/core/units.ts";
import { migrationsFolder } from "../../src/db/migrate.ts";
import type { Db } from "../../src/db/open.ts";
import { readBatchCountsOf } from "../../src/db/snapshot-pages.ts";
import { countEndedSince } from "../../src/db/syncs.ts";
import { insertAthlete, insertBatch, insertSync, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { byHand } from "../support/hand.ts";

const BATCHES_COUNTED =
  "SELECT sync_id, type, status, count(*) AS count FROM batches GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
const SYNCS_COUNTED = `SELECT completed_at_ms / 3600000 * 3600000 AS hour_start_ms, status, count(*) AS count FROM syncs
  WHERE status <> 'in_progress' AND completed_at_ms IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2`;

/** The counts that are kept are what counting would give. */
function expectTrueCounts(client: Database): void {
  expect(client.query("SELECT * FROM batch_counts WHERE count <> 0 ORDER BY 1, 2, 3").all()).toEqual(
    client.query(BATCHES_COUNTED).all(),
  );
  expect(client.query("SELECT * FROM ended_sync_counts ORDER BY 1, 2").all()).toEqual(
    client.query(SYNCS_COUNTED).all(),
  );
}

/** Three syncs of three athletes with batches of every status. */
function scene(): Db {
  const db = emptyDb();
  for (const status of ["in_progress", "completed", "failed"] as const) {
    const syncId = insertSync(db, { athleteId: insertAthlete(db), phase: "enrichment", status });
    for (const batch of ["pending", "processing", "completed", "completed", "failed", "cancelled"] as const) {
      insertBatch(db, { syncId, status: batch });
    }
    insertBatch(db, { syncId, type: "discovery", status: "completed" });
  }
  return db;
}

/** What a hand may do to rows that are counted; `n` and `m` are ids and times. */
const CHANGES: readonly ((n: number, m: number) => string)[] = [
  (n) => `UPDATE batches SET status = 'completed' WHERE id = ${n}`,
  (n) => `UPDATE batches SET status = 'bogus' WHERE id % 3 = ${n % 3}`,
  (n) => `UPDATE batches SET type = 'discovery', status = 'failed' WHERE id = ${n}`,
  (n, m) => `UPDATE OR IGNORE batches SET sync_id = ${m % 4} WHERE id = ${n}`,
  (n) => `UPDATE batches SET attempts = 3, status = status WHERE id = ${n}`,
  (n) => `DELETE FROM batches WHERE id = ${n}`,
  (n) => `DELETE FROM batches WHERE sync_id = ${n % 4}`,
  (n) => `DELETE FROM syncs WHERE id = ${n % 4}; DELETE FROM batches WHERE sync_id = ${n % 4}`,
  (n, m) => `INSERT OR IGNORE INTO batches (sync_id, number, type) VALUES (${n % 4}, ${m}, 'enrichment')`,
  (n, m) => `UPDATE syncs SET status = 'cancelled', completed_at_ms = ${m} * 3600000 + ${n} WHERE id = ${n % 4}`,
  (n) => `UPDATE syncs SET status = 'in_progress', completed_at_ms = NULL WHERE id = ${n % 4}`,
  (n, m) => `UPDATE syncs SET completed_at_ms = ${m} * 1800000 WHERE id = ${n % 4}`,
];

test("counts that are kept are true, whatever a hand does to what they count", () => {
  const change = fc.tuple(
    fc.constantFrom(...CHANGES),
    fc.integer({ min: 0, max: 22 }),
    fc.integer({ min: 1, max: 60 }),
  );
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
      const db = scene();
      expectTrueCounts(db.$client);
      for (const [write, n, m] of changes) {
        byHand(db, write(n, m));
        expectTrueCounts(db.$client);
      }
    }),
    { numRuns: 40 },
  );
});

test("erasing an athlete takes the counts of their syncs along", () => {
  const db = scene();
  db.$client.run("DELETE FROM athletes WHERE id = 1");
  expect(readBatchCountsOf(db, [1 as SyncId])).toEqual([]);
  expectTrueCounts(db.$client);
});

test("a batch of a sync that a hand deleted can still be cancelled, with foreign keys enforced", () => {
  const db = scene();
  byHand(db, "DELETE FROM syncs WHERE id = 1");
  db.$client.run(
    "UPDATE batches SET status = 'cancelled', completed_at_ms = 1, lease_token = NULL, lease_expires_at_ms = NULL WHERE sync_id = 1",
  );
  expect(db.$client.query("SELECT DISTINCT status FROM batches WHERE sync_id = 1").all()).toEqual([
    { status: "cancelled" },
  ]);
});

test("syncs that ended since a moment are counted to the millisecond, over whole hours and the one that is cut", () => {
  const db = emptyDb();
  const hour = epochMs(Math.floor(NOW / HOUR_MS) * HOUR_MS);
  for (const afterMs of [-1, 0, 1, HOUR_MS / 2, HOUR_MS - 1, HOUR_MS, 2 * HOUR_MS]) {
    insertSync(db, { status: "completed", completedAtMs: plusMs(hour, afterMs) });
  }
  insertSync(db, { status: "failed", completedAtMs: plusMs(hour, 5) });
  insertSync(db);
  const since = (afterMs: number) => Object.fromEntries(countEndedSince(db, plusMs(hour, afterMs)));
  expect(since(-1)).toEqual({ completed: 7, failed: 1 });
  expect(since(0)).toEqual({ completed: 6, failed: 1 });
  expect(since(1)).toEqual({ completed: 5, failed: 1 });
  expect(since(6)).toEqual({ completed: 4 });
  expect(since(HOUR_MS)).toEqual({ completed: 2 });
  expect(since(2 * HOUR_MS + 1)).toEqual({});
});

test("a database from before counts were kept gets those of the rows that it holds", () => {
  const client = new Database(":memory:");
  const folder = migrationsFolder();
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  const apply = (file: string) =>
    client.run(readFileSync(join(folder, file), "utf8").replaceAll("--> statement-breakpoint", ""));
  const kept = files.indexOf("0003_kept_counts.sql");
  for (const file of files.slice(0, kept)) apply(file);
  client.run("INSERT INTO athletes (id, strava_id) VALUES (1, 5)");
  client.run(
    "INSERT INTO syncs (id, athlete_id, status, completed_at_ms) VALUES (1, 1, 'completed', 7200001), (2, 1, 'in_progress', NULL)",
  );
  client.run(
    "INSERT INTO batches (sync_id, number, type) VALUES (2, 1, 'discovery'), (2, 2, 'enrichment'), (2, 3, 'enrichment')",
  );
  for (const file of files.slice(kept)) apply(file);
  expectTrueCounts(client);
  expect(client.query("SELECT count FROM batch_counts WHERE type = 'enrichment'").all()).toEqual([{ count: 2 }]);
});
