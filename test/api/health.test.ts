import { expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/units.ts";
import { addToCounter, type CounterName } from "../../src/db/counters.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

const SLOW = { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };

/** A sync in enrichment whose batches are gone. */
async function stalled(options: Parameters<typeof createTestApi>[0] = {}): Promise<TestApi> {
  const api = createTestApi({ sandbox: SLOW, started: false, ...options });
  await api.post("/api/admin/athletes/1/sync");
  await stepUntil(api.engine, () => countRaces(api.engine.db, "enriched") > 0);
  byHand(api.engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await api.engine.clock.advance(5_000);
  return api;
}

test("a dry run says what it would do, stores nothing and changes nothing", async () => {
  const { get, post, engine } = await stalled();
  const before = engine.db.$client.serialize();
  const answer = await post("/api/admin/health/check", { dry_run: true });
  expect(answer.body).toMatchObject({
    checked: 1,
    dry_run: true,
    findings: [
      {
        id: null,
        kind: "missing_enrichment_batches",
        sync_id: "1",
        athlete_id: 1,
        batch_id: null,
        outcome: "pending",
        remedied_at: null,
        settled_at: null,
      },
    ],
  });
  expect(answer.body.findings[0].evidence.why_not_waiting).toBeString();
  expect((await get("/api/admin/health/findings")).body.items).toEqual([]);
  expect(engine.db.$client.serialize()).toEqual(before);
});

test("a check remedies, its finding is listed with evidence and remedy in words, and a later check verifies it", async () => {
  const { get, post, engine } = await stalled();
  const detectedAtMs = engine.clock.nowMs();
  const answer = await post("/api/admin/health/check");
  expect(answer.body).toMatchObject({ checked: 1, dry_run: false, findings: [{ id: 1, outcome: "pending" }] });
  const pending = (await get("/api/admin/health/findings?outcome=pending")).body.items;
  expect(pending).toMatchObject([
    {
      id: 1,
      kind: "missing_enrichment_batches",
      sync_id: "1",
      athlete_id: 1,
      detected_at: detectedAtMs,
      remedied_at: detectedAtMs,
      remedy: "plan again: create what is missing, or complete the sync",
      settled_at: null,
    },
  ]);
  expect(pending[0].message).toBeString();
  await engine.clock.advance(MINUTE_MS);
  await post("/api/admin/health/check");
  for (const path of ["/api/admin/health/findings", "/api/admin/syncs/1/findings"]) {
    expect((await get(path)).body.items).toMatchObject([
      { id: 1, outcome: "verified", settled_at: engine.clock.nowMs() },
    ]);
  }
});

test("findings are filtered by kind, outcome and sync, and read page by page, the newest first", async () => {
  const { get, engine } = createTestApi();
  for (let n = 1; n <= 5; n++) {
    const settled = n <= 2 ? `'verified', ${n}` : "'pending', NULL";
    byHand(
      engine.db,
      `INSERT INTO findings (kind, sync_id, batch_id, outcome, settled_at_ms, remedy, evidence)
       VALUES ('${n % 2 === 0 ? "far_wait" : "no_progress"}', ${n}, ${n}, ${settled}, 'not json', '[]')`,
    );
  }
  const idsOf = async (query: string) =>
    (await get(`/api/admin/health/findings?${query}`)).body.items.map((item: { id: number }) => item.id);
  expect(await idsOf("")).toEqual([5, 4, 3, 2, 1]);
  expect(await idsOf("kind=far_wait")).toEqual([4, 2]);
  expect(await idsOf("outcome=verified")).toEqual([2, 1]);
  expect(await idsOf("sync_id=3")).toEqual([3]);
  const first = (await get("/api/admin/health/findings?limit=3")).body;
  expect(await idsOf(`limit=3&cursor=${first.next_cursor}`)).toEqual([2, 1]);
  expect(first.items[0]).toMatchObject({ remedy: null, evidence: {}, sync_id: "5" });
});

test("a proposed remedy is applied once, and a stale one is refused", async () => {
  const { get, post, engine } = await stalled({ health: { healing: "suggest" } });
  expect((await post("/api/admin/health/check")).body.findings).toMatchObject([{ id: 1, outcome: "proposed" }]);
  const applied = await post("/api/admin/health/findings/1/apply");
  expect(applied.status).toBe(200);
  expect(applied.body).toMatchObject({ id: 1, outcome: "pending", remedied_at: engine.clock.nowMs() });
  expect((await post("/api/admin/health/findings/1/apply")).body).toMatchObject({
    status: 409,
    code: "finding_not_proposed",
  });
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await post("/api/admin/health/check");
  const proposed = (await get("/api/admin/health/findings?outcome=proposed")).body.items[0];
  await post("/api/admin/syncs/1/cancel");
  expect((await post(`/api/admin/health/findings/${proposed.id}/apply`)).body).toMatchObject({
    status: 409,
    code: "finding_stale",
  });
  expect((await post("/api/admin/health/findings/99/apply")).body).toMatchObject({
    status: 404,
    code: "finding_unknown",
  });
});

test("health tells by period what was counted, and rates are null where there is nothing to divide", async () => {
  const { get, engine } = createTestApi();
  const health = async (period: string) => (await get(`/api/admin/health?period=${period}`)).body;
  expect(await health("24h")).toMatchObject({
    period: "24h",
    stalls_detected: 0,
    auto_fix_success_rate: null,
    mean_time_to_detect_ms: null,
    mean_time_to_repair_ms: null,
    open_findings: 0,
  });
  const count = (name: CounterName, amount: number, daysAgo: number) =>
    addToCounter(engine.db, name, amount, (engine.clock.nowMs() - daysAgo * 86_400_000) as never);
  count("stalls_detected", 4, 0);
  count("detect_ms", 8_000, 0);
  count("remedies_applied", 4, 0);
  count("remedies_verified", 3, 0);
  count("repair_ms", 9_000, 0);
  count("remedies_failed", 1, 0);
  count("false_remedies", 1, 6);
  count("stalls_detected", 10, 20);
  count("stalls_detected", 100, 40);
  expect(await health("24h")).toMatchObject({
    stalls_detected: 4,
    remedies_applied: 4,
    remedies_verified: 3,
    false_remedies: 0,
    auto_fix_success_rate: 0.75,
    mean_time_to_detect_ms: 2_000,
    mean_time_to_repair_ms: 3_000,
  });
  expect(await health("7d")).toMatchObject({ period: "7d", stalls_detected: 4, false_remedies: 1 });
  expect(await health("30d")).toMatchObject({ stalls_detected: 14 });
});

test("health says whether the monitor is alive: up to three periods after its last check, and no longer", async () => {
  const { get, engine, scheduler } = createTestApi();
  await engine.clock.advance(2 * MINUTE_MS);
  const { last_check_at, checks } = (await get("/api/admin/health")).body;
  expect(checks).toBe(2);
  scheduler.stop();
  const isAliveAt = async (ms: number) => {
    engine.clock.jumpTo(ms);
    return (await get("/api/admin/health")).body.is_alive;
  };
  expect(await isAliveAt(last_check_at + 3 * MINUTE_MS)).toBe(true);
  expect(await isAliveAt(last_check_at + 3 * MINUTE_MS + 1)).toBe(false);
});
