import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededDice } from "../../src/core/dice.ts";
import type { SyncClass } from "../../src/core/sync.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { closeDatabase, openDatabase } from "../../src/db/open.ts";
import { createSeal } from "../../src/db/seal.ts";
import { createStravaClient } from "../../src/strava/client.ts";
import { assembleSync } from "../../src/sync/assemble.ts";
import { pauseSync, resumeSync } from "../../src/sync/pause-sync.ts";
import { createProcessor } from "../../src/sync/processor.ts";
import { createIdTracer, type Tracer } from "../../src/telemetry/tracing.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine, START_MS, type TestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { attemptsSpent, PLENTY, requestsOf, startOfClass, syncOf, untilEnded } from "../support/syncs.ts";

type Club = { athletes: number; activitiesEach: number; racesEach: number };

function engineOf(club: Club, options: TestEngineOptions = {}): TestEngine {
  const { sandbox, ...rest } = options;
  return createTestEngine({
    db: emptyDb(),
    ...rest,
    sandbox: { club, quota: PLENTY, latencyMs: 50, ...sandbox },
  });
}

/** Batches in `processing` now, by athlete. */
function running(engine: Pick<TestEngine, "db">): number[] {
  return engine.db.$client
    .query<{ athlete: number }, []>(
      "SELECT s.athlete_id AS athlete FROM batches b JOIN syncs s ON s.id = b.sync_id WHERE b.status = 'processing'",
    )
    .all()
    .map((row) => row.athlete);
}

/** Athletes in the order in which their enrichment batches were first claimed. */
function claimOrder(engine: TestEngine): number[] {
  return engine.db.$client
    .query<{ athlete: number }, []>(
      `SELECT s.athlete_id AS athlete FROM batches b JOIN syncs s ON s.id = b.sync_id
       WHERE b.started_at_ms IS NOT NULL ORDER BY b.started_at_ms, b.id`,
    )
    .all()
    .map((row) => row.athlete);
}

function detailsTwice(engine: TestEngine): number {
  const details = engine.sandbox.ledger().filter((entry) => entry.kind === "detail");
  return details.length - new Set(details.map((entry) => entry.activityId)).size;
}

const batchesBy = (engine: TestEngine) =>
  engine.db.$client
    .query<{ status: string; attempts: number; races_enriched: number }, []>(
      "SELECT status, attempts, races_enriched FROM batches WHERE type = 'enrichment' ORDER BY id",
    )
    .all();

describe("what runs at once", () => {
  for (const concurrency of [1, 2, 4]) {
    test(`at most ${concurrency}, and at most one batch of an athlete (I3)`, async () => {
      const engine = engineOf({ athletes: 3, activitiesEach: 60, racesEach: 40 }, { rules: { concurrency } });
      const syncIds = [0, 1, 2].map((n) => engine.start(n));
      let most = 0;
      await stepUntil(engine, () => {
        const now = running(engine);
        expect(new Set(now).size).toBe(now.length);
        expect(now.length).toBeLessThanOrEqual(concurrency);
        expect(engine.processor.view().running).toBeLessThanOrEqual(concurrency);
        most = Math.max(most, now.length);
        return syncIds.every((syncId) => syncOf(engine, syncId).status === "completed");
      });
      expect(most).toBe(Math.min(3, concurrency));
      expect(detailsTwice(engine)).toBe(0);
    });
  }
});

describe("a batch that cannot be claimed", () => {
  test("is tried again once a second, and not in a tight loop", async () => {
    let claims = 0;
    const tracer = createIdTracer(seededDice(1));
    const startSpan: Tracer["startSpan"] = (name, options) => {
      // A loop that never ends would hang this test instead of failing it.
      if (name === "batch.run" && ++claims > 100) throw new Error("Claimed in a tight loop");
      return tracer.startSpan(name, options);
    };
    const engine = engineOf({ athletes: 1, activitiesEach: 5, racesEach: 1 }, { tracer: { ...tracer, startSpan } });
    byHand(
      engine.db,
      "CREATE TRIGGER refuse BEFORE UPDATE OF lease_token ON batches WHEN new.status = 'processing' BEGIN SELECT RAISE(IGNORE); END",
    );
    const syncId = engine.start();
    await engine.clock.advance(10_000);
    expect(claims).toBeGreaterThanOrEqual(10);
    expect(claims).toBeLessThanOrEqual(12);
    byHand(engine.db, "DROP TRIGGER refuse");
    await engine.clock.advance(10_000);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 1 });
  });

  test("because a hand gave it an id that no number here holds exactly, keeps no other athlete from being served", async () => {
    const engine = engineOf({ athletes: 2, activitiesEach: 60, racesEach: 40 }, { rules: { concurrency: 1 } });
    startOfClass(engine, 0, "manual");
    const second = startOfClass(engine, 1, "schedule");
    await stepUntil(engine, () => running(engine)[0] === 1);
    byHand(
      engine.db,
      "UPDATE batches SET id = 9007199254740993, status = 'pending', lease_token = NULL, lease_expires_at_ms = NULL WHERE status = 'processing'",
    );
    await engine.clock.advance(5_000);
    expect(syncOf(engine, second).batchesCompleted).toBeGreaterThan(0);
  });
});

