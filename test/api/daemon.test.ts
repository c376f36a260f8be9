import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/units.ts";
import { migrationsFolder, readMigrations } from "../../src/db/migrate.ts";
import { isSchemaCurrent } from "../../src/db/probe.ts";
import { createTestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

const SLOW = { club: { athletes: 2, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };

test("the quota is told as Strava counts it: four windows, who spent it, and when each resets", async () => {
  const { get, post, settle, engine } = createTestApi({ headroom: 5, reserve: 100 });
  await post("/api/admin/athletes/1/sync");
  await settle();
  await engine.clock.advance(1_000);
  const { body } = await get("/api/admin/quota");
  const dayStartMs = Math.floor(engine.clock.nowMs() / DAY_MS) * DAY_MS;
  expect(body.windows).toMatchObject([
    {
      budget: "overall",
      window: "15min",
      limit: 200,
      used: 22,
      remaining: 173,
      reserve: 0,
      resets_at: dayStartMs + 15 * MINUTE_MS,
    },
    {
      budget: "overall",
      window: "day",
      limit: 2000,
      used: 22,
      remaining: 1973,
      reserve: 0,
      resets_at: dayStartMs + DAY_MS,
    },
    {
      budget: "read",
      window: "15min",
      limit: 100,
      used: 22,
      remaining: 73,
      reserve: 0,
      resets_at: dayStartMs + 15 * MINUTE_MS,
    },
    {
      budget: "read",
      window: "day",
      limit: 1000,
      used: 22,
      remaining: 973,
      reserve: 100,
      resets_at: dayStartMs + DAY_MS,
    },
  ]);
  expect(body).toMatchObject({ headroom: 5, in_flight: 0, hold: null, forecast: [] });
  expect(body.by).toEqual([
    { athlete_id: 1, phase: "discovery", requests: 2 },
    { athlete_id: 1, phase: "enrichment", requests: 20 },
  ]);
});

test("the forecast is exact in enrichment, and has no upper bound while a list is read; syncs show when they will be done", async () => {
  const { get, post, engine } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  await post("/api/admin/athletes/2/sync");
  const left = countRaces(engine.db, "pending");
  const { club, forecast, in_flight } = (await get("/api/admin/quota")).body;
  expect(forecast).toMatchObject([
    { sync_id: "1", athlete_id: 1, requests_at_least: left, requests_likely: left, requests_at_most: left },
    { sync_id: "2", athlete_id: 2, requests_at_least: 1, requests_at_most: null, done_at_latest: null },
  ]);
  // A list as long as the other athlete's: one page and the end, and a few races of 60 activities.
  expect(forecast[1].requests_likely).toBe(2 + 4);
  expect(club.requests_likely).toBe(left + forecast[1].requests_likely);
  expect(club.detail).toMatch(/^Done by 2025-11-17 00:\d\d UTC, needs about \d+ \(at least \d+\) requests\.$/);
  expect(in_flight).toBeGreaterThan(0);
  const { active } = (await get("/api/admin/sync-status")).body;
  expect(active.map((sync: { estimated_completion_at: number }) => sync.estimated_completion_at)).toEqual(
    forecast.map((sync: { done_at_likely: number }) => sync.done_at_likely),
  );
  await post("/api/admin/syncs/2/pause");
  expect((await get("/api/admin/syncs/2")).body.estimated_completion_at).toBe(
    (await get("/api/admin/quota")).body.forecast[1].done_at_likely,
  );
});

test("reads that Strava counted and we did not send are another client's", async () => {
  const { get, post, settle, engine } = createTestApi();
  engine.sandbox.spendQuota({ overall: 7, read: 7 });
  await post("/api/admin/athletes/1/sync");
  await settle();
  await engine.clock.advance(1_000);
  expect((await get("/api/admin/quota")).body.by.at(-1)).toEqual({
    athlete_id: null,
    phase: "other_clients",
    requests: 7,
  });
});

test("a paused daemon claims nothing, a resumed one goes on, and both say whether they changed anything", async () => {
  const { get, post, engine, settle } = createTestApi();
  expect((await post("/api/admin/pause")).body).toEqual({ paused: true, changed: true, running_batches: 0 });
  expect((await post("/api/admin/pause")).body).toMatchObject({ changed: false });
  await post("/api/admin/athletes/1/sync");
  await engine.clock.advance(5 * MINUTE_MS);
  expect(engine.sandbox.ledger()).toEqual([]);
  expect((await post("/api/admin/resume")).body).toMatchObject({ paused: false, changed: true });
  await settle();
  expect((await get("/api/admin/syncs/1")).body.status).toBe("completed");
});

test("the schedule tells each job's turns, and a job that never runs by itself has none", async () => {
  const { get, engine } = createTestApi();
  await engine.clock.advance(MINUTE_MS);
  const { items, next_cursor } = (await get("/api/admin/schedule")).body;
  expect(next_cursor).toBeNull();
  expect(items).toMatchObject([
    { job: "processor", pattern: "* * * * *", runs: 1, missed: 0, overrun: 0, period_ms: MINUTE_MS, is_running: false },
    { job: "health-check", runs: 1, last_error: null },
    { job: "revoke-grants", runs: 1, last_error: null },
    { job: "full_sync", pattern: "", next_run_at: null, last_run_at: null, period_ms: null, runs: 0 },
  ]);
  expect(items[0].next_run_at - items[0].last_run_at).toBe(MINUTE_MS);
});

test("a job is run by hand, and an unknown one is 404", async () => {
  const { get, post } = createTestApi();
  expect((await post("/api/admin/schedule/health-check/run")).body).toMatchObject({ job: "health-check", runs: 1 });
  expect((await get("/api/admin/health")).body.checks).toBe(1);
  expect((await post("/api/admin/schedule/nothing/run")).body).toMatchObject({ status: 404, code: "job_unknown" });
});

test("a daemon that answers is alive, and one that can do its work is ready: both without a token", async () => {
  const { get, engine } = createTestApi();
  expect((await get("/livez", { token: null })).body).toEqual({ status: "ok" });
  const processorAt = engine.processor.view().lastTickAtMs;
  const ready = { status: "ready", processor_last_tick_at: processorAt };
  expect((await get("/readyz", { token: null })).body).toEqual({ ...ready, monitor_last_check_at: null });
  await engine.monitor.tick();
  const checkedAt = engine.monitor.view().lastCheckAtMs;
  expect(checkedAt).not.toBeNull();
  expect((await get("/readyz", { token: null })).body).toEqual({ ...ready, monitor_last_check_at: checkedAt });
});

test("scheduler, processor and monitor are unready once three periods have passed without a tick, and not before", async () => {
  const { get, engine, scheduler } = createTestApi();
  await engine.clock.advance(2 * MINUTE_MS);
  scheduler.stop();
  const lastMs = engine.monitor.view().lastCheckAtMs ?? 0;
  const readyAt = async (ms: number) => {
    engine.clock.jumpTo(ms);
    return get("/readyz", { token: null });
  };
  expect((await readyAt(lastMs + 3 * MINUTE_MS)).status).toBe(200);
  const dead = await readyAt(lastMs + 3 * MINUTE_MS + 1_000);
  expect(dead.status).toBe(503);
  expect(dead.headers.get("content-type")).toBe("application/problem+json");
  expect(dead.body).toMatchObject({ code: "not_ready" });
  expect(dead.body.reasons).toEqual([
    "The scheduler has missed its last three turns.",
    "The processor has not looked for work in three periods.",
    "The monitor has ended no health check in three periods.",
  ]);
});

test("a daemon that has just started is ready before its first tick", async () => {
  const { get, engine } = createTestApi({ started: false });
  expect((await get("/readyz")).status).toBe(200);
  await engine.clock.advance(2 * MINUTE_MS);
  expect((await get("/readyz")).status).toBe(200);
});

test("a stalled sync makes nothing unready", async () => {
  const { get, post, engine } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  byHand(engine.db, "DELETE FROM batches");
  expect((await get("/api/admin/sync-status")).body.summary.stalled).toBe(1);
  expect((await get("/readyz")).status).toBe(200);
});

test("a database of another schema, and one that takes no writes, are unready with the reason", async () => {
  const { get, engine } = createTestApi();
  byHand(engine.db, "INSERT INTO migrations VALUES ('9999_from_the_future', 'x', 1, '9')");
  expect((await get("/readyz")).body.reasons).toEqual(["The database has another schema than this program."]);
  byHand(engine.db, "DELETE FROM migrations WHERE name LIKE '9999%'");
  byHand(engine.db, "UPDATE migrations SET checksum = 'edited ' || checksum");
  await engine.clock.advance(1_000);
  expect((await get("/readyz")).body.reasons).toEqual(["The database has another schema than this program."]);
  byHand(engine.db, "UPDATE migrations SET checksum = substr(checksum, 8)");
  await engine.clock.advance(1_000);
  expect((await get("/readyz")).status).toBe(200);
  await engine.clock.advance(1_000);
  engine.db.$client.run("PRAGMA query_only = ON");
  const { body } = await get("/readyz");
  expect(body.reasons).toHaveLength(1);
  expect(body.reasons[0]).toStartWith("The database takes no writes:");
});

test("a database that lacks a migration of this program has no current schema", () => {
  const { engine } = createTestApi();
  const known = readMigrations(migrationsFolder());
  expect(isSchemaCurrent(engine.db, known)).toBe(true);
  expect(isSchemaCurrent(engine.db, [...known, { name: "9999_next", checksum: "x", statements: [] }])).toBe(false);
});

test("the first page leads to the documentation", async () => {
  const { get } = createTestApi();
  const answer = await get("/", { token: null });
  expect([answer.status, answer.headers.get("location")]).toEqual([302, "/swagger"]);
});
