import { expect, test } from "bun:test";
import { DAY_MS, HOUR_MS } from "../../src/core/units.ts";
import { START_MS } from "../support/engine.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  RACE,
  raceOf,
  requestsOf,
  stravaIdOf,
  stravaTime,
  syncOf,
  syncToEnd,
} from "../support/syncs.ts";

test("a mode left out is full until there was a complete list, and incremental from then on", async () => {
  const engine = engineWith(dailyRuns(10, [0]));
  expect((await syncToEnd(engine)).mode).toBe("full");
  expect((await syncToEnd(engine)).mode).toBe("incremental");
});

test("an incremental sync of an athlete never listed lists everything, and counts as a complete list", async () => {
  const engine = engineWith(dailyRuns(250, [0, 240]));
  expect(await syncToEnd(engine, { mode: "incremental" })).toMatchObject({ activitiesListed: 250, racesEnriched: 2 });
  await engine.clock.advance(HOUR_MS);
  expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", activitiesListed: 200 });
});

test("a full sync that was cut off counts as no complete list: the next is full again", async () => {
  const engine = engineWith(dailyRuns(10, [0]));
  engine.sandbox.injectFault({ match: { kind: "list", page: 2 }, action: { type: "status", status: 401 } });
  engine.sandbox.revokeGrant(stravaIdOf(engine));
  expect(await syncToEnd(engine)).toMatchObject({ status: "failed", mode: "full" });
  const { accessToken, refreshToken, expiresAtSeconds } = engine.sandbox.grantAgain(stravaIdOf(engine));
  engine.commits.now(() => {
    engine.context.tokens.store(engine.athlete(), {
      accessToken,
      refreshToken,
      expiresAtMs: (expiresAtSeconds * 1_000) as never,
    });
  });
  engine.db.$client.run("UPDATE athletes SET status = 'connected'");
  engine.sandbox.clearFaults();
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", mode: "full" });
});

test("an incremental sync walks down to the last complete list less the re-scan, and not a page further", async () => {
  const engine = engineWith(dailyRuns(1_000));
  await syncToEnd(engine);
  await engine.clock.advance(HOUR_MS);
  engine.sandbox.clearLedger();
  const sync = await syncToEnd(engine);
  // 30 days of a run a day fit into the first page of 200, whose oldest lies behind them.
  expect(requestsOf(engine, "list")).toBe(1);
  expect(sync).toMatchObject({ mode: "incremental", activitiesListed: 200 });
  expect(sync.listFromSeconds).toBe(Math.floor((START_MS - 30 * DAY_MS) / 1_000) as never);
});

test("a page whose oldest activity is just at the bound does not end the walk; one second older does", async () => {
  for (const [oldestOffsetSeconds, pages] of [
    [0, 2],
    [-1, 1],
  ] as const) {
    const engine = engineWith([]);
    await syncToEnd(engine);
    await engine.clock.advance(HOUR_MS);
    const oldestMs = START_MS - 30 * DAY_MS + oldestOffsetSeconds * 1_000;
    engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date: stravaTime(oldestMs) });
    engine.sandbox.clearLedger();
    expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", racesEnriched: 1 });
    expect(requestsOf(engine, "list")).toBe(pages);
  }
});

test("an activity uploaded late, started within the re-scan, is found by the next incremental sync", async () => {
  const engine = engineWith(dailyRuns(300, [0]));
  await syncToEnd(engine);
  await engine.clock.advance(DAY_MS);
  const late = engine.sandbox.addActivity(stravaIdOf(engine), {
    ...RACE,
    start_date: stravaTime(START_MS - 20 * DAY_MS),
  });
  expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", status: "completed", racesEnriched: 1 });
  expect(raceOf(engine, late.id)).toMatchObject({ enrichment: "enriched" });
});

test("a run tagged as a race after the sync is found; a race untagged is withdrawn at once, and comes back when tagged again", async () => {
  const engine = engineWith(dailyRuns(300, [3]));
  await syncToEnd(engine);
  const [tagged, untagged] = [activityIdAt(engine, 10), activityIdAt(engine, 3)];
  engine.sandbox.updateActivity(tagged, RACE);
  engine.sandbox.updateActivity(untagged, { workout_type: 0 });
  await engine.clock.advance(DAY_MS);
  await syncToEnd(engine);
  expect(raceOf(engine, tagged)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
  expect(raceOf(engine, untagged)).toMatchObject({ withdrawnReason: "no longer tagged as a race" });

  engine.sandbox.updateActivity(untagged, RACE);
  await engine.clock.advance(DAY_MS);
  await syncToEnd(engine);
  expect(raceOf(engine, untagged)).toMatchObject({
    enrichment: "enriched",
    withdrawnAtMs: null,
    withdrawnReason: null,
  });
});

test("an activity that started while the sync ran and was uploaded after it is found by the next one", async () => {
  const engine = engineWith(dailyRuns(30, [0]), { sandbox: { latencyMs: 1_000 } });
  const syncId = engine.start();
  await engine.clock.advance(1_500);
  const startedMs = engine.clock.nowMs();
  await engine.clock.advance(2 * HOUR_MS);
  expect(syncOf(engine, syncId).status).toBe("completed");
  const race = engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, start_date: stravaTime(startedMs) });
  await syncToEnd(engine);
  expect(raceOf(engine, race.id)).toMatchObject({ enrichment: "enriched" });
});

test("incremental syncs do not move their own bound on: it counts from the last full list", async () => {
  const engine = engineWith(dailyRuns(100, [0]));
  await syncToEnd(engine);
  const bounds: (number | null)[] = [];
  for (let day = 0; day < 3; day++) {
    await engine.clock.advance(DAY_MS);
    bounds.push((await syncToEnd(engine, { mode: "incremental" })).listFromSeconds);
  }
  expect(new Set(bounds).size).toBe(1);
});

test("an incremental sync withdraws nothing that lies behind its bound", async () => {
  const engine = engineWith(dailyRuns(300, [2, 200, 250]));
  await syncToEnd(engine);
  const [near, far] = [activityIdAt(engine, 2), activityIdAt(engine, 200)];
  engine.sandbox.deleteActivity(near);
  engine.sandbox.deleteActivity(far);
  await engine.clock.advance(DAY_MS);
  await syncToEnd(engine, { mode: "incremental" });
  expect(raceOf(engine, near)).toMatchObject({ withdrawnReason: "no longer in the list" });
  expect(raceOf(engine, far)).toMatchObject({ withdrawnAtMs: null });
  await syncToEnd(engine, { mode: "full" });
  expect(heldRaces(engine).map((race) => race.withdrawnReason)).toEqual([
    "no longer in the list",
    "no longer in the list",
    null,
  ]);
});