describe("who is served first", () => {
  test("classes in their order, whatever the order in which they came", async () => {
    const engine = engineOf({ athletes: 4, activitiesEach: 5, racesEach: 1 }, { rules: { concurrency: 1 } });
    const classes: SyncClass[] = ["schedule", "connect", "event", "manual"];
    for (const [n, syncClass] of classes.entries()) startOfClass(engine, n, syncClass);
    await engine.clock.advance(MINUTE_MS);
    // Three batches each: the page, the empty page behind it, the race.
    expect(claimOrder(engine)).toEqual([4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1]);
  });

  test("within a class the athlete served least recently: they take turns", async () => {
    const engine = engineOf({ athletes: 3, activitiesEach: 50, racesEach: 40 }, { rules: { concurrency: 1 } });
    for (const n of [0, 1, 2]) engine.start(n);
    await engine.clock.advance(MINUTE_MS);
    const order = claimOrder(engine);
    expect(order.length).toBe(3 * (2 + 3));
    for (let turn = 0; turn < order.length; turn += 3) expect(new Set(order.slice(turn, turn + 3)).size).toBe(3);
  });

  test("a person who comes while a schedule runs is served next", async () => {
    const engine = engineOf({ athletes: 2, activitiesEach: 50, racesEach: 45 }, { rules: { concurrency: 1 } });
    startOfClass(engine, 0, "schedule");
    await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
    const syncId = startOfClass(engine, 1, "manual");
    const before = claimOrder(engine).length;
    await untilEnded(engine, syncId);
    expect(claimOrder(engine).slice(before, before + 5)).toEqual([2, 2, 2, 2, 2]);
  });
});

describe("it is woken at once, with no tick", () => {
  test("when a sync starts and when a batch ends", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 50, racesEach: 40 });
    const syncId = engine.start();
    expect((await untilEnded(engine, syncId)).status).toBe("completed");
    // Five batches: one answer each for the pages, two rounds of eight for each fifteen races, nothing in between.
    expect(engine.clock.nowMs() - START_MS).toBeLessThan((2 + 3 * 2) * 50 + 100);
  });

  test("when a wait is over", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 5 });
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: 3, action: { type: "status", status: 429 } });
    const syncId = engine.start();
    const quarterMs = Date.UTC(2025, 10, 17, 0, 15);
    await engine.clock.advance(quarterMs - 1_000 - engine.clock.nowMs());
    expect(syncOf(engine, syncId).status).toBe("in_progress");
    await engine.clock.advance(10_000);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  });

  test("when a backoff is over", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 5 });
    engine.sandbox.injectFault({ match: { kind: "detail" }, action: { type: "status", status: 500 } });
    const syncId = engine.start();
    await engine.clock.advance(10_000);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
  });

  test("and an idle one has no timer to wake by but the tick", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 5 });
    await untilEnded(engine, engine.start());
    await engine.clock.advance(HOUR_MS);
    expect(engine.clock.nextDueMs()).toBeUndefined();
  });
});

describe("a paused sync", () => {
  test("is not claimed, however many ticks pass; resumed, it goes on at once", async () => {
    const engine = engineOf({ athletes: 2, activitiesEach: 20, racesEach: 5 });
    const [paused, other] = [engine.start(0), engine.start(1)];
    expect(pauseSync(engine.context, paused)).toEqual({ outcome: "paused", isChanged: true });
    await tickMinutes(engine, 30);
    expect(syncOf(engine, paused)).toMatchObject({ status: "in_progress", activitiesListed: 0 });
    expect(syncOf(engine, other).status).toBe("completed");
    expect(readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    resumeSync(engine.context, paused, () => engine.processor.wake());
    expect((await untilEnded(engine, paused)).status).toBe("completed");
  });

  test("finishes the batch that runs, and no more", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 50, racesEach: 40 });
    const syncId = engine.start();
    await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
    pauseSync(engine.context, syncId);
    await tickMinutes(engine, 3);
    expect(countRaces(engine.db, "enriched")).toBe(15);
    expect(batchesBy(engine).map((batch) => batch.status)).toEqual(["completed", "pending", "pending"]);
  });
});

