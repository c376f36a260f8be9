import { describe, expect, test } from "bun:test";
import { type Clock, type EpochMs, epochMs, HOUR_MS, MINUTE_MS, plusMs } from "../../src/core/units.ts";
import {
  createScheduler,
  type Job,
  periodOf,
  type ScheduleRecorder,
  type Scheduler,
} from "../../src/scheduler/scheduler.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** 2025-11-17 00:00:05 UTC, a Monday. */
const START_MS = Date.UTC(2025, 10, 17, 0, 0, 5);

type World = {
  /** Time that passes: timers go by it. */
  clock: FakeClock;
  /** Sets the wall clock forward or back, as a hand or a suspended machine does; timers know nothing of it. */
  setBy: (durationMs: number) => void;
  scheduler: Scheduler;
  /** When the job ran. */
  ranAt: string[];
  recorded: Parameters<ScheduleRecorder["ran"]>[0][];
  skipped: [string, "missed" | "overrun", number][];
};

/** A started scheduler with one job, `job`, that notes when it runs. */
function start(options: Partial<Job> & { timezone?: string; recorder?: Partial<ScheduleRecorder> } = {}): World {
  const { timezone = "UTC", recorder, run, ...job } = options;
  const clock = new FakeClock(START_MS);
  let aheadMs = 0;
  const wall: Clock = {
    nowMs: () => plusMs(clock.nowMs(), aheadMs),
    after: (delayMs, work) => clock.after(delayMs, work),
  };
  const setBy = (durationMs: number): void => {
    aheadMs += durationMs;
  };
  const world = {
    clock,
    setBy,
    ranAt: [] as string[],
    recorded: [] as World["recorded"],
    skipped: [] as World["skipped"],
  };
  const scheduler = createScheduler({
    clock: wall,
    timezone,
    jobs: [
      {
        job: "job",
        pattern: "* * * * *",
        catchUp: "skip",
        lastRunAtMs: null,
        ...job,
        run: () => {
          world.ranAt.push(new Date(wall.nowMs()).toISOString());
          return run?.();
        },
      },
    ],
    recorder: {
      ran: (ran) => world.recorded.push(ran),
      skipped: (...skipped) => world.skipped.push(skipped),
      ...recorder,
    },
  });
  scheduler.start();
  return { ...world, scheduler };
}

const viewOf = ({ scheduler }: World) => scheduler.jobs()[0];
/** Takes so long on the clock. */
const lasting = (clock: () => FakeClock, durationMs: number) => () =>
  new Promise<void>((resolve) => {
    clock().after(durationMs, resolve);
  });

