import { expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/units.ts";
import { createTestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

const SLOW = { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };
const THREE = { club: { athletes: 3, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };

test("starting a sync answers 202 with its id as text, full at first and incremental once there was a complete list", async () => {
  const { post, settle } = createTestApi();
  const first = await post("/api/admin/athletes/1/sync");
  expect(first.status).toBe(202);
  expect(first.body).toEqual({ sync_id: "1", athlete_id: 1, mode: "full" });
  await settle();
  expect((await post("/api/admin/athletes/1/sync", {})).body).toMatchObject({ sync_id: "2", mode: "incremental" });
});

test("a second sync of an athlete is refused with the id of the first, unless it is told to restart", async () => {
  const { get, post } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync", { mode: "full" });
  const refused = await post("/api/admin/athletes/1/sync", { restart: false });
  expect(refused.status).toBe(409);
  expect(refused.body).toMatchObject({ code: "sync_in_progress", sync_id: "1" });
  expect((await post("/api/admin/athletes/1/sync", { restart: true })).body).toMatchObject({ sync_id: "2" });
  expect((await get("/api/admin/syncs/1")).body).toMatchObject({ status: "cancelled", activities_expected: null });
});

test("a sync is refused for who must reconnect, for who is unknown, and without the application's credentials", async () => {
  const { post, engine } = createTestApi();
  expect((await post("/api/admin/athletes/99/sync")).body).toMatchObject({ status: 404, code: "athlete_unknown" });
  engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect', status_reason = 'Revoked.'");
  const refused = await post("/api/admin/athletes/1/sync");
  expect(refused.body).toMatchObject({ status: 409, code: "needs_reconnect" });
  expect(refused.body.detail).toContain("Revoked.");
  const unconfigured = createTestApi({ withoutStrava: true });
  expect((await unconfigured.post("/api/admin/athletes/1/sync")).body).toMatchObject({
    status: 409,
    code: "strava_not_configured",
  });
  expect((await unconfigured.post("/api/admin/syncs")).body).toMatchObject({ code: "strava_not_configured" });
});

test("stopping cancels the sync at once, asks Strava nothing more, and a second stop says that there is none", async () => {
  const { post, engine } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  const stopped = await post("/api/admin/athletes/1/sync/stop");
  expect(stopped.status).toBe(200);
  expect(stopped.body).toEqual({ sync_id: "1", status: "cancelled" });
  const asked = engine.sandbox.ledger().length;
  await engine.clock.advance(5 * MINUTE_MS);
  expect(engine.sandbox.ledger()).toHaveLength(asked);
  expect(engine.db.$client.query("SELECT DISTINCT status FROM batches WHERE status <> 'completed'").all()).toEqual([
    { status: "cancelled" },
  ]);
  expect((await post("/api/admin/athletes/1/sync/stop")).body).toMatchObject({
    status: 409,
    code: "no_sync_in_progress",
  });
  expect((await post("/api/admin/athletes/99/sync/stop")).body).toMatchObject({ status: 404, code: "athlete_unknown" });
});

test("syncing all starts one for each connected athlete and says who was left out, and why", async () => {
  const { post, engine } = createTestApi({ sandbox: { ...THREE, club: { ...THREE.club, athletes: 4 } } });
  await post("/api/admin/athletes/1/sync");
  engine.db.$client.run("UPDATE athletes SET status = 'needs_reconnect' WHERE id = 2");
  engine.db.$client.run("UPDATE athletes SET status = 'disconnected' WHERE id = 3");
  const answer = await post("/api/admin/syncs", { mode: "incremental" });
  expect(answer.status).toBe(202);
  expect(answer.body).toEqual({
    started: [{ athlete_id: 4, sync_id: "2" }],
    skipped: [
      { athlete_id: 1, reason: "sync_in_progress" },
      { athlete_id: 2, reason: "needs_reconnect" },
      { athlete_id: 3, reason: "disconnected" },
    ],
  });
});

test("a paused sync waits until it is resumed, and both say whether they changed anything", async () => {
  const { get, post, engine, settle } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  expect((await post("/api/admin/syncs/1/pause")).body).toEqual({ sync_id: "1", paused: true, changed: true });
  expect((await post("/api/admin/syncs/1/pause")).body).toMatchObject({ changed: false });
  await engine.clock.advance(30 * MINUTE_MS);
  expect((await get("/api/admin/syncs/1")).body).toMatchObject({ status: "waiting", waiting: { reason: "paused" } });
  const resumed = await post("/api/admin/syncs/1/resume");
  expect(resumed.body).toEqual({ sync_id: "1", paused: false, changed: true, batches_made_due: 0 });
  await settle();
  expect((await get("/api/admin/syncs/1")).body).toMatchObject({ status: "completed", paused_at: null });
  expect((await post("/api/admin/syncs/1/resume")).body).toMatchObject({ status: 409, code: "sync_ended" });
  expect((await post("/api/admin/syncs/1/pause")).body).toMatchObject({ status: 409, code: "sync_ended" });
});

test("resuming makes what waits in a sync due at once", async () => {
  const { get, post, engine } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  const untilMs = engine.clock.nowMs() + 10 * MINUTE_MS;
  byHand(
    engine.db,
    `UPDATE batches SET run_after_ms = ${untilMs}, waits_until_ms = ${untilMs}, wait_reason = 'backoff'`,
  );
  expect((await get("/api/admin/syncs/1")).body.waiting).toMatchObject({ reason: "backoff", resumes_at: untilMs });
  expect((await post("/api/admin/syncs/1/resume")).body).toMatchObject({ changed: true, batches_made_due: 1 });
  await engine.clock.advance(1_000);
  expect((await get("/api/admin/syncs/1")).body.activities_listed).toBe(60);
});

test("a sync is cancelled by its own id, once", async () => {
  const { get, post } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  expect((await post("/api/admin/syncs/1/cancel")).body).toEqual({ sync_id: "1", status: "cancelled" });
  expect((await get("/api/admin/sync-status")).body).toMatchObject({ active: [], recent: [{ status: "cancelled" }] });
  expect((await post("/api/admin/syncs/1/cancel")).body).toMatchObject({ status: 409, code: "sync_ended" });
  expect((await post("/api/admin/syncs/9/cancel")).body).toMatchObject({ status: 404, code: "sync_unknown" });
});

test("retry-failed starts a sync over just the failed races, and says when there is none", async () => {
  const { get, post, engine, settle } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  await settle();
  expect((await post("/api/admin/syncs/1/retry-failed")).body).toMatchObject({ status: 409, code: "nothing_failed" });
  byHand(engine.db, "UPDATE races SET enrichment = 'failed', enrichment_error = 'x' WHERE id <= 3");
  const retried = await post("/api/admin/syncs/1/retry-failed");
  expect(retried.status).toBe(202);
  expect(retried.body).toEqual({ sync_id: "2", races: 3 });
  expect((await post("/api/admin/syncs/1/retry-failed")).body).toMatchObject({
    code: "sync_in_progress",
    sync_id: "2",
  });
  await settle();
  expect((await get("/api/admin/syncs/2")).body).toMatchObject({
    status: "completed",
    activities_synced: 3,
    activities_expected: 3,
    requests: 3,
  });
  expect((await post("/api/admin/syncs/9/retry-failed")).body).toMatchObject({ status: 404, code: "sync_unknown" });
});

test("syncs are listed newest first and found by status, state, athlete, phase and name", async () => {
  const { get, post, engine, settle } = createTestApi({ sandbox: THREE });
  await post("/api/admin/athletes/1/sync");
  await settle();
  await post("/api/admin/athletes/2/sync");
  await post("/api/admin/athletes/3/sync");
  await post("/api/admin/syncs/3/pause");
  byHand(engine.db, "DELETE FROM batches WHERE sync_id = 2");
  const idsOf = async (query: string) =>
    (await get(`/api/admin/syncs?${query}`)).body.items.map((item: { sync_id: string }) => item.sync_id);
  expect(await idsOf("")).toEqual(["3", "2", "1"]);
  expect(await idsOf("status=completed")).toEqual(["1"]);
  expect(await idsOf("status=in_progress")).toEqual(["3", "2"]);
  expect(await idsOf("state=stalled")).toEqual(["2"]);
  expect(await idsOf("state=waiting")).toEqual(["3"]);
  expect(await idsOf("state=processing")).toEqual([]);
  expect(await idsOf("state=waiting&status=completed")).toEqual([]);
  expect(await idsOf("athlete_id=2")).toEqual(["2"]);
  expect(await idsOf("phase=enrichment")).toEqual(["1"]);
  const { first_name } = (await get("/api/admin/athletes/3")).body;
  expect(await idsOf(`q=${first_name.toLowerCase()}`)).toContain("3");
});

test("a page of syncs ends where the next begins, with and without a state to look for", async () => {
  const { get, engine } = createTestApi({ sandbox: { club: { athletes: 7, activitiesEach: 1, racesEach: 0 } } });
  for (let athlete = 1; athlete <= 7; athlete++) {
    byHand(
      engine.db,
      `INSERT INTO syncs (athlete_id, paused_at_ms) VALUES (${athlete}, ${athlete % 2 === 1 ? 1 : "NULL"})`,
    );
  }
  const walk = async (query: string) => {
    const ids: string[] = [];
    let cursor: string | null = "";
    for (let pages = 0; cursor !== null && pages < 20; pages++) {
      const page = await get(`/api/admin/syncs?limit=2&${query}${cursor === "" ? "" : `&cursor=${cursor}`}`);
      ids.push(...page.body.items.map((item: { sync_id: string }) => item.sync_id));
      cursor = page.body.next_cursor;
    }
    return ids;
  };
  expect(await walk("")).toEqual(["7", "6", "5", "4", "3", "2", "1"]);
  expect(await walk("state=waiting")).toEqual(["7", "5", "3", "1"]);
  expect(await walk("state=stalled")).toEqual(["6", "4", "2"]);
});

test("the batches and the log of a sync are read by page, and filtered", async () => {
  const { get, post, settle } = createTestApi({ sandbox: SLOW });
  await post("/api/admin/athletes/1/sync");
  await settle();
  const batches = (await get("/api/admin/syncs/1/batches")).body;
  expect(batches.next_cursor).toBeNull();
  expect(batches.items.map((batch: { type: string }) => batch.type)).toContain("enrichment");
  expect(batches.items[0]).toMatchObject({
    sync_id: "1",
    number: 1,
    type: "discovery",
    status: "completed",
    attempts: 0,
  });
  expect(batches.items[0].trace_url).toBe(`https://traces.test/${batches.items[0].trace_id}`);
  expect(batches.items[0]).not.toHaveProperty("lease_token");
  const first = (await get("/api/admin/syncs/1/batches?limit=1")).body;
  const second = (await get(`/api/admin/syncs/1/batches?limit=1&cursor=${first.next_cursor}`)).body;
  expect([first.items[0].number, second.items[0].number]).toEqual([1, 2]);
  expect((await get("/api/admin/syncs/1/batches?status=failed")).body.items).toEqual([]);
  const logs = (await get("/api/admin/syncs/1/logs?q=list_complete")).body;
  expect(logs.items).toMatchObject([{ event: "sync.list_complete", level: "info" }]);
  expect((await get("/api/admin/syncs/1/logs?level=error")).body.items).toEqual([]);
  expect((await get("/api/admin/syncs/1/logs")).body.items[0].event).toBe("sync.completed");
  expect((await get("/api/admin/syncs/9/logs")).body.code).toBe("sync_unknown");
  expect((await get("/api/admin/syncs/9/batches")).body.code).toBe("sync_unknown");
  expect((await get("/api/admin/syncs/9/findings")).body.code).toBe("sync_unknown");
});
