import { DAY_MS, type EpochMs, epochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

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
  | "stalls_detected"
  | "remedies_applied"
  | "remedies_verified"
  | "remedies_failed"
  | "remedies_superseded"
  | "false_remedies"
  /** Sums of milliseconds over the stalls detected, and over the remedies verified. */
  | "detect_ms"
  | "repair_ms";

const addStatement = statement<unknown, [string, number, number]>(
  `INSERT INTO counters (name, day_start_ms, value) VALUES (?1, ?2, ?3), (?1, 0, ?3)
   ON CONFLICT (name, day_start_ms) DO UPDATE SET value = value + excluded.value`,
);

/** Adds to a counter, for the day and since ever, in the transaction that did what it counts. */
export function addToCounter(db: Db, name: CounterName, amount: number, nowMs: EpochMs): void {
  addStatement(db).run(name, dayOf(nowMs), amount);
}

const sumStatement = statement<{ name: CounterName; total: number }, [number]>(
  "SELECT name, sum(value) AS total FROM counters WHERE day_start_ms >= ?1 AND day_start_ms > 0 GROUP BY name",
);

/** Sums of all counters over the days from that of `sinceMs` on. */
export function sumCounters(db: Db, sinceMs: EpochMs): ReadonlyMap<CounterName, number> {
  return new Map(
    sumStatement(db)
      .all(dayOf(sinceMs))
      .map((row) => [row.name, row.total]),
  );
}

const dayOf = (timeMs: EpochMs): EpochMs => epochMs(Math.floor(timeMs / DAY_MS) * DAY_MS);
