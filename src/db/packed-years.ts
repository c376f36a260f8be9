/**
 * What was counted more than a month ago, a row a year: all counters' days, compressed. Two years of every number in a few
 * kilobytes, where a row a day would take a hundred times as much: what stalls count, they count in several places
 * on the same days, which compresses well. Nothing but the daily series reads it.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { packDays, unpackDays } from "../core/day-series.ts";
import { DAY_MS, type EpochMs, epochMs, plusMs } from "../core/units.ts";
import { type CounterName, dayStartOf } from "./counters.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** Longer than the longest period that the API sums up. */
const DAYS_KEPT_AS_ROWS = 32;
/** So many calendar years beside the current one. */
const YEARS_KEPT = 2;
/** How long each kind took is told of the last month and since ever; how long all took, of every day. */
const KEPT_FOR_A_MONTH = /^(?:detect|repair)_(?:ms|le:[^:]+):/;

type DayRow = { name: string; day: EpochMs; value: number };
type YearRow = { year: number; days: Uint8Array };
/** The days of a year, packed, by counter. */
type Year = Map<string, string>;

const oldDays = statement<DayRow, [number, number]>(
  `SELECT name, day_start_ms AS day, value FROM counters WHERE day_start_ms > 0 AND day_start_ms < ?1
   ORDER BY name, day_start_ms LIMIT ?2`,
);
const deleteDay = statement<unknown, [string, number]>("DELETE FROM counters WHERE name = ?1 AND day_start_ms = ?2");
const yearsStatement = statement<YearRow, [number, number]>(
  "SELECT year, days FROM packed_years WHERE year BETWEEN ?1 AND ?2",
);
const storeYear = statement<unknown, [number, Uint8Array]>(
  "INSERT INTO packed_years (year, days) VALUES (?1, ?2) ON CONFLICT (year) DO UPDATE SET days = excluded.days",
);
const deleteYears = statement<unknown, [number]>("DELETE FROM packed_years WHERE year < ?1");

/**
 * Packs days that are older than a month into the rows of their years, and drops years that are too old; sums since ever
 * stay. Inside a transaction. @returns how many days it took: call again until there are none.
 */
export function foldOldDays(db: Db, nowMs: EpochMs, limit: number): number {
  const rows = oldDays(db).all(plusMs(dayStartOf(nowMs), -DAYS_KEPT_AS_ROWS * DAY_MS), limit);
  const kept = rows.filter(({ name }) => !KEPT_FOR_A_MONTH.test(name));
  for (const [year, days] of Map.groupBy(kept, ({ day }) => yearOf(day))) foldInto(db, year, days);
  for (const { name, day } of rows) deleteDay(db).run(name, day);
  deleteYears(db).run(yearOf(nowMs) - YEARS_KEPT);
  return rows.length;
}

function foldInto(db: Db, year: number, rows: readonly DayRow[]): void {
  const counters = readYears(db, year, year).get(year) ?? new Map<string, string>();
  for (const [name, days] of Map.groupBy(rows, (row) => row.name)) {
    const folded = unpackDays(counters.get(name) ?? "");
    for (const { day, value } of days) folded.set(placeInYear(day), (folded.get(placeInYear(day)) ?? 0) + value);
    counters.set(name, packDays(folded));
  }
  storeYear(db).run(year, pack(counters));
}

/** Days of a counter, by the day's beginning; days with nothing are left out. */
export type Days = ReadonlyMap<EpochMs, number>;

const daysOf = statement<DayRow, [string, number, number]>(
  `SELECT name, day_start_ms AS day, value FROM counters
   WHERE name IN (SELECT value FROM json_each(?1)) AND day_start_ms BETWEEN max(?2, 1) AND ?3`,
);

/** Some counters by day, from the day of one moment to the day of another. */
export function readDays<Name extends CounterName>(
  db: Db,
  names: readonly Name[],
  fromMs: EpochMs,
  toMs: EpochMs,
): ReadonlyMap<Name, Days> {
  const [from, to] = [dayStartOf(fromMs), dayStartOf(toMs)];
  const counters = new Map<string, Map<EpochMs, number>>(names.map((name) => [name, new Map<EpochMs, number>()]));
  const add = (name: string, day: EpochMs, value: number): void => {
    const days = counters.get(name);
    if (days !== undefined && day >= from && day <= to) days.set(day, (days.get(day) ?? 0) + value);
  };
  for (const [year, packed] of readYears(db, yearOf(from), yearOf(to))) {
    for (const name of names) {
      for (const [place, value] of unpackDays(packed.get(name) ?? "")) {
        add(name, plusMs(startOfYear(year), place * DAY_MS), value);
      }
    }
  }
  for (const { name, day, value } of daysOf(db).all(JSON.stringify(names), from, to)) add(name, day, value);
  return counters as ReadonlyMap<string, Days> as ReadonlyMap<Name, Days>;
}

function readYears(db: Db, first: number, last: number): ReadonlyMap<number, Year> {
  return new Map(
    yearsStatement(db)
      .all(first, last)
      .map(({ year, days }) => [year, unpack(days)]),
  );
}

function pack(counters: Year): Uint8Array {
  const text = JSON.stringify(Object.fromEntries([...counters].sort(([a], [b]) => (a < b ? -1 : 1))));
  return Buffer.concat([Uint8Array.of(COMPRESSED), brotliCompressSync(text, { params: QUICKLY })]);
}

/** What no year was packed into, since a hand wrote it, counts as nothing. */
function unpack(days: Uint8Array): Year {
  try {
    // The migration that made this table left its rows as they were: JSON.
    const limits = { maxOutputLength: LARGEST_YEAR_BYTES };
    const text = days[0] === COMPRESSED ? brotliDecompressSync(days.subarray(1), limits) : days;
    const counters = Object.entries(JSON.parse(new TextDecoder().decode(text)) as object);
    return new Map(counters.map(([name, packed]) => [name, `${packed}`]));
  } catch {
    return new Map();
  }
}

/** A few more bytes than at the best quality, and a twentieth of its time, in which nothing else runs. */
const QUICKLY = { [constants.BROTLI_PARAM_QUALITY]: 4 };
/** The first byte of a year that was compressed. */
const COMPRESSED = 1;
/** Every counter on every day is a tenth of it. */
const LARGEST_YEAR_BYTES = 16 * 1024 * 1024;

const yearOf = (timeMs: EpochMs): number => new Date(timeMs).getUTCFullYear();
const startOfYear = (year: number): EpochMs => epochMs(Date.UTC(year, 0, 1));
const placeInYear = (day: EpochMs): number => Math.round((day - startOfYear(yearOf(day))) / DAY_MS);
