import { expect, test } from "bun:test";
import { MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

/** One athlete with 65 races in 300 activities, and a Strava that takes its time. */
const CLUB = { club: { athletes: 1, activitiesEach: 300, racesEach: 65 }, latencyMs: 100 };

/** 2025-11-17: 45 races enriched by 3 completed batches, 20 left, and no batch for them. */
async function stallAsInTheIncident(options: Parameters<typeof createTestApi>[0] = {}): Promise<TestApi> {
  const api = createTestApi({ sandbox: CLUB, started: false, ...options });
  await api.post("/api/admin/athletes/1/sync");
  const completed = "SELECT id FROM batches WHERE type = 'enrichment' AND status = 'completed'";
  await stepUntil(api.engine, () => api.engine.db.$client.query(completed).all().length === 3);
  byHand(api.engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND status <> 'completed'");
  await api.engine.clock.advance(5 * SECOND_MS);
  return api;
}

test("the incident is shown as it is: stalled, 45 of 65, three batches completed and none pending, in plain words", async () => {
  const { get } = await stallAsInTheIncident();
  const { body } = await get("/api/admin/sync-status");
  expect(body.active).toHaveLength(1);
  expect(body.active[0]).toMatchObject({
    sync_id: "1",
    athlete_id: 1,
    mode: "full",
    phase: "enrichment",
    status: "stalled",
    activities_listed: 300,
    activities_synced: 45,
    activities_expected: 65,
    completed_at: null,
    error: null,
    warnings: [],
    waiting: null,
    estimated_completion_at: null,
    health: {
      total_batches: 3,
      completed_batches: 3,
      pending_batches: 0,
      processing_batches: 0,
      failed_batches: 0,
      is_stalled: true,
      warning:
        "Sync appears stalled: no pending batches but sync not complete. System will auto-create missing batches.",
    },
  });
  expect(body.active[0].trace_url).toBe(`https://traces.test/${body.active[0].trace_id}`);
  expect(body.summary).toMatchObject({ active: 1, processing: 0, waiting: 0, stalled: 1, healing: "automatic" });
});

test("in suggest mode the warning asks for a person", async () => {
  const { get } = await stallAsInTheIncident({ health: { healing: "suggest" } });
  const { body } = await get("/api/admin/sync-status");
  expect(body.active[0].health.warning).toBe(
    "Sync appears stalled: no pending batches but sync not complete. Apply the proposed remedy to go on.",
  );
  expect(body.summary.healing).toBe("suggest");
});

test("a sync says what it does in each phase, and at its end stands among the recent ones", async () => {
  const { get, post, engine, settle } = createTestApi({ sandbox: CLUB });
  const startedAtMs = engine.clock.nowMs();
  await post("/api/admin/athletes/1/sync");
  const show = async () => (await get("/api/admin/sync-status")).body;
  expect((await show()).active).toMatchObject([
    { status: "waiting", phase: "discovery", waiting: { reason: "queue" }, activities_synced: 0 },
  ]);
  await stepUntil(
    engine,
    () => engine.db.$client.query("SELECT 1 FROM syncs WHERE activities_listed = 200").get() !== null,
  );
  expect((await show()).active).toMatchObject([
    { phase: "discovery", status: "processing", activities_synced: 200, activities_expected: null, waiting: null },
  ]);
  await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 20);
  const enriched = countRaces(engine.db, "enriched");
  expect((await show()).active).toMatchObject([
    {
      phase: "enrichment",
      status: "processing",
      activities_listed: 300,
      activities_synced: enriched,
      activities_expected: 65,
      health: { total_batches: 5, is_stalled: false, warning: null },
    },
  ]);
  await settle();
  const done = await show();
  expect(done.active).toEqual([]);
  expect(done.recent).toMatchObject([
    {
      sync_id: "1",
      status: "completed",
      phase: "enrichment",
      activities_synced: 65,
      activities_expected: 65,
      started_at: startedAtMs,
      health: { total_batches: 5, completed_batches: 5, is_stalled: false },
    },
  ]);
  expect(done.recent[0].completed_at).toBeGreaterThan(startedAtMs);
  expect(done.summary).toMatchObject({ active: 0, completed_24h: 1, failed_24h: 0 });
});

test("a used-up quota is a wait with its reason and its end, and no stall", async () => {
  const sandbox = { ...CLUB, quota: { read: { quarter: 30 } } };
  const { get, post, engine } = createTestApi({ sandbox });
  await post("/api/admin/athletes/1/sync");
  await engine.clock.advance(2 * MINUTE_MS);
  const { body } = await get("/api/admin/sync-status");
  expect(body.active).toMatchObject([
    { status: "waiting", waiting: { reason: "quota_15min" }, health: { is_stalled: false, warning: null } },
  ]);
  const quarterMs = 15 * MINUTE_MS;
  const resetMs = Math.ceil(engine.clock.nowMs() / quarterMs) * quarterMs;
  expect(body.active[0].waiting.resumes_at).toBeGreaterThanOrEqual(resetMs);
  expect(body.active[0].waiting.resumes_at).toBeLessThanOrEqual(resetMs + 5 * SECOND_MS);
  expect(body.summary).toMatchObject({ waiting: 1, stalled: 0 });
});

test("a daemon that somebody paused leaves its syncs waiting, not stalled, however long it takes", async () => {
  const { get, post, engine } = createTestApi({ sandbox: CLUB, started: false });
  await post("/api/admin/pause");
  await post("/api/admin/athletes/1/sync");
  await engine.clock.advance(30 * MINUTE_MS);
  expect((await get("/api/admin/sync-status")).body.active).toMatchObject([
    { status: "waiting", waiting: { reason: "paused", resumes_at: null } },
  ]);
});

test("of the syncs that ended, the last ten are shown, the newest first", async () => {
  const { get, engine } = createTestApi();
  const nowMs = engine.clock.nowMs();
  for (let n = 1; n <= 12; n++) {
    byHand(
      engine.db,
      `INSERT INTO syncs (athlete_id, status, phase, completed_at_ms) VALUES (1, '${n === 3 ? "failed" : "completed"}', 'enrichment', ${nowMs - n})`,
    );
  }
  const { body } = await get("/api/admin/sync-status");
  expect(body.recent.map((sync: { sync_id: string }) => sync.sync_id)).toEqual([
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
  ]);
  expect(body.recent[2].status).toBe("failed");
  expect(body.summary).toMatchObject({ completed_24h: 11, failed_24h: 1 });
});

test("what ended a day ago counts up to the moment", async () => {
  const { get, engine } = createTestApi();
  const dayAgoMs = engine.clock.nowMs() - 86_400_000;
  for (const atMs of [dayAgoMs - 1, dayAgoMs, dayAgoMs + 1]) {
    byHand(engine.db, `INSERT INTO syncs (athlete_id, status, completed_at_ms) VALUES (1, 'completed', ${atMs})`);
  }
  expect((await get("/api/admin/sync-status")).body.summary.completed_24h).toBe(2);
});

test("rows that a hand made, of an athlete that is not there and with warnings that are no JSON, are shown all the same", async () => {
  const { get, engine } = createTestApi();
  byHand(engine.db, "INSERT INTO syncs (athlete_id, warnings) VALUES (77, 'not json')");
  const { status, body } = await get("/api/admin/sync-status");
  expect(status).toBe(200);
  expect(body.active).toMatchObject([{ athlete_id: 77, strava_id: null, first_name: "", warnings: [] }]);
});
