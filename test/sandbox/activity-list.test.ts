import { describe, expect, test } from "bun:test";
import { aMinuteApart, get, json, list, NOW_SECONDS, names, startingAt, visit } from "./visit.ts";

const THREE = [
  startingAt(-100, { name: "old" }),
  startingAt(-50, { name: "middle" }),
  startingAt(-10, { name: "new" }),
];

describe("order", () => {
  test("without a filter, and with `before` alone, the newest comes first", async () => {
    const place = visit(THREE);
    expect(names(await list(place))).toEqual(["new", "middle", "old"]);
    expect(names(await list(place, `?before=${NOW_SECONDS - 10}`))).toEqual(["middle", "old"]);
  });

  test("with `after` alone the oldest comes first", async () => {
    expect(names(await list(visit(THREE), "?after=0"))).toEqual(["old", "middle", "new"]);
  });

  test("with `after` and `before` the newest comes first", async () => {
    expect(names(await list(visit(THREE), `?after=0&before=${NOW_SECONDS}`))).toEqual(["new", "middle", "old"]);
  });

  test("activities of one second are all there, on both sides of a page's end", async () => {
    const twins = [1, 2, 3].map((id) => startingAt(-50, { id, name: `twin ${id}` }));
    const place = visit(twins);
    expect(names(await list(place, "?per_page=2"))).toEqual(["twin 3", "twin 2"]);
    expect(names(await list(place, "?per_page=2&page=2"))).toEqual(["twin 1"]);
    expect(names(await list(place, "?per_page=2&after=0"))).toEqual(["twin 1", "twin 2"]);
  });

  test("an activity uploaded late stands where it started, not where it was uploaded", async () => {
    const place = visit(THREE);
    const late = place.sandbox.addActivity(place.athlete.stravaId, startingAt(-70, { name: "late" }));
    const listed = await list(place);
    expect(names(listed)).toEqual(["new", "middle", "late", "old"]);
    expect(Math.max(...listed.map(({ id }) => id))).toBe(late.id);
  });

  test("a start that is edited moves the activity", async () => {
    const place = visit(THREE);
    const [newest] = place.sandbox.activities(place.athlete.stravaId);
    place.sandbox.updateActivity(newest?.id ?? 0, startingAt(-200));
    expect(names(await list(place))).toEqual(["middle", "old", "new"]);
  });
});

describe("bounds", () => {
  test("`after` leaves out its own second", async () => {
    const place = visit(THREE);
    expect(names(await list(place, `?after=${NOW_SECONDS - 51}`))).toEqual(["middle", "new"]);
    expect(names(await list(place, `?after=${NOW_SECONDS - 50}`))).toEqual(["new"]);
    expect(names(await list(place, `?after=${NOW_SECONDS - 49}`))).toEqual(["new"]);
  });

  test.each([
    [false, ["old"]],
    [true, ["middle", "old"]],
  ])("`before` takes in its own second by option only (%p)", async (beforeInclusive, atTheSecond) => {
    const place = visit(THREE, { beforeInclusive });
    expect(names(await list(place, `?before=${NOW_SECONDS - 49}`))).toEqual(["middle", "old"]);
    expect(names(await list(place, `?before=${NOW_SECONDS - 50}`))).toEqual(atTheSecond);
    expect(names(await list(place, `?before=${NOW_SECONDS - 51}`))).toEqual(["old"]);
  });

  test("`after` may be now and not a second later", async () => {
    const place = visit(THREE);
    expect(await list(place, `?after=${NOW_SECONDS}`)).toEqual([]);
    const refused = await get(place, `/athlete/activities?after=${NOW_SECONDS + 1}`);
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({
      message: "Bad Request",
      errors: [{ field: "after", code: "invalid" }],
    });
  });

  test.each(["before=", "after=", "before=yesterday", "after=-1", "page=0", "per_page=0", "per_page=201", "page="])(
    "%s is a bad request",
    async (query) => {
      expect((await get(visit(THREE), `/athlete/activities?${query}`)).status).toBe(400);
    },
  );

  test("an `after` behind `before` gives nothing", async () => {
    expect(await list(visit(THREE), `?after=${NOW_SECONDS - 20}&before=${NOW_SECONDS - 60}`)).toEqual([]);
  });
});

