import type { FindingKind } from "../core/findings.ts";
import type { Bucket } from "../core/histogram.ts";
import type { RequestPhase, StatusClass } from "../core/request-phase.ts";
import { DAY_MS, type EpochMs, epochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** What healing is measured by, in all and by kind. */
export type HealingMeasure =
  | "stalls_detected"
  | "remedies_applied"
  | "remedies_verified"
  | "remedies_failed"
  | "remedies_superseded"
  | "false_remedies"
  /** Sums of milliseconds over the stalls detected, and over the remedies verified. */
  | "detect_ms"
  | "repair_ms";

type DurationCounter = `${"detect" | "repair"}_le:${Bucket}`;

/** What is counted as it happens, so that no page ever counts rows. */
export type CounterName =
  | "syncs_started"
  | "syncs_completed"
  | "syncs_failed"
  | "syncs_cancelled"
  | "batches_completed"
  | "batches_failed"
  | "races_enriched"
  /** Strava's events: stored for the first time; requests that they led to; given up since Strava could not be asked. */
  | "events_received"
  | "events_looked_at"
  | "events_given_up"
  | HealingMeasure
  | `${HealingMeasure}:${FindingKind | "other"}`
  /** Findings of every kind, those too that are no stall. */
  | `findings_found:${FindingKind | "other"}`
  /** How many stalls were detected, and remedies verified, within so long (and no shorter bucket); in all, and by kind. */
  | DurationCounter
  | `${DurationCounter}:${FindingKind | "other"}`
  /** Requests to Strava. */
  | `requests:${RequestPhase}:${StatusClass}`;

const addStatement = statement<unknown, [string, number, number]>(
  `INSERT INTO counters (name, day_start_ms, value) VALUES (?1, ?2, ?3), (?1, 0, ?3)
   ON CONFLICT (name, day_start_ms) DO UPDATE SET value = value + excluded.value`,
);

/** Adds to a counter, for the day and since ever, in the transaction that did what it counts. */
export function addToCounter(db: Db, name: CounterName, amount: number, nowMs: EpochMs): void {
  addStatement(db).run(name, dayStartOf(nowMs), amount);
}

const sumStatement = statement<{ name: CounterName; total: number }, [number]>(
  "SELECT name, sum(value) AS total FROM counters WHERE day_start_ms >= ?1 AND day_start_ms > 0 GROUP BY name",
);

/** Sums of all counters over the days from that of `sinceMs` on. Days that are older than `DAYS_KEPT_AS_ROWS` are not in it. */
export function sumCounters(db: Db, sinceMs: EpochMs): ReadonlyMap<CounterName, number> {
  return byName(sumStatement(db).all(dayStartOf(sinceMs)));
}

const totalStatement = statement<{ name: CounterName; total: number }, []>(
  "SELECT name, value AS total FROM counters WHERE day_start_ms = 0",
);

/** All counters since ever. */
export function readTotals(db: Db): ReadonlyMap<CounterName, number> {
  return byName(totalStatement(db).all());
}

const firstDayStatement = statement<{ day: EpochMs | null }, [string]>(
  "SELECT min(day_start_ms) AS day FROM counters WHERE name = ?1 AND day_start_ms > 0",
);

/** The first day, of those kept as rows, on which something was counted; undefined: never yet. */
export function firstDayOf(db: Db, name: CounterName): EpochMs | undefined {
  return firstDayStatement(db).get(name)?.day ?? undefined;
}

/** The beginning of the UTC day of a moment. */
export const dayStartOf = (timeMs: EpochMs): EpochMs => epochMs(Math.floor(timeMs / DAY_MS) * DAY_MS);

function byName(rows: readonly { name: CounterName; total: number }[]): ReadonlyMap<CounterName, number> {
  return new Map(rows.map((row) => [row.name, row.total]));
}
