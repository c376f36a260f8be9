import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS, SECOND_MS, syncId } from "../../../src/core/units.ts";
import type { FaultRule } from "../../../src/sandbox/faults.ts";
import { stopSync } from "../../../src/sync/stop-sync.ts";
import { createTestEngine, type TestEngine } from "../../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../../support/hand.ts";
import {
  attemptsSpent,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
  requestsOf,
  stravaIdOf,
  syncOf,
  untilEnded,
} from "../../support/syncs.ts";

const ALWAYS = Number.POSITIVE_INFINITY;
const SERVER_ERROR = { type: "status", status: 500 } as const;
const failFor = (
  engine: TestEngine,
  match: NonNullable<FaultRule["match"]>,
  action: FaultRule["action"] = SERVER_ERROR,
) => engine.sandbox.injectFault({ match, times: ALWAYS, action });
const neutralQuestions = (engine: TestEngine) => engine.sandbox.ledger().filter((entry) => entry.kind === "athlete");
const clubOf = (athletes: number, racesEach = 5) =>
  createTestEngine({ sandbox: { quota: PLENTY, latencyMs: 50, club: { athletes, activitiesEach: 30, racesEach } } });

describe("whose failure is it", () => {
  test("two hours of 5xx meet a sync with a single race left: it does not fail, and is enriched when they are over", async () => {
    const engine = engineWith(dailyRuns(10, [0]), { sandbox: { latencyMs: 50 } });
    const syncId = engine.start();
    await stepUntil(engine, () => requestsOf(engine, "list") === 2);
    failFor(engine, {});
    await tickMinutes(engine, 120);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "in_progress" });
    expect(countRaces(engine.db, "failed")).toBe(0);
    // A few tries till it is clear that it is Strava, then one and the neutral question every quarter of an hour.
    expect(engine.sandbox.ledger().length).toBeLessThan(50);
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 20);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 0 });
  });

  test("a single race on which Strava fails for ever fails with its reason, with nobody else to prove that Strava lives: one neutral question tells", async () => {
    const engine = engineWith(dailyRuns(10, [0]));
    failFor(engine, { kind: "detail" });
    const sync = await untilEnded(engine, engine.start());
    expect(sync).toMatchObject({ status: "completed", racesEnriched: 0, racesFailed: 1 });
    expect(heldRaces(engine)[0]).toMatchObject({ enrichment: "failed", attempts: 5 });
    expect(heldRaces(engine)[0]?.enrichmentError).toContain("500");
    expect(neutralQuestions(engine)).toHaveLength(1);
    expect(engine.context.governor.view().breaker).toBe("closed");
  });

  test("a list on which Strava fails for ever fails its sync with the reason; nobody waits for it", async () => {
    const engine = clubOf(1);
    failFor(engine, { kind: "list" });
    const sync = await untilEnded(engine, engine.start());
    expect(sync).toMatchObject({ status: "failed" });
    expect(sync.error).toContain("500");
    expect(requestsOf(engine, "list")).toBe(5);
    expect(neutralQuestions(engine)).toHaveLength(1);
  });

  test("a list that fails through an outage does not: the sync waits, and completes", async () => {
    const engine = clubOf(1);
    failFor(engine, {});
    const syncId = engine.start();
    await tickMinutes(engine, 120);
    expect(syncOf(engine, syncId).status).toBe("in_progress");
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 20);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  });

  test("after an outage, an athlete whose list goes on failing holds up nobody", async () => {
    const engine = clubOf(3);
    failFor(engine, {});
    for (const n of [0, 1, 2]) engine.start(n);
    await tickMinutes(engine, 30);
    expect(engine.context.governor.hold("manual")).toMatchObject({ reason: "strava_unavailable" });
    engine.sandbox.clearFaults();
    failFor(engine, { kind: "list", athlete: stravaIdOf(engine, 0) });
    await tickMinutes(engine, 25);
    expect([1, 2, 3].map((id) => syncOf(engine, id as never).status)).toEqual(["failed", "completed", "completed"]);
  });

  test("two hours in which only details fail, of one athlete, while Strava answers all else: no race fails", async () => {
    const engine = clubOf(1, 15);
    failFor(engine, { kind: "detail" });
    const syncId = engine.start();
    await tickMinutes(engine, 120);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "in_progress" });
    expect(countRaces(engine.db, "failed")).toBe(0);
    expect(requestsOf(engine, "detail")).toBeLessThan(80);
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 20);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 15, racesFailed: 0 });
  });

  test("three races on which Strava fails for ever, and nothing else to ask for, are given up after a day, not waited for for ever", async () => {
    const engine = engineWith(dailyRuns(6, [0, 1, 2]));
    failFor(engine, { kind: "detail" });
    const syncId = engine.start();
    await engine.clock.advance(12 * HOUR_MS);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "in_progress" });
    await engine.clock.advance(24 * HOUR_MS);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesFailed: 3 });
  });

  for (const [what, action] of [
    ["no connection", { type: "reset" }],
    ["answers that are cut off", { type: "truncated" }],
    ["web pages with 200", { type: "status", status: 200, html: "<html>Sign in to the network</html>" }],
  ] as const) {
    test(`an hour of ${what}: the last race of a sync does not fail`, async () => {
      const engine = engineWith(dailyRuns(10, [0]), { sandbox: { latencyMs: 50 } });
      const syncId = engine.start();
      await stepUntil(engine, () => requestsOf(engine, "list") === 2);
      failFor(engine, {}, action);
      await tickMinutes(engine, 60);
      expect(countRaces(engine.db, "failed")).toBe(0);
      engine.sandbox.clearFaults();
      await tickMinutes(engine, 20);
      expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 1 });
    });
  }

  for (const [what, action] of [
    ["503", { type: "status", status: 503 }],
    ["a maintenance page", { type: "html", status: 502 }],
  ] as const) {
    test(`one activity that is always answered with ${what} holds everybody once, then fails by itself; all else is enriched`, async () => {
      const engine = createTestEngine({
        sandbox: { quota: PLENTY, latencyMs: 50, club: { athletes: 3, activitiesEach: 60, racesEach: 40 } },
      });
      const poison = engine.sandbox.activities(stravaIdOf(engine)).find((activity) => activity.workout_type === 1);
      failFor(engine, { kind: "detail", activityId: poison?.id ?? 0 }, action);
      const syncIds = [0, 1, 2].map((n) => engine.start(n));
      await tickMinutes(engine, 15);
      expect(syncIds.map((syncId) => syncOf(engine, syncId).status)).toEqual(["completed", "completed", "completed"]);
      expect([countRaces(engine.db, "enriched"), countRaces(engine.db, "failed")]).toEqual([119, 1]);
      const asked = engine.sandbox.ledger().filter((entry) => entry.activityId === poison?.id);
      expect(asked).toHaveLength(1 + 5);
      expect(engine.lines.filter((line) => line.includes("strava_unavailable")).length).toBeLessThanOrEqual(4);
    });
  }

  for (const [what, athletesOfPoison] of [
    ["two of one athlete", [0, 0]],
    ["two of two athletes", [0, 1]],
    ["three of three athletes", [0, 1, 2]],
    ["ten of two athletes", [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]],
  ] as const) {
    test(`activities that are always answered with 503, ${what}: each fails by itself, and all else is enriched`, async () => {
      const engine = createTestEngine({
        sandbox: { quota: PLENTY, latencyMs: 50, club: { athletes: 3, activitiesEach: 60, racesEach: 40 } },
      });
      const racesOf = (n: number) =>
        engine.sandbox.activities(stravaIdOf(engine, n)).filter((activity) => activity.workout_type === 1);
      for (const [place, n] of athletesOfPoison.entries()) {
        const activityId = racesOf(n)[place * 3]?.id ?? 0;
        failFor(engine, { kind: "detail", activityId }, { type: "status", status: 503 });
      }
      const syncIds = [0, 1, 2].map((n) => engine.start(n));
      await tickMinutes(engine, 120);
      const poison = athletesOfPoison.length;
      expect(countRaces(engine.db, "enriched")).toBe(120 - poison);
      // Where nothing else is left to ask for, many that fail look like an outage, and are given up after a day.
      if (poison > 3) await engine.clock.advance(36 * HOUR_MS);
      expect(syncIds.map((syncId) => syncOf(engine, syncId).status)).toEqual(["completed", "completed", "completed"]);
      expect([countRaces(engine.db, "enriched"), countRaces(engine.db, "failed")]).toEqual([120 - poison, poison]);
    });
  }

  for (const [what, action] of [
    ["is reset", { type: "reset" }],
    ["is answered by a maintenance page", { type: "html", status: 502 }],
  ] as const) {
    test(`a neutral question that ${what} proves nothing against a race`, async () => {
      const engine = engineWith(dailyRuns(10, [0]));
      failFor(engine, { kind: "detail" });
      failFor(engine, { kind: "athlete" }, action);
      const syncId = engine.start();
      await tickMinutes(engine, 60);
      expect(syncOf(engine, syncId).status).toBe("in_progress");
      expect(countRaces(engine.db, "failed")).toBe(0);
    });
  }

  test("a stop while the neutral question is out fails no race: it is called off, and asked again by the next process", async () => {
    const engine = engineWith(dailyRuns(10, [0]));
    failFor(engine, { kind: "detail" });
    engine.sandbox.injectFault({ match: { kind: "athlete" }, times: ALWAYS, action: { type: "hang" } });
    engine.start();
    await stepUntil(engine, () => neutralQuestions(engine).length === 1, HOUR_MS);
    const stopped = engine.processor.stop(SECOND_MS);
    await engine.clock.advance(5 * SECOND_MS);
    await stopped;
    expect(heldRaces(engine)[0]).toMatchObject({ enrichment: "pending", attempts: 4 });
  });

  test("a Strava that knows no neutral question: one activity is given up, a list that fails is waited for", async () => {
    const noNeutral = { match: { kind: "athlete" }, times: ALWAYS, action: { type: "status", status: 404 } } as const;
    const poisoned = engineWith(dailyRuns(10, [0]));
    poisoned.sandbox.injectFault(noNeutral);
    failFor(poisoned, { kind: "detail" });
    expect(await untilEnded(poisoned, poisoned.start())).toMatchObject({ status: "completed", racesFailed: 1 });

    const away = clubOf(1);
    away.sandbox.injectFault(noNeutral);
    failFor(away, { kind: "list" });
    const syncId = away.start();
    await tickMinutes(away, 60);
    expect(syncOf(away, syncId).status).toBe("in_progress");
    away.sandbox.clearFaults();
    await tickMinutes(away, 20);
    expect(syncOf(away, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  });

  test("two hours without the token endpoint: nobody is disconnected, no race fails, and all goes on by itself", async () => {
    const engine = clubOf(1);
    byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
    failFor(engine, { kind: "token" }, { type: "status", status: 502 });
    const syncId = engine.start();
    await tickMinutes(engine, 120);
    expect(syncOf(engine, syncId).status).toBe("in_progress");
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 20);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  });

  test("grants that cannot be revoked hold up no sync", async () => {
    const engine = clubOf(2);
    const { governor, strava } = engine.context;
    failFor(engine, { kind: "revoke" }, { type: "status", status: 503 });
    const asker = { athleteId: engine.athlete(), phase: "revoke", syncClass: "manual" } as const;
    for (let n = 0; n < 5; n++) {
      const asked = await governor.requestUnmetered(asker, async () => {
        if (strava === undefined) throw new Error("unreachable");
        const reply = strava.revoke("a-token", new AbortController().signal);
        await engine.clock.advance(50);
        return reply;
      });
      expect(asked.reply.ok).toBe(false);
    }
    expect(governor.hold("schedule")).toBeUndefined();
  });
});

