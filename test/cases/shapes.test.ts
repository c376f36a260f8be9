/** Cases 19 to 26 of what Strava does: the shapes of activities, as lists and details have shown them. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { ActivityPatch } from "../../src/sandbox/activity.ts";
import { utcOffsetSeconds, ZONES } from "../../src/sandbox/time-zones.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { emptyDb } from "../support/database.ts";
import {
  activityIdAt,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
  RACE,
  raceOf,
  requestsOf,
  syncToEnd,
} from "../support/syncs.ts";

/** The API over one athlete with just these activities, synced once. */
async function syncedApi(activities: readonly ActivityPatch[]): Promise<TestApi> {
  const api = createTestApi({ db: emptyDb(), sandbox: { quota: PLENTY, club: { athletes: [{ activities }] } } });
  await api.post("/api/admin/athletes/1/sync");
  await api.settle();
  return api;
}

const newestSync = async (api: TestApi) => (await api.get("/api/admin/sync-status")).body.recent[0];

const map = (summary_polyline: string | null) => ({ id: "a1", summary_polyline, resource_state: 2 });

describe("what counts as a race", () => {
  test("case 19: of workout types 0, 1, 2, 3, 10, 11, 30, null and none at all, only 1 is a race, and only for runs", async () => {
    const types = [0, 1, 2, 3, 10, 11, 30, null, undefined];
    const engine = engineWith(
      ["Run", "Ride", "Swim", "WeightTraining"].flatMap((sport_type) =>
        types.map((workout_type) => ({ name: `${sport_type} ${workout_type}`, sport_type, workout_type })),
      ),
    );
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 36, warnings: "[]" });
    expect(heldRaces(engine).map((race) => race.name)).toEqual(["Run 1"]);
    // Nothing but the race was worth a detail.
    expect(requestsOf(engine, "detail")).toBe(1);
  });

  test("case 20: a trail run is a race, and so is a run of a sport type to come; a virtual run, a ride with 11 and an unknown type are none", async () => {
    const engine = engineWith([
      { ...RACE, name: "road", sport_type: "Run" },
      { ...RACE, name: "trail", sport_type: "TrailRun" },
      { ...RACE, name: "to come", sport_type: "BeachRun", type: "Run" },
      { ...RACE, name: "virtual", sport_type: "VirtualRun" },
      { name: "ride", sport_type: "Ride", workout_type: 11 },
      { ...RACE, name: "unknown", sport_type: "SlowBicycleRace" },
      { ...RACE, name: "unknown too", sport_type: "Cricket", type: "Workout" },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 7, warnings: "[]" });
    expect(heldRaces(engine).map((race) => [race.name, race.sportType])).toEqual([
      ["road", "Run"],
      ["trail", "TrailRun"],
      ["to come", "BeachRun"],
    ]);
  });

  test("case 20: with virtual runs counted, a tagged one is a race, and no other type becomes one", async () => {
    const activities = ["VirtualRun", "VirtualRide", "Ride"].map((sport_type) => ({ ...RACE, sport_type }));
    const engine = engineWith(activities, { rules: { virtualRuns: true } });
    await syncToEnd(engine);
    expect(heldRaces(engine).map((race) => [race.sportType, race.enrichment])).toEqual([["VirtualRun", "enriched"]]);
  });

  test("case 20: where Strava sends only one of `type` and `sport_type`, it gives the other", async () => {
    const engine = engineWith([
      { ...RACE, name: "old", type: "Run", sport_type: undefined },
      { ...RACE, name: "new", sport_type: "TrailRun", type: undefined },
      { ...RACE, name: "new ride", sport_type: "Ride", type: undefined },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", warnings: "[]" });
    expect(heldRaces(engine).map((race) => [race.name, race.sportType])).toEqual([
      ["old", "Run"],
      ["new", "TrailRun"],
    ]);
  });
});

