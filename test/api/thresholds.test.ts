import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { storeSetting } from "../../src/db/settings.ts";
import { createTestApi } from "../support/api.ts";

const PATH = "/api/admin/thresholds";
const CONFIGURED = {
  stall_after_discovery_ms: 10 * MINUTE_MS,
  stall_after_discovery: "10m",
  stall_after_enrichment_ms: 20 * MINUTE_MS,
  stall_after_enrichment: "20m",
  max_remedies: 5,
};
const health = { stallAfterEnrichmentMs: 20 * MINUTE_MS };

test("thresholds are those of the configuration until somebody changes one, and null goes back to it", async () => {
  const { get, patch, engine } = createTestApi({ started: false, health });
  expect((await get(PATH)).body).toEqual({
    ...CONFIGURED,
    origins: {
      stall_after_discovery_ms: "configuration",
      stall_after_enrichment_ms: "configuration",
      max_remedies: "configuration",
    },
    configured: CONFIGURED,
    changed_at: null,
    changed_by: null,
  });
  const changedAtMs = engine.clock.nowMs();
  const changed = await patch(PATH, { stall_after_enrichment_ms: 90_000, max_remedies: 0 });
  expect(changed.status).toBe(200);
  expect(changed.body).toMatchObject({
    stall_after_discovery_ms: 10 * MINUTE_MS,
    stall_after_enrichment_ms: 90_000,
    stall_after_enrichment: "90s",
    max_remedies: 0,
    origins: { stall_after_discovery_ms: "configuration", stall_after_enrichment_ms: "api", max_remedies: "api" },
    configured: CONFIGURED,
    changed_at: changedAtMs,
    changed_by: "admin",
  });
  await engine.clock.advance(1_000);
  const back = await patch(PATH, { stall_after_enrichment_ms: null });
  expect(back.body).toMatchObject({ stall_after_enrichment_ms: 20 * MINUTE_MS, max_remedies: 0 });
  expect(back.body.origins).toMatchObject({ stall_after_enrichment_ms: "configuration", max_remedies: "api" });
  expect(back.body.changed_at).toBe(changedAtMs + 1_000);
});

test("bounds are those of the configuration, and a name that is none is refused", async () => {
  const { get, patch, token } = createTestApi({ started: false });
  const statusOf = async (body: unknown) => (await patch(PATH, body)).status;
  for (const name of ["stall_after_discovery_ms", "stall_after_enrichment_ms"]) {
    expect(await statusOf({ [name]: SECOND_MS })).toBe(200);
    expect(await statusOf({ [name]: 7 * DAY_MS })).toBe(200);
    for (const value of [SECOND_MS - 1, 7 * DAY_MS + 1, 1_000.5, "10m", true, -1]) {
      expect([name, value, await statusOf({ [name]: value })]).toEqual([name, value, 422]);
    }
  }
  expect(await statusOf({ max_remedies: 20 })).toBe(200);
  expect(await statusOf({ max_remedies: 21 })).toBe(422);
  expect(await statusOf({ stall_after_discovery: "10m" })).toBe(422);
  expect(await statusOf({})).toBe(422);
  expect(await statusOf("{")).toBe(400);
  // One that is refused changes nothing of the others.
  expect(await statusOf({ max_remedies: 3, stall_after_discovery_ms: 0 })).toBe(422);
  expect((await get(PATH)).body.max_remedies).toBe(20);
  expect((await patch(PATH, { max_remedies: 1 }, { token: token("operate") })).status).toBe(403);
  expect((await get(PATH, { token: token("read") })).status).toBe(200);
});

