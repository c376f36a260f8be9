import { describe, expect, test } from "bun:test";
import { aMinuteApart, get, json, startingAt, visit } from "./visit.ts";

const ID = 16_195_505_756;
const LINE = "_p~iF~ps|U_ulLnnqC";
const WITH_LINE = { id: ID, map: { id: `a${ID}`, summary_polyline: LINE, resource_state: 2 } };
const PATH = `/activities/${ID}`;

describe("a detail", () => {
  test("holds what the list shows, and what only a detail has", async () => {
    const detail = await json(get(visit([startingAt(-60, { ...WITH_LINE, name: "Race" })]), PATH));
    expect(detail).toMatchObject({
      resource_state: 3,
      id: ID,
      name: "Race",
      map: { id: `a${ID}`, polyline: LINE, summary_polyline: LINE },
      calories: 650,
      segment_efforts: [],
      hide_from_home: false,
    });
    for (const key of ["description", "laps", "splits_metric", "best_efforts", "photos", "embed_token"]) {
      expect(detail).toHaveProperty(key);
    }
    expect(detail.splits_metric).toHaveLength(10);
  });

  test("is the same each time, and from the sandbox's own mouth", async () => {
    const place = visit([startingAt(-60, WITH_LINE)]);
    const first = await json(get(place, PATH));
    expect(await json(get(place, PATH))).toEqual(first);
    expect(first).toEqual(JSON.parse(JSON.stringify(place.sandbox.detail(ID))));
  });

  test("says what a test wants it to say, and the list does not", async () => {
    const patch = { ...WITH_LINE, description: "wet\r\n<b>&</b> 🙌🏽", polyline: "detailed", calories: 1 };
    const place = visit([startingAt(-60, patch)]);
    expect(await json(get(place, PATH))).toMatchObject({
      description: "wet\r\n<b>&</b> 🙌🏽",
      calories: 1,
      map: { polyline: "detailed", summary_polyline: LINE },
    });
    const [listed] = place.sandbox.activities(place.athlete.stravaId);
    expect(listed).not.toHaveProperty("description");
    expect(listed).not.toHaveProperty("polyline");
    expect(listed?.map).not.toHaveProperty("polyline");
    place.sandbox.updateActivity(ID, { description: null, name: "renamed" });
    expect(await json(get(place, PATH))).toMatchObject({ description: null, name: "renamed", calories: 1 });
  });

  test.each([null, undefined])("has no map where the athlete hides it (%p)", async (map) => {
    const detail = await json(get(visit([startingAt(-60, { id: ID, map })]), PATH));
    expect(detail.map ?? null).toBeNull();
  });

  test("keeps ids that no JavaScript number holds, in the list too", async () => {
    const place = visit([startingAt(-60, { id: ID, upload_id: 987_654_321_234_567_891_234n })]);
    for (const path of [PATH, "/athlete/activities"]) {
      expect(await (await get(place, path)).text()).toContain('"upload_id":987654321234567891234,');
    }
  });

  test.each([16_195_505_756, 154_504_250_376_823, Number.MAX_SAFE_INTEGER])("of id %p is found", async (id) => {
    expect(await json(get(visit([startingAt(-60, { id })]), `/activities/${id}`))).toMatchObject({ id });
  });
});

describe("404", () => {
  const NOT_FOUND = {
    message: "Resource Not Found",
    errors: [{ resource: "Activity", field: "", code: "not found" }],
  };

  test("for an unknown, a deleted, and somebody else's activity", async () => {
    const place = visit(aMinuteApart(1));
    const [own] = place.sandbox.activities(place.athlete.stravaId);
    const [others] = place.sandbox.activities(place.sandbox.athletes()[1]?.stravaId ?? 0);
    expect((await get(place, `/activities/${own?.id}`)).status).toBe(200);
    place.sandbox.deleteActivity(own?.id ?? 0);
    for (const id of [1, own?.id, others?.id]) {
      const response = await get(place, `/activities/${id}`);
      expect([response.status, await json(response)]).toEqual([404, NOT_FOUND]);
    }
    expect(place.sandbox.deleteActivity(own?.id ?? 0)).toBe(false);
  });

  test("for one that was made private, unless the token may see those", async () => {
    const place = visit([startingAt(-60, { id: ID })]);
    const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId, "read,activity:read");
    expect((await get(place, PATH, accessToken)).status).toBe(200);
    expect(place.sandbox.updateActivity(ID, { visibility: "only_me" })).toMatchObject({ private: true });
    expect((await get(place, PATH, accessToken)).status).toBe(404);
    const again = place.sandbox.grantAgain(place.athlete.stravaId, "read,activity:read_all");
    expect((await get(place, PATH, again.accessToken)).status).toBe(200);
  });

  test("for a path that Strava does not have", async () => {
    expect((await get(visit(), "/clubs/1/activities")).status).toBe(404);
  });
});

test("an edit keeps in step what Strava keeps in step", () => {
  const place = visit([startingAt(-60, { id: ID })]);
  expect(place.sandbox.updateActivity(ID, { sport_type: "TrailRun" })).toMatchObject({ type: "Run" });
  expect(place.sandbox.updateActivity(ID, { sport_type: "Ride" })).toMatchObject({ type: "Ride" });
  expect(place.sandbox.updateActivity(ID, { private: true })).toMatchObject({ visibility: "only_me" });
  expect(place.sandbox.updateActivity(ID, { utc_offset: 39_600, start_date: "2025-11-16T20:00:00Z" })).toMatchObject({
    start_date_local: "2025-11-17T07:00:00Z",
  });
  expect(place.sandbox.updateActivity(ID, { workout_type: undefined })).not.toHaveProperty("workout_type");
  expect(place.sandbox.updateActivity(1, { name: "nobody's" })).toBeUndefined();
});

test("an upload with the right scope makes a manual activity", async () => {
  const place = visit();
  const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId, "read,activity:read,activity:write");
  const headers = { authorization: `Bearer ${accessToken}`, "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify({ name: "By hand", workout_type: 1 }) };
  const response = await place.sandbox.fetch(new Request("https://strava.example/api/v3/activities", request));
  expect([response.status, (await json(response)).name]).toEqual([201, "By hand"]);
  expect(place.sandbox.activities(place.athlete.stravaId)[0]).toMatchObject({ manual: true, upload_id: null });
});
