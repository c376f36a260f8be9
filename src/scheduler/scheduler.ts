import { Cron } from "croner";
import { type Clock, type EpochMs, epochMs, MINUTE_MS } from "../core/units.ts";

/** One job: when, and the one call that it was handed. A job decides nothing. */
export type Job = {
  readonly job: string;
  /** Cron, five fields or six (seconds first); empty: never by itself. */
  readonly pattern: string;
  readonly run: () => Promise<void> | void;
  /** After downtime: `once` runs it at the start when its turn was missed; `skip` waits for the next one. */
  readonly catchUp: "once" | "skip";
  /** When it last ran, in this process or a former one. */
  readonly lastRunAtMs: EpochMs | null;
};

export type JobView = {
  readonly job: string;
  readonly pattern: string;
  readonly nextRunAtMs: EpochMs | null;
  readonly lastRunAtMs: EpochMs | null;
  readonly lastDurationMs: number | null;
  readonly lastError: string | null;
  readonly runs: number;
  /** Turns that passed while the daemon was down, asleep or busy. */
  readonly missed: number;
  /** Turns that came while the job still ran. */
  readonly overrun: number;
  readonly isRunning: boolean;
  /** From one turn to the next, now. */
  readonly periodMs: number;
};

/** Told after each run, and when turns were skipped: whoever keeps the books. */
export type ScheduleRecorder = {
  ran(run: { job: string; atMs: EpochMs; durationMs: number; error: string | null }): void;
  skipped(job: string, what: "missed" | "overrun", count: number): void;
};

export type Scheduler = {
  start(): void;
  /** No job begins any more. What runs is not waited for. */
  stop(): void;
  jobs(): readonly JobView[];
  runNow(job: string): Promise<"ran" | "unknown" | "running">;
};

/** No sleep is longer, so that a clock that was set, or a machine that slept, is noticed. */
const LONGEST_SLEEP_MS = MINUTE_MS;
/** Missed turns are counted up to here; the rest is "many". */
const MISSED_COUNTED = 1_000;

type Entry = Job & {
  readonly cron: Cron | undefined;
  nextRunAtMs: EpochMs | null;
  lastDurationMs: number | null;
  lastError: string | null;
  runs: number;
  missed: number;
  overrun: number;
  isRunning: boolean;
  lastRunAtMs: EpochMs | null;
};

/**
 * Says when, nothing else. Croner is the calculator (`nextRun` is pure in its argument); the timer and the clock are
 * ours, so that a week can be simulated.
 * @throws TypeError for a pattern that Croner refuses.
 */
