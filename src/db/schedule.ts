import { eq, sql } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { schedule } from "./schema-books.ts";
import { statement } from "./statement.ts";

export type ScheduleRow = typeof schedule.$inferSelect;

/** What is known of a job's runs; undefined when it has never run. */
export function readSchedule(db: Db, job: string): ScheduleRow | undefined {
  return db.select().from(schedule).where(eq(schedule.job, job)).get();
}

/** A job ran, for the `runs`th time since it was last noted: when, how long, and what went wrong (null: nothing). */
export function noteJobRun(
  db: Db,
  run: { job: string; atMs: EpochMs; durationMs: number; error: string | null },
  runs = 1,
): void {
  noteRunStatement(db).run(run.job, run.atMs, run.durationMs, run.error, runs);
}

const noteRunStatement = statement<unknown, [string, number, number, string | null, number]>(
  `INSERT INTO schedule (job, last_run_at_ms, last_duration_ms, last_error, runs) VALUES (?1, ?2, ?3, ?4, ?5)
   ON CONFLICT (job) DO UPDATE SET last_run_at_ms = ?2, last_duration_ms = ?3, last_error = ?4, runs = runs + ?5`,
);

/** A job's turn came while it still ran (`overrun`), or while the daemon was down or asleep (`missed`). */
export function noteJobSkipped(db: Db, job: string, what: "missed" | "overrun", count: number): void {
  const column = what === "missed" ? schedule.missed : schedule.overrun;
  db.insert(schedule)
    .values({ job, [what]: count })
    .onConflictDoUpdate({ target: schedule.job, set: { [what]: sql`${column} + ${count}` } })
    .run();
}
