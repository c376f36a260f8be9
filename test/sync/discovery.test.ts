import { describe, expect, test } from "bun:test";
import { SECOND_MS } from "../../src/core/units.ts";
import { startSync } from "../../src/sync/start-sync.ts";
import { START_MS } from "../support/engine.ts";
import { stepUntil } from "../support/hand.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  RACE,
  raceOf,
  requestsOf,
  startedAgo,
  stravaIdOf,
  stravaTime,
  syncToEnd,
  untilEnded,
} from "../support/syncs.ts";

const HOUR_MS = 3_600_000;

describe("a list of n activities in different seconds is counted exactly, and costs ⌈n/199⌉ + 1 requests", () => {
  // Every page after the first shows the oldest activity of the page before it once more, so it brings 199 new ones.
  for (const [count, requests] of [
    [0, 1],
    [1, 2],
    [199, 2],
    [200, 3],
    [201, 3],
    [398, 3],
    [399, 4],
    [400, 4],
    [1000, 7],
  ] as const) {
    test(`${count} activities: ${requests} requests`, async () => {
      const engine = engineWith(dailyRuns(count));
      expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: count, warnings: "[]" });
      expect(Math.ceil(count / 199) + 1).toBe(requests);
      expect(requestsOf(engine, "list")).toBe(requests);
    });
  }
});

test("`before` taking in its own second or not, the client's result is the same", async () => {
  const results = await Promise.all(
    [false, true].map(async (beforeInclusive) => {
      // A second with three races right at the page boundary, and neighbours a second before and after it.
      const list = Array.from({ length: 450 }, (_, place) =>
        startedAgo(HOUR_MS + place * SECOND_MS, place % 9 === 0 ? RACE : {}),
      );
      for (const place of [199, 200, 201]) list[place] = startedAgo(HOUR_MS + 200 * SECOND_MS, RACE);
      const engine = engineWith(list, { sandbox: { beforeInclusive } });
      const sync = await syncToEnd(engine);
      const races = heldRaces(engine).map((race) => [race.stravaActivityId, race.startAtMs, race.enrichment]);
      return { listed: sync.activitiesListed, races };
    }),
  );
  expect(results[0]).toEqual(results[1]);
  expect(results[0]).toMatchObject({ listed: 450 });
  expect(results[0]?.races.length).toBe(53);
});

test("a short page in the middle is not the end: everything behind it is read", async () => {
  const engine = engineWith(dailyRuns(460, [0, 150, 300, 459]));
  engine.sandbox.shortenPage(stravaIdOf(engine), { page: 1, size: 143 });
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 460, racesEnriched: 4 });
});

test("250 activities in one second: none is lost, though a page is full of them", async () => {
  const dense = Array.from({ length: 250 }, () => startedAgo(48 * HOUR_MS, RACE));
  const engine = engineWith([
    ...Array.from({ length: 120 }, (_, place) => startedAgo(HOUR_MS + place * SECOND_MS)),
    ...dense,
    ...Array.from({ length: 230 }, (_, place) => startedAgo(72 * HOUR_MS + place * SECOND_MS)),
  ]);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 600, racesEnriched: 250 });
});

test("activities of one second on both sides of a page boundary are all kept", async () => {
  for (const ties of [2, 3, 150]) {
    const list = [
      ...Array.from({ length: 199 }, (_, place) => startedAgo(HOUR_MS + place * SECOND_MS)),
      ...Array.from({ length: ties }, () => startedAgo(48 * HOUR_MS, RACE)),
      ...Array.from({ length: 60 }, (_, place) => startedAgo(72 * HOUR_MS + place * SECOND_MS)),
    ];
    const engine = engineWith(list);
    const sync = await syncToEnd(engine);
    expect(sync).toMatchObject({ status: "completed", activitiesListed: 259 + ties, racesEnriched: ties });
  }
});

test("several activities a day with a hidden start (midnight and one second) are told apart", async () => {
  const midnightMs = Date.UTC(2025, 10, 1, 0, 0, 1);
  const list = Array.from({ length: 240 }, (_, place) => ({
    ...(place % 3 === 0 ? RACE : {}),
    start_date: stravaTime(midnightMs - Math.floor(place / 3) * 24 * HOUR_MS),
  }));
  const engine = engineWith(list);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 240, racesEnriched: 80 });
});

