/**
 * What was counted more than a month ago, a row a counter and year: two years of every number in a few kilobytes, where a
 * row a day would take a hundred times as much. Nothing but the daily series reads it.
 */
import { packDays, unpackDays } from "../core/day-series.ts";
import { DAY_MS, type EpochMs, epochMs, plusMs } from "../core/units.ts";
import { type CounterName, dayStartOf } from "./counters.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** Longer than the longest period that the API sums up. */
const DAYS_KEPT_AS_ROWS = 32;
/** So many calendar years beside the current one. */
const YEARS_KEPT = 2;

type DayRow = { name: string; day: EpochMs; value: number };

const oldDays = statement<DayRow, [number, number]>(
  `SELECT name, day_start_ms AS day, value FROM counters WHERE day_start_ms > 0 AND day_start_ms < ?1
   ORDER BY name, day_start_ms LIMIT ?2`,
);
const deleteDay = statement<unknown, [string, number]>("DELETE FROM counters WHERE name = ?1 AND day_start_ms = ?2");
const readYear = statement<{ days: string }, [string, number]>(
  "SELECT days FROM counter_years WHERE name = ?1 AND year = ?2",
);
const storeYear = statement<unknown, [string, number, string]>(
  `INSERT INTO counter_years (name, year, days) VALUES (?1, ?2, ?3)
   ON CONFLICT (name, year) DO UPDATE SET days = excluded.days`,
);
const deleteYears = statement<unknown, [number]>("DELETE FROM counter_years WHERE year < ?1");

/**
 * Packs days that are older than a month into the rows of their years, and drops years that are too old; sums since ever
 * stay. Inside a transaction. @returns how many days it packed: call again until there are none.
 */
export function foldOldDays(db: Db, nowMs: EpochMs, limit: number): number {
  const rows = oldDays(db).all(plusMs(dayStartOf(nowMs), -DAYS_KEPT_AS_ROWS * DAY_MS), limit);
  const groups = Map.groupBy(rows, ({ name, day }) => `${yearOf(day)} ${name}`);
  for (const group of groups.values()) foldInto(db, group);
  deleteYears(db).run(yearOf(nowMs) - YEARS_KEPT);
  return rows.length;
}

/** Days of one counter and year. */
function foldInto(db: Db, rows: readonly DayRow[]): void {
  const [first] = rows;
  if (first === undefined) return;
  const year = yearOf(first.day);
  const days = unpackDays(readYear(db).get(first.name, year)?.days ?? "");
  for (const { name, day, value } of rows) {
    const place = placeInYear(day);
    days.set(place, (days.get(place) ?? 0) + value);
    deleteDay(db).run(name, day);
  }
  storeYear(db).run(first.name, year, packDays(days));
}

const daysOf = statement<DayRow, [string, number, number]>(
  "SELECT name, day_start_ms AS day, value FROM counters WHERE name = ?1 AND day_start_ms BETWEEN max(?2, 1) AND ?3",
);
const yearsOf = statement<{ year: number; days: string }, [string, number, number]>(
  "SELECT year, days FROM counter_years WHERE name = ?1 AND year BETWEEN ?2 AND ?3",
);

/** A counter by day, from the day of one moment to the day of another; days with nothing are left out. */
export function readDays(db: Db, name: CounterName, fromMs: EpochMs, toMs: EpochMs): ReadonlyMap<EpochMs, number> {
  const [from, to] = [dayStartOf(fromMs), dayStartOf(toMs)];
  const days = new Map<EpochMs, number>();
  const add = (day: EpochMs, value: number): void => {
    if (day >= from && day <= to) days.set(day, (days.get(day) ?? 0) + value);
  };
  for (const { year, days: packed } of yearsOf(db).all(name, yearOf(from), yearOf(to))) {
    for (const [place, value] of unpackDays(packed)) add(plusMs(startOfYear(year), place * DAY_MS), value);
  }
  for (const { day, value } of daysOf(db).all(name, from, to)) add(day, value);
  return days;
}

const yearOf = (timeMs: EpochMs): number => new Date(timeMs).getUTCFullYear();
const startOfYear = (year: number): EpochMs => epochMs(Date.UTC(year, 0, 1));
const placeInYear = (day: EpochMs): number => Math.round((day - startOfYear(yearOf(day))) / DAY_MS);
