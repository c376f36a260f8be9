/** Cases 27 to 33 of what Strava does: the detail of one activity. */
import { describe, expect, test } from "bun:test";
import { DAY_MS, HOUR_MS } from "../../src/core/units.ts";
import type { SandboxActivity } from "../../src/sandbox/activity.ts";
import { createTestApi } from "../support/api.ts";
import { emptyDb } from "../support/database.ts";
import { START_MS, type TestEngine } from "../support/engine.ts";
import { stepUntil } from "../support/hand.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
  RACE,
  raceOf,
  requestsOf,
  startedAgo,
  stravaIdOf,
  syncToEnd,
  untilEnded,
} from "../support/syncs.ts";

const map = (summary_polyline: string | null) => ({ id: "a1", summary_polyline, resource_state: 2 });

/** Requests for the detail of one activity. */
const detailsOf = (engine: TestEngine, activityId: number): number =>
  engine.sandbox.ledger().filter((entry) => entry.kind === "detail" && entry.activityId === activityId).length;

describe("a detail that comes", () => {
  test("case 27: the full track and the description are stored and shown; the coarse track of the list stays beside it", async () => {
    const race = { ...RACE, map: map("coarse"), polyline: 'fine\\and"odd`', description: "Flat, fast, cold." };
    const api = createTestApi({ db: emptyDb(), sandbox: { club: { athletes: [{ activities: [race] }] } } });
    await api.post("/api/admin/athletes/1/sync");
    await api.settle();
    expect((await api.get("/api/admin/races")).body.items).toMatchObject([
      {
        enrichment: "enriched",
        polyline: 'fine\\and"odd`',
        description: "Flat, fast, cold.",
        enriched_at: START_MS,
        strava_url: `https://www.strava.com/activities/${activityIdAt(api.engine, 0)}`,
      },
    ]);
    expect(heldRaces(api.engine)).toMatchObject([{ summaryPolyline: "coarse", enrichmentError: null }]);
  });

  test("case 27: a coarse track that the list gave is no reason to leave the detail out", async () => {
    const engine = engineWith([{ ...RACE, map: map("coarse"), description: "Told." }]);
    await syncToEnd(engine);
    expect(requestsOf(engine, "detail")).toBe(1);
    expect(heldRaces(engine)).toMatchObject([{ description: "Told." }]);
  });

  test("case 28: without a map, since the athlete hides it, a race is enriched all the same, and never asked for again", async () => {
    const engine = engineWith([
      { ...RACE, map: undefined },
      { ...RACE, map: null },
      { ...RACE, map: map(null), polyline: null },
      { ...RACE, map: map(""), polyline: "" },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 4, warnings: "[]" });
    for (const race of heldRaces(engine)) expect(race).toMatchObject({ enrichment: "enriched", polyline: null });
    for (const mode of ["full", "incremental", "full"] as const) await syncToEnd(engine, { mode });
    expect(requestsOf(engine, "detail")).toBe(4);
  });

  test("case 28: a map that is hidden later is forgotten here, and one that is shown again comes back", async () => {
    const engine = engineWith([{ ...RACE, map: map("coarse"), polyline: "fine" }]);
    await syncToEnd(engine);
    const id = activityIdAt(engine, 0);
    engine.sandbox.updateActivity(id, { map: null, polyline: undefined });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", summaryPolyline: null, polyline: null });
    engine.sandbox.updateActivity(id, { map: map("coarse"), polyline: "fine" });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ summaryPolyline: "coarse", polyline: "fine" });
    expect(detailsOf(engine, id)).toBe(3);
  });

  test("case 33: segments that are filled in later, with efforts beyond 2^53, change nothing and cost nothing", async () => {
    const engine = engineWith([{ ...RACE, segment_efforts: [], description: "First." }, RACE]);
    await syncToEnd(engine);
    const [before] = heldRaces(engine);
    const id = activityIdAt(engine, 0);
    engine.sandbox.updateActivity(id, {
      segment_efforts: [
        { id: 3_132_354_599_150_812_700n, name: null, segment: { id: 1, end_latlng: null } },
        { id: 3_132_354_599_150_812_702n },
      ],
    });
    await engine.clock.advance(HOUR_MS);
    await syncToEnd(engine, { mode: "full" });
    expect(detailsOf(engine, id)).toBe(1);
    // Fetched again for another reason, the detail with its segments is read like the one without.
    engine.sandbox.updateActivity(id, { name: "Renamed" });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 0 });
    expect(raceOf(engine, id)).toMatchObject({
      ...before,
      name: "Renamed",
      ...{ fingerprint: expect.any(String), enrichedAtMs: expect.any(Number), lastSeenAtMs: expect.any(Number) },
      ...{ batchId: expect.any(Number), seenInSyncId: expect.any(Number), settledInSyncId: expect.any(Number) },
    });
  });
});

