import { expect, test } from "bun:test";
import { readSync } from "../../src/db/syncs.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { countRaces, tickMinutes } from "../support/hand.ts";

/** Details that Strava was asked for more than once. */
function askedTwice(engine: TestEngine): number {
  const times = new Map<number, number>();
  for (const { kind, activityId } of engine.sandbox.ledger()) {
    if (kind === "detail" && activityId !== undefined) times.set(activityId, (times.get(activityId) ?? 0) + 1);
  }
  return [...times.values()].filter((count) => count > 1).length;
}

test("I4, I7: killed at any moment of a sync, it goes on after the restart, and asks again only for what was in flight", async () => {
  const stepMs = 35;
  let moments = 0;
  for (let killAtMs = 0; ; killAtMs += stepMs) {
    const engine = createTestEngine({
      sandbox: { club: { athletes: 1, activitiesEach: 250, racesEach: 40 }, latencyMs: { min: 20, max: 90 } },
    });
    const syncId = engine.start();
    await engine.clock.advance(killAtMs);
    if (readSync(engine.db, syncId)?.status === "completed") break;
    moments++;
    const next = engine.rebooted();
    await tickMinutes(next, 2);
    expect(readSync(next.db, syncId)).toMatchObject({ status: "completed", activitiesListed: 250, racesEnriched: 40 });
    expect(countRaces(next.db, "enriched")).toBe(40);
    expect(askedTwice(next)).toBeLessThanOrEqual(8);
    expect(next.db.$client.query("SELECT sum(attempts) AS spent FROM batches").get()).toEqual({ spent: 0 });
  }
  expect(moments).toBeGreaterThan(15);
});

test("a batch that a death cut off is the next of its sync: no five lives in a row give it a turn too short to get on", async () => {
  let engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 12 }, latencyMs: 50 },
    rules: { enrichmentBatchSize: 3 },
  });
  const syncId = engine.start();
  const runs = () =>
    engine.db.$client.query("SELECT runs, deaths FROM batches WHERE type = 'enrichment' ORDER BY number").all();
  while (runs().length === 0) await engine.clock.fireNext();
  await engine.clock.advance(10);
  for (const [life, expected] of [
    [1, 1],
    [2, 2],
    [3, 3],
  ]) {
    expect(runs()).toMatchObject([{ runs: life }, { runs: 0 }, { runs: 0 }, { runs: 0 }]);
    engine = engine.rebooted();
    expect(runs()).toMatchObject([{ deaths: expected }, { deaths: 0 }, { deaths: 0 }, { deaths: 0 }]);
    await engine.clock.advance(10);
  }
  await tickMinutes(engine, 2);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 12, racesFailed: 0 });
});

test("a batch during which the daemon died five times in a row without progress counts as exhausted, and is split", async () => {
  let engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 4 }, latencyMs: 50 },
  });
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 24, action: { type: "hang" } });
  const syncId = engine.start();
  await engine.clock.advance(300);
  for (let death = 1; death <= 5; death++) {
    const status = engine.db.$client.query("SELECT status FROM batches WHERE type = 'enrichment' ORDER BY id").all();
    expect(status).toEqual([{ status: "processing" }]);
    engine = engine.rebooted();
    await engine.clock.advance(200);
  }
  const batches = engine.db.$client
    .query("SELECT status, size FROM batches WHERE type = 'enrichment' ORDER BY id")
    .all();
  expect(batches).toMatchObject([
    { status: "failed", size: 4 },
    { status: "processing", size: 2 },
    { status: "pending", size: 2 },
  ]);
  engine.sandbox.clearFaults();
  engine = engine.rebooted();
  await tickMinutes(engine, 2);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 4 });
});
