import { Cron } from "croner";
import { type Clock, type EpochMs, HOUR_MS, MINUTE_MS } from "../core/units.ts";
import { countTurns, nextTurn } from "./turns.ts";

export { periodOf } from "./turns.ts";

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
  /** A former process may have run it until then, though its last run is not that late: its turns have been taken. */
  readonly bookedUntilMs?: EpochMs | null;
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
  readonly runningSinceMs: EpochMs | null;
  /** Turns in a row that came while it still ran: none, once it has begun again. */
  readonly turnsMissed: number;
  readonly catchUp: Job["catchUp"];
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
  /**
   * Makes up for turns that a job missed: it begins at once, or, where it still runs, as its catch-up policy says (`once`:
   * again when it ends; `skip`: at its next turn). A run that has taken longer than `JOB_LIMIT_MS` is given up first.
   */
  makeUp(job: string): void;
};

/** No sleep is longer, so that a clock that was set, or a machine that slept, is noticed. */
const LONGEST_SLEEP_MS = MINUTE_MS;
/** A run that takes longer is given up when somebody has to make up for the turns that it missed. */
export const JOB_LIMIT_MS = HOUR_MS;

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
  turnsMissed: number;
  runsAgain: boolean;
  /** Which run it is: the end of one that was given up is nobody's any more. */
  runNumber: number;
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
    turnsMissed: 0,
    runsAgain: false,
    runNumber: 0,
  }));
  let isStopped = false;
  let lastLookMs = clock.nowMs();
  let callOffTimer = (): void => {};

  /** Starts what is due, and sleeps until the next turn of any job. */
  function look(): void {
    callOffTimer();
    if (isStopped) return;
    const nowMs = clock.nowMs();
    for (const entry of entries) takeTurn(entry, nowMs);
    lastLookMs = nowMs;
    const nextMs = Math.min(...entries.map((entry) => entry.nextRunAtMs ?? Number.POSITIVE_INFINITY));
    const sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, nextMs - clock.nowMs()));
    callOffTimer = clock.after(sleepMs, look);
  }

  function takeTurn(entry: Entry, nowMs: EpochMs): void {
    const next = entry.nextRunAtMs;
    if (next === null) return;
    if (next > nowMs) {
      if (nowMs >= lastLookMs) return;
      // The clock was set back: the turn that was next is now too far away.
      const recomputed = nextTurn(entry.cron, nowMs);
      if (recomputed !== null && recomputed < next) entry.nextRunAtMs = recomputed;
      return;
    }
    entry.nextRunAtMs = nextTurn(entry.cron, next);
    if (entry.nextRunAtMs !== null && entry.nextRunAtMs <= nowMs) {
      skip(entry, "missed", countTurns(entry.cron, next, nowMs) - 1);
      entry.nextRunAtMs = nextTurn(entry.cron, nowMs);
    }
    if (!entry.isRunning) void run(entry);
    else {
      entry.turnsMissed++;
      skip(entry, "overrun", 1);
    }
  }

  function skip(entry: Entry, what: "missed" | "overrun", count: number): void {
    if (count <= 0) return;
    entry[what] += count;
    recorder.skipped(entry.job, what, count);
  }

  async function run(entry: Entry): Promise<void> {
    entry.isRunning = true;
    entry.turnsMissed = 0;
    entry.runsAgain = false;
    const runNumber = ++entry.runNumber;
    const startedAtMs = clock.nowMs();
    entry.lastRunAtMs = startedAtMs;
    let error: string | null = null;
    try {
      await entry.run();
    } catch (caught) {
      error = caught instanceof Error ? caught.message : String(caught);
    }
    if (runNumber !== entry.runNumber) return;
    end(entry, startedAtMs, error);
    if (entry.runsAgain && !isStopped) await run(entry);
  }

  function end(entry: Entry, startedAtMs: EpochMs, error: string | null): void {
    const durationMs = clock.nowMs() - startedAtMs;
    entry.isRunning = false;
    entry.lastDurationMs = durationMs;
    entry.lastError = error;
    entry.runs++;
    recorder.ran({ job: entry.job, atMs: startedAtMs, durationMs, error });
  }

  /** What it still does is not waited for. */
  function giveUpIfEndless(entry: Entry): void {
    const sinceMs = entry.lastRunAtMs;
    if (!entry.isRunning || sinceMs === null || clock.nowMs() - sinceMs <= JOB_LIMIT_MS) return;
    entry.runNumber++;
    end(entry, sinceMs, `It took longer than ${JOB_LIMIT_MS / MINUTE_MS} minutes and was given up.`);
  }

  /** What former processes left undone. */
  function catchUp(entry: Entry, nowMs: EpochMs): void {
    const fromMs = entry.bookedUntilMs ?? entry.lastRunAtMs;
    if (fromMs === null) return;
    const missed = countTurns(entry.cron, fromMs, nowMs) - 1;
    if (missed <= 0) return;
    skip(entry, "missed", missed);
    if (entry.catchUp === "once") void run(entry);
  }

  return {
    start() {
      const nowMs = clock.nowMs();
      for (const entry of entries) {
        entry.nextRunAtMs = nextTurn(entry.cron, nowMs);
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
    makeUp(job) {
      const entry = entries.find((other) => other.job === job);
      if (entry === undefined || isStopped) return;
      giveUpIfEndless(entry);
      if (!entry.isRunning) void run(entry);
      else if (entry.catchUp === "once") entry.runsAgain = true;
    },
  };
}

function viewOf(entry: Entry): JobView {
  const { nextRunAtMs } = entry;
  return {
    job: entry.job,
    pattern: entry.pattern,
    catchUp: entry.catchUp,
    nextRunAtMs,
    lastRunAtMs: entry.lastRunAtMs,
    lastDurationMs: entry.lastDurationMs,
    lastError: entry.lastError,
    runs: entry.runs,
    missed: entry.missed,
    overrun: entry.overrun,
    isRunning: entry.isRunning,
    runningSinceMs: entry.isRunning ? entry.lastRunAtMs : null,
    turnsMissed: entry.turnsMissed,
    // Computed for whoever asks: the schedule is looked at each minute, and its periods hardly ever.
    get periodMs() {
      const after = nextRunAtMs === null ? null : nextTurn(entry.cron, nextRunAtMs);
      return nextRunAtMs === null || after === null ? Number.POSITIVE_INFINITY : after - nextRunAtMs;
    },
  };
}
