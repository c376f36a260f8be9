import { describe, expect, spyOn, test } from "bun:test";
import { DAY_MS, epochMs, HOUR_MS } from "../../src/core/units.ts";
import type { FaultRule } from "../../src/sandbox/faults.ts";
import { cancelSync } from "../../src/sync/end-sync.ts";
import {
  alertMinutes,
  alertTick,
  engineThatTells,
  makeTrouble,
  minutes,
  saidBy,
  setRules,
  troublesOf,
} from "../support/alerts.ts";
import type { TestEngine } from "../support/engine.ts";
import { byHand, stepUntil } from "../support/hand.ts";
import { startOfClass, syncOf } from "../support/syncs.ts";

/** Strava says 403 to whatever is asked of its API. */
const INACTIVE = {
  match: { kind: ["list", "detail", "athlete"] },
  times: 999,
  action: { type: "status", status: 403 },
} as const satisfies FaultRule;

const open = (engine: TestEngine) =>
  troublesOf(engine)
    .filter(({ closedAtMs }) => closedAtMs === null)
    .map(({ rule, subject }) => `${rule} ${subject}`);

test("what one look cannot read hides nothing from the others", async () => {
  const engine = engineThatTells();
  await minutes(engine, 3);
  spyOn(engine.context.governor, "view").mockImplementation(() => {
    throw new Error("a row that no look can read");
  });
  await alertMinutes(engine, 4);
  expect(open(engine)).toEqual(["monitor_silent daemon"]);
  expect(engine.lines.some((line) => line.includes("alert.watch_failed"))).toBe(true);
});

describe("a silent monitor", () => {
  test("is told of when no check has ended for three of its periods, by the alerts' own job", async () => {
    const engine = engineThatTells();
    await minutes(engine, 3);
    await alertMinutes(engine, 3);
    expect(open(engine)).toEqual([]);
    await alertMinutes(engine, 1);
    expect(open(engine)).toEqual(["monitor_silent daemon"]);
    expect(saidBy(engine)).toEqual(["alert: The health monitor is silent"]);
    await minutes(engine, 1);
    expect(open(engine)).toEqual([]);
    await minutes(engine, 6);
    expect(saidBy(engine)[1]).toBe("recovery: The health monitor checks again");
  });

  test("is told of by its own period: hourly checks are not silent after ten minutes", async () => {
    const engine = engineThatTells({ health: { periodMs: HOUR_MS } });
    await minutes(engine, 1);
    await alertMinutes(engine, 179);
    expect(open(engine)).toEqual([]);
    await alertMinutes(engine, 3);
    expect(open(engine)).toEqual(["monitor_silent daemon"]);
  });

  test("from the first minute on is told of too, counted from the start", async () => {
    const engine = engineThatTells();
    await alertMinutes(engine, 3);
    expect(open(engine)).toEqual([]);
    await alertMinutes(engine, 1);
    expect(saidBy(engine)).toEqual(["alert: The health monitor is silent"]);
  });
});

describe("the daemon's own absence", () => {
  test("is no trouble: after a stop of a week nobody is told of a silent monitor or an old stall", async () => {
    let engine = engineThatTells();
    await minutes(engine, 2);
    makeTrouble(engine, "sync:1", "stall_not_repaired");
    engine.clock.jumpTo(engine.clock.nowMs() + 7 * DAY_MS);
    engine = engine.rebooted();
    await alertTick(engine);
    await alertMinutes(engine, 2);
    expect(saidBy(engine)).toEqual([]);
  });

  for (const [what, jumpMs] of [
    ["a suspended machine", 9 * HOUR_MS],
    ["a clock set forward", 400 * DAY_MS],
    ["a clock set back", -400 * DAY_MS],
  ] as const) {
    test(`is no trouble: ${what}`, async () => {
      const engine = engineThatTells();
      await minutes(engine, 5);
      byHand(engine.db, "INSERT INTO syncs (id, athlete_id, status) VALUES (77, 1, 'in_progress')");
      makeTrouble(engine, "sync:77", "stall_not_repaired");
      engine.clock.jumpTo(engine.clock.nowMs() + jumpMs);
      await alertTick(engine);
      await alertMinutes(engine, 1);
      await minutes(engine, 10);
      expect(saidBy(engine)).toEqual([]);
    });
  }

  test("hides nothing that stays: a monitor that is silent after it is told of, three periods later", async () => {
    const engine = engineThatTells();
    await minutes(engine, 2);
    engine.clock.jumpTo(engine.clock.nowMs() - 400 * DAY_MS);
    await alertMinutes(engine, 4);
    expect(saidBy(engine)).toEqual([]);
    await alertMinutes(engine, 1);
    expect(saidBy(engine)).toEqual(["alert: The health monitor is silent"]);
  });
});