describe("half open", () => {
  test("an outage that is over is noticed by one question an athlete, not by all that wait", async () => {
    const engine = clubOf(2, 15);
    const syncIds = [engine.start(0), engine.start(1)];
    await stepUntil(engine, () => requestsOf(engine, "detail") >= 4);
    failFor(engine, {});
    await stepUntil(engine, () => engine.context.governor.view().breaker === "open");
    const before = engine.sandbox.ledger().length;
    await engine.clock.advance(40 * SECOND_MS);
    // Each of the two asked its question, and the neutral one.
    expect(engine.sandbox.ledger().length - before).toBeLessThanOrEqual(8 + 4);
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 20);
    for (const syncId of syncIds) expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesFailed: 0 });
  });

  test("an inactive application is asked by one question an athlete each quarter of an hour", async () => {
    const engine = clubOf(2, 15);
    failFor(engine, { kind: ["list", "detail"] }, { type: "status", status: 403 });
    for (const n of [0, 1]) engine.start(n);
    await tickMinutes(engine, 60);
    expect(engine.sandbox.ledger().length).toBeLessThanOrEqual(12);
    expect(attemptsSpent(engine)).toBe(0);
  });
});

describe("what the governor knows outlives a restart", () => {
  for (const [what, action, reason] of [
    ["an inactive application", { type: "status", status: 403 }, "app_inactive"],
    ["maintenance", { type: "html", status: 502 }, "strava_unavailable"],
    ["a refusal without headers", { type: "status", status: 429, rateHeaders: false }, "quota_15min"],
  ] as const) {
    test(`${what}: the new process asks nothing before its time`, async () => {
      const engine = clubOf(1);
      failFor(engine, {}, action);
      engine.start();
      await tickMinutes(engine, 1);
      const before = engine.context.governor.hold("manual");
      expect(before?.reason).toBe(reason);
      const asked = engine.sandbox.ledger().length;
      const next = engine.rebooted();
      expect(next.context.governor.hold("manual")).toEqual(before);
      await next.clock.advance(Math.max(0, (before?.untilMs ?? 0) - next.clock.nowMs() - SECOND_MS));
      expect(next.sandbox.ledger()).toHaveLength(asked);
    });
  }

  test("the skew of the clocks", async () => {
    const engine = createTestEngine({
      sandbox: { quota: PLENTY, skewMs: 90_000, club: { athletes: 1, activitiesEach: 5, racesEach: 1 } },
    });
    await untilEnded(engine, engine.start());
    expect(Math.abs(engine.rebooted().context.governor.view().skewMs - 90_000)).toBeLessThanOrEqual(1_500);
  });

  test("but what others spent meanwhile is unknown: the first request of the new process goes out alone", async () => {
    const engine = createTestEngine({
      sandbox: { latencyMs: 50, club: { athletes: 4, activitiesEach: 30, racesEach: 15 } },
    });
    for (const n of [0, 1, 2, 3]) engine.start(n);
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.spendQuota({ overall: 200, read: 100 });
    const next = engine.rebooted();
    await next.clock.advance(MINUTE_MS);
    expect(next.sandbox.ledger().filter((entry) => entry.status === 429)).toHaveLength(1);
  });

  test("rows that a hand has spoiled are as good as none", async () => {
    const engine = clubOf(1);
    for (const value of ["", "[]", '{"skew_ms":"x","refusal":7,"open":{"reason":"no such"}}', '{"skew_ms":1e15}']) {
      byHand(engine.db, `INSERT OR REPLACE INTO settings (name, value) VALUES ('governor', '${value}')`);
      const { governor } = engine.rebooted().context;
      expect(governor.view()).toMatchObject({ skewMs: 0, appHold: undefined, breaker: "closed" });
    }
  });
});

