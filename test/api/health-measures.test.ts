import { expect, test } from "bun:test";
import { DAY_MS, type EpochMs, MINUTE_MS, plusMs } from "../../src/core/units.ts";
import { addToCounter, type CounterName, readTotals } from "../../src/db/counters.ts";
import { countApplied, countFalseRemedy, countStall, countVerdict } from "../../src/db/measures.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { createTestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";

test("a stall that is found and mended is measured: by kind, by time, and as a share of the syncs", async () => {
  const { get, engine } = createTestApi({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 },
    started: false,
  });
  engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await tickMinutes(engine, 2);
  const health = (await get("/api/admin/health")).body;
  expect(health.by_kind).toEqual([
    {
      kind: "missing_enrichment_batches",
      stalls_detected: 1,
      remedies_applied: 1,
      remedies_verified: 1,
      remedies_failed: 0,
      remedies_superseded: 0,
      false_remedies: 0,
      auto_fix_success_rate: 1,
      mean_time_to_detect_ms: health.mean_time_to_detect_ms,
      mean_time_to_repair_ms: MINUTE_MS,
      p50_time_to_detect_ms: health.time_to_detect.p50_ms,
      p90_time_to_detect_ms: health.time_to_detect.p90_ms,
      p50_time_to_repair_ms: health.time_to_repair.p50_ms,
      p90_time_to_repair_ms: health.time_to_repair.p90_ms,
    },
  ]);
  expect(health).toMatchObject({ syncs_started: 1, stalls_per_100_syncs: 100, stalls_per_day: 1 });
  expect(health.time_to_repair).toMatchObject({ count: 1, mean_ms: MINUTE_MS });
  expect(health.time_to_repair.p50_ms).toBeGreaterThan(30_000);
  expect(health.time_to_repair.p99_ms).toBeLessThanOrEqual(MINUTE_MS);
  expect(health.time_to_repair.buckets.filter((one: { count: number }) => one.count > 0)).toEqual([
    { le_ms: MINUTE_MS, count: 1 },
  ]);
  expect(health.time_to_detect.count).toBe(1);
  expect(health.series).toHaveLength(2);
  expect(health.series[1]).toEqual({
    day: Date.UTC(2025, 10, 17),
    syncs_started: 1,
    syncs_completed: 1,
    syncs_failed: 0,
    stalls_detected: 1,
    remedies_applied: 1,
    remedies_verified: 1,
    remedies_failed: 0,
    remedies_superseded: 0,
    false_remedies: 0,
  });
  expect(health.series[0]).toMatchObject({ day: Date.UTC(2025, 10, 16), syncs_started: 0, stalls_detected: 0 });
  expect(readTotals(engine.db).get("findings_found:missing_enrichment_batches")).toBe(1);
});

test("measures by kind add up to those in all, and a word of a hand's is counted as other", async () => {
  const { get, engine } = createTestApi({ started: false });
  const nowMs = engine.clock.nowMs();
  const took = (ms: number): EpochMs => plusMs(nowMs, -ms);
  const { db } = engine;
  countStall(db, { kind: "orphaned_batch", beganAtMs: took(4_000) }, nowMs);
  countStall(db, { kind: "no_progress", beganAtMs: took(11 * MINUTE_MS) }, nowMs);
  // A clock that was set back makes no time negative.
  countStall(db, { kind: "no_progress", beganAtMs: took(-1_000) }, nowMs);
  countApplied(db, "orphaned_batch", nowMs);
  countApplied(db, "'; DROP", nowMs);
  countVerdict(db, { kind: "orphaned_batch", detectedAtMs: took(20_000) }, "verified", nowMs);
  countVerdict(db, { kind: "no_progress", detectedAtMs: took(20_000) }, "failed", nowMs);
  countVerdict(db, { kind: "no_progress", detectedAtMs: took(20_000) }, "superseded", nowMs);
  countFalseRemedy(db, "orphaned_batch", nowMs);
  const health = (await get("/api/admin/health")).body;
  expect(health).toMatchObject({
    stalls_detected: 3,
    remedies_applied: 2,
    remedies_verified: 1,
    remedies_failed: 1,
    remedies_superseded: 1,
    false_remedies: 1,
    auto_fix_success_rate: 0.5,
    mean_time_to_detect_ms: (4_000 + 11 * MINUTE_MS) / 3,
    mean_time_to_repair_ms: 20_000,
    stalls_per_100_syncs: null,
    stalls_per_day: 3 / ((nowMs - Date.UTC(2025, 10, 16)) / DAY_MS),
  });
  const none = { remedies_failed: 0, remedies_superseded: 0, remedies_verified: 0, false_remedies: 0 };
  expect(health.by_kind).toMatchObject([
    {
      ...none,
      kind: "orphaned_batch",
      stalls_detected: 1,
      remedies_applied: 1,
      remedies_verified: 1,
      false_remedies: 1,
    },
    {
      ...none,
      kind: "no_progress",
      stalls_detected: 2,
      remedies_failed: 1,
      remedies_superseded: 1,
      auto_fix_success_rate: 0,
    },
    {
      ...none,
      kind: "other",
      stalls_detected: 0,
      remedies_applied: 1,
      auto_fix_success_rate: null,
      mean_time_to_detect_ms: null,
    },
  ]);
  expect(health.time_to_detect).toMatchObject({ count: 3, p99_ms: expect.any(Number) });
  expect(health.time_to_repair).toMatchObject({ count: 1, mean_ms: 20_000 });
});

