import { expect, test } from "bun:test";
import { DAY_MS, type EpochMs, epochMs, plusMs } from "../../src/core/units.ts";
import { foldOldDays, readDays } from "../../src/db/counter-years.ts";
import { addToCounter, type CounterName, readTotals, sumCounters } from "../../src/db/counters.ts";
import type { Db } from "../../src/db/open.ts";
import { emptyDb } from "../support/database.ts";

const NOON = epochMs(Date.UTC(2025, 10, 17, 12));
const daysAgo = (days: number, fromMs: EpochMs = NOON): EpochMs => plusMs(fromMs, -days * DAY_MS);

function foldAll(db: Db, nowMs: EpochMs): number {
  let folded = 0;
  for (let step = 1; step > 0; folded += step) step = foldOldDays(db, nowMs, 7);
  return folded;
}

const rowsOf = (db: Db): unknown[] =>
  db.$client.query("SELECT day_start_ms FROM counters WHERE day_start_ms > 0 ORDER BY day_start_ms").all();

test("days older than 32 are packed, what is younger stays a row, and the series is the same before and after", () => {
  const db = emptyDb();
  for (let days = 0; days < 400; days++) addToCounter(db, "syncs_started", (days % 5) + 1, daysAgo(days));
  const series = () => readDays(db, "syncs_started", daysAgo(500), NOON);
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
  const failed = () => [...readDays(db, "syncs_failed", daysAgo(60), NOON).values()];
  expect(failed()).toEqual([5]);
  foldAll(db, NOON);
  expect(failed()).toEqual([5]);
  expect([...readDays(db, "syncs_completed", day, day).values()]).toEqual([5]);
  expect(readDays(db, "syncs_failed", daysAgo(39), NOON).size).toBe(0);
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
  expect([...readDays(db, "syncs_failed", epochMs(0), NOON)]).toEqual([
    [day(2023, 0, 1), 1],
    [day(2023, 11, 31), 2023],
    [day(2024, 0, 1), 1],
    [day(2024, 11, 31), 2024],
    [day(2025, 0, 1), 1],
  ]);
});

test("two years of everything that a lively club counts are a few kilobytes", () => {
  const db = emptyDb();
  const nowMs = epochMs(Date.UTC(2025, 11, 31, 12));
  const daily: [CounterName, number][] = [
    ["syncs_started", 24],
    ["syncs_completed", 24],
    ["batches_completed", 61],
    ["races_enriched", 312],
    ["events_received", 87],
    ["events_looked_at", 55],
  ];
  const stall: CounterName[] = [
    "stalls_detected",
    "stalls_detected:orphaned_batch",
    "findings_found:orphaned_batch",
    "detect_le:60000",
    "remedies_applied",
    "remedies_applied:orphaned_batch",
    "remedies_verified",
    "remedies_verified:orphaned_batch",
    "repair_le:120000",
  ];
  const sums: CounterName[] = ["detect_ms", "detect_ms:orphaned_batch", "repair_ms", "repair_ms:orphaned_batch"];
  for (let days = 0; days < 730; days++) {
    for (const [name, value] of daily) addToCounter(db, name, value + (days % 7), daysAgo(days, nowMs));
    if (days % 3 !== 0) continue;
    for (const name of stall) addToCounter(db, name, 1, daysAgo(days, nowMs));
    for (const name of sums) addToCounter(db, name, 54_321, daysAgo(days, nowMs));
  }
  foldAll(db, nowMs);
  const bytes =
    db.$client.query<{ bytes: number }, []>("SELECT sum(length(days) + length(name)) AS bytes FROM counter_years").get()
      ?.bytes ?? 0;
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(48_000);
  expect(rowsOf(db).length).toBeLessThan(1_000);
});