describe("a detail that Strava does not show", () => {
  /** A list of ten with two races, the second of which disappears between its place in the list and its detail. */
  async function goneBeforeItsDetail(go: (engine: TestEngine, id: number) => void) {
    const engine = engineWith(dailyRuns(10, [0, 4]), { sandbox: { latencyMs: 100 }, scope: "read,activity:read" });
    const id = activityIdAt(engine, 4);
    const syncId = engine.start();
    await stepUntil(engine, () => requestsOf(engine, "list") === 2);
    go(engine, id);
    const sync = await untilEnded(engine, syncId);
    return { engine, id, sync };
  }

  for (const [what, go] of [
    ["deleted", (engine: TestEngine, id: number) => void engine.sandbox.deleteActivity(id)],
    [
      "made private",
      (engine: TestEngine, id: number) => void engine.sandbox.updateActivity(id, { visibility: "only_me" }),
    ],
  ] as const) {
    test(`case 29: a race ${what} before its detail is unavailable, without a second try, and withdrawn by the next list`, async () => {
      const { engine, id, sync } = await goneBeforeItsDetail(go);
      expect(sync).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 0, error: null });
      expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null });
      expect(detailsOf(engine, id)).toBe(1);
      await engine.clock.advance(HOUR_MS);
      await syncToEnd(engine, { mode: "full" });
      expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnReason: "no longer in the list" });
      expect(heldRaces(engine).filter((race) => race.withdrawnAtMs === null).length).toBe(1);
    });
  }

  test("case 29: one that was made private and open again comes back, with its detail", async () => {
    const { engine, id } = await goneBeforeItsDetail((at, race) => {
      at.sandbox.updateActivity(race, { visibility: "only_me" });
    });
    await syncToEnd(engine, { mode: "full" });
    engine.sandbox.updateActivity(id, { visibility: "everyone" });
    expect(await syncToEnd(engine, { mode: "full" })).toMatchObject({ status: "completed", racesEnriched: 1 });
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null, withdrawnReason: null });
  });

  test("case 29: a race that the list goes on to show and the detail does not is withdrawn when a second sync is told so too, and back when a detail comes", async () => {
    const shownMeanwhile: boolean[] = [];
    const engine: TestEngine = engineWith(dailyRuns(10, [0, 4]), {
      fetch: (sandbox) => (request) => {
        if (request.url.endsWith(`/activities/${id}`)) shownMeanwhile.push(raceOf(engine, id).withdrawnAtMs === null);
        return sandbox.fetch(request);
      },
    });
    const id = activityIdAt(engine, 4);
    engine.sandbox.injectFault({
      match: { activityId: id },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status: 404 },
    });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null });
    for (const requests of [2, 3]) {
      await engine.clock.advance(HOUR_MS);
      await syncToEnd(engine, { mode: "full" });
      expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnReason: "no longer shown" });
      expect(detailsOf(engine, id)).toBe(requests);
    }
    engine.sandbox.clearFaults();
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null, withdrawnReason: null });
    // Once it was withdrawn, the list alone did not bring it back for the while until its detail was asked for.
    expect(shownMeanwhile).toEqual([true, true, false, false]);
  });

  test("case 29: a race too old for the next incremental sync to list is asked for once more there, and withdrawn by the second 404", async () => {
    const engine = engineWith([...dailyRuns(240, [0]), startedAgo(300 * DAY_MS, RACE)]);
    const id = activityIdAt(engine, 240);
    engine.sandbox.injectFault({ match: { activityId: id }, times: 2, action: { type: "status", status: 404 } });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null });
    await engine.clock.advance(DAY_MS);
    await syncToEnd(engine, { mode: "incremental" });
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnReason: "no longer shown" });
    await engine.clock.advance(DAY_MS);
    await syncToEnd(engine, { mode: "incremental" });
    expect(detailsOf(engine, id)).toBe(2);
  });

  for (const [what, body] of [
    ["in its newer words", undefined],
    [
      "in its older words",
      { message: "Record Not Found", errors: [{ resource: "Activity", field: "id", code: "invalid" }] },
    ],
    ["without a word", ""],
    ["with errors that are no list", { message: "Resource Not Found", errors: "not found" }],
  ] as const) {
    test(`case 30: a 404 ${what} is a 404: unavailable at once, no failure`, async () => {
      const engine = engineWith(dailyRuns(3, [0, 1]));
      const id = activityIdAt(engine, 1);
      const action = { type: "status", status: 404, ...(body === undefined ? {} : { body }) } as const;
      engine.sandbox.injectFault({ match: { activityId: id }, action });
      expect(await syncToEnd(engine)).toMatchObject({
        status: "completed",
        racesEnriched: 1,
        racesFailed: 0,
        warnings: "[]",
      });
      expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable" });
      expect(detailsOf(engine, id)).toBe(1);
    });
  }

  test("case 30: a web page with 404 is no word of Strava's API: the race is tried again, and enriched", async () => {
    const engine = engineWith(dailyRuns(3, [0, 1]));
    const id = activityIdAt(engine, 1);
    const action = { type: "status", status: 404, html: "<html><h1>Not found</h1></html>" } as const;
    engine.sandbox.injectFault({ match: { activityId: id }, action });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 2, racesFailed: 0 });
    expect(detailsOf(engine, id)).toBe(2);
  });
});