describe("Strava", () => {
  test("refusing the application is told of once, however often it is asked again, and its end too", async () => {
    const engine = engineThatTells();
    engine.sandbox.injectFault(INACTIVE);
    engine.start();
    await minutes(engine, 60);
    expect(open(engine)).toEqual(["app_inactive application"]);
    expect(saidBy(engine)).toEqual(["alert: Strava refuses the application"]);
    engine.sandbox.clearFaults();
    await minutes(engine, 40);
    expect(saidBy(engine)).toEqual([
      "alert: Strava refuses the application",
      "recovery: Strava takes the application again",
    ]);
  });

  test("refusing the application is not over because nobody asks: only an answer tells", async () => {
    const engine = engineThatTells();
    engine.sandbox.injectFault(INACTIVE);
    const id = engine.start();
    await minutes(engine, 5);
    expect(open(engine)).toEqual(["app_inactive application"]);
    engine.commits.now(() => cancelSync(engine.context, syncOf(engine, id)));
    await minutes(engine, 60);
    expect(open(engine)).toEqual(["app_inactive application"]);
    expect(saidBy(engine)).toHaveLength(1);
  });

  test("the day's quota used up with syncs in progress is told of; a quarter's is not, nor a day's without work", async () => {
    const engine = engineThatTells({
      sandbox: {
        club: { athletes: 1, activitiesEach: 60, racesEach: 20 },
        quota: { overall: { quarter: 5, day: 12 }, read: { quarter: 5, day: 12 } },
      },
    });
    const id = engine.start();
    await minutes(engine, 20);
    expect(open(engine)).toEqual([]);
    await minutes(engine, 30);
    expect(open(engine)).toEqual(["quota_exhausted application"]);
    expect(troublesOf(engine)[0]?.message).toContain("They go on at 2025-11-18 00:00 UTC.");
    expect(saidBy(engine)).toEqual(["alert: Strava's quota of the day is used up"]);
    byHand(engine.db, `UPDATE syncs SET status = 'cancelled', completed_at_ms = 1 WHERE id = ${id}`);
    await minutes(engine, 1);
    expect(open(engine)).toEqual([]);
  });
});

describe("the reserve of the day's quota", () => {
  /** A scheduled sync that has used up what the reserve leaves it. */
  async function reserved(): Promise<TestEngine> {
    const engine = engineThatTells({
      reserve: 100,
      sandbox: {
        club: { athletes: 2, activitiesEach: 60, racesEach: 40 },
        quota: { overall: { quarter: 100, day: 130 }, read: { quarter: 100, day: 130 } },
      },
    });
    startOfClass(engine, 0, "schedule");
    await minutes(engine, 20);
    return engine;
  }

  test("holding up a scheduled sync is told of, with when it goes on; its end too", async () => {
    const engine = await reserved();
    expect(open(engine)).toEqual(["quota_exhausted application"]);
    expect(troublesOf(engine)[0]?.message).toBe(
      "Strava's quota of the day is used up but for its reserve, which is kept for syncs that people start: the others wait. They go on at 2025-11-17 22:01 UTC.",
    );
    byHand(engine.db, "UPDATE syncs SET status = 'cancelled', completed_at_ms = 1");
    await minutes(engine, 1);
    expect(open(engine)).toEqual([]);
  });

  test("is still held when a quarter is full on top of it, and is over when another day has begun", async () => {
    const engine = await reserved();
    engine.processor.setClaiming(false);
    const hold = spyOn(engine.context.governor, "hold").mockImplementation(() => ({
      reason: "quota_15min",
      untilMs: epochMs(engine.clock.nowMs() + 60_000),
    }));
    await alertMinutes(engine, 1);
    expect(open(engine)).toContain("quota_exhausted application");
    engine.clock.jumpTo(Date.UTC(2025, 10, 18, 0, 1));
    await alertTick(engine);
    expect(open(engine)).not.toContain("quota_exhausted application");
    hold.mockRestore();
  });

  test("is no trouble to a sync that a person started, nor in the last hours, when it is given back", async () => {
    const engine = await reserved();
    byHand(engine.db, "UPDATE syncs SET status = 'cancelled', completed_at_ms = 1");
    engine.processor.setClaiming(false);
    startOfClass(engine, 1, "manual");
    await minutes(engine, 5);
    expect(open(engine)).toEqual([]);
    byHand(engine.db, "UPDATE syncs SET class = 'schedule', class_rank = 3 WHERE status = 'in_progress'");
    await minutes(engine, 1);
    expect(open(engine)).toEqual(["quota_exhausted application"]);
    engine.clock.jumpTo(Date.UTC(2025, 10, 17, 23));
    byHand(engine.db, "UPDATE alert_troubles SET closed_at_ms = 1, settled_at_ms = 1");
    await minutes(engine, 1);
    expect(open(engine)).toEqual([]);
  });
});