describe("pages", () => {
  test("a page holds 30 unless asked, and up to 200", async () => {
    const place = visit(aMinuteApart(201));
    expect(await list(place)).toHaveLength(30);
    expect(await list(place, "?per_page=200")).toHaveLength(200);
    expect(names(await list(place, "?page=2&per_page=200"))).toEqual(["Run 201"]);
  });

  test.each([200, 400])("a list of exactly %p ends with an empty page", async (count) => {
    const place = visit(aMinuteApart(count));
    expect(await list(place, `?per_page=200&page=${count / 200}`)).toHaveLength(200);
    expect(await list(place, `?per_page=200&page=${count / 200 + 1}`)).toEqual([]);
  });

  test("pages with `after` alone go on from the oldest", async () => {
    const place = visit(aMinuteApart(5));
    expect(names(await list(place, "?after=1&per_page=2"))).toEqual(["Run 5", "Run 4"]);
    expect(names(await list(place, "?after=1&per_page=2&page=3"))).toEqual(["Run 1"]);
    expect(await list(place, "?after=1&per_page=2&page=4")).toEqual([]);
  });

  test("an empty account is an empty page", async () => {
    expect(await list(visit())).toEqual([]);
  });

  test("a page may be short in the middle, and nothing is lost behind it", async () => {
    const place = visit(aMinuteApart(400));
    place.sandbox.shortenPage(place.athlete.stravaId, { page: 1, size: 143 });
    const pages = [];
    for (let page = 1; page <= 4; page++) pages.push(names(await list(place, `?per_page=200&page=${page}`)));
    expect(pages.map(({ length }) => length)).toEqual([143, 200, 57, 0]);
    expect(new Set(pages.flat()).size).toBe(400);
    expect(place.sandbox.activities(place.athlete.stravaId)).toHaveLength(400);
  });

  test("a page may be empty of what it shows though the list goes on", async () => {
    const place = visit(aMinuteApart(3));
    place.sandbox.shortenPage(place.athlete.stravaId, { page: 1, size: 0, perPage: 2 });
    expect(await list(place, "?per_page=2")).toEqual([]);
    expect(names(await list(place, "?per_page=2&page=2"))).toEqual(["Run 1", "Run 2"]);
  });

  test("an activity created between two pages shifts the second down, a deleted one shifts it up", async () => {
    const place = visit(aMinuteApart(4));
    expect(names(await list(place, "?per_page=2"))).toEqual(["Run 1", "Run 2"]);
    const created = place.sandbox.addActivity(place.athlete.stravaId);
    expect(names(await list(place, "?per_page=2&page=2"))).toEqual(["Run 2", "Run 3"]);
    place.sandbox.deleteActivity(created.id);
    place.sandbox.deleteActivity(place.sandbox.activities(place.athlete.stravaId)[0]?.id ?? 0);
    expect(names(await list(place, "?per_page=2&page=2"))).toEqual(["Run 4"]);
  });
});

describe("who sees what", () => {
  const MIXED = [
    startingAt(-10, { name: "everyone" }),
    startingAt(-20, { name: "followers", visibility: "followers_only" }),
    startingAt(-30, { name: "mine", visibility: "only_me" }),
  ];

  test("activity:read_all sees everything, activity:read all but `only_me`", async () => {
    const place = visit(MIXED);
    expect(names(await list(place))).toEqual(["everyone", "followers", "mine"]);
    const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId, "read,activity:read");
    expect(await json(get(place, "/athlete/activities", accessToken))).toMatchObject([
      { name: "everyone" },
      { name: "followers", private: false },
    ]);
  });

  test("without either scope the list and the detail are refused", async () => {
    const place = visit(MIXED);
    const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId, "read");
    for (const path of [
      "/athlete/activities",
      `/activities/${place.sandbox.activities(place.athlete.stravaId)[0]?.id}`,
    ]) {
      const refused = await get(place, path, accessToken);
      expect(refused.status).toBe(401);
      expect(await json(refused)).toEqual({
        message: "Authorization Error",
        errors: [{ resource: "AccessToken", field: "activity:read_permission", code: "missing" }],
      });
    }
    expect((await get(place, "/athlete", accessToken)).status).toBe(200);
  });

  test("an athlete's own activities only", async () => {
    const place = visit(MIXED);
    const other = place.sandbox.athletes()[1];
    expect(await json(get(place, "/athlete/activities", other?.accessToken))).toMatchObject([
      { name: "Somebody else's" },
    ]);
  });

  test.each([undefined, "Bearer nobody's", "Basic abc"])(
    "a token in no good header (%p) is 401",
    async (authorization) => {
      const { sandbox, athlete } = visit(MIXED);
      const url = `https://strava.example/api/v3/athlete/activities?access_token=${athlete.accessToken}`;
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const refused = await sandbox.fetch(new Request(url, { headers }));
      expect(refused.status).toBe(401);
      expect(await json(refused)).toEqual({
        message: "Authorization Error",
        errors: [{ resource: "Athlete", field: "access_token", code: "invalid" }],
      });
    },
  );
});
