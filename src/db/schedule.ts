import { eq, sql } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { schedule } from "./schema-books.ts";

export type ScheduleRow = typeof schedule.$inferSelect;

/** What is known of a job's runs; undefined when it has never run. */
export function readSchedule(db: Db, job: string): ScheduleRow | undefined {
  return db.select().from(schedule).where(eq(schedule.job, job)).get();
}

/** A job ran: when, how long, and what went wrong (null: nothing). */
export function noteJobRun(
  db: Db,
  run: { job: string; atMs: EpochMs; durationMs: number; error: string | null },
): void {
  const fields = { lastRunAtMs: run.atMs, lastDurationMs: run.durationMs, lastError: run.error };
  db.insert(schedule)
    .values({ job: run.job, ...fields, runs: 1 })
    .onConflictDoUpdate({ target: schedule.job, set: { ...fields, runs: sql`${schedule.runs} + 1` } })
    .run();
}

/** A job's turn came while it still ran (`overrun`), or while the daemon was down or asleep (`missed`). */
export function noteJobSkipped(db: Db, job: string, what: "missed" | "overrun", count: number): void {
  const column = what === "missed" ? schedule.missed : schedule.overrun;
  db.insert(schedule)
    .values({ job, [what]: count })
    .onConflictDoUpdate({ target: schedule.job, set: { [what]: sql`${column} + ${count}` } })
    .run();
}
