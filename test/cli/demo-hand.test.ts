import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { breakOneSync } from "../../src/cli/demo-hand.ts";
import { migrate, migrationsFolder } from "../../src/db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "../../src/db/open.ts";
import { FakeClock } from "../support/fake-clock.ts";

const HEALTH_PERIOD_MS = 10_000;
/** A moment at which a health check has just been. */
const START_MS = Math.floor(Date.UTC(2025, 10, 17) / HEALTH_PERIOD_MS) * HEALTH_PERIOD_MS;

let directory: string;
let databasePath: string;
let clock: FakeClock;
let db: Db;
let ending: AbortController;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "broomwagon-hand-"));
  databasePath = join(directory, "broomwagon.sqlite");
  clock = new FakeClock(START_MS);
  db = openDatabase(databasePath);
  migrate(db, { folder: migrationsFolder(), nowMs: clock.nowMs(), programVersion: "test" });
  // An athlete in enrichment: 20 races are left when three batches of five are done.
  db.$client.run("INSERT INTO athletes (id, strava_id) VALUES (1, 11)");
  db.$client.run("INSERT INTO syncs (id, athlete_id, phase) VALUES (4, 1, 'enrichment')");
  for (let race = 1; race <= 20; race++) {
    db.$client.run("INSERT INTO races (athlete_id, strava_activity_id) VALUES (1, ?)", [race]);
  }
  ending = new AbortController();
});
afterEach(() => {
  closeDatabase(db);
  rmSync(directory, { recursive: true, force: true });
});

const startHand = () =>
  breakOneSync({ databasePath, athleteId: 1, healthPeriodMs: HEALTH_PERIOD_MS, clock, signal: ending.signal });
const addBatches = (...numbers: number[]) => {
  for (const number of numbers) {
    db.$client.run("INSERT INTO batches (sync_id, number, type) VALUES (4, ?, 'enrichment')", [number]);
  }
};
const complete = (...numbers: number[]) => {
  for (const number of numbers) {
    db.$client.run("UPDATE batches SET status = 'completed', completed_at_ms = 1 WHERE number = ?", [number]);
  }
};
const batches = () =>
  db.$client
    .query<{ number: number; wait_reason: string | null }, []>(
      "SELECT number, wait_reason FROM batches ORDER BY number",
    )
    .all();

test("the hand holds back what lies beyond three batches, and deletes it once the three are done", async () => {
  const hand = startHand();
  await clock.advance(50);
  addBatches(3, 4, 5, 6, 7);
  await clock.advance(50);
  expect(batches().map((batch) => batch.wait_reason)).toEqual([null, null, null, "backoff", "backoff"]);
  complete(3, 4);
  await clock.advance(50);
  expect(batches()).toHaveLength(5);
  complete(5);
  await clock.advance(50);
  expect(batches().map(({ number }) => number)).toEqual([3, 4, 5]);
  expect(await hand).toMatchObject({ syncId: "4", batchNumbers: [6, 7], racesLeft: 20 });
});

test("it strikes only when the stall can be seen for a while before the next health check", async () => {
  addBatches(3, 4, 5, 6);
  complete(3, 4, 5);
  clock.jumpTo(START_MS + HEALTH_PERIOD_MS - 3_900);
  const hand = startHand();
  await clock.advance(3_800);
  expect(batches()).toHaveLength(4);
  await clock.advance(200);
  expect(batches()).toHaveLength(3);
  expect(await hand).toBeDefined();
});

test("a demo that ends before leaves everything as it is", async () => {
  addBatches(3);
  const hand = startHand();
  await clock.advance(50);
  ending.abort();
  expect(await hand).toBeUndefined();
  expect(batches()).toHaveLength(1);
});
