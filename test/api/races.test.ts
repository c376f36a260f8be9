import { expect, test } from "bun:test";
import { createTestApi, type TestApi } from "../support/api.ts";
import { byHand } from "../support/hand.ts";

const DAY_MS = 86_400_000;
const FIRST_START_MS = Date.UTC(2025, 9, 1, 8);

type Fields = Readonly<Record<string, string | number | null>>;

/** Five races of one athlete, a day apart, of 5, 10, 15, 20 and 25 km. */
function withRaces(): TestApi {
  const api = createTestApi({ sandbox: { club: { athletes: 2, activitiesEach: 1, racesEach: 0 } } });
  for (let n = 1; n <= 5; n++)
    add(api, { strava_activity_id: 1000 + n, distance_m: n * 5000, start_at_ms: FIRST_START_MS + n * DAY_MS });
  return api;
}

function add({ engine }: TestApi, fields: Fields): void {
  const row: Fields = { athlete_id: 1, name: "A race", enrichment: "enriched", visibility: "only_me", ...fields };
  const values = Object.values(row).map((value) =>
    typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : (value ?? "NULL"),
  );
  byHand(engine.db, `INSERT INTO races (${Object.keys(row).join(", ")}) VALUES (${values.join(", ")})`);
}

async function idsOf({ get }: TestApi, query: string): Promise<number[]> {
  return (await get(`/api/admin/races?${query}`)).body.items.map((item: { id: number }) => item.id);
}

test("a race is shown with everything that a sync stored, private ones too, and no token's secret", async () => {
  const { get, post, settle } = createTestApi();
  await post("/api/admin/athletes/1/sync");
  await settle();
  const { items } = (await get("/api/admin/races?limit=200")).body;
  expect(items).toHaveLength(20);
  const [race] = items;
  expect(Object.keys(race)).toEqual(
    expect.arrayContaining([
      "id",
      "athlete_id",
      "strava_activity_id",
      "name",
      "sport_type",
      "distance",
      "moving_time",
      "elapsed_time",
      "start_date",
      "start_date_local",
      "visibility",
      "polyline",
      "description",
      "enrichment",
      "enrichment_error",
      "hidden",
      "withdrawn_at",
    ]),
  );
  expect(race).toMatchObject({
    athlete_id: 1,
    enrichment: "enriched",
    enrichment_error: null,
    hidden: false,
    withdrawn_at: null,
  });
  expect(race.start_date).toBeInteger();
  expect(race.start_date_local).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  expect(race.strava_url).toBe(`https://www.strava.com/activities/${race.strava_activity_id}`);
});

