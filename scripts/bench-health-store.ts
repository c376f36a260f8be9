import { copyFileSync } from "node:fs";
import { migrate, migrationsFolder } from "../src/db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "../src/db/open.ts";
import { START_MS } from "../test/support/engine.ts";

/** A club in the middle of things. */
export type Club = {
  /** Syncs in progress, one an athlete: of ten, one lists and nine enrich. */
  readonly syncs: number;
  /** Ended batches: half of them in the fifty syncs that ended last, which pages show; the rest spread over older ones. */
  readonly endedBatches: number;
};

/** Of a sync that enriches. */
const LIVE_BATCHES = 2;
const ENDED_BATCHES = 3;
const RACES_A_BATCH = 15;
const NEWEST_ENDED = 50;
/** Athletes who have only history. */
const FORMER_ATHLETES = 50;

/** Syncs in progress, with live batches and their races. All times are the clock's start: nothing is old, nothing is wrong. */
export function prepareClub(path: string, syncs: number): void {
  const db = openDatabase(path);
  migrate(db, { folder: migrationsFolder(), nowMs: START_MS as never, programVersion: "bench" });
  const now = START_MS;
  fill(db, [
    `INSERT INTO athletes (id, strava_id, created_at_ms) WITH RECURSIVE ${numbers(syncs)} SELECT n, 90000000 + n, ${now} FROM numbers`,
    `INSERT INTO syncs (id, athlete_id, phase, list_complete, started_at_ms, last_activity_at_ms, last_progress_at_ms)
       WITH RECURSIVE ${numbers(syncs)} SELECT n, n, iif(n % 10 = 0, 'discovery', 'enrichment'), n % 10 <> 0, ${now}, ${now}, ${now} FROM numbers`,
    `INSERT INTO batches (sync_id, number, type, status, completed_at_ms, size, created_at_ms, run_after_ms)
       WITH RECURSIVE ${numbers(ENDED_BATCHES)} SELECT id, n, phase, 'completed', ${now}, 15, ${now}, ${now} FROM syncs, numbers`,
    `INSERT INTO batches (sync_id, number, type, status, size, created_at_ms, run_after_ms)
       SELECT id, 4, 'discovery', 'pending', 1, ${now}, ${now} FROM syncs WHERE phase = 'discovery'`,
    `INSERT INTO batches (sync_id, number, type, status, size, created_at_ms, run_after_ms)
       WITH RECURSIVE ${numbers(LIVE_BATCHES)}
       SELECT id, 3 + n, 'enrichment', 'pending', ${RACES_A_BATCH}, ${now}, ${now} FROM syncs, numbers WHERE phase = 'enrichment'`,
    `INSERT INTO races (athlete_id, strava_activity_id, start_at_ms, fingerprint, batch_id)
       WITH RECURSIVE ${numbers(RACES_A_BATCH)}
       SELECT s.athlete_id, b.id * 100 + n, ${now} - n * 86400000, 'listed', b.id
       FROM batches b JOIN syncs s ON s.id = b.sync_id, numbers WHERE b.type = 'enrichment' AND b.status = 'pending'`,
  ]);
  closeDatabase(db);
}

/** A copy of the club, with so many ended batches in its history. */
export function withHistory(clubPath: string, path: string, club: Club): Db {
  copyFileSync(clubPath, path);
  const db = openDatabase(path);
  const now = START_MS;
  const shown = club.endedBatches / 2 / NEWEST_ENDED;
  const older = Math.max(1, club.endedBatches / 2 / 100);
  const each = club.endedBatches / 2 / older;
  const ended = (from: number, count: number) =>
    `INSERT INTO syncs (id, athlete_id, phase, list_complete, status, completed_at_ms, started_at_ms)
       WITH RECURSIVE ${numbers(count)}
       SELECT ${from} + n, ${club.syncs} + 1 + n % ${FORMER_ATHLETES}, 'enrichment', 1, 'completed', ${now} - (${count} - n) * 1000, ${now} - 86400000 FROM numbers`;
  const batches = (from: number, count: number) =>
    `INSERT INTO batches (sync_id, number, type, status, completed_at_ms, size)
       WITH RECURSIVE ${numbers(count)} SELECT s.id, n, 'enrichment', 'completed', ${now}, 15 FROM syncs s, numbers WHERE s.id > ${from}`;
  fill(db, [
    `INSERT INTO athletes (id, strava_id) WITH RECURSIVE ${numbers(FORMER_ATHLETES)} SELECT ${club.syncs} + n, 80000000 + n FROM numbers`,
    ended(1_000_000, older),
    batches(1_000_000, each),
    ended(2_000_000, NEWEST_ENDED),
    batches(2_000_000, shown),
  ]);
  return db;
}

const numbers = (count: number): string =>
  `numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})`;

function fill(db: Db, statements: readonly string[]): void {
  const client = db.$client;
  client.run("PRAGMA synchronous = OFF");
  client.run("PRAGMA foreign_keys = OFF");
  client.transaction(() => {
    for (const sql of statements) client.run(sql);
  })();
  client.run("PRAGMA foreign_keys = ON");
  client.run("PRAGMA wal_checkpoint(TRUNCATE)");
  client.run("PRAGMA synchronous = FULL");
}
