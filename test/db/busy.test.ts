import { Database, SQLiteError } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { isBusy, retryWhenBusy } from "../../src/db/busy.ts";
import { closeDatabase, openDatabase } from "../../src/db/open.ts";
import { inWriteTransaction } from "../../src/db/transaction.ts";
import { FakeClock } from "../support/fake-clock.ts";

const START_MS = 1_763_334_772_370;

/** Work that meets a lock so many times, and counts its tries. */
function busyTimes(times: number): { work: () => string; tries: () => number } {
  let tries = 0;
  const work = () => {
    tries++;
    if (tries <= times) throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    return "done";
  };
  return { work, tries: () => tries };
}

test("a foreign writer's lock is busy, through Drizzle and without; a broken constraint is not", () => {
  const directory = mkdtempSync(join(tmpdir(), "broomwagon-busy-"));
  const path = join(directory, "x.sqlite");
  const db = openDatabase(path);
  db.$client.run("PRAGMA busy_timeout = 0; CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT");
  const foreign = new Database(path);
  foreign.run("BEGIN IMMEDIATE");
  const thrownBy = (work: () => void): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const bare = thrownBy(() => db.$client.run("INSERT INTO t VALUES (1)"));
  expect(bare).toBeInstanceOf(SQLiteError);
  expect(isBusy(bare)).toBe(true);
  expect(isBusy(thrownBy(() => db.run(sql`INSERT INTO t VALUES (1)`)))).toBe(true);
  expect(isBusy(thrownBy(() => inWriteTransaction(db, () => undefined)))).toBe(true);
  foreign.run("ROLLBACK");
  db.$client.run("INSERT INTO t VALUES (1)");
  expect(isBusy(thrownBy(() => db.$client.run("INSERT INTO t VALUES (1)")))).toBe(false);
  expect(isBusy(undefined)).toBe(false);
  foreign.close();
  closeDatabase(db);
  rmSync(directory, { recursive: true });
});

test("work that meets no lock is done at once, without waiting", async () => {
  const clock = new FakeClock(START_MS);
  expect(await retryWhenBusy(() => 7, { clock, limitMs: 1_000 })).toBe(7);
  expect(clock.nextDueMs()).toBeUndefined();
});

test("work that meets a lock is tried again after waits that double", async () => {
  const clock = new FakeClock(START_MS);
  const { work, tries } = busyTimes(3);
  const outcome = retryWhenBusy(work, { clock, limitMs: 1_000 });
  await clock.advance(9);
  expect(tries()).toBe(1);
  await clock.advance(1);
  expect(tries()).toBe(2);
  await clock.advance(19);
  expect(tries()).toBe(2);
  await clock.advance(1 + 40);
  expect(tries()).toBe(4);
  expect(await outcome).toBe("done");
});

test("the last try comes exactly when the limit is spent, and its lock is the error", async () => {
  const clock = new FakeClock(START_MS);
  const { work, tries } = busyTimes(Number.POSITIVE_INFINITY);
  const outcome = retryWhenBusy(work, { clock, limitMs: 50 }).catch((error: unknown) => error);
  await clock.advance(49); // Tried at 0, 10 and 30; the next wait is cut to 20.
  expect(tries()).toBe(3);
  await clock.advance(1);
  expect(tries()).toBe(4);
  expect(isBusy(await outcome)).toBe(true);
  expect(clock.nextDueMs()).toBeUndefined();
});

test.each([-3_600_000, 3_600_000])(
  "a clock that jumps by %p ms neither stretches nor cuts the limit",
  async (jumpMs) => {
    const clock = new FakeClock(START_MS);
    const { work, tries } = busyTimes(Number.POSITIVE_INFINITY);
    const jumping = () => {
      clock.jumpTo(clock.nowMs() + jumpMs);
      return work();
    };
    const outcome = retryWhenBusy(jumping, { clock, limitMs: 30 }).catch(() => "gave up");
    await clock.advance(10 * 3_600_000);
    expect(tries()).toBe(3); // At 0, 10 and 30.
    expect(await outcome).toBe("gave up");
  },
);

test("any other error rises at once", async () => {
  const clock = new FakeClock(START_MS);
  let tries = 0;
  const work = (): number => {
    tries++;
    throw new Error("UNIQUE constraint failed");
  };
  const outcome = retryWhenBusy(work, { clock, limitMs: 1_000 }).catch((error: unknown) => error);
  await clock.advance(1_000);
  expect(await outcome).toMatchObject({ message: "UNIQUE constraint failed" });
  expect(tries).toBe(1);
});

test("an abort ends the wait, and the work is not tried again", async () => {
  const clock = new FakeClock(START_MS);
  const controller = new AbortController();
  const { work, tries } = busyTimes(5);
  const outcome = retryWhenBusy(work, { clock, signal: controller.signal, limitMs: 1_000 }).catch(
    (error: unknown) => error,
  );
  await clock.advance(5);
  controller.abort(new Error("stopping"));
  expect(await outcome).toMatchObject({ message: "stopping" });
  expect(clock.nextDueMs()).toBeUndefined();
  await clock.advance(1_000);
  expect(tries()).toBe(1);
});

test("a signal that was aborted before keeps the work from being tried", async () => {
  const { work, tries } = busyTimes(0);
  const options = { clock: new FakeClock(START_MS), signal: AbortSignal.abort(new Error("stopping")), limitMs: 10 };
  const outcome = await retryWhenBusy(work, options).catch((error: unknown) => error);
  expect(outcome).toMatchObject({ message: "stopping" });
  expect(tries()).toBe(0);
});