describe("a stall that is not repaired", () => {
  /** A sync whose batches are gone, in suggest mode: found, and mended by nobody. */
  async function proposed(): Promise<TestEngine> {
    const engine = engineThatTells({
      sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 200 },
      health: { healing: "suggest" },
    });
    engine.start();
    await stepUntil(
      engine,
      () => engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment'").get() !== null,
    );
    engine.processor.setClaiming(false);
    byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
    return engine;
  }

  test("since nobody applies what is proposed, is told of when the time of its rule is up", async () => {
    const engine = await proposed();
    await minutes(engine, 10);
    expect(open(engine)).toEqual([]);
    await minutes(engine, 2);
    expect(open(engine)).toEqual(["stall_not_repaired sync:1"]);
    const [trouble] = troublesOf(engine);
    expect(trouble?.message).toContain("its remedy is proposed, and nobody has applied it");
    await minutes(engine, 47);
    expect(saidBy(engine)).toEqual([]);
    await minutes(engine, 3);
    expect(saidBy(engine)).toEqual(["alert: A stalled sync is not repaired"]);
  });

  test("is over when somebody has applied it and work has gone on", async () => {
    const engine = await proposed();
    setRules(engine, { stall_not_repaired: { afterOccurrences: 1 } });
    await minutes(engine, 12);
    expect(saidBy(engine)).toEqual(["alert: A stalled sync is not repaired"]);
    engine.processor.setClaiming(true);
    expect(engine.monitor.apply(1 as never)).toBe("applied");
    await minutes(engine, 15);
    expect(saidBy(engine)).toEqual(["alert: A stalled sync is not repaired", "recovery: A stalled sync moves again"]);
    expect(troublesOf(engine)).toHaveLength(1);
  });

  test("a sync that waits for its quota is no stall, however long a finding of it is open", async () => {
    const engine = engineThatTells({
      sandbox: {
        club: { athletes: 1, activitiesEach: 60, racesEach: 20 },
        latencyMs: 200,
        quota: { overall: { quarter: 5, day: 12 }, read: { quarter: 5, day: 12 } },
      },
    });
    engine.start();
    await minutes(engine, 50);
    byHand(
      engine.db,
      `INSERT INTO findings (kind, sync_id, athlete_id, outcome, detected_at_ms, remedied_at_ms, batches_completed_before)
       VALUES ('far_wait', 1, 1, 'pending', ${epochMs(1)}, 1, 999)`,
    );
    await minutes(engine, 30);
    expect(troublesOf(engine).map(({ rule }) => rule)).toEqual(["quota_exhausted"]);
  });
});

test("a look at what has not changed writes nothing", async () => {
  const engine = engineThatTells();
  await minutes(engine, 5);
  const before = engine.commits.transaction();
  await alertMinutes(engine, 2);
  expect(engine.commits.transaction()).toBe(before);
});