describe("a detail on which Strava always fails", () => {
  test('case 31: 500 {"message":"error"} for one race: tried five times with growing waits, while all else is enriched; seen by whoever looks', async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: {
        quota: PLENTY,
        club: { athletes: [{ activities: dailyRuns(40, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) }] },
        latencyMs: 50,
      },
      // One after the other, so that three come behind the one that fails.
      requestsInFlight: 1,
    });
    const { engine } = api;
    const id = activityIdAt(engine, 6);
    engine.sandbox.injectFault({
      match: { activityId: id },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status: 500, body: { message: "error" } },
    });
    await api.post("/api/admin/athletes/1/sync");
    await engine.clock.advance(4_000);
    // Before the first wait is over, everything else is done.
    expect((await api.get("/api/admin/races?enrichment=enriched")).body.items.length).toBe(9);
    expect((await api.get("/api/admin/sync-status")).body.active).toMatchObject([
      { status: "waiting", waiting: { reason: "backoff" }, activities_synced: 9, activities_expected: 10 },
    ]);
    await api.settle();
    const asked = engine.sandbox.ledger().filter((entry) => entry.activityId === id);
    const waits = asked.slice(1).map((entry, at) => entry.atMs - (asked[at]?.atMs ?? 0));
    expect(waits.length).toBe(4);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(requestsOf(engine, "detail")).toBe(9 + 5);
    const [sync] = (await api.get("/api/admin/sync-status")).body.recent;
    expect(sync).toMatchObject({ status: "completed", races_failed: 1, activities_synced: 9, error: null });
    expect(sync.warnings.join(" ")).toContain("1 races failed");
    const failed = (await api.get("/api/admin/races?enrichment=failed")).body.items;
    expect(failed).toMatchObject([{ strava_activity_id: id, withdrawn_at: null }]);
    expect(failed[0].enrichment_error).toContain("500");

    // It stays shown, costs the next syncs nothing, and is tried when somebody asks.
    await api.post("/api/admin/athletes/1/sync", { mode: "full" });
    await api.settle();
    expect(requestsOf(engine, "detail")).toBe(9 + 5);
    engine.sandbox.clearFaults();
    expect((await api.post(`/api/admin/syncs/${sync.sync_id}/retry-failed`)).status).toBe(202);
    await api.settle();
    expect((await api.get(`/api/admin/races?q=${id}`)).body.items).toMatchObject([
      { enrichment: "enriched", enrichment_error: null },
    ]);
  });

  test("case 31: it keeps no other athlete from being synced, nor its own from the next sync", async () => {
    const club = { athletes: [{ activities: dailyRuns(5, [0]) }, { activities: dailyRuns(5, [0, 1]) }] };
    const engine = engineWith([], { sandbox: { club }, rules: { concurrency: 1 }, requestsInFlight: 1 });
    engine.sandbox.injectFault({
      match: { athlete: stravaIdOf(engine, 0), kind: "detail" },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status: 500 },
    });
    const poisoned = engine.start(0);
    expect(await syncToEnd(engine, { n: 1 })).toMatchObject({ status: "completed", racesEnriched: 2 });
    expect(await untilEnded(engine, poisoned)).toMatchObject({ status: "completed", racesFailed: 1 });
    const fresh = engine.sandbox.addActivity(stravaIdOf(engine), startedAgo(HOUR_MS, RACE));
    engine.sandbox.clearFaults();
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1 });
    expect(raceOf(engine, fresh.id)).toMatchObject({ enrichment: "enriched" });
  });
});

