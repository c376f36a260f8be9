import { MINUTE_MS } from "./core/units.ts";
import { noteJobRun, noteJobSkipped } from "./db/schedule.ts";
import type { Job, ScheduleRecorder } from "./scheduler/scheduler.ts";
import type { SyncContext } from "./sync/context.ts";

/** What nobody reads before the next start may wait so long for its commit. */
export const BOOKED_WITHIN_MS = 10 * MINUTE_MS;

type Run = Parameters<ScheduleRecorder["ran"]>[0];
type Page = { run: Run | undefined; runs: number; missed: number; overrun: number };

/** The books of the schedule: what the next start needs to know of the jobs' runs. */
export type ScheduleBooks = ScheduleRecorder & {
  /** Writes what is still open. */
  close(): void;
};

/**
 * Keeps the books of the schedule. A job that makes up for its turns is booked at once, and so is one that failed; of jobs
 * that run each minute and skip what they missed, the last run is enough, every ten minutes: a daemon that has nothing to do
 * leaves the disk alone.
 */
export function keepScheduleBooks(
  { db, clock, commits, log }: SyncContext,
  jobs: readonly Pick<Job, "job" | "catchUp">[],
): ScheduleBooks {
  const mayWait = new Set(jobs.filter(({ catchUp }) => catchUp === "skip").map(({ job }) => job));
  const open = new Map<string, Page>();
  let callOffWait: (() => void) | undefined;
  let isBeingWritten = false;

  function pageOf(job: string): Page {
    const page = open.get(job) ?? { run: undefined, runs: 0, missed: 0, overrun: 0 };
    open.set(job, page);
    return page;
  }

  function writeLater(): void {
    callOffWait ??= clock.after(BOOKED_WITHIN_MS, writeNow);
  }

  /** With whatever commits next: jobs that end in one turn are booked by one piece of work. */
  function writeNow(): void {
    callOffWait?.();
    callOffWait = undefined;
    if (isBeingWritten || open.size === 0) return;
    isBeingWritten = true;
    const end = () => {
      isBeingWritten = false;
    };
    commits.soon(writeOpen).then(end, (error: unknown) => {
      end();
      log.warn("schedule.not_recorded", `Runs of jobs could not be recorded yet: ${String(error)}`);
      writeLater();
    });
  }

  function writeOpen(): void {
    for (const [job, { run, runs, missed, overrun }] of open) {
      if (run !== undefined) noteJobRun(db, run, runs);
      if (missed > 0) noteJobSkipped(db, job, "missed", missed);
      if (overrun > 0) noteJobSkipped(db, job, "overrun", overrun);
    }
    commits.afterCommit(() => open.clear());
  }

  return {
    ran(run) {
      const page = pageOf(run.job);
      page.run = run;
      page.runs++;
      if (run.error !== null) log.error("job.failed", `The job ${run.job} failed: ${run.error}`, { job: run.job });
      if (run.error === null && mayWait.has(run.job)) writeLater();
      else writeNow();
    },
    skipped(job, what, count) {
      pageOf(job)[what] += count;
      writeNow();
    },
    close: writeNow,
  };
}
