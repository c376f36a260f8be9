import { expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";
import { createTestApi } from "../support/api.ts";

/** An address outside that notes the paths it is asked for. */
function outside(status = 200) {
  const paths: string[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    paths.push(new URL(request.url).pathname);
    return new Response("", { status });
  };
  return { paths, ping: { url: "https://ping.test/id", fetch } };
}

test("a check by hand tells the address outside as the schedule's do, a dry run does not, and health shows it", async () => {
  const { paths, ping } = outside();
  const { get, post, engine } = createTestApi({ started: false, ping });
  expect((await get("/api/admin/health")).body.ping).toEqual({ is_failing: false, last_answered_at: null });
  await post("/api/admin/health/check", { dry_run: true });
  await engine.clock.advance(10);
  expect(paths).toEqual([]);
  await post("/api/admin/health/check");
  await engine.clock.advance(10);
  expect(paths).toEqual(["/id/start", "/id"]);
  expect((await get("/api/admin/health")).body.ping).toEqual({
    is_failing: false,
    last_answered_at: engine.clock.nowMs() - 10,
  });
  const refusing = createTestApi({ ping: outside(500).ping });
  await refusing.engine.clock.advance(MINUTE_MS);
  expect((await refusing.get("/api/admin/health")).body.ping).toEqual({ is_failing: true, last_answered_at: null });
  expect((await refusing.get("/metrics")).text).toContain("broomwagon_ping_failing 1\n");
  const silent = createTestApi({ started: false });
  expect((await silent.get("/api/admin/health")).body.ping).toBeNull();
  expect((await silent.get("/metrics")).text).not.toContain("ping");
});

test("a finding of the daemon's own is listed like any other, without a sync, and leaves the list of stalls alone", async () => {
  const { get, post, engine } = createTestApi({ started: false });
  engine.db.$client.run("ALTER TABLE batches RENAME TO batches_elsewhere");
  expect((await post("/api/admin/health/check")).status).toBe(500);
  engine.db.$client.run("ALTER TABLE batches_elsewhere RENAME TO batches");
  const open = (await get("/api/admin/health/findings?kind=failed_check&outcome=pending")).body.items;
  expect(open).toMatchObject([
    {
      kind: "failed_check",
      sync_id: null,
      athlete_id: null,
      batch_id: null,
      detected_at: engine.clock.nowMs(),
      remedy: null,
      remedied_at: null,
      settled_at: null,
    },
  ]);
  expect((await get("/api/admin/health")).body).toMatchObject({ open_findings: 1, stalls_detected: 0, by_kind: [] });
  await post("/api/admin/health/check");
  expect((await get(`/api/admin/health/findings?kind=failed_check`)).body.items).toMatchObject([
    { id: open[0].id, outcome: "superseded", settled_at: engine.clock.nowMs() },
  ]);
});

test("a job that missed its turn is listed with the run as its remedy, and a proposed one is applied by a person", async () => {
  let runs = 0;
  const stuck = { job: "stuck", pattern: "*/10 * * * *", catchUp: "once", lastRunAtMs: null } as const;
  const run = () => {
    runs++;
    return runs > 1 ? undefined : new Promise<void>(() => {});
  };
  const { get, post, engine } = createTestApi({ jobs: [{ ...stuck, run }], health: { healing: "suggest" } });
  await engine.clock.advance(21 * MINUTE_MS);
  const [proposed] = (await get("/api/admin/health/findings")).body.items;
  expect(proposed).toMatchObject({
    kind: "schedule_overdue",
    sync_id: null,
    outcome: "proposed",
    remedy: "run stuck, by the catch-up policy",
    remedied_at: null,
  });
  // It hangs, and is given up once it has had its hour.
  await engine.clock.advance(HOUR_MS);
  expect(runs).toBe(1);
  const applied = await post(`/api/admin/health/findings/${proposed.id}/apply`);
  expect(applied.body).toMatchObject({ outcome: "pending", remedied_at: engine.clock.nowMs() });
  expect(runs).toBe(2);
  await engine.clock.advance(MINUTE_MS);
  expect((await get("/api/admin/health/findings")).body.items).toMatchObject([{ outcome: "verified" }]);
  expect((await post(`/api/admin/health/findings/${proposed.id}/apply`)).body.code).toBe("finding_not_proposed");
});

test("health tells when the processor last looked for work, and whether that is too long ago", async () => {
  const { get, engine, scheduler } = createTestApi();
  await engine.clock.advance(2 * MINUTE_MS);
  scheduler.stop();
  const lastTickMs = engine.processor.view().lastTickAtMs;
  const at = async (ms: number) => {
    engine.clock.jumpTo(ms);
    await engine.monitor.tick();
    return (await get("/api/admin/health")).body;
  };
  expect(await at(lastTickMs + 3 * MINUTE_MS)).toMatchObject({
    is_alive: true,
    processor: { is_alive: true, last_tick_at: lastTickMs },
  });
  expect(await at(lastTickMs + 3 * MINUTE_MS + 1)).toMatchObject({ is_alive: true, processor: { is_alive: false } });
  expect((await get("/metrics")).text).toContain("broomwagon_processor_alive 0\n");
  const ready = await get("/readyz", { token: null });
  expect(ready.status).toBe(503);
  expect(ready.body.reasons).toContain("The processor has not looked for work in three periods.");
  expect(ready.body.reasons).not.toContain("The monitor has ended no health check in three periods.");
});