describe("what may be empty, null or missing", () => {
  test('case 21: a track that is "", null, or in no map at all, is no track; a start without a place and a manual activity are none the worse', async () => {
    const engine = engineWith([
      { ...RACE, name: "empty", map: map("") },
      { ...RACE, name: "null", map: map(null), polyline: null },
      { ...RACE, name: "null map", map: null },
      { ...RACE, name: "no map", map: undefined },
      { ...RACE, name: "no start", start_latlng: [], end_latlng: [] },
      { ...RACE, name: "null start", start_latlng: null, end_latlng: null },
      { ...RACE, name: "manual", manual: true, upload_id: null, external_id: null, upload_id_str: undefined },
      { ...RACE, name: "tracked", map: map("ki{eFvqfiV"), start_latlng: [38.5, -120.2] },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({
      status: "completed",
      racesEnriched: 8,
      racesFailed: 0,
      warnings: "[]",
    });
    for (const race of heldRaces(engine)) {
      const track = race.name === "tracked" ? "ki{eFvqfiV" : null;
      expect(race).toMatchObject({ enrichment: "enriched", summaryPolyline: track, polyline: track });
    }
  });

  const DESCRIPTIONS = [
    null,
    "",
    "Wind,\r\nrain,\r\n\r\nhail.",
    "🏃‍♀️🥇 1.º — 日本の駅伝 \u2028",
    `<b>PB</b> &amp; "more" </script><img src=x onerror=alert(1)>`,
    "Ten thousand letters. ".repeat(500).slice(0, 10_240),
  ];

  test("case 22: descriptions are kept and shown to the letter: null, empty, with line ends, emoji, markup, 10 kB long", async () => {
    const api = await syncedApi(
      DESCRIPTIONS.map((description, place) => ({ ...RACE, name: `Race ${place}`, description })),
    );
    expect(heldRaces(api.engine).map((race) => race.description)).toEqual(DESCRIPTIONS);
    const { body, headers } = await api.get("/api/admin/races");
    expect(body.items.map((race: { description: string | null }) => race.description)).toEqual(DESCRIPTIONS);
    // What holds a stranger's markup is never taken for a page.
    expect(headers.get("content-type")).toContain("application/json");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("case 22: a description that is taken away is taken away here too, once the race is fetched again", async () => {
    const engine = engineWith([{ ...RACE, description: "Too much said." }]);
    await syncToEnd(engine);
    const id = activityIdAt(engine, 0);
    engine.sandbox.updateActivity(id, { description: null, name: "Renamed" });
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, id)).toMatchObject({ name: "Renamed", description: null });
  });

  test("case 25: fields that nobody knows yet, and missing heart rates, make no difference", async () => {
    const strange: ActivityPatch = {
      field_of_tomorrow: { deep: [{ deeper: null }], id: 3 },
      id_str: "1",
      activities: [],
      athlete_of_the_day: { id: 1 },
    };
    const engine = engineWith([
      { ...RACE, name: "strange", ...strange },
      {
        ...RACE,
        name: "bare",
        ...Object.fromEntries(
          ["has_heartrate", "average_heartrate", "max_heartrate", "suffer_score", "elev_high", "elev_low"].map(
            (key) => [key, undefined],
          ),
        ),
        ...{ average_cadence: undefined, device_name: undefined, total_elevation_gain: undefined, timezone: undefined },
      },
      { ...RACE, name: "null", average_heartrate: null, gear_id: null, location_city: null },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3, warnings: "[]" });
    expect(heldRaces(engine).map((race) => race.name)).toEqual(["strange", "bare", "null"]);
  });

  test("case 25: an item that cannot be read hides no other, is told of, and is not withdrawn for it", async () => {
    const engine = engineWith(dailyRuns(10, [0, 4, 9]));
    await syncToEnd(engine);
    const broken = activityIdAt(engine, 4);
    engine.sandbox.updateActivity(broken, { distance: "ten" as never });
    engine.sandbox.updateActivity(activityIdAt(engine, 9), { name: "Renamed" });
    const sync = await syncToEnd(engine, { mode: "full" });
    expect(sync.status).toBe("completed");
    expect(sync.warnings).toContain("1 activities of a page could not be read");
    expect(raceOf(engine, broken)).toMatchObject({
      enrichment: "enriched",
      withdrawnAtMs: null,
      distanceMeters: 10_000,
    });
    expect(raceOf(engine, activityIdAt(engine, 9))).toMatchObject({ name: "Renamed", enrichment: "enriched" });
  });
});

describe("numbers beyond the usual", () => {
  const IDS = [16_195_505_756, 154_504_250_376_823, Number.MAX_SAFE_INTEGER];
  const UPLOAD_ID = 987_654_321_234_567_891_234n;

  test("case 23: the largest ids are stored and shown exactly, beside an upload id beyond 2^63", async () => {
    let listed = "";
    const engine = engineWith(
      IDS.map((id) => ({ ...RACE, id, upload_id: UPLOAD_ID, upload_id_str: String(UPLOAD_ID) })),
      {
        fetch: (sandbox) => async (request) => {
          const response = await sandbox.fetch(request);
          if (request.url.includes("/athlete/activities")) listed += await response.clone().text();
          return response;
        },
      },
    );
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3, warnings: "[]" });
    expect(listed).toContain(`"upload_id":${UPLOAD_ID}`);
    expect(heldRaces(engine).map((race) => race.stravaActivityId)).toEqual(IDS);
    const stored = engine.db.$client
      .query<{ id: string; type: string }, []>(
        "SELECT CAST(strava_activity_id AS TEXT) AS id, typeof(strava_activity_id) AS type FROM races ORDER BY strava_activity_id",
      )
      .all();
    expect(stored).toEqual(IDS.map((id) => ({ id: String(id), type: "integer" })));
    // Nowhere in the database is what the upload's id becomes as a number of JavaScript's.
    const everything = JSON.stringify(engine.db.$client.query("SELECT * FROM races").all());
    expect(everything).not.toContain(String(UPLOAD_ID).slice(0, 12));
    expect(everything).not.toContain("9.876543212345");
  });

  test("case 23: whoever asks the API gets those ids to the last digit", async () => {
    const api = await syncedApi(IDS.map((id) => ({ ...RACE, id })));
    const { text } = await api.get("/api/admin/races");
    for (const id of IDS) {
      expect(text).toContain(`"strava_activity_id":${id},`);
      expect(text).toContain(`https://www.strava.com/activities/${id}"`);
    }
  });

  test("case 23: an id that a number cannot hold is left out and told of, rather than taken for its neighbour", async () => {
    // 2^53 + 1, which a number rounds to 2^53.
    const beyond = '"id":9007199254740993,';
    const engine = engineWith([RACE, { ...RACE, id: 4711 }], {
      fetch: (sandbox) => async (request) => {
        const response = await sandbox.fetch(request);
        return new Response((await response.text()).replace('"id":4711,', beyond), response);
      },
    });
    const sync = await syncToEnd(engine);
    expect(sync).toMatchObject({ status: "completed", racesEnriched: 1 });
    expect(sync.warnings).toContain("1 activities of a page could not be read");
    expect(heldRaces(engine).length).toBe(1);
  });
});

