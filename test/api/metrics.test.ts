import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/units.ts";
import { addToCounter } from "../../src/db/counters.ts";
import { countStall, countVerdict } from "../../src/db/measures.ts";
import { pruneHistory } from "../../src/sync/prune-history.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { readExposition } from "../support/exposition.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

const SLOW = { club: { athletes: 2, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 };

/** All samples of the page, by name and labels. */
async function samplesOf({ get }: Pick<TestApi, "get">): Promise<Map<string, number>> {
  const { text } = await get("/metrics");
  return new Map([...readExposition(text).values()].flatMap((family) => [...family.samples]));
}

test("the page is valid, and holds a family for everything that the daemon counts", async () => {
  const api = createTestApi({ sandbox: SLOW });
  const answer = await api.get("/metrics");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = [...readExposition(answer.text).keys()];
  for (const name of families) expect(name).toStartWith("broomwagon_");
  for (const what of [
    "syncs",
    "batches",
    "races",
    "stalls",
    "remedies",
    "findings",
    "quota",
    "requests",
    "database",
    "process",
  ]) {
    expect([what, families.some((name) => name.startsWith(`broomwagon_${what}_`))]).toEqual([what, true]);
  }
});

test("what is under way is shown while it is, and what has ended is counted once it has", async () => {
  const api = createTestApi({ sandbox: SLOW, started: false });
  const { engine } = api;
  engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  byHand(
    engine.db,
    "UPDATE batches SET status = 'pending', lease_token = NULL WHERE id = (SELECT max(id) FROM batches)",
  );
  const before = await samplesOf(api);
  const value = (samples: Map<string, number>, name: string) => samples.get(`broomwagon_${name}`);
  expect(value(before, 'syncs_in_progress{phase="enrichment"}')).toBe(1);
  expect(value(before, 'syncs_in_progress{phase="discovery"}')).toBe(0);
  expect(value(before, "syncs_started_total{}")).toBe(1);
  expect(value(before, 'syncs_ended_total{status="completed"}')).toBe(0);
  expect(value(before, 'batches_live{status="pending",type="enrichment"}')).toBe(1);
  expect(value(before, "races_pending{}")).toBe(countRaces(engine.db, "pending"));
  expect(value(before, 'athletes{status="connected"}')).toBe(2);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await engine.monitor.check({ dryRun: false });
  const found = await samplesOf(api);
  expect(value(found, 'findings_open{kind="missing_enrichment_batches"}')).toBe(1);
  expect(value(found, 'findings_total{kind="missing_enrichment_batches"}')).toBe(1);
  await api.settle();
  await engine.monitor.check({ dryRun: false });
  const after = await samplesOf(api);
  expect(value(after, 'syncs_ended_total{status="completed"}')).toBe(1);
  expect(value(after, 'syncs_in_progress{phase="enrichment"}')).toBe(0);
  expect(value(after, "races_pending{}")).toBe(0);
  expect(value(after, "races_enriched_total{}")).toBe(20);
  expect(value(after, 'findings_open{kind="missing_enrichment_batches"}')).toBe(0);
  expect(value(after, 'remedies_settled_total{kind="missing_enrichment_batches",outcome="verified"}')).toBe(1);
  expect(value(after, "time_to_repair_seconds_count{}")).toBe(1);
  const requests = [...after].filter(([name]) => name.startsWith("broomwagon_requests_total"));
  expect(requests.reduce((sum, [, count]) => sum + count, 0)).toBe(engine.sandbox.ledger().length);
  expect(value(after, 'requests_total{phase="enrichment",status="2xx"}')).toBeGreaterThanOrEqual(20);
  expect(value(after, 'quota_used{budget="read",window="day"}')).toBe(
    engine.context.governor.view().quota.read.day.used,
  );
});

test("counters never fall: neither when history is pruned, nor for what was counted before kinds were", async () => {
  const api = createTestApi({ sandbox: SLOW, started: false });
  const { engine } = api;
  const nowMs = engine.clock.nowMs();
  addToCounter(engine.db, "stalls_detected", 7, nowMs);
  countStall(engine.db, { kind: "far_wait", beganAtMs: nowMs }, nowMs);
  countVerdict(engine.db, { kind: "far_wait", detectedAtMs: nowMs }, "failed", nowMs);
  engine.start();
  await api.settle();
  const before = await samplesOf(api);
  expect(before.get('broomwagon_stalls_detected_total{kind="far_wait"}')).toBe(1);
  expect(before.get('broomwagon_stalls_detected_total{kind="other"}')).toBe(7);
  expect(before.get('broomwagon_remedies_settled_total{kind="far_wait",outcome="failed"}')).toBe(1);
  engine.clock.jumpTo(nowMs + 60 * DAY_MS);
  const pruned = pruneHistory(engine.context, DAY_MS);
  await engine.clock.advance(MINUTE_MS);
  await pruned;
  expect(engine.db.$client.query("SELECT 1 FROM syncs").all()).toEqual([]);
  const after = await samplesOf(api);
  for (const [name, count] of before) {
    if (/_(total|count|bucket)\{/.test(name)) expect([name, after.get(name) ?? -1]).toEqual([name, expect.any(Number)]);
    if (/_(total|count|bucket)\{/.test(name)) expect(after.get(name)).toBeGreaterThanOrEqual(count);
  }
});

test("it wants a token that may read, unless the operator says that it is public", async () => {
  const { get, token } = createTestApi({ started: false });
  expect((await get("/metrics", { token: null })).status).toBe(401);
  expect((await get("/metrics", { token: "wrong" })).status).toBe(401);
  expect((await get("/metrics", { token: token("read") })).status).toBe(200);
  const open = createTestApi({ started: false, isMetricsPublic: true });
  expect((await open.get("/metrics", { token: null })).status).toBe(200);
});

test("labels hold words of ours only: no name, no id, nothing that a hand wrote", async () => {
  const api = createTestApi({ sandbox: SLOW });
  const { engine, get } = api;
  engine.start();
  await engine.clock.advance(MINUTE_MS);
  byHand(
    engine.db,
    `INSERT INTO findings (kind, sync_id, outcome) VALUES ('Quimby"', 1, 'pending'), ('x', 1, 'proposed')`,
  );
  const { text } = await get("/metrics");
  for (const athlete of engine.sandbox.athletes()) {
    for (const word of [athlete.firstName, athlete.lastName, String(athlete.stravaId)])
      expect(text).not.toContain(word);
  }
  expect(text).not.toContain("Quimby");
  expect(text).toContain('broomwagon_findings_open{kind="other"} 2\n');
  const labels = new Set([...text.matchAll(/([a-z]+)="/g)].map(([, label]) => label));
  expect([...labels].sort()).toEqual([
    "budget",
    "job",
    "kind",
    "le",
    "outcome",
    "phase",
    "status",
    "type",
    "version",
    "window",
  ]);
});