describe("when", () => {
  test("a job runs at each turn of its pattern, at the second, and not before", async () => {
    const world = start({ pattern: "*/15 * * * *" });
    await world.clock.advance(Date.UTC(2025, 10, 17, 0, 14, 59, 999) - START_MS);
    expect(world.ranAt).toEqual([]);
    await world.clock.advance(1);
    await world.clock.advance(15 * MINUTE_MS);
    expect(world.ranAt).toEqual(["2025-11-17T00:15:00.000Z", "2025-11-17T00:30:00.000Z"]);
    expect(viewOf(world)).toMatchObject({ runs: 2, missed: 0, overrun: 0, periodMs: 15 * MINUTE_MS, isRunning: false });
    expect(viewOf(world)?.nextRunAtMs).toBe(epochMs(Date.UTC(2025, 10, 17, 0, 45)));
  });

  test("six fields count seconds", async () => {
    const world = start({ pattern: "*/10 * * * * *" });
    await world.clock.advance(30_000);
    expect(world.ranAt.length).toBe(3);
  });

  test("the pattern is read in the time zone given, on both sides of a change of daylight saving", async () => {
    const world = start({ pattern: "0 2 * * *", timezone: "America/New_York" });
    await world.clock.advance(24 * HOUR_MS);
    expect(world.ranAt).toEqual(["2025-11-17T07:00:00.000Z"]);
    world.setBy(Date.UTC(2026, 6, 1) - world.clock.nowMs());
    await world.clock.advance(24 * HOUR_MS);
    expect(world.ranAt.at(-1)).toBe("2026-07-01T06:00:00.000Z");
  });

  test("an empty pattern never runs by itself, and has no next turn", async () => {
    const world = start({ pattern: "" });
    await world.clock.advance(48 * HOUR_MS);
    expect(world.ranAt).toEqual([]);
    expect(viewOf(world)).toMatchObject({ nextRunAtMs: null, periodMs: Number.POSITIVE_INFINITY });
    expect(await world.scheduler.runNow("job")).toBe("ran");
    expect(world.ranAt.length).toBe(1);
  });

  test("a pattern that Croner refuses is refused at once", () => {
    expect(() => start({ pattern: "61 * * * *" })).toThrow();
  });

  test("nothing begins after a stop", async () => {
    const world = start();
    await world.clock.advance(MINUTE_MS);
    world.scheduler.stop();
    await world.clock.advance(10 * MINUTE_MS);
    expect(world.ranAt.length).toBe(1);
  });

  test("the period of a pattern is what lies between its next two turns", () => {
    expect(periodOf("0 3 * * 0", "UTC", epochMs(START_MS))).toBe(7 * 24 * HOUR_MS);
    expect(periodOf("", "UTC", epochMs(START_MS))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a turn that comes while the job still runs", () => {
  test("is counted as an overrun and runs nothing; the next turn after the end runs again", async () => {
    let clock: FakeClock | undefined;
    const world = start({ run: lasting(() => clock ?? new FakeClock(0), 150_000) });
    clock = world.clock;
    await world.clock.advance(4 * MINUTE_MS);
    // 00:01 runs until 00:03:30; 00:02 and 00:03 come meanwhile; 00:04 runs.
    expect(world.ranAt).toEqual(["2025-11-17T00:01:00.000Z", "2025-11-17T00:04:00.000Z"]);
    expect(viewOf(world)).toMatchObject({ overrun: 2, missed: 0, isRunning: true, lastDurationMs: 150_000 });
    expect(world.skipped).toEqual([
      ["job", "overrun", 1],
      ["job", "overrun", 1],
    ]);
    expect(world.recorded).toMatchObject([{ job: "job", durationMs: 150_000, error: null }]);
  });
});

describe("after downtime", () => {
  const lastRunAtMs = epochMs(Date.UTC(2025, 10, 16, 20, 0));

  test("`once` runs a missed job once at the start, and counts the turns that it missed", async () => {
    const world = start({ pattern: "0 * * * *", catchUp: "once", lastRunAtMs });
    await world.clock.advance(0);
    // 21, 22, 23 and 0 o'clock.
    expect(world.ranAt).toEqual(["2025-11-17T00:00:05.000Z"]);
    expect(viewOf(world)).toMatchObject({ missed: 4, runs: 1 });
    await world.clock.advance(HOUR_MS);
    expect(world.ranAt.length).toBe(2);
  });

  test("`skip` counts them and waits for the next turn", async () => {
    const world = start({ pattern: "0 * * * *", catchUp: "skip", lastRunAtMs });
    await world.clock.advance(0);
    expect(world.ranAt).toEqual([]);
    expect(world.skipped).toEqual([["job", "missed", 4]]);
    await world.clock.advance(HOUR_MS);
    expect(world.ranAt).toEqual(["2025-11-17T01:00:00.000Z"]);
  });

  for (const [minutesAgo, missed] of [
    [9, undefined],
    [10, undefined],
    [13, 3],
  ] as const) {
    test(`a job that is booked ten minutes late, ${minutesAgo} minutes ago, has missed ${missed ?? "nothing"}`, async () => {
      const ranMs = epochMs(Date.UTC(2025, 10, 17) - minutesAgo * MINUTE_MS);
      const bookedUntilMs = epochMs(ranMs + 10 * MINUTE_MS);
      const world = start({ pattern: "* * * * *", catchUp: "skip", lastRunAtMs: ranMs, bookedUntilMs });
      await world.clock.advance(0);
      expect(world.skipped).toEqual(missed === undefined ? [] : [["job", "missed", missed]]);
    });
  }

  for (const [what, last] of [
    ["ran at its last turn", Date.UTC(2025, 10, 17)],
    ["ran a little after its last turn", Date.UTC(2025, 10, 17, 0, 0, 2)],
    ["never ran", null],
    ["ran in the future, as the clock was then", Date.UTC(2025, 10, 18)],
  ] as const) {
    test(`a job that ${what} has missed nothing`, async () => {
      const world = start({ pattern: "0 * * * *", catchUp: "once", lastRunAtMs: last === null ? null : epochMs(last) });
      await world.clock.advance(0);
      expect(world.ranAt).toEqual([]);
      expect(world.skipped).toEqual([]);
    });
  }

  test("years of missed turns are counted up to a bound, at once", () => {
    const world = start({ pattern: "* * * * *", lastRunAtMs: epochMs(Date.UTC(2020, 0, 1)) });
    expect(viewOf(world)?.missed).toBeGreaterThanOrEqual(999);
    expect(viewOf(world)?.missed).toBeLessThanOrEqual(1_000);
  });
});

describe("a clock that is set", () => {
  test("forward (or a machine that slept): one run, the other turns counted as missed", async () => {
    const world = start({ pattern: "*/10 * * * *" });
    await world.clock.advance(10 * MINUTE_MS);
    world.setBy(Date.UTC(2025, 10, 17, 1, 0, 30) - world.clock.nowMs());
    await world.clock.advance(MINUTE_MS);
    // 00:20 to 01:00 are five turns: one ran late.
    expect(world.ranAt.length).toBe(2);
    expect(viewOf(world)).toMatchObject({ missed: 4, overrun: 0 });
    expect(viewOf(world)?.nextRunAtMs).toBe(epochMs(Date.UTC(2025, 10, 17, 1, 10)));
  });

  test("back: the next turn is found anew, and nothing counts as missed", async () => {
    const world = start({ pattern: "0 * * * *" });
    await world.clock.advance(2 * HOUR_MS);
    expect(world.ranAt.length).toBe(2);
    world.setBy(Date.UTC(2025, 10, 16, 12, 30) - world.clock.nowMs());
    await world.clock.advance(29 * MINUTE_MS);
    expect(world.ranAt.length).toBe(2);
    await world.clock.advance(2 * MINUTE_MS);
    expect(world.ranAt.at(-1)).toBe("2025-11-16T13:00:00.000Z");
    expect(viewOf(world)).toMatchObject({ runs: 3, missed: 0, overrun: 0 });
  });
});

describe("a run on demand", () => {
  test("runs at once, and is told when it is unknown or runs already", async () => {
    let finish = () => {};
    const world = start({
      pattern: "0 0 1 1 *",
      run: () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    });
    expect(await world.scheduler.runNow("nothing")).toBe("unknown");
    const first = world.scheduler.runNow("job");
    expect(await world.scheduler.runNow("job")).toBe("running");
    finish();
    expect(await first).toBe("ran");
    expect(world.ranAt.length).toBe(1);
    expect(viewOf(world)).toMatchObject({ runs: 1, lastRunAtMs: START_MS as EpochMs, isRunning: false });
  });

  test("does not move the next turn", async () => {
    const world = start({ pattern: "*/15 * * * *" });
    const next = viewOf(world)?.nextRunAtMs;
    await world.scheduler.runNow("job");
    expect(viewOf(world)?.nextRunAtMs).toBe(next as EpochMs);
  });
});

describe("a job that throws", () => {
  for (const [what, run] of [
    [
      "at once",
      () => {
        throw new Error("disk full");
      },
    ],
    ["later", () => Promise.reject(new Error("disk full"))],
  ] as const) {
    test(`${what} is recorded with its error and runs again at its next turn`, async () => {
      const world = start({ run });
      await world.clock.advance(2 * MINUTE_MS);
      expect(world.ranAt.length).toBe(2);
      expect(world.recorded.map((ran) => ran.error)).toEqual(["disk full", "disk full"]);
      expect(viewOf(world)).toMatchObject({ runs: 2, lastError: "disk full", isRunning: false });
    });
  }

  test("takes no other job with it", async () => {
    const clock = new FakeClock(START_MS);
    let ran = 0;
    const jobs: Job[] = ["bad", "good"].map((job) => ({
      job,
      pattern: "* * * * *",
      catchUp: "skip",
      lastRunAtMs: null,
      run: () => {
        if (job === "bad") throw new Error("bad");
        ran++;
      },
    }));
    const scheduler = createScheduler({ clock, timezone: "UTC", jobs, recorder: { ran: () => {}, skipped: () => {} } });
    scheduler.start();
    await clock.advance(3 * MINUTE_MS);
    expect(ran).toBe(3);
  });

  test("an error is forgotten after the next good run", async () => {
    let tries = 0;
    const world = start({
      run: () => {
        if (tries++ === 0) throw new Error("once");
      },
    });
    await world.clock.advance(MINUTE_MS);
    expect(viewOf(world)?.lastError).toBe("once");
    await world.clock.advance(MINUTE_MS);
    expect(viewOf(world)?.lastError).toBeNull();
  });
});