for (const how of ["restarted", "cancelled, and started later"] as const) {
  test(`an outage whose only witness is ${how} while the neutral question is out: the next one is asked`, async () => {
    const engine = createTestEngine({
      sandbox: { latencyMs: 5 * SECOND_MS, club: { athletes: 1, activitiesEach: 5, racesEach: 1 } },
    });
    failFor(engine, {}, { type: "html" });
    const first = engine.start();
    await stepUntil(engine, () => engine.sandbox.ledger().at(-1)?.kind === "athlete");
    expect(engine.context.governor.view().breaker).toBe("half_open");
    if (how === "restarted") engine.start(0, { restart: true });
    else stopSync(engine.context, engine.processor, first);
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 3);
    if (how !== "restarted") engine.start();
    await tickMinutes(engine, 3);
    expect(syncOf(engine, syncId(2)).status).toBe("completed");
  });
}

test("a run that finds no place for two minutes stands in line again: no attempt is spent, and no stall is seen", async () => {
  const engine = createTestEngine({
    requestsInFlight: 1,
    timeoutMs: 10 * MINUTE_MS,
    sandbox: { quota: PLENTY, club: { athletes: 2, activitiesEach: 30, racesEach: 5 } },
  });
  // Somebody else's request takes the only place for a quarter of an hour.
  engine.sandbox.injectFault({
    match: { kind: "detail", athlete: stravaIdOf(engine, 0) },
    action: { type: "slow", ms: 9 * MINUTE_MS },
  });
  engine.start(0);
  await stepUntil(engine, () => requestsOf(engine, "detail") === 1);
  const waiting = engine.start(1);
  await tickMinutes(engine, 8);
  expect(syncOf(engine, waiting).status).toBe("in_progress");
  expect(engine.lines.filter((line) => line.includes("no request of it found a place")).length).toBeGreaterThanOrEqual(
    3,
  );
  expect(attemptsSpent(engine)).toBe(0);
  await tickMinutes(engine, 3);
  expect(syncOf(engine, waiting)).toMatchObject({ status: "completed", racesEnriched: 5 });
});

test("another client that uses up every quarter before we come costs one 429 a quarter, and no more", async () => {
  const engine = createTestEngine({
    sandbox: { latencyMs: 50, club: { athletes: 4, activitiesEach: 60, racesEach: 40 } },
  });
  for (const n of [0, 1, 2, 3]) engine.start(n);
  await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
  for (let quarter = 0; quarter < 3; quarter++) {
    await engine.clock.advance(15 * MINUTE_MS - (engine.clock.nowMs() % (15 * MINUTE_MS)) + 10);
    engine.sandbox.clearLedger();
    engine.sandbox.spendQuota({ overall: 200, read: 100 });
    await engine.clock.advance(13 * MINUTE_MS);
    expect(engine.sandbox.ledger().filter((entry) => entry.status === 429)).toHaveLength(1);
  }
  await tickMinutes(engine, (2 * HOUR_MS) / MINUTE_MS);
  expect(countRaces(engine.db, "enriched")).toBe(160);
  expect(attemptsSpent(engine)).toBe(0);
});