type ZonedRaces = {
  stored: { start_local: string; start_at_ms: number; utc_offset_s: number; name: string }[];
  shown: { start_date: number; start_date_local: string }[];
  csv: string;
};

/** Lets a process of its own, on a host that stands in `zone`, sync races from all over the world. */
async function zonedRaces(zone: string): Promise<string> {
  const script = join(import.meta.dir, "../support/zoned-races.ts");
  const child = Bun.spawn([process.execPath, script], { env: { ...process.env, TZ: zone }, stderr: "inherit" });
  return new Response(child.stdout).text();
}

test("case 24: local times, from UTC-10 to UTC+13 and through the days on which clocks change, are those of the place, on whatever host", async () => {
  // A host without summer time, 14 hours ahead, and one whose own clocks change on one of the days.
  const [atUtc = "", farEast, newYork] = await Promise.all(
    ["UTC", "Pacific/Kiritimati", "America/New_York"].map(zonedRaces),
  );
  const { stored, shown, csv } = JSON.parse(atUtc) as ZonedRaces;
  expect(stored.length).toBe(ZONES.length * 36);
  for (const race of stored) {
    const zone = ZONES.find(({ name }) => name === race.name);
    if (zone === undefined) throw new Error(race.name);
    expect(race.utc_offset_s).toBe(utcOffsetSeconds(zone, race.start_at_ms));
    expect(race.start_local).toBe(new Date(race.start_at_ms + race.utc_offset_s * 1_000).toISOString().slice(0, 19));
  }
  expect(new Set(stored.map((race) => race.utc_offset_s / 3_600))).toEqual(
    new Set([10, 11, -10, -8, -7, -5, -4, -3, 0, 1, 2, 5.5, 5.75, 12, 13]),
  );
  expect(shown.map((race) => [race.start_date, race.start_date_local]).sort()).toEqual(
    stored.map((race) => [race.start_at_ms, race.start_local]).sort(),
  );
  // An hour that clocks in New York skipped that day, and one that they had twice.
  for (const hour of ["2025-03-09T02:00:0", "2025-11-02T01:00:0"]) expect(csv.includes(hour)).toBe(true);
  expect(farEast === atUtc).toBe(true);
  expect(newYork === atUtc).toBe(true);
}, 20_000);

