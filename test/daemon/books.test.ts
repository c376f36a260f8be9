import { expect, test } from "bun:test";
import { MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { keepScheduleBooks } from "../../src/daemon-books.ts";
import { readSchedule } from "../../src/db/schedule.ts";
import { createTestEngine } from "../support/engine.ts";

const JOBS = [
  { job: "each-minute", catchUp: "skip" },
  { job: "nightly", catchUp: "once" },
] as const;

function setUp() {
  const engine = createTestEngine();
  const books = keepScheduleBooks(engine.context, JOBS);
  const run = (job: string, error: string | null = null) =>
    books.ran({ job, atMs: engine.clock.nowMs(), durationMs: 3, error });
  const row = (job: string) => readSchedule(engine.db, job);
  return { ...engine, books, run, row };
}

test("runs of a job that skips its turns are booked every ten minutes, with the last one and their number", async () => {
  const { clock, run, row } = setUp();
  for (let minute = 0; minute < 5; minute++) {
    run("each-minute");
    await clock.advance(MINUTE_MS);
  }
  expect(row("each-minute")).toBeUndefined();
  const lastAtMs = clock.nowMs() - MINUTE_MS;
  await clock.advance(5 * MINUTE_MS + SECOND_MS);
  expect(row("each-minute")).toMatchObject({ lastRunAtMs: lastAtMs, lastDurationMs: 3, runs: 5 });
  run("each-minute");
  await clock.advance(10 * MINUTE_MS + SECOND_MS);
  expect(row("each-minute")).toMatchObject({ runs: 6 });
});

test("a job that makes up for its turns, one that failed, and turns that were skipped are booked at once, with all that waits", async () => {
  const { clock, books, run, row } = setUp();
  run("each-minute");
  run("nightly");
  await clock.advance(0);
  expect([row("each-minute"), row("nightly")]).toMatchObject([{ runs: 1 }, { runs: 1 }]);
  run("each-minute", "no disk");
  await clock.advance(0);
  expect(row("each-minute")).toMatchObject({ runs: 2, lastError: "no disk" });
  books.skipped("each-minute", "missed", 4);
  books.skipped("each-minute", "overrun", 1);
  await clock.advance(0);
  expect(row("each-minute")).toMatchObject({ runs: 2, missed: 4, overrun: 1 });
});

test("at the end whatever is open is booked", async () => {
  const { clock, books, run, row } = setUp();
  run("each-minute");
  books.close();
  await clock.advance(0);
  expect(row("each-minute")).toMatchObject({ runs: 1 });
});