test("a misspelt name is refused by its name, and nothing beside it is changed", async () => {
  const { get, patch } = createTestApi({ started: false });
  const refused = await patch(PATH, { max_remedies: 4, stall_after_discovry_ms: 60_000 });
  expect([refused.status, refused.body.code]).toEqual([422, "invalid_request"]);
  expect(refused.body.errors).toEqual([
    { field: "stall_after_discovry_ms", message: "is no field here (did you mean stall_after_discovery_ms?)" },
  ]);
  expect(refused.body.detail).toStartWith("stall_after_discovry_ms: is no field here");
  expect((await patch(PATH, '{"__proto__": 1, "max_remedies": 4}')).body.errors).toMatchObject([
    { field: "__proto__" },
  ]);
  expect((await get(PATH)).body.max_remedies).toBe(5);
});

test("a threshold that is changed holds at once, for what is shown and for what is found, and after a restart", async () => {
  // Given a list page that Strava does not answer, for half of the threshold,
  const silent = { timeoutMs: 60 * MINUTE_MS, fetch: () => () => new Promise<Response>(() => {}) };
  const api = createTestApi({ ...silent, started: false });
  const { engine, patch, get } = api;
  engine.start();
  for (let minute = 0; minute < 5; minute++) {
    await engine.clock.advance(MINUTE_MS);
    expect((await engine.monitor.tick()).findings).toEqual([]);
  }
  const statusNow = async () => (await get("/api/admin/sync-status")).body.active[0].status;
  expect(await statusNow()).toBe("processing");
  // when the threshold of the other phase falls, nothing happens;
  await patch(PATH, { stall_after_enrichment_ms: MINUTE_MS });
  expect(await statusNow()).toBe("processing");
  // when that of discovery falls below what has passed, the sync is stalled at once,
  await patch(PATH, { stall_after_discovery_ms: 3 * MINUTE_MS });
  expect(await statusNow()).toBe("stalled");
  // found by the next check,
  expect((await engine.monitor.check({ dryRun: true })).findings).toMatchObject([
    { finding: { kind: "no_progress", evidence: { threshold_ms: 3 * MINUTE_MS } } },
  ]);
  // and the next process goes by it too.
  const next = engine.rebooted();
  expect(next.monitor.rules("manual")).toMatchObject({
    stallAfterDiscoveryMs: 3 * MINUTE_MS,
    stallAfterEnrichmentMs: MINUTE_MS,
  });
});

test("max_remedies at 0: the first stall fails the sync", async () => {
  const { engine, patch } = createTestApi({ started: false });
  await patch(PATH, { max_remedies: 0 });
  engine.start();
  engine.db.$client.run("DELETE FROM batches");
  expect((await engine.monitor.check({ dryRun: false })).findings).toMatchObject([{ outcome: "failed" }]);
});

test("changes are in the audit, from what to what; what changes nothing is not", async () => {
  const { get, patch } = createTestApi({ started: false, health });
  await patch(PATH, { stall_after_discovery_ms: 60_000, max_remedies: 5 });
  await patch(PATH, { stall_after_discovery_ms: 60_000 });
  await patch(PATH, { stall_after_discovery_ms: null, stall_after_enrichment_ms: null });
  expect((await get("/api/admin/audit")).body.items).toMatchObject([
    {
      action: "thresholds.changed",
      actor: "admin",
      target: null,
      detail: { stall_after_discovery_ms: { from: 60_000, to: 10 * MINUTE_MS, origin: "configuration" } },
    },
    {
      action: "thresholds.changed",
      detail: {
        stall_after_discovery_ms: { from: 10 * MINUTE_MS, to: 60_000, origin: "api" },
        max_remedies: { from: 5, to: 5, origin: "api" },
      },
    },
  ]);
});

test("what a hand leaves in the setting that is no threshold does not count", async () => {
  const { engine } = createTestApi({ started: false });
  for (const text of ["", "[]", "{", '{"stall_after_discovery_ms": 5, "max_remedies": "3", "changed_at": "x"}']) {
    storeSetting(engine.db, "thresholds", text);
    expect(engine.rebooted().thresholds.view()).toMatchObject({
      current: { stallAfterDiscoveryMs: 10 * MINUTE_MS, maxRemedies: 5 },
      overrides: {},
      changedAtMs: null,
      changedBy: null,
    });
  }
});
