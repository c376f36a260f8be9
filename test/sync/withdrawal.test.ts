import { expect, test } from "bun:test";
import { DAY_MS, HOUR_MS, MINUTE_MS, plusMs } from "../../src/core/units.ts";
import { athletes } from "../../src/db/schema-athletes.ts";
import { stopSync } from "../../src/sync/stop-sync.ts";
import type { TestEngine } from "../support/engine.ts";
import { stepUntil } from "../support/hand.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  RACE,
  raceOf,
  requestsOf,
  stravaIdOf,
  syncOf,
  syncToEnd,
} from "../support/syncs.ts";

const shown = (engine: TestEngine): number => heldRaces(engine).filter((race) => race.withdrawnAtMs === null).length;

/** A club of one, synced once; then all its races are gone from Strava. */
async function emptied(races: readonly number[] = [0, 5, 50]): Promise<TestEngine> {
  const engine = engineWith(dailyRuns(100, races));
  await syncToEnd(engine);
  for (const race of heldRaces(engine)) engine.sandbox.deleteActivity(race.stravaActivityId);
  return engine;
}

test("a race that a complete list no longer shows is withdrawn, and the others stay", async () => {
  const engine = engineWith(dailyRuns(100, [0, 5, 50]));
  await syncToEnd(engine);
  const gone = activityIdAt(engine, 5);
  engine.sandbox.deleteActivity(gone);
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, gone).withdrawnReason).toBe("no longer in the list");
  expect(shown(engine)).toBe(2);
});

test("a race withdrawn and shown again comes back", async () => {
  const engine = engineWith([{ ...RACE, visibility: "followers_only" }, RACE, {}], { scope: "read,activity:read" });
  await syncToEnd(engine);
  const hidden = activityIdAt(engine, 0);
  engine.sandbox.updateActivity(hidden, { visibility: "only_me" });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, hidden).withdrawnAtMs).not.toBeNull();
  engine.sandbox.updateActivity(hidden, { visibility: "everyone" });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, hidden)).toMatchObject({ withdrawnAtMs: null, enrichment: "enriched", visibility: "everyone" });
});

for (const [laterMs, believed] of [
  [HOUR_MS - 1_000, false],
  [HOUR_MS, true],
  [HOUR_MS + 1_000, true],
] as const) {
  test(`a list that would withdraw everything is ${believed ? "" : "not "}believed the second time, ${laterMs / 1000} s later`, async () => {
    const engine = await emptied();
    const firstMs = engine.clock.nowMs();
    const first = await syncToEnd(engine, { mode: "full" });
    expect(shown(engine)).toBe(3);
    expect(first.status).toBe("completed");
    expect(first.warnings).toContain("none of the 3 races held");
    await engine.clock.advance(firstMs + laterMs - engine.clock.nowMs());
    await syncToEnd(engine, { mode: "full" });
    expect(shown(engine)).toBe(believed ? 0 : 3);
  });
}

test("a list that shows a race again starts the doubt anew", async () => {
  const engine = await emptied();
  await syncToEnd(engine, { mode: "full" });
  const back = engine.sandbox.addActivity(stravaIdOf(engine), RACE);
  await engine.clock.advance(2 * HOUR_MS);
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(1);
  engine.sandbox.deleteActivity(back.id);
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(1);
});

// A bounded list that shows no held race makes finishList forget the doubt; it has to know whether any was shown.
test("an account that is emptied for good is believed by its second full list, whatever incremental syncs saw in between", async () => {
  // All races lie behind the re-scan: what an incremental sync does not look at, it can neither confirm nor deny.
  const engine = await emptied([60, 80, 90]);
  await syncToEnd(engine, { mode: "full" });
  await engine.clock.advance(DAY_MS);
  await syncToEnd(engine, { mode: "incremental" });
  expect(shown(engine)).toBe(3);
  await engine.clock.advance(DAY_MS);
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(0);
});

