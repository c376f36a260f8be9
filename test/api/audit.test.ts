import { expect, test } from "bun:test";
import { DAY_MS } from "../../src/core/units.ts";
import { addAudit, readAudit } from "../../src/db/audit.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

const CLUB = { club: { athletes: 2, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };

type Entry = { actor: string; action: string; target: string | null; detail: Record<string, unknown> };

/** What the audit gained while `work` ran, the oldest first. */
async function audited({ get }: TestApi, work: () => Promise<unknown>): Promise<Entry[]> {
  const before = (await get("/api/admin/audit?limit=200")).body.items.length;
  await work();
  const items: Entry[] = (await get("/api/admin/audit?limit=200")).body.items;
  return items.slice(0, items.length - before).reverse();
}

const entry = (action: string, target: string | null, detail: Record<string, unknown> = {}): Entry =>
  expect.objectContaining({ actor: "admin", action, target, detail });

const IMPORT = {
  strava_id: 26_999_001,
  first_name: "Fernanda",
  last_name: "Quimby",
  access_token: "access-secret-1",
  refresh_token: "refresh-secret-1",
  expires_at: 1_800_000_000,
  scope: "read,activity:read_all",
};

test("what is done to athletes is in the audit: imports, consent, hiding, erasure", async () => {
  const api = createTestApi({ started: false });
  const { post, patch, delete: remove } = api;
  expect(
    await audited(api, async () => {
      await post("/api/admin/athletes", IMPORT);
      await post("/api/admin/athletes", IMPORT);
      await patch("/api/admin/athletes/2", { publish: true });
      await patch("/api/admin/athletes/2", { publish: false, hidden: true });
      await patch("/api/admin/athletes/2", { hidden: false });
      await patch("/api/admin/athletes/2", {});
      await patch("/api/admin/athletes/99", { hidden: true });
      await remove("/api/admin/athletes/2");
      await remove("/api/admin/athletes/2");
    }),
  ).toEqual([
    entry("athlete.imported", "athlete:2", { is_new: true }),
    entry("athlete.imported", "athlete:2", { is_new: false }),
    entry("athlete.consent_given", "athlete:2"),
    entry("athlete.consent_withdrawn", "athlete:2"),
    entry("athlete.hidden", "athlete:2"),
    entry("athlete.shown", "athlete:2"),
    entry("athlete.erased", "athlete:2"),
  ]);
});

test("tokens and invitations are in the audit by id, with who made them and without secrets or labels", async () => {
  const api = createTestApi({ started: false });
  const { post, delete: remove, engine } = api;
  const expiresAt = engine.clock.nowMs() + DAY_MS;
  const secrets: string[] = [];
  const entries = await audited(api, async () => {
    const made = await post("/api/admin/tokens", { label: "Quimby's phone", scope: "admin", expires_at: expiresAt });
    secrets.push(made.body.token);
    const invite = await post("/api/admin/invites", { label: "for Fernanda" }, { token: made.body.token });
    secrets.push(new URL(invite.body.url).search.slice(1));
    await remove("/api/admin/invites/1");
    await remove("/api/admin/invites/1");
    await remove(`/api/admin/tokens/${made.body.id}`);
    await remove(`/api/admin/tokens/${made.body.id}`);
    await post("/api/admin/athletes", IMPORT);
  });
  expect(entries).toMatchObject([
    { actor: "admin", action: "token.made", target: "token:1", detail: { scope: "admin", expires_at: expiresAt } },
    { actor: "token:1", action: "invite.made", target: "invite:1" },
    { actor: "admin", action: "invite.revoked", target: "invite:1", detail: {} },
    { actor: "admin", action: "token.revoked", target: "token:1", detail: {} },
    { action: "athlete.imported" },
  ]);
  const told = JSON.stringify(readAudit(engine.db, {}, 1_000, 200));
  for (const secret of [...secrets, "Quimby", "Fernanda", "secret-1", "26999001"]) expect(told).not.toContain(secret);
});

test("what is done to syncs is in the audit, once each, and not what the daemon does by itself", async () => {
  const api = createTestApi({ sandbox: CLUB, started: false });
  const { post, engine } = api;
  const act = (path: string, body?: unknown) => post(`/api/admin/${path}`, body);
  expect(
    await audited(api, async () => {
      await act("athletes/1/sync", { mode: "full" });
      await act("athletes/1/sync");
      await act("syncs/1/pause");
      await act("syncs/1/pause");
      await act("syncs/1/resume");
      await act("athletes/1/sync", { mode: "full", restart: true });
      await act("syncs/2/cancel");
      await act("syncs/2/cancel");
      await act("syncs", { mode: "full" });
      await act("athletes/1/sync/stop");
      await api.settle();
      byHand(
        engine.db,
        "UPDATE races SET enrichment = 'failed', enrichment_error = 'gone' WHERE athlete_id = 2 AND id % 2 = 0",
      );
      await act("syncs/4/retry-failed");
      await act("syncs/99/cancel");
    }),
  ).toEqual([
    entry("sync.started", "sync:1", { athlete_id: 1, mode: "full" }),
    entry("sync.paused", "sync:1"),
    entry("sync.resumed", "sync:1", { was_paused: true, batches_made_due: 0 }),
    entry("sync.started", "sync:2", { athlete_id: 1, mode: "full", restarted_sync_id: 1 }),
    entry("sync.cancelled", "sync:2", { athlete_id: 1 }),
    entry("syncs.started", null, { mode: "full", started: 2, skipped: 0 }),
    entry("sync.cancelled", "sync:3", { athlete_id: 1 }),
    entry("sync.failed_races_retried", "sync:4", { races: 10, started_sync_id: 5 }),
  ]);
});

test("the daemon's pause, jobs, edits of races and findings applied are in the audit", async () => {
  const api = createTestApi({ sandbox: CLUB, started: false, health: { healing: "suggest" } });
  const { post, patch, engine } = api;
  await post("/api/admin/athletes/1/sync");
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await engine.clock.advance(5_000);
  await post("/api/admin/health/check");
  const entries = await audited(api, async () => {
    await post("/api/admin/health/findings/1/apply");
    await post("/api/admin/health/findings/1/apply");
    await post("/api/admin/pause");
    await post("/api/admin/pause");
    await post("/api/admin/resume");
    await post("/api/admin/schedule/full_sync/run");
    await post("/api/admin/schedule/none/run");
    await patch("/api/admin/races/1", { name: "Grandma's Marathon", hidden: true });
    await patch("/api/admin/races/1", {});
  });
  expect(entries).toEqual([
    entry("finding.applied", "finding:1"),
    entry("daemon.paused", null),
    entry("daemon.resumed", null),
    entry("job.run", "job:full_sync"),
    entry("race.edited", "race:1", { fields: ["name", "hidden"], hidden: true }),
  ]);
});

test("a health check by hand is in the audit, with what it found; a dry run changes nothing and is not", async () => {
  const api = createTestApi({ sandbox: CLUB, started: false });
  const { post, engine } = api;
  await post("/api/admin/athletes/1/sync");
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  const entries = await audited(api, async () => {
    await post("/api/admin/health/check", { dry_run: true });
    await post("/api/admin/health/check");
    await post("/api/admin/health/check");
  });
  expect(entries).toEqual([
    entry("health.checked", null, { syncs: 1, findings: 1, not_checked: 0 }),
    entry("health.checked", null, { syncs: 1, findings: 0, not_checked: 0 }),
  ]);
});

test("switching Strava's events on and off is in the audit, also where Strava refuses", async () => {
  const api = createTestApi({ started: false, publicUrl: "https://club.test/bw" });
  const entries = await audited(api, async () => {
    await api.passing(api.post("/api/admin/webhook", { replace: true }));
    await api.passing(api.delete("/api/admin/webhook"));
  });
  expect(entries).toEqual([entry("webhook.switched_on", null, { replace: true }), entry("webhook.switched_off", null)]);
});

test("the audit is for admins, newest first, page by page, and filtered", async () => {
  const { get, engine, token } = createTestApi({ started: false });
  const atMs = engine.clock.nowMs();
  for (let n = 1; n <= 5; n++) {
    const action = n % 2 === 0 ? "sync.paused" : "sync.cancelled";
    addAudit(engine.db, { atMs, actor: n < 3 ? "token:7" : "runtime", action, target: `sync:${n}` });
  }
  const idsOf = async (query: string) =>
    (await get(`/api/admin/audit?${query}`)).body.items.map((item: { id: number }) => item.id);
  expect(await idsOf("")).toEqual([5, 4, 3, 2, 1]);
  expect(await idsOf("actor=token:7")).toEqual([2, 1]);
  expect(await idsOf("action=sync.paused")).toEqual([4, 2]);
  expect(await idsOf("target=sync:3")).toEqual([3]);
  const first = (await get("/api/admin/audit?limit=3")).body;
  expect(first.items[0]).toEqual({
    id: 5,
    at: atMs,
    actor: "runtime",
    action: "sync.cancelled",
    target: "sync:5",
    detail: {},
  });
  expect(await idsOf(`limit=3&cursor=${first.next_cursor}`)).toEqual([2, 1]);
  expect((await get("/api/admin/audit", { token: token("operate") })).status).toBe(403);
  expect((await get("/api/admin/audit", { token: token("admin") })).status).toBe(200);
  expect((await get("/api/admin/audit?cursor=x")).status).toBe(422);
});

test("the audit goes with the rest of history: what is as old as the retention stays, what is older goes", async () => {
  const { engine } = createTestApi({ started: false });
  const nowMs = engine.clock.nowMs();
  for (const ageMs of [DAY_MS + 1, DAY_MS, 0]) {
    addAudit(engine.db, { atMs: (nowMs - ageMs) as typeof nowMs, actor: "admin", action: "daemon.paused" });
  }
  const pruned = pruneHistory(engine.context, DAY_MS);
  await engine.clock.advance(1_000);
  await pruned;
  expect(readAudit(engine.db, {}, 1_000, 10).map((row) => row.id)).toEqual([3, 2]);
});
