import { expect, test } from "bun:test";
import { DAY_MS, epochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import type { FindingRow } from "../../src/db/schema.ts";
import { findings } from "../../src/db/schema.ts";
import type { Monitor } from "../../src/health/monitor.ts";
import { createPing } from "../../src/health/ping.ts";
import { watchMonitor } from "../../src/health/watch.ts";
import { createScheduler, type Job, type Scheduler } from "../../src/scheduler/scheduler.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand } from "../support/hand.ts";

type World = {
  engine: TestEngine;
  monitor: Monitor;
  scheduler: Scheduler;
  /** Paths that were asked of the address outside. */
  pings: string[];
  /** How long a check takes from now on; Infinity: it hangs. */
  checksTake: (ms: number) => void;
  /** One check, as the schedule begins it; it ends within `withinMs`, or not. */
  tick: (withinMs?: number) => Promise<void>;
  findings: () => FindingRow[];
};

/** A watched monitor on the real engine, whose checks can be made slow. */
function world(
  options: TestEngineOptions & { jobs?: readonly Job[]; periodMs?: number; answers?: boolean } = {},
): World {
  const engine = createTestEngine(options);
  const { clock, context } = engine;
  let takesMs = 0;
  const slow = async <T>(work: () => Promise<T>): Promise<T> => {
    const report = await work();
    if (takesMs > 0) await new Promise<void>((resolve) => Number.isFinite(takesMs) && clock.after(takesMs, resolve));
    return report;
  };
  const inner: Monitor = {
    ...engine.monitor,
    check: (how) => slow(() => engine.monitor.check(how)),
    tick: () => slow(() => engine.monitor.tick()),
  };
  const pings: string[] = [];
  const ping = createPing({
    url: "https://ping.test/x",
    clock,
    log: context.log,
    fetch: async (request) => {
      pings.push(new URL(request.url).pathname);
      return options.answers === false ? new Promise<Response>(() => {}) : new Response("OK");
    },
  });
  const scheduler: Scheduler = createScheduler({
    clock,
    timezone: "UTC",
    jobs: options.jobs ?? [],
    recorder: { ran: () => {}, skipped: () => {} },
  });
  const monitor = watchMonitor(context, inner, {
    periodMs: options.periodMs ?? MINUTE_MS,
    ping,
    schedule: () => scheduler,
  });
  return {
    engine,
    monitor,
    scheduler,
    pings,
    checksTake: (ms) => {
      takesMs = ms;
    },
    async tick(withinMs = MINUTE_MS) {
      monitor.tick().catch(() => {});
      await clock.advance(withinMs);
    },
    findings: () => engine.db.select().from(findings).orderBy(findings.id).all(),
  };
}

test("a check that takes longer than ten seconds, or a third of its period, is a finding until a good one", async () => {
  for (const [periodMs, boundMs] of [
    [MINUTE_MS, 10 * SECOND_MS],
    [9 * SECOND_MS, 3 * SECOND_MS],
  ] as const) {
    const { tick, checksTake, findings, engine } = world({ periodMs, health: { periodMs } });
    checksTake(boundMs);
    await tick();
    expect(findings()).toEqual([]);
    checksTake(boundMs + 1);
    const startedAtMs = engine.clock.nowMs();
    await tick();
    expect(findings()).toMatchObject([
      {
        kind: "slow_check",
        syncId: null,
        athleteId: null,
        batchId: null,
        beganAtMs: startedAtMs,
        outcome: "pending",
        remedy: "null",
        remediedAtMs: null,
      },
    ]);
    expect(JSON.parse(findings()[0]?.evidence ?? "")).toMatchObject({ took_ms: boundMs, bound_ms: boundMs });
    // Still slow: it is the same trouble.
    await tick();
    expect(findings()).toHaveLength(1);
    expect(engine.lines.join()).not.toContain("monitor.not_recorded");
    checksTake(0);
    const settledAtMs = engine.clock.nowMs();
    await tick();
    expect(findings()).toMatchObject([{ outcome: "superseded", settledAtMs }]);
    checksTake(boundMs + 1);
    await tick();
    expect(findings()).toMatchObject([{ outcome: "superseded" }, { kind: "slow_check", outcome: "pending" }]);
  }
});

test("a check that hangs is found while it hangs", async () => {
  const { tick, checksTake, findings } = world();
  checksTake(Number.POSITIVE_INFINITY);
  await tick(10 * SECOND_MS);
  expect(findings()).toEqual([]);
  await tick(1);
  expect(findings()).toMatchObject([{ kind: "slow_check", outcome: "pending" }]);
  expect(findings()[0]?.message).toContain("more than 10000 ms");
});

test("a check that throws is a finding with its reason, tells the address outside, and rises all the same", async () => {
  const { monitor, engine, tick, findings, pings } = world();
  engine.db.$client.run("ALTER TABLE batches RENAME TO batches_elsewhere");
  expect(monitor.tick()).rejects.toThrow();
  await engine.clock.advance(1_000);
  expect(findings()).toMatchObject([{ kind: "failed_check", syncId: null, outcome: "pending", remedy: "null" }]);
  expect(findings()[0]?.message).toBe("A health check failed: no such table: batches");
  expect(pings).toEqual(["/x/start", "/x/fail"]);
  await tick();
  expect(findings()).toHaveLength(1);
  engine.db.$client.run("ALTER TABLE batches_elsewhere RENAME TO batches");
  await tick();
  expect(findings()).toMatchObject([{ kind: "failed_check", outcome: "superseded" }]);
  expect(pings.slice(-2)).toEqual(["/x/start", "/x"]);
});

test("each check pings start and success, one by hand too; a dry run pings nothing and stores nothing", async () => {
  const { monitor, engine, tick, pings, checksTake, findings } = world();
  await tick();
  expect(pings).toEqual(["/x/start", "/x"]);
  await monitor.check({ dryRun: false });
  await engine.clock.advance(10);
  expect(pings).toEqual(["/x/start", "/x", "/x/start", "/x"]);
  checksTake(20 * SECOND_MS);
  const dry = monitor.check({ dryRun: true });
  await engine.clock.advance(MINUTE_MS);
  await dry;
  expect(pings).toHaveLength(4);
  expect(findings()).toEqual([]);
});

test("a good check writes nothing for the watch: a foreign writer's lock is not in its way", async () => {
  const { monitor, engine } = world();
  const before = engine.commits.transaction();
  await monitor.check({ dryRun: false });
  expect(engine.commits.transaction()).toBe(before);
});

test("where the schedule cannot be looked at, the check has failed, and nobody outside hears of a success", async () => {
  const { tick, scheduler, pings, findings, checksTake } = world();
  await tick();
  await tick();
  checksTake(1_000);
  scheduler.jobs = () => {
    throw new Error("no schedule");
  };
  await tick();
  expect(pings.slice(-2)).toEqual(["/x/start", "/x/fail"]);
  expect(findings()).toMatchObject([{ kind: "failed_check", message: "A health check failed: no schedule" }]);
});

test("an address that never answers delays no check", async () => {
  const { monitor, engine } = world({ answers: false });
  const startedAtMs = engine.clock.nowMs();
  for (let turn = 0; turn < 3; turn++) expect((await monitor.check({ dryRun: false })).checked).toBe(0);
  expect(engine.clock.nowMs()).toBe(startedAtMs);
});

test("what the daemon finds of itself is judged by none of the checks of syncs, and is no stall", async () => {
  const { tick, checksTake, findings, engine } = world();
  checksTake(11 * SECOND_MS);
  await tick();
  await engine.monitor.check({ dryRun: false });
  expect(findings()).toMatchObject([{ kind: "slow_check", outcome: "pending" }]);
  const counted = engine.db.$client.query("SELECT name FROM counters WHERE day_start_ms = 0").values().flat();
  expect(counted).toContain("findings_found:slow_check");
  expect(counted.filter((name) => String(name).startsWith("stalls") || String(name).startsWith("remedies"))).toEqual(
    [],
  );
});

const job = (name: string, values: Partial<Job>): Job => ({
  job: name,
  pattern: "0 * * * *",
  catchUp: "once",
  lastRunAtMs: null,
  run: () => {},
  ...values,
});

/** A job that hangs as long as it is told to. */
function hanging() {
  let runs = 0;
  let letGo = (): void => {};
  return {
    runs: () => runs,
    letGo: () => letGo(),
    run: () => {
      runs++;
      return runs > 1
        ? undefined
        : new Promise<void>((resolve) => {
            letGo = resolve;
          });
    },
  };
}

test("a job that missed its turn, since the run before has not ended, is found, and runs again once that ends", async () => {
  const stuck = hanging();
  const { engine, scheduler, tick, findings } = world({
    jobs: [job("keep-terms", { run: stuck.run, pattern: "*/10 * * * *" })],
  });
  scheduler.start();
  await engine.clock.advance(9 * MINUTE_MS);
  await tick();
  await tick();
  expect([stuck.runs(), findings()]).toEqual([1, []]);
  // No check for nine minutes is an absence of the daemon's own: nothing is said for one period.
  await engine.clock.advance(9 * MINUTE_MS);
  await tick();
  expect(findings()).toEqual([]);
  await tick(1_000);
  const remediedAtMs = epochMs(engine.clock.nowMs() - 1_000);
  expect(findings()).toMatchObject([{ kind: "schedule_overdue", outcome: "pending", remediedAtMs }]);
  expect(findings()[0]?.message).toContain("keep-terms has missed a turn");
  await tick();
  expect([stuck.runs(), findings()[0]?.outcome]).toEqual([1, "pending"]);
  stuck.letGo();
  await engine.clock.advance(0);
  expect(stuck.runs()).toBe(2);
  await tick();
  expect(findings()).toMatchObject([{ outcome: "verified" }]);
});

test("a run that takes longer than a job may is given up, and the job runs again: verified", async () => {
  const stuck = hanging();
  const { engine, scheduler, tick, findings } = world({
    jobs: [job("strava-events", { run: stuck.run, pattern: "* * * * *", catchUp: "skip" })],
  });
  scheduler.start();
  await engine.clock.advance(3 * MINUTE_MS);
  await tick(1_000);
  expect(findings()).toEqual([]);
  await engine.clock.advance(MINUTE_MS);
  await tick(1_000);
  expect(findings()).toMatchObject([{ kind: "schedule_overdue", outcome: "pending" }]);
  expect(findings()[0]?.remediedAtMs).toBe(epochMs(engine.clock.nowMs() - 1_000));
  // Nothing can be done yet: it runs, and has not taken an hour.
  expect(stuck.runs()).toBe(1);
  for (let minute = 0; minute < 125 && stuck.runs() === 1; minute++) {
    await engine.clock.advance(MINUTE_MS - 1_000);
    await tick(1_000);
  }
  expect(stuck.runs()).toBeGreaterThan(1);
  await engine.clock.advance(MINUTE_MS);
  await tick(1_000);
  const outcomes = findings().map((finding) => finding.outcome);
  expect(outcomes).toEqual(["failed", "verified"]);
  expect(scheduler.jobs()[0]).toMatchObject({ isRunning: false, turnsMissed: 0, lastError: null });
  // The run that was given up ends at last, and is nobody's any more.
  const runs = scheduler.jobs()[0]?.runs;
  stuck.letGo();
  await engine.clock.advance(0);
  expect(scheduler.jobs()[0]?.runs).toBe(runs ?? -1);
});

test("turns missed while the daemon itself was away are the schedule's own business", async () => {
  const stuck = hanging();
  const { engine, scheduler, tick, findings } = world({ jobs: [job("keep-terms", { run: stuck.run })] });
  scheduler.start();
  await engine.clock.advance(HOUR_MS);
  await tick(1_000);
  engine.clock.jumpTo(engine.clock.nowMs() + DAY_MS);
  // The machine wakes: timers fire, the job has missed its turn, and age proves nothing for a period.
  await engine.clock.advance(1);
  await tick(1_000);
  expect(scheduler.jobs()[0]?.turnsMissed).toBe(1);
  expect(findings()).toEqual([]);
});

test("in suggest mode the run is proposed, and a person applies it; when it has run by itself, there is nothing to do", async () => {
  const stuck = hanging();
  const jobs = [job("keep-terms", { run: stuck.run })];
  const { engine, monitor, scheduler, tick, findings } = world({ jobs, health: { healing: "suggest" } });
  scheduler.start();
  await engine.clock.advance(2 * HOUR_MS);
  await tick(1_000);
  await engine.clock.advance(MINUTE_MS);
  await tick(1_000);
  await engine.clock.advance(MINUTE_MS);
  await tick(1_000);
  const [proposed] = findings();
  expect(proposed).toMatchObject({ kind: "schedule_overdue", outcome: "proposed", remediedAtMs: null });
  if (proposed === undefined) return;
  stuck.letGo();
  await engine.clock.advance(1_000);
  expect(stuck.runs()).toBe(1);
  // It ended without missing more: its next turn is to come, and the last one is made up for by hand.
  expect(monitor.apply(proposed.id, "admin")).toBe("applied");
  await engine.clock.advance(1_000);
  expect(stuck.runs()).toBe(2);
  expect(monitor.apply(proposed.id, "admin")).toBe("not_proposed");
  await tick(1_000);
  expect(findings()).toMatchObject([{ outcome: "verified" }]);
  expect(engine.db.$client.query("SELECT actor, action, target FROM audit").values()).toEqual([
    ["admin", "finding.applied", `finding:${proposed.id}`],
  ]);
});

test("a sync that cannot be checked fails the check, in progress or ended, and hides none of the others", async () => {
  const { engine, tick, findings, pings } = world({
    sandbox: { club: { athletes: 3, activitiesEach: 60, racesEach: 20 }, latencyMs: 200 },
  });
  await engine.clock.advance(MINUTE_MS);
  const [running, ended, other] = [engine.start(0), engine.start(1), engine.start(2)];
  engine.processor.setClaiming(false);
  await engine.clock.advance(MINUTE_MS);
  const strays = (syncId: number) =>
    engine.db.$client.query("SELECT 1 FROM batches WHERE sync_id = ? AND status = 'pending'").all(syncId).length;
  byHand(engine.db, `UPDATE syncs SET status = 'cancelled', completed_at_ms = 1 WHERE id IN (${ended}, ${other})`);
  byHand(
    engine.db,
    `INSERT INTO batches (sync_id, number, type, size) SELECT id, 90, 'enrichment', 1 FROM syncs WHERE id > ${running}`,
  );
  byHand(engine.db, `DELETE FROM batches WHERE sync_id = ${running}`);
  byHand(
    engine.db,
    `CREATE TRIGGER no_update BEFORE UPDATE ON batches WHEN old.sync_id = ${ended} BEGIN SELECT RAISE(ABORT, 'bad row'); END`,
  );
  byHand(
    engine.db,
    `CREATE TRIGGER no_insert BEFORE INSERT ON batches WHEN new.sync_id = ${running} BEGIN SELECT RAISE(ABORT, 'bad row'); END`,
  );
  const own = () => findings().filter(({ kind }) => kind === "failed_check");
  pings.length = 0;
  await tick(1_000);
  expect(strays(other)).toBe(0);
  expect(own()).toMatchObject([{ outcome: "pending", syncId: null }]);
  expect(own()[0]?.message).toContain(`could not check syncs ${running}, ${ended};`);
  expect(pings).toEqual(["/x/start", "/x/fail"]);
  // The same trouble a minute later; then both are mended.
  await tick();
  expect(own()).toHaveLength(1);
  byHand(engine.db, "DROP TRIGGER no_insert");
  byHand(engine.db, "DROP TRIGGER no_update");
  pings.length = 0;
  await tick(1_000);
  expect(own()).toMatchObject([{ outcome: "superseded" }]);
  expect(strays(ended)).toBe(0);
  expect(pings).toEqual(["/x/start", "/x"]);
});