test("told not to claim, it finishes what runs and claims nothing; told to claim again, it goes on", async () => {
  const engine = engineOf({ athletes: 1, activitiesEach: 50, racesEach: 40 });
  const syncId = engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  engine.processor.setClaiming(false);
  await engine.clock.advance(MINUTE_MS);
  engine.processor.tick();
  await engine.clock.advance(MINUTE_MS);
  expect(countRaces(engine.db, "enriched")).toBe(15);
  expect(engine.processor.view()).toMatchObject({ running: 0, isClaiming: false });
  engine.processor.setClaiming(true);
  expect((await untilEnded(engine, syncId)).status).toBe("completed");
});

describe("a graceful stop", () => {
  test("lets what is in flight finish, asks for nothing new, and releases the batch with no attempt spent", async () => {
    const engine = engineOf(
      { athletes: 1, activitiesEach: 20, racesEach: 15 },
      { sandbox: { latencyMs: { min: 100, max: 900 } } },
    );
    const syncId = engine.start();
    await stepUntil(engine, () => countRaces(engine.db, "enriched") === 2);
    const asked = requestsOf(engine, "detail");
    expect(asked).toBe(8 + 2);
    let isStopped = false;
    void engine.processor.stop(10_000).then(() => {
      isStopped = true;
    });
    await engine.clock.advance(2_000);
    expect(isStopped).toBe(true);
    expect(requestsOf(engine, "detail")).toBe(asked);
    expect(countRaces(engine.db, "enriched")).toBe(asked);
    expect(batchesBy(engine)).toEqual([{ status: "pending", attempts: 0, races_enriched: asked }]);
    expect(engine.processor.view().running).toBe(0);
    await tickMinutes(engine, 5);
    expect(requestsOf(engine, "detail")).toBe(asked);

    const next = engine.rebooted();
    await tickMinutes(next, 1);
    expect(syncOf(next, syncId)).toMatchObject({ status: "completed", racesEnriched: 15 });
    expect(detailsTwice(next)).toBe(0);
    expect(attemptsSpent(next)).toBe(0);
  });

  test("calls off what hangs when its time is up: released, no attempt spent, what was committed kept", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 10 }, { timeoutMs: 600_000 });
    engine.sandbox.injectFault({ match: { kind: "detail", nth: 4 }, times: 1, action: { type: "hang" } });
    const syncId = engine.start();
    await stepUntil(engine, () => countRaces(engine.db, "enriched") === 9);
    let isStopped = false;
    void engine.processor.stop(5_000).then(() => {
      isStopped = true;
    });
    await engine.clock.advance(4_999);
    expect(isStopped).toBe(false);
    await engine.clock.advance(1_100);
    expect(isStopped).toBe(true);
    expect(batchesBy(engine)).toEqual([{ status: "pending", attempts: 0, races_enriched: 9 }]);
    expect(countRaces(engine.db, "pending")).toBe(1);
    const next = engine.rebooted();
    expect(await untilEnded(next, syncId)).toMatchObject({ status: "completed", racesEnriched: 10 });
  });
});

