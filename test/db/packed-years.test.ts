import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sizeOfTwoYears } from "../../scripts/bench-health-measures.ts";
import { DAY_MS, type EpochMs, epochMs, plusMs } from "../../src/core/units.ts";
import { addToCounter, type CounterName, readTotals, sumCounters } from "../../src/db/counters.ts";
import { migrationsFolder } from "../../src/db/migrate.ts";
import { closeDatabase, type Db, openMemoryDatabase } from "../../src/db/open.ts";
import { foldOldDays, readDays } from "../../src/db/packed-years.ts";
import { emptyDb } from "../support/database.ts";
import { byHand } from "../support/hand.ts";

const NOON = epochMs(Date.UTC(2025, 10, 17, 12));
const daysAgo = (days: number, fromMs: EpochMs = NOON): EpochMs => plusMs(fromMs, -days * DAY_MS);

function foldAll(db: Db, nowMs: EpochMs): number {
  let folded = 0;
  for (let step = 1; step > 0; folded += step) step = foldOldDays(db, nowMs, 7);
  return folded;
}

const daysOf = (db: Db, name: CounterName, fromMs: EpochMs, toMs: EpochMs): ReadonlyMap<EpochMs, number> =>
  readDays(db, [name], fromMs, toMs).get(name) ?? new Map();

const rowsOf = (db: Db): unknown[] =>
  db.$client.query("SELECT day_start_ms FROM counters WHERE day_start_ms > 0 ORDER BY day_start_ms").all();

test("days older than 32 are packed, what is younger stays a row, and the series is the same before and after", () => {
  const db = emptyDb();
  for (let days = 0; days < 400; days++) addToCounter(db, "syncs_started", (days % 5) + 1, daysAgo(days));
  const series = () => daysOf(db, "syncs_started", daysAgo(500), NOON);
  const before = series();
  expect(before.size).toBe(400);
  const totals = readTotals(db);
  expect(foldAll(db, NOON)).toBe(400 - 33);
  expect(rowsOf(db)).toHaveLength(33);
  expect(series()).toEqual(before);
  expect(readTotals(db)).toEqual(totals);
  // Whatever a period sums up, up to 30 days, is there as rows.
  expect(sumCounters(db, daysAgo(30)).get("syncs_started")).toBe(
    Array.from({ length: 31 }, (_, days) => (days % 5) + 1).reduce((sum, value) => sum + value, 0),
  );
  expect(foldAll(db, NOON)).toBe(0);
});

test("a day that was packed and counted again adds up, and counters are kept apart", () => {
  const db = emptyDb();
  const day = daysAgo(40);
  addToCounter(db, "syncs_failed", 2, day);
  addToCounter(db, "syncs_completed", 5, day);
  foldAll(db, NOON);
  // The clock was set back, and something was counted on that day once more.
  addToCounter(db, "syncs_failed", 3, day);
  const failed = () => [...daysOf(db, "syncs_failed", daysAgo(60), NOON).values()];
  expect(failed()).toEqual([5]);
  foldAll(db, NOON);
  expect(failed()).toEqual([5]);
  expect([...daysOf(db, "syncs_completed", day, day).values()]).toEqual([5]);
  expect(daysOf(db, "syncs_failed", daysAgo(39), NOON).size).toBe(0);
});

test("two calendar years beside the current one are kept, also over a leap day, and no more", () => {
  const db = emptyDb();
  const eve = (year: number) => epochMs(Date.UTC(year, 11, 31, 23));
  for (const year of [2022, 2023, 2024]) {
    addToCounter(db, "syncs_failed", year, eve(year));
    addToCounter(db, "syncs_failed", 1, plusMs(eve(year), 2 * 3_600_000));
  }
  foldAll(db, NOON);
  const day = (year: number, month: number, date: number) => epochMs(Date.UTC(year, month, date));
  expect([...daysOf(db, "syncs_failed", epochMs(0), NOON)]).toEqual([
    [day(2023, 0, 1), 1],
    [day(2023, 11, 31), 2023],
    [day(2024, 0, 1), 1],
    [day(2024, 11, 31), 2024],
    [day(2025, 0, 1), 1],
  ]);
});

test("how long each kind took is dropped after a month, but for its sum since ever; how long all took is kept", () => {
  const db = emptyDb();
  const day = daysAgo(40);
  const names = [
    "detect_ms",
    "detect_ms:no_progress",
    "repair_le:inf",
    "repair_le:inf:other",
    "repair_le:60000",
  ] as const;
  for (const name of [...names, "stalls_detected:no_progress"] as const) addToCounter(db, name, 4, day);
  foldAll(db, NOON);
  const days = readDays(db, [...names, "stalls_detected:no_progress"], day, day);
  expect([...days].filter(([, of]) => of.size === 1).map(([name]) => name)).toEqual([
    "detect_ms",
    "repair_le:inf",
    "repair_le:60000",
    "stalls_detected:no_progress",
  ]);
  expect(readTotals(db).get("detect_ms:no_progress")).toBe(4);
  expect(sumCounters(db, epochMs(0)).size).toBe(0);
});

test("two years of a club where something stalls every third day are a few kilobytes", () => {
  expect(sizeOfTwoYears({ stallsADay: 1 / 3, daily: false, seed: 2 }).packed).toBeWithin(1_000, 6_000);
});

test("what a hand wrote instead of a year counts as nothing, and the next days are packed over it", () => {
  const db = emptyDb();
  const day = daysAgo(40);
  for (const garbage of ["{", "[1]", "x", "\x01", "\x01x", ""]) {
    byHand(db, `INSERT OR REPLACE INTO packed_years VALUES (2025, CAST('${garbage}' AS BLOB))`);
    expect(daysOf(db, "syncs_failed", day, day).size).toBe(0);
  }
  addToCounter(db, "syncs_failed", 3, day);
  foldAll(db, NOON);
  expect([...daysOf(db, "syncs_failed", day, day).values()]).toEqual([3]);
});

test("years that were packed a counter at a time by the version before are read, and packed anew", () => {
  const db = openMemoryDatabase();
  try {
    const files = readdirSync(migrationsFolder())
      .filter((file) => file.endsWith(".sql"))
      .sort();
    const at = files.indexOf("0004_packed_years.sql");
    const apply = (names: string[]) => {
      for (const name of names) db.$client.run(readFileSync(join(migrationsFolder(), name), "utf8"));
    };
    apply(files.slice(0, at));
    db.$client.run(
      "INSERT INTO counter_years VALUES ('syncs_failed', 2024, '0:1,2'), ('syncs_completed', 2024, '3:7')",
    );
    apply(files.slice(at));
    const [first, last] = [epochMs(Date.UTC(2024, 0, 1)), epochMs(Date.UTC(2024, 11, 31))];
    const both = () => [daysOf(db, "syncs_failed", first, last), daysOf(db, "syncs_completed", first, last)];
    expect(both().map((days) => [...days.values()])).toEqual([[1, 2], [7]]);
    addToCounter(db, "syncs_failed", 5, last);
    foldAll(db, NOON);
    expect(both().map((days) => [...days.values()])).toEqual([[1, 2, 5], [7]]);
  } finally {
    closeDatabase(db);
  }
});