test("a doubt that a clock dated in the future, before it was set back, is settled an hour later, too", async () => {
  const engine = await emptied();
  engine.db
    .update(athletes)
    .set({ emptiedAtMs: plusMs(engine.clock.nowMs(), 40 * DAY_MS) })
    .run();
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(3);
  await engine.clock.advance(HOUR_MS);
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(0);
});

test("a sync cancelled half-way withdraws nothing", async () => {
  const engine = engineWith(dailyRuns(450, [0, 5, 300]), { sandbox: { latencyMs: 100 } });
  await syncToEnd(engine);
  engine.sandbox.deleteActivity(activityIdAt(engine, 0));
  engine.sandbox.clearLedger();
  const syncId = engine.start(0, { mode: "full" });
  await stepUntil(engine, () => requestsOf(engine, "list") === 2);
  expect(stopSync(engine.context, engine.processor, syncId)).toEqual({ outcome: "cancelled", syncId });
  await engine.clock.advance(MINUTE_MS);
  expect(syncOf(engine, syncId).status).toBe("cancelled");
  expect(requestsOf(engine, "list")).toBe(2);
  expect(shown(engine)).toBe(3);
});

for (const [what, status] of [
  ["a revoked grant", 401],
  ["a refusal", 403],
  ["server errors", 500],
] as const) {
  test(`a sync that fails half-way by ${what} withdraws nothing`, async () => {
    const engine = engineWith(dailyRuns(450, [0, 5, 300]));
    await syncToEnd(engine);
    engine.sandbox.deleteActivity(activityIdAt(engine, 0));
    engine.sandbox.injectFault({
      match: { kind: "list", nth: 2 },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status, ...(status === 403 ? { body: { message: "Forbidden" } } : {}) },
    });
    const syncId = engine.start(0, { mode: "full" });
    await engine.clock.advance(HOUR_MS);
    expect(syncOf(engine, syncId).status).not.toBe("completed");
    expect(shown(engine)).toBe(3);
  });
}

test("a page that names another athlete as the owner withdraws nothing: what it says of its activities is not believed", async () => {
  const engine = engineWith(dailyRuns(230, [0, 5, 210]));
  await syncToEnd(engine);
  engine.sandbox.injectFault({ match: { kind: "list", nth: 2 }, action: { type: "wrong_athlete" } });
  expect(await syncToEnd(engine, { mode: "full" })).toMatchObject({ status: "completed" });
  expect(shown(engine)).toBe(3);
});

test("a race that began after the sync did is not in its list, and is not withdrawn for that", async () => {
  const engine = engineWith(dailyRuns(450, [0, 300]), { sandbox: { latencyMs: 1_000 } });
  await syncToEnd(engine);
  await engine.clock.advance(HOUR_MS);
  // Held already, though it starts in the second in which the next sync starts (a clock that was set back, say).
  const race = engine.sandbox.addActivity(stravaIdOf(engine), RACE);
  await engine.clock.advance(1_000);
  await syncToEnd(engine);
  expect(shown(engine)).toBe(3);
  engine.clock.jumpTo(Date.parse(race.start_date));
  await syncToEnd(engine, { mode: "full" });
  expect(shown(engine)).toBe(3);
});

test("a race that an admin edited or hid is never overwritten or shown again by a sync (I9)", async () => {
  const engine = engineWith(dailyRuns(10, [0, 3]));
  await syncToEnd(engine);
  const id = activityIdAt(engine, 0);
  engine.db.$client.run(
    "UPDATE races SET hidden = 1, edited_name = 'By hand', edited_distance_m = 5000 WHERE strava_activity_id = ?1",
    [id],
  );
  engine.sandbox.updateActivity(id, { name: "By Strava", distance: 4_900 });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, id)).toMatchObject({
    hidden: 1,
    editedName: "By hand",
    editedDistanceMeters: 5_000,
    name: "By Strava",
    distanceMeters: 4_900,
  });
});
