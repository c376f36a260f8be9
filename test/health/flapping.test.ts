import { describe, expect, test } from "bun:test";
import { readFindings } from "../../src/db/findings.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import type { TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { PLENTY, syncOf } from "../support/syncs.ts";

/** A large sync in enrichment, whose waiting batches a hand can delete over and over while one after the other completes. */
async function enriching(options: TestEngineOptions = {}): Promise<TestApi & { flap(): Promise<void> }> {
  const api = createTestApi({
    started: false,
    sandbox: { club: { athletes: 1, activitiesEach: 900, racesEach: 600 }, latencyMs: 6_000, quota: PLENTY },
    ...options,
  });
  const { engine } = api;
  engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0, 300_000);
  return {
    ...api,
    async flap() {
      byHand(engine.db, "DELETE FROM batches WHERE status IN ('pending', 'processing')");
      await tickMinutes(engine, 1);
    },
  };
}

const outcomes = ({ engine }: TestApi) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 50)
    .map(({ kind, outcome }) => `${kind} ${outcome}`)
    .reverse();

describe("a sync that heals and stalls again, over and over", () => {
  test("ends as failed, with its reason, after as many remedies as it may have, each of them verified", async () => {
    const api = await enriching({ health: { maxRemedies: 3 } });
    const { engine } = api;
    for (let times = 0; times < 3; times++) {
      await api.flap();
      await tickMinutes(engine, 1);
    }
    expect(outcomes(api)).toEqual(Array(3).fill("missing_enrichment_batches verified"));
    await api.flap();
    const [sync] = (await api.get("/api/admin/sync-status")).body.recent;
    expect(sync).toMatchObject({ status: "failed" });
    expect(sync.error).toMatch(
      /^It stalled again after every remedy that it may have\..*races need enrichment.*Start a new sync/,
    );
    expect(outcomes(api).at(-1)).toBe("missing_enrichment_batches failed");
  });

  test("is left alone from then on: no check finds it again, and nothing is fetched", async () => {
    const api = await enriching({ health: { maxRemedies: 1 } });
    const { engine } = api;
    await api.flap();
    await tickMinutes(engine, 1);
    await api.flap();
    const before = { found: outcomes(api).length, requests: engine.sandbox.ledger().length };
    await tickMinutes(engine, 30);
    expect({ found: outcomes(api).length, requests: engine.sandbox.ledger().length }).toEqual(before);
  });

  test("goes on with one call, from where it stood", async () => {
    const api = await enriching({ health: { maxRemedies: 1 } });
    const { engine } = api;
    await api.flap();
    await tickMinutes(engine, 1);
    await api.flap();
    const enriched = countRaces(engine.db, "enriched");
    expect(enriched).toBeGreaterThan(0);
    const details = () => engine.sandbox.ledger().filter((entry) => entry.kind === "detail").length;
    const detailsBefore = details();
    const started = await api.post("/api/admin/athletes/1/sync", {});
    expect(started.status).toBe(202);
    await tickMinutes(engine, 15);
    expect(syncOf(engine, Number(started.body.sync_id) as never)).toMatchObject({ status: "completed" });
    expect(countRaces(engine.db, "enriched")).toBe(600);
    expect(details() - detailsBefore).toBe(600 - enriched);
  });

  test("shows in a dry run as about to be given up, and is not", async () => {
    const api = await enriching({ health: { maxRemedies: 1 } });
    const { engine } = api;
    await api.flap();
    await tickMinutes(engine, 1);
    byHand(engine.db, "DELETE FROM batches WHERE status IN ('pending', 'processing')");
    const { body } = await api.post("/api/admin/health/check", { dry_run: true });
    expect(body.findings).toMatchObject([{ id: null, kind: "missing_enrichment_batches", outcome: "failed" }]);
    expect(syncOf(engine, 1 as never).status).toBe("in_progress");
  });

  test("is never given up in suggest mode: a person decides each time", async () => {
    const api = await enriching({ health: { maxRemedies: 1, healing: "suggest" } });
    const { engine } = api;
    for (let times = 0; times < 3; times++) {
      await api.flap();
      const [proposed] = readFindings(engine.db, { outcome: "proposed" }, Number.MAX_SAFE_INTEGER, 5);
      expect((await api.post(`/api/admin/health/findings/${proposed?.id}/apply`)).status).toBe(200);
      await tickMinutes(engine, 1);
    }
    expect(outcomes(api)).toEqual(Array(3).fill("missing_enrichment_batches verified"));
    expect(syncOf(engine, 1 as never).status).toBe("in_progress");
  });
});

test("races that something turns back over and over start so many syncs a day, and no more; it is told once", async () => {
  const api = createTestApi({
    started: false,
    sandbox: { club: { athletes: 1, activitiesEach: 40, racesEach: 10 }, quota: PLENTY },
    health: { maxRemedies: 3 },
  });
  const { engine } = api;
  engine.start();
  await tickMinutes(engine, 1);
  for (let minute = 0; minute < 12; minute++) {
    byHand(engine.db, "UPDATE races SET enrichment = 'pending' WHERE id = 1");
    await tickMinutes(engine, 1);
  }
  const syncs = engine.db.$client.query<{ n: number }, []>("SELECT count(*) AS n FROM syncs").get()?.n;
  expect(syncs).toBe(1 + 3);
  expect(outcomes(api)).toEqual([...Array(3).fill("unfinished_races verified"), "unfinished_races failed"]);
  // A day later it may be mended again.
  await engine.clock.advance(24 * 3_600_000);
  await tickMinutes(engine, 2);
  expect(countRaces(engine.db, "pending")).toBe(0);
});