test("stalls a day are over the days since the first sync, where the period is longer, and never over less than one", async () => {
  const { get, engine } = createTestApi({ started: false });
  const count = (name: CounterName, amount: number, daysAgo: number) =>
    addToCounter(engine.db, name, amount, plusMs(engine.clock.nowMs(), -daysAgo * DAY_MS));
  const perDay = async (period: string) => (await get(`/api/admin/health?period=${period}`)).body.stalls_per_day;
  count("stalls_detected", 6, 0);
  count("syncs_started", 50, 0);
  // The day has just begun.
  expect(await perDay("30d")).toBe(6);
  count("syncs_started", 50, 3);
  const sinceMidnight = 5_000 / DAY_MS;
  expect(await perDay("30d")).toBeCloseTo(6 / (3 + sinceMidnight), 9);
  expect(await perDay("24h")).toBeCloseTo(6 / (1 + sinceMidnight), 9);
  expect((await get("/api/admin/health?period=7d")).body.stalls_per_100_syncs).toBe(6);
});

test("the series goes back two years, through what the nightly job packs", async () => {
  const { get, engine } = createTestApi({ started: false });
  const todayMs = Date.UTC(2025, 10, 17);
  for (const daysAgo of [0, 1, 40, 400, 730]) {
    addToCounter(engine.db, "stalls_detected", daysAgo + 1, plusMs(engine.clock.nowMs(), -daysAgo * DAY_MS));
  }
  for (let daysAgo = 0; daysAgo < 731; daysAgo++) {
    addToCounter(engine.db, "syncs_started", 2, plusMs(engine.clock.nowMs(), -daysAgo * DAY_MS));
  }
  const pruned = pruneHistory(engine.context, DAY_MS);
  await engine.clock.advance(1_000);
  await pruned;
  const left = engine.db.$client.query("SELECT 1 FROM counters WHERE name = 'syncs_started' AND day_start_ms > 0");
  expect(left.all()).toHaveLength(33);
  const series = async (days: number) => (await get(`/api/admin/health/series?days=${days}`)).body.items;
  const all = await series(731);
  expect(all).toHaveLength(731);
  for (const day of all) expect(day.syncs_started).toBe(2);
  expect(all.filter((one: { stalls_detected: number }) => one.stalls_detected > 0)).toMatchObject(
    [730, 400, 40, 1, 0].map((daysAgo) => ({ day: todayMs - daysAgo * DAY_MS, stalls_detected: daysAgo + 1 })),
  );
  expect(await series(1)).toMatchObject([{ day: todayMs, stalls_detected: 1 }]);
  expect((await get("/api/admin/health/series")).body.items).toHaveLength(30);
  expect((await get("/api/admin/health/series?days=732")).status).toBe(422);
  expect((await get("/api/admin/health/series?days=0")).status).toBe(422);
});
