import type { OwnFinding } from "./own-findings.ts";
import { type EpochMs, MINUTE_MS } from "./units.ts";

/** What the schedule knows of a job's turns. */
export type JobTurns = {
  readonly job: string;
  /** What is done about a turn that was missed: `once` makes up for it, `skip` waits for the next one. */
  readonly catchUp: "once" | "skip";
  /** Its next turn, or one that has passed and was not taken. */
  readonly nextRunAtMs: EpochMs | null;
  /** Turns in a row that came while it still ran. */
  readonly turnsMissed: number;
  readonly runningSinceMs: EpochMs | null;
};

/** A turn is taken within a second; past this nobody takes it any more. */
const LATE_MS = 2 * MINUTE_MS;
/** A job that runs each minute may take two of them now and then; one that makes up for its turns may miss none. */
const TURNS_IN_A_ROW = { once: 1, skip: 3 } as const;

/**
 * Finds jobs that have missed their turn: because the run before has not ended, or because nobody took it. What the
 * daemon's own absence made them miss is the schedule's own business. Pure.
 * @returns one finding for all of them, since one thing mostly holds them all up; undefined when none is overdue.
 */
export function diagnoseSchedule(jobs: readonly JobTurns[], nowMs: EpochMs): OwnFinding | undefined {
  const overdue = jobs.filter((job) => isOverdue(job, nowMs));
  const [first] = overdue;
  if (first === undefined) return undefined;
  const names = overdue.map(({ job }) => job);
  return {
    kind: "schedule_overdue",
    beganAtMs: Math.min(...overdue.map((job) => sinceMs(job, nowMs))) as EpochMs,
    evidence: {
      jobs: names.join(", "),
      turns_missed: overdue.reduce((sum, { turnsMissed }) => sum + turnsMissed, 0),
      running_since_ms: first.runningSinceMs,
      turn_at_ms: first.nextRunAtMs,
    },
    message: `${names.length === 1 ? `The job ${names[0]} has` : `The jobs ${names.join(", ")} have`} missed a turn: ${reasonOf(first)}.`,
    remedy: { do: "run_jobs", jobs: names },
  };
}

/** Whether a job has missed its turn. */
function isOverdue(job: JobTurns, nowMs: EpochMs): boolean {
  return job.turnsMissed >= TURNS_IN_A_ROW[job.catchUp] || isLate(job, nowMs);
}

const isLate = ({ nextRunAtMs }: JobTurns, nowMs: EpochMs): boolean =>
  nextRunAtMs !== null && nowMs - nextRunAtMs > LATE_MS;

function sinceMs(job: JobTurns, nowMs: EpochMs): EpochMs {
  if (isLate(job, nowMs) && job.nextRunAtMs !== null) return job.nextRunAtMs;
  return job.runningSinceMs ?? nowMs;
}

function reasonOf({ turnsMissed, runningSinceMs }: JobTurns): string {
  if (turnsMissed === 0 || runningSinceMs === null) return "nobody took it";
  return `the run that began at ${new Date(runningSinceMs).toISOString()} has not ended, and ${turnsMissed} turns have come since`;
}