test("races are listed newest first, each once, also where two start in the same moment", async () => {
  const api = withRaces();
  for (const id of [2001, 2002, 2003]) add(api, { strava_activity_id: id, start_at_ms: FIRST_START_MS + 3 * DAY_MS });
  const ids: number[] = [];
  let cursor: string | null = "";
  for (let pages = 0; cursor !== null && pages < 20; pages++) {
    const page = await api.get(`/api/admin/races?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
    ids.push(...page.body.items.map((item: { id: number }) => item.id));
    cursor = page.body.next_cursor;
  }
  expect(ids).toEqual([5, 4, 8, 7, 6, 3, 2, 1]);
});

test("races are found by athlete, day, distance, enrichment and name, with both ends of a range where they should be", async () => {
  const api = withRaces();
  add(api, {
    athlete_id: 2,
    strava_activity_id: 9,
    name: "50% hill",
    enrichment: "pending",
    start_at_ms: 0,
    distance_m: 100,
  });
  expect(await idsOf(api, "athlete_id=2")).toEqual([6]);
  expect(await idsOf(api, "enrichment=pending")).toEqual([6]);
  expect(await idsOf(api, `q=${encodeURIComponent("50% H")}`)).toEqual([6]);
  expect(await idsOf(api, `q=${encodeURIComponent("%")}`)).toEqual([6]);
  expect(await idsOf(api, "q=1003")).toEqual([3]);
  expect(await idsOf(api, "min_distance=15000&max_distance=20000")).toEqual([4, 3]);
  expect(await idsOf(api, "min_distance=15000.5")).toEqual([5, 4]);
  expect(await idsOf(api, "from=2025-10-03&to=2025-10-05")).toEqual([3, 2]);
  const startMs = FIRST_START_MS + 3 * DAY_MS;
  expect(await idsOf(api, `from=${startMs}&to=${startMs + 1}`)).toEqual([3]);
  expect(await idsOf(api, `from=${startMs + 1}&to=${startMs + DAY_MS}`)).toEqual([]);
  expect((await api.get("/api/admin/races?from=yesterday")).status).toBe(422);
});

test("withdrawn races are shown only when they are asked for", async () => {
  const api = withRaces();
  byHand(api.engine.db, "UPDATE races SET withdrawn_at_ms = 1, withdrawn_reason = 'gone' WHERE id = 4");
  expect(await idsOf(api, "")).toEqual([5, 3, 2, 1]);
  expect(await idsOf(api, "withdrawn=false")).toEqual([5, 3, 2, 1]);
  expect(await idsOf(api, "withdrawn=true")).toEqual([5, 4, 3, 2, 1]);
  const { items } = (await api.get("/api/admin/races?withdrawn=true")).body;
  expect(items[1]).toMatchObject({ id: 4, withdrawn_at: 1, withdrawn_reason: "gone" });
});

test("what an admin writes stands in the place of what Strava says, in filters too, until it is taken back", async () => {
  const api = withRaces();
  const edited = await api.patch("/api/admin/races/1", {
    name: "Club Championship",
    distance: 42195,
    moving_time: 10_800,
    hidden: true,
  });
  expect(edited.body).toMatchObject({
    id: 1,
    name: "Club Championship",
    distance: 42195,
    moving_time: 10_800,
    hidden: true,
    edited: ["name", "distance", "moving_time"],
  });
  expect(await idsOf(api, "min_distance=42000")).toEqual([1]);
  expect(await idsOf(api, "q=championship")).toEqual([1]);
  expect(await idsOf(api, "max_distance=5000")).toEqual([]);
  const back = await api.patch("/api/admin/races/1", { name: null, distance: null });
  expect(back.body).toMatchObject({
    name: "A race",
    distance: 5000,
    moving_time: 10_800,
    hidden: true,
    edited: ["moving_time"],
  });
  expect((await api.patch("/api/admin/races/1", {})).body).toEqual(back.body);
});

test("an edit is refused where it makes no sense, and for a race that is not there", async () => {
  const { patch } = withRaces();
  for (const body of [{ distance: -1 }, { moving_time: 1.5 }, { name: "" }, { hidden: "yes" }]) {
    expect([body, (await patch("/api/admin/races/1", body)).status]).toEqual([body, 422]);
  }
  expect((await patch("/api/admin/races/99", { hidden: true })).body).toMatchObject({
    status: 404,
    code: "race_unknown",
  });
});

test("races are exported as CSV with the same filters, quoted, and no cell is a formula", async () => {
  const api = withRaces();
  add(api, { strava_activity_id: 9, name: '=HYPERLINK("evil")', start_at_ms: FIRST_START_MS, distance_m: 1 });
  add(api, { strava_activity_id: 10, name: 'Hills, "really"\nlong', start_at_ms: 0, distance_m: 1 });
  const answer = await api.get("/api/admin/races.csv?max_distance=1");
  expect(answer.headers.get("content-type")).toStartWith("text/csv");
  const lines = answer.text.split("\r\n");
  expect(lines).toHaveLength(4);
  expect(lines[0]).toStartWith("id,athlete_id,strava_activity_id,strava_url,name,");
  expect(lines[1]).toContain(`,"'=HYPERLINK(""evil"")",`);
  expect(lines[2]).toContain(',"Hills, ""really""\nlong",');
});

test("an export of more than a page holds every race once", async () => {
  const api = createTestApi();
  for (let n = 1; n <= 401; n++) add(api, { strava_activity_id: n, start_at_ms: n % 7 });
  const lines = (await api.get("/api/admin/races.csv")).text.trimEnd().split("\r\n").slice(1);
  expect(new Set(lines.map((line) => line.split(",")[0])).size).toBe(401);
  expect(lines).toHaveLength(401);
});