export function createScheduler(options: {
  clock: Clock;
  timezone: string;
  jobs: readonly Job[];
  recorder: ScheduleRecorder;
}): Scheduler {
  const { clock, recorder } = options;
  const entries: Entry[] = options.jobs.map((job) => ({
    ...job,
    cron: job.pattern === "" ? undefined : new Cron(job.pattern, { paused: true, timezone: options.timezone }),
    nextRunAtMs: null,
    lastDurationMs: null,
    lastError: null,
    runs: 0,
    missed: 0,
    overrun: 0,
    isRunning: false,
  }));
  let isStopped = false;
  let callOffTimer = (): void => {};

  /** Starts what is due, and sleeps until the next turn of any job. */
  function look(): void {
    callOffTimer();
    if (isStopped) return;
    const nowMs = clock.nowMs();
    for (const entry of entries) takeTurn(entry, nowMs);
    const nextMs = Math.min(...entries.map((entry) => entry.nextRunAtMs ?? Number.POSITIVE_INFINITY));
    const sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, nextMs - clock.nowMs()));
    callOffTimer = clock.after(sleepMs, look);
  }

  function takeTurn(entry: Entry, nowMs: EpochMs): void {
    const next = entry.nextRunAtMs;
    if (next === null) return;
    if (next > nowMs) {
      // The clock was set back: the turn that was next is now too far away.
      const recomputed = nextRun(entry, nowMs);
      if (recomputed !== null && recomputed < next) entry.nextRunAtMs = recomputed;
      return;
    }
    skip(entry, "missed", countTurns(entry, next, nowMs) - 1);
    entry.nextRunAtMs = nextRun(entry, nowMs);
    if (entry.isRunning) skip(entry, "overrun", 1);
    else void run(entry);
  }

  function skip(entry: Entry, what: "missed" | "overrun", count: number): void {
    if (count <= 0) return;
    entry[what] += count;
    recorder.skipped(entry.job, what, count);
  }

  async function run(entry: Entry): Promise<void> {
    entry.isRunning = true;
    const startedAtMs = clock.nowMs();
    entry.lastRunAtMs = startedAtMs;
    let error: string | null = null;
    try {
      await entry.run();
    } catch (caught) {
      error = caught instanceof Error ? caught.message : String(caught);
    }
    const durationMs = clock.nowMs() - startedAtMs;
    entry.isRunning = false;
    entry.lastDurationMs = durationMs;
    entry.lastError = error;
    entry.runs++;
    recorder.ran({ job: entry.job, atMs: startedAtMs, durationMs, error });
  }

  /** What former processes left undone. */
  function catchUp(entry: Entry, nowMs: EpochMs): void {
    if (entry.lastRunAtMs === null) return;
    const missed = countTurns(entry, entry.lastRunAtMs, nowMs) - 1;
    if (missed <= 0) return;
    skip(entry, "missed", missed);
    if (entry.catchUp === "once") void run(entry);
  }

  return {
    start() {
      const nowMs = clock.nowMs();
      for (const entry of entries) {
        entry.nextRunAtMs = nextRun(entry, nowMs);
        catchUp(entry, nowMs);
      }
      look();
    },
    stop() {
      isStopped = true;
      callOffTimer();
    },
    jobs: () => entries.map(viewOf),
    async runNow(job) {
      const entry = entries.find((other) => other.job === job);
      if (entry === undefined) return "unknown";
      if (entry.isRunning) return "running";
      await run(entry);
      return "ran";
    },
  };
}

/** How long from one turn of a pattern to the next, at a moment; Infinity when it has no two turns left. */
export function periodOf(pattern: string, timezone: string, nowMs: EpochMs): number {
  if (pattern === "") return Number.POSITIVE_INFINITY;
  const [first, second] = new Cron(pattern, { paused: true, timezone }).nextRuns(2, new Date(nowMs));
  return first === undefined || second === undefined ? Number.POSITIVE_INFINITY : second.getTime() - first.getTime();
}

function nextRun(entry: Entry, fromMs: EpochMs): EpochMs | null {
  const next = entry.cron?.nextRun(new Date(fromMs));
  return next === null || next === undefined ? null : epochMs(next.getTime());
}

/** Turns in [fromMs, toMs], where `fromMs` is one. */
function countTurns(entry: Entry, fromMs: EpochMs, toMs: EpochMs): number {
  let turns = 0;
  for (let turn: EpochMs | null = fromMs; turn !== null && turn <= toMs && turns < MISSED_COUNTED; turns++) {
    turn = nextRun(entry, turn);
  }
  return turns;
}

function viewOf(entry: Entry): JobView {
  const { job, pattern, nextRunAtMs, lastRunAtMs, lastDurationMs, lastError, runs, missed, overrun, isRunning } = entry;
  const after = nextRunAtMs === null ? null : nextRun(entry, nextRunAtMs);
  const periodMs = nextRunAtMs === null || after === null ? Number.POSITIVE_INFINITY : after - nextRunAtMs;
  return {
    job,
    pattern,
    nextRunAtMs,
    lastRunAtMs,
    lastDurationMs,
    lastError,
    runs,
    missed,
    overrun,
    isRunning,
    periodMs,
  };
}