describe("a list that changes between page 1 and page 2", () => {
  /** Strava has answered page 1, and the answer is on its way. */
  async function startAndStopBetweenPages() {
    const engine = engineWith(dailyRuns(450, [0, 5, 199, 200, 201, 399, 449]), { sandbox: { latencyMs: 100 } });
    const syncId = engine.start();
    await stepUntil(engine, () => requestsOf(engine, "list") === 1);
    return { engine, syncId };
  }

  test("an activity created meanwhile takes nothing from the list and puts nothing in twice", async () => {
    const { engine, syncId } = await startAndStopBetweenPages();
    const created = engine.sandbox.addActivity(stravaIdOf(engine), RACE);
    const sync = await untilEnded(engine, syncId);
    // It began after the sync, so it belongs to the next one.
    expect(sync).toMatchObject({ status: "completed", activitiesListed: 450, racesEnriched: 7 });
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine);
    expect(raceOf(engine, created.id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
  });

  for (const place of [3, 198, 199, 200]) {
    test(`the deletion of the activity at place ${place} loses no other`, async () => {
      const { engine, syncId } = await startAndStopBetweenPages();
      const raceIds = [0, 5, 199, 200, 201, 399, 449].map((at) => activityIdAt(engine, at));
      const deletedId = activityIdAt(engine, place);
      engine.sandbox.deleteActivity(deletedId);
      await untilEnded(engine, syncId);
      for (const id of raceIds) {
        if (id === deletedId) continue;
        expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
      }
    });
  }

  // After a short page the walk counts pages, and whoever counts pages skips one activity for each that is deleted.
  test("nor does a deletion behind a short page", async () => {
    const engine = engineWith(dailyRuns(450, [200]), { sandbox: { latencyMs: 100 } });
    engine.sandbox.shortenPage(stravaIdOf(engine), { page: 1, size: 143 });
    // What page 2 begins with.
    const first = activityIdAt(engine, 143);
    engine.sandbox.updateActivity(first, RACE);
    const syncId = engine.start();
    await stepUntil(engine, () => requestsOf(engine, "list") === 1);
    engine.sandbox.deleteActivity(activityIdAt(engine, 3));
    await untilEnded(engine, syncId);
    expect(raceOf(engine, first)).toMatchObject({ enrichment: "enriched" });
  });
});

test("an empty account is no error: the sync completes with nothing", async () => {
  const engine = engineWith([]);
  expect(await syncToEnd(engine)).toMatchObject({
    status: "completed",
    activitiesListed: 0,
    racesEnriched: 0,
    error: null,
    warnings: "[]",
  });
});

test("what counts as a race: runs and trail runs with workout type 1, nothing else; private ones are held as only_me", async () => {
  const engine = engineWith([
    { ...RACE, name: "road" },
    { ...RACE, name: "trail", sport_type: "TrailRun" },
    { ...RACE, name: "virtual", sport_type: "VirtualRun" },
    { name: "ride", sport_type: "Ride", workout_type: 11 },
    { ...RACE, name: "future", sport_type: "Hoverboard" },
    { name: "long", workout_type: 2 },
    { name: "never set", workout_type: null },
    { name: "absent", workout_type: undefined },
    { name: "weights", sport_type: "WeightTraining", workout_type: 30 },
    { ...RACE, name: "private", visibility: "only_me" },
    { ...RACE, name: "followers", visibility: "followers_only" },
    { ...RACE, name: "unmapped", map: null, start_latlng: null, manual: true, upload_id: null },
  ]);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 12, warnings: "[]" });
  expect(heldRaces(engine).map((race) => [race.name, race.visibility])).toEqual([
    ["road", "everyone"],
    ["trail", "everyone"],
    ["private", "only_me"],
    ["followers", "followers_only"],
    ["unmapped", "everyone"],
  ]);
});

test("a token with activity:read alone is shown no private race, and that is no error", async () => {
  const engine = engineWith([{ ...RACE, name: "private", visibility: "only_me" }, { ...RACE, name: "open" }, {}], {
    scope: "read,activity:read",
  });
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 2, warnings: "[]" });
  expect(heldRaces(engine).map((race) => race.name)).toEqual(["open"]);
});

test("the largest ids are held exactly, and an upload id beyond 2^63 harms nothing", async () => {
  const ids = [16_195_505_756, 154_504_250_376_823, Number.MAX_SAFE_INTEGER];
  const engine = engineWith(ids.map((id) => ({ ...RACE, id, upload_id: 987_654_321_234_567_891_234n })));
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3, warnings: "[]" });
  expect(heldRaces(engine).map((race) => race.stravaActivityId)).toEqual(ids);
});

test("a second full sync spends no detail on races that have not changed, and one on each that has", async () => {
  const engine = engineWith(dailyRuns(40, [0, 10, 20, 30]));
  await syncToEnd(engine);
  expect(requestsOf(engine, "detail")).toBe(4);
  engine.sandbox.clearLedger();
  await syncToEnd(engine, { mode: "full" });
  expect(requestsOf(engine, "detail")).toBe(0);

  const [renamed, cropped] = [activityIdAt(engine, 0), activityIdAt(engine, 30)];
  engine.sandbox.updateActivity(renamed, { name: "Renamed" });
  engine.sandbox.updateActivity(cropped, { distance: 9_876.5 });
  expect(await syncToEnd(engine, { mode: "full" })).toMatchObject({ status: "completed", racesEnriched: 2 });
  expect(requestsOf(engine, "detail")).toBe(2);
  expect(raceOf(engine, renamed)).toMatchObject({ name: "Renamed", enrichment: "enriched" });
  expect(raceOf(engine, cropped)).toMatchObject({ distanceMeters: 9_876.5, enrichment: "enriched" });
});

test("a visibility that changes is taken over from the list, without a detail", async () => {
  const engine = engineWith([RACE, {}]);
  await syncToEnd(engine);
  engine.sandbox.updateActivity(activityIdAt(engine, 0), { visibility: "only_me" });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, activityIdAt(engine, 0))).toMatchObject({ visibility: "only_me", withdrawnAtMs: null });
  expect(requestsOf(engine, "detail")).toBe(1);
});

test("an activity of another athlete in a list is left out, and the sync says so", async () => {
  const engine = engineWith([RACE, {}]);
  engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "wrong_athlete" } });
  const sync = await syncToEnd(engine);
  expect(heldRaces(engine)).toEqual([]);
  expect(sync.warnings).toContain("2 activities of a page belong to another athlete");
});

test("no two syncs of an athlete run at once (I2)", () => {
  const engine = engineWith(dailyRuns(3));
  const syncId = engine.start();
  const again = startSync(engine.context, { athleteId: engine.athlete(), syncClass: "manual" }, engine.processor);
  expect(again).toEqual({ outcome: "in_progress", syncId });
  expect(engine.clock.nowMs()).toBe(START_MS as never);
});