describe("a lease that is lost", () => {
  test("commits nothing more (I3), and a sweep that took it from a worker that lived counts as a false remedy", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 3 }, { timeoutMs: 600_000 });
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: 3, action: { type: "slow", ms: 130_000 } });
    const syncId = engine.start();
    await tickMinutes(engine, 2);
    expect(running(engine)).toEqual([1]);
    byHand(engine.db, "UPDATE batches SET lease_expires_at_ms = 1 WHERE status = 'processing'");
    // A monitor that does not know which workers live.
    const { leases } = engine.processor;
    engine.processor.leases = () => new Map();
    expect((await engine.monitor.tick()).findings).toMatchObject([{ finding: { kind: "orphaned_batch" } }]);
    engine.processor.leases = leases;
    // The next run starts while the first is still at it.
    await stepUntil(engine, () => engine.processor.view().running === 2);
    await untilEnded(engine, syncId);
    const first = engine.db.$client.query(
      "SELECT runs, attempts, requests, races_enriched AS enriched FROM batches WHERE type = 'enrichment'",
    );
    expect(first.all()).toEqual([{ runs: 2, attempts: 1, requests: 3, enriched: 3 }]);
    await engine.clock.advance(2 * MINUTE_MS);
    expect(first.all()).toEqual([{ runs: 2, attempts: 1, requests: 3, enriched: 3 }]);
    expect(
      engine.db.$client.query("SELECT value FROM counters WHERE name = 'false_remedies' AND day_start_ms = 0").get(),
    ).toEqual({ value: 1 });
    expect(engine.lines.filter((line) => line.includes("batch.lease_lost")).length).toBe(1);
    expect(engine.processor.view().running).toBe(0);
  });

  test("the end of a run that lost its lease does not forget the run that has it now", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 3 }, { timeoutMs: 600_000 });
    engine.sandbox.injectFault({
      match: { kind: "detail" },
      times: Number.POSITIVE_INFINITY,
      action: { type: "hang" },
    });
    engine.start();
    await engine.clock.advance(1_000);
    byHand(
      engine.db,
      "UPDATE batches SET status = 'pending', lease_token = NULL, lease_expires_at_ms = NULL WHERE status = 'processing'",
    );
    engine.processor.tick();
    await engine.clock.advance(1_000);
    expect(engine.processor.view().running).toBe(2);
    // The first run's heartbeat finds its lease gone.
    await engine.clock.advance(MINUTE_MS);
    expect(engine.processor.view().running).toBe(1);
    void engine.processor.stop(1_000);
    await engine.clock.advance(5_000);
    expect(engine.processor.view().running).toBe(0);
    expect(running(engine)).toEqual([]);
  });

  test("a page that comes too late is not stored", async () => {
    const engine = engineOf({ athletes: 1, activitiesEach: 20, racesEach: 3 }, { timeoutMs: 600_000 });
    engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "slow", ms: 10_000 } });
    const syncId = engine.start();
    await engine.clock.advance(1_000);
    byHand(engine.db, "UPDATE batches SET lease_token = 'another' WHERE status = 'processing'");
    await engine.clock.advance(15_000);
    expect(syncOf(engine, syncId)).toMatchObject({ activitiesListed: 0, requests: 0, cursorPage: 1 });
    expect(engine.db.$client.query("SELECT count(*) AS count FROM races").get()).toEqual({ count: 0 });
    expect(engine.db.$client.query("SELECT count(*) AS count FROM listed_activities").get()).toEqual({ count: 0 });
  });
});

test("two daemons on one database file never claim the same batch, and share the work", async () => {
  const folder = mkdtempSync(join(tmpdir(), "broomwagon-two-"));
  try {
    const path = join(folder, "two.sqlite");
    const first = engineOf(
      { athletes: 6, activitiesEach: 30, racesEach: 20 },
      { db: openDatabase(path), rules: { concurrency: 2 } },
    );
    const secondDb = openDatabase(path);
    const secondContext = assembleSync({
      ...first.context,
      db: secondDb,
      strava: createStravaClient({
        fetch: first.sandbox.fetch,
        clock: first.clock,
        apiUrl: "https://strava.test/api/v3",
        oauthUrl: "https://strava.test/oauth",
        clientId: "12345",
        clientSecret: "sandbox-secret",
        timeoutMs: 30_000,
      }),
      // The key of every test engine.
      seal: createSeal({ key: new Uint8Array(32).fill(7), randomBytes: (count) => new Uint8Array(count) }),
      quotaRules: { headroom: 0, reserve: { requests: 0 } },
      requestsInFlight: 8,
      owner: "second",
    });
    const second = createProcessor(secondContext);
    const syncIds = Array.from({ length: 6 }, (_, n) => first.start(n));
    await stepUntil(first, () => {
      second.wake();
      const now = running(first);
      expect(new Set(now).size).toBe(now.length);
      return syncIds.every((syncId) => syncOf(first, syncId).status === "completed");
    });
    const owners = first.db.$client
      .query<{ owner: string }, []>("SELECT DISTINCT owner FROM batches ORDER BY owner")
      .all();
    expect(owners).toEqual([{ owner: "boot-0" }, { owner: "second" }]);
    expect(first.db.$client.query("SELECT max(runs) AS runs, sum(attempts) AS attempts FROM batches").get()).toEqual({
      runs: 1,
      attempts: 0,
    });
    expect(countRaces(first.db, "enriched")).toBe(120);
    expect(detailsTwice(first)).toBe(0);
    closeDatabase(secondDb);
    closeDatabase(first.db);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a restart calls off what the sync before it had in flight, and no detail is stored for it any more", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 500 },
  });
  const first = engine.start();
  await stepUntil(
    engine,
    () =>
      engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment' AND status = 'processing'").get() !==
      null,
  );
  await engine.clock.advance(100);
  const second = engine.start(0, { mode: "full", restart: true });
  await engine.clock.advance(0);
  expect(syncOf(engine, first)).toMatchObject({ status: "cancelled" });
  expect(engine.processor.view().running).toBe(1);
  await engine.clock.advance(20_000);
  expect(syncOf(engine, second)).toMatchObject({ status: "completed", racesEnriched: 20 });
  expect(syncOf(engine, first)).toMatchObject({ racesEnriched: 0 });
});