describe("who may see it", () => {
  test("case 26: everyone, followers only, only me; whatever is unclear counts as only me, and `private` always wins", async () => {
    const engine = engineWith([
      { ...RACE, name: "everyone", visibility: "everyone" },
      { ...RACE, name: "followers", visibility: "followers_only" },
      { ...RACE, name: "mine", visibility: "only_me" },
      { ...RACE, name: "private wins", visibility: "everyone", private: true },
      { ...RACE, name: "unheard of", visibility: "club_only", private: false },
      { ...RACE, name: "unsaid", visibility: undefined, private: undefined },
      { ...RACE, name: "old, public", visibility: undefined, private: false },
      { ...RACE, name: "flagged", flagged: true },
    ]);
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 8 });
    expect(Object.fromEntries(heldRaces(engine).map((race) => [race.name, race.visibility]))).toEqual({
      everyone: "everyone",
      followers: "followers_only",
      mine: "only_me",
      "private wins": "only_me",
      "unheard of": "only_me",
      unsaid: "only_me",
      "old, public": "everyone",
      flagged: "everyone",
    });
  });

  test("case 26: a race made private is private here with the next list, without a detail, and open again with the one after", async () => {
    const engine = engineWith(dailyRuns(30, [0, 5]));
    await syncToEnd(engine);
    const id = activityIdAt(engine, 5);
    for (const visibility of ["only_me", "followers_only", "everyone"] as const) {
      engine.sandbox.updateActivity(id, { visibility });
      await syncToEnd(engine);
      expect(raceOf(engine, id)).toMatchObject({ visibility, withdrawnAtMs: null, enrichment: "enriched" });
    }
    expect(requestsOf(engine, "detail")).toBe(2);
  });

  test("case 26: a private race is never published, with the athlete's consent or without, and without a token nothing of it is given out", async () => {
    const secret = "Quiet 10 km of mine";
    const api = await syncedApi([
      { ...RACE, name: secret, visibility: "only_me", description: secret },
      { ...RACE, name: "For followers", visibility: "followers_only" },
      { ...RACE, name: "For all" },
    ]);
    expect(await newestSync(api)).toMatchObject({ status: "completed", activities_synced: 3 });
    expect((await api.get("/api/admin/athletes/1")).body).toMatchObject({ publish: false });
    const publishable = async (): Promise<string[]> =>
      (await api.get("/api/admin/races?publishable=true")).body.items.map((race: { name: string }) => race.name);
    expect(await publishable()).toEqual([]);
    await api.patch("/api/admin/athletes/1", { publish: true });
    expect(await publishable()).toEqual(["For all"]);
    const { paths } = (await api.get("/swagger/json", { token: null })).body;
    for (const path of [...Object.keys(paths), "/races", "/api/races"].filter((path) => !path.includes("{"))) {
      expect((await api.visit(path)).text).not.toContain(secret);
    }
    for (const path of ["/api/admin/races", "/api/admin/races.csv"])
      expect((await api.get(path, { token: null })).status).toBe(401);
    // Whom the operator lets in sees that it is private.
    expect((await api.get("/api/admin/races", { token: api.token("read") })).body.items[0]).toMatchObject({
      name: secret,
      visibility: "only_me",
      publishable: false,
    });
  });
});
