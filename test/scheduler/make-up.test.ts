import { expect, test } from "bun:test";
import { epochMs, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { createScheduler, type Job, type Scheduler } from "../../src/scheduler/scheduler.ts";
import { FakeClock } from "../support/fake-clock.ts";

const START_MS = Date.UTC(2025, 10, 17, 0, 0, 5);

type World = {
  clock: FakeClock;
  scheduler: Scheduler;
  begun: string[];
  errors: (string | null)[];
  end: () => Promise<void>;
};

/** A started scheduler with one job, each minute, whose runs end when the test says so. */
function start(catchUp: Job["catchUp"]): World {
  const clock = new FakeClock(START_MS);
  const begun: string[] = [];
  const errors: (string | null)[] = [];
  const open: (() => void)[] = [];
  const run = () => {
    begun.push(new Date(clock.nowMs()).toISOString().slice(11, 19));
    return new Promise<void>((resolve) => {
      open.push(resolve);
    });
  };
  const scheduler = createScheduler({
    clock,
    timezone: "UTC",
    jobs: [{ job: "job", pattern: "* * * * *", catchUp, lastRunAtMs: null, run }],
    recorder: { ran: ({ error }) => errors.push(error), skipped: () => {} },
  });
  scheduler.start();
  const end = async () => {
    open.shift()?.();
    await clock.advance(0);
  };
  return { clock, scheduler, begun, errors, end };
}

test("turns that come while it runs are counted in a row, until it begins again", async () => {
  const { clock, scheduler, end } = start("skip");
  const view = () => scheduler.jobs()[0];
  expect(view()).toMatchObject({ turnsMissed: 0, runningSinceMs: null, catchUp: "skip" });
  await clock.advance(3 * MINUTE_MS);
  expect(view()).toMatchObject({ turnsMissed: 2, runningSinceMs: epochMs(Date.UTC(2025, 10, 17, 0, 1)), overrun: 2 });
  await end();
  expect(view()).toMatchObject({ turnsMissed: 2, runningSinceMs: null });
  await clock.advance(MINUTE_MS);
  expect(view()).toMatchObject({ turnsMissed: 0, overrun: 2 });
});

test("one that does not run begins at once", async () => {
  const { scheduler, begun } = start("skip");
  scheduler.makeUp("job");
  scheduler.makeUp("nobody");
  expect(begun).toEqual(["00:00:05"]);
});

test("one that runs begins again when it ends, once, where it makes up for its turns; else at its next turn", async () => {
  for (const [catchUp, expected] of [
    ["once", ["00:01:00", "00:01:20"]],
    ["skip", ["00:01:00"]],
  ] as const) {
    const { clock, scheduler, begun, end } = start(catchUp);
    await clock.advance(MINUTE_MS);
    scheduler.makeUp("job");
    scheduler.makeUp("job");
    await clock.advance(15_000);
    await end();
    expect(begun).toEqual([...expected]);
    await end();
    expect(begun).toEqual([...expected]);
  }
});

test("a run of more than an hour is given up and made up for; its end is nobody's any more", async () => {
  const { clock, scheduler, begun, errors, end } = start("skip");
  await clock.advance(55_000);
  await clock.advance(HOUR_MS);
  scheduler.makeUp("job");
  expect(begun).toEqual(["00:01:00"]);
  await clock.advance(1);
  scheduler.makeUp("job");
  expect(begun).toEqual(["00:01:00", "01:01:00"]);
  expect(errors).toEqual(["It took longer than 60 minutes and was given up."]);
  await end();
  expect(scheduler.jobs()[0]).toMatchObject({ isRunning: true, runs: 1 });
  await end();
  expect(scheduler.jobs()[0]).toMatchObject({ isRunning: false, runs: 2, lastError: null });
  expect(errors).toHaveLength(2);
});

test("after the stop nothing is made up for", async () => {
  const { clock, scheduler, begun, end } = start("once");
  await clock.advance(MINUTE_MS);
  scheduler.makeUp("job");
  scheduler.stop();
  await end();
  scheduler.makeUp("job");
  expect(begun).toEqual(["00:01:00"]);
});