describe("what is edited after it was enriched", () => {
  const EDITS: readonly [string, Partial<SandboxActivity>, Record<string, unknown>][] = [
    ["the title", { name: "Edited" }, { name: "Edited" }],
    ["the distance", { distance: 9_876.5 }, { distanceMeters: 9_876.5 }],
    ["the times", { moving_time: 2_900, elapsed_time: 2_901 }, { movingSeconds: 2_900, elapsedSeconds: 2_901 }],
    [
      "a crop: track, distance and start",
      { map: map("short"), distance: 9_000, start_date: "2025-11-11T06:00:30Z" },
      { summaryPolyline: "short", polyline: "short", distanceMeters: 9_000, startLocal: "2025-11-11T06:00:30" },
    ],
    ["the sport", { sport_type: "TrailRun" }, { sportType: "TrailRun" }],
  ];
  for (const [what, edit, expected] of EDITS) {
    test(`case 32: ${what}: taken over by the next re-scan, with one new detail for that race and none for the others`, async () => {
      const engine = engineWith(dailyRuns(60, [0, 5, 20]));
      await syncToEnd(engine);
      const id = activityIdAt(engine, 5);
      engine.sandbox.clearLedger();
      engine.sandbox.updateActivity(id, { ...edit, description: "Edited too." });
      await engine.clock.advance(DAY_MS);
      expect(await syncToEnd(engine)).toMatchObject({ mode: "incremental", status: "completed", racesEnriched: 1 });
      expect(raceOf(engine, id)).toMatchObject({ ...expected, description: "Edited too.", enrichment: "enriched" });
      expect(requestsOf(engine, "detail")).toBe(1);
      expect(detailsOf(engine, id)).toBe(1);
      await syncToEnd(engine, { mode: "full" });
      expect(requestsOf(engine, "detail")).toBe(1);
    });
  }

  test("case 32: what the list alone tells, elevation and visibility, is taken over without a detail", async () => {
    const engine = engineWith(dailyRuns(10, [2]));
    await syncToEnd(engine);
    const id = activityIdAt(engine, 2);
    engine.sandbox.updateActivity(id, { total_elevation_gain: 99, visibility: "followers_only" });
    await syncToEnd(engine);
    expect(raceOf(engine, id)).toMatchObject({ elevationGainMeters: 99, visibility: "followers_only" });
    expect(detailsOf(engine, id)).toBe(1);
  });
});
