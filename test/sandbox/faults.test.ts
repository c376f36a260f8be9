import { describe, expect, test } from "bun:test";
import type { FaultAction } from "../../src/sandbox/faults.ts";
import { ACTIVITY_NOT_FOUND_OLD, RATE_LIMIT_EXCEEDED_SHORT } from "../../src/sandbox/strava-errors.ts";
import { aMinuteApart, get, json, list, NOW, refresh, startingAt, type Visit, visit } from "./visit.ts";

/** A visit to an athlete with three runs, where the next request meets the fault. */
function meet(action: FaultAction): Visit {
  const place = visit(aMinuteApart(3));
  place.sandbox.injectFault({ action });
  return place;
}

const used = ({ sandbox }: Visit) => sandbox.quota().read.day.used;
const rateHeaders = (response: Response) => response.headers.get("x-readratelimit-usage");

/** What a request rejects with. */
async function failure(response: Promise<Response>): Promise<unknown> {
  try {
    await response;
  } catch (error) {
    return error;
  }
  throw new Error("the request was answered");
}

describe("answers in Strava's place", () => {
  test.each([
    [500, { message: "error" }],
    [503, { message: "error" }],
    [429, { message: "Rate Limit Exceeded" }],
    [403, { message: "Forbidden", errors: [{ resource: "Application", field: "Status", code: "Inactive" }] }],
    [404, { message: "Resource Not Found" }],
    [401, { message: "Authorization Error" }],
    [597, { message: "error" }],
  ])("a %p has the body that is known of it, is counted and shows it", async (status, body) => {
    const place = meet({ type: "status", status });
    const response = await get(place, "/athlete");
    expect(response.status).toBe(status);
    expect(await json(response)).toMatchObject(body);
    expect([used(place), rateHeaders(response)]).toEqual([1, "1,1"]);
  });

  test("status, body and headers as asked, without rate headers where asked", async () => {
    const place = meet({
      type: "status",
      status: 429,
      body: { a: 1 },
      headers: { "X-Extra": "b" },
      rateHeaders: false,
    });
    const response = await get(place, "/athlete");
    expect([rateHeaders(response), response.headers.get("x-extra"), await json(response)]).toEqual([
      null,
      "b",
      { a: 1 },
    ]);
    expect(used(place)).toBe(1);
  });

  test.each([
    [404, ACTIVITY_NOT_FOUND_OLD, "id"],
    [429, RATE_LIMIT_EXCEEDED_SHORT, "rate limit"],
  ])("a %p in another wording that was seen", async (status, body, field) => {
    const response = await get(meet({ type: "status", status, body }), "/activities/1");
    expect(await json(response)).toMatchObject({ errors: [{ field }] });
  });

  test("a body that is a text stands as it is, even an empty one", async () => {
    const response = await get(meet({ type: "status", status: 404, body: "" }), "/activities/1");
    expect([response.status, await response.text()]).toEqual([404, ""]);
  });

  test.each([
    [undefined, 502],
    [200, 200],
  ])("an outage is a page of HTML without rate headers (%p)", async (status, expected) => {
    const place = meet(status === undefined ? { type: "html" } : { type: "html", status });
    const response = await get(place, "/athlete/activities");
    expect(response.status).toBe(expected);
    expect(response.headers.get("content-type")).toStartWith("text/html");
    expect(await response.text()).toContain("Strava is temporarily unavailable");
    expect([used(place), rateHeaders(response)]).toEqual([1, null]);
  });

  test("a refresh that is answered with an error has not happened", async () => {
    const place = visit([], { rotateRefreshTokens: true });
    place.clock.jumpTo(NOW + 6 * 3_600_000);
    place.sandbox.injectFault({ action: { type: "status", status: 503 } });
    expect((await refresh(place)).status).toBe(503);
    expect(used(place)).toBe(0);
    expect((await refresh(place)).status).toBe(200);
  });
});

describe("answers spoiled on their way", () => {
  test("truncated JSON, an empty body: 200, counted", async () => {
    const cut = meet({ type: "truncated" });
    const response = await get(cut, "/athlete/activities");
    expect([response.status, used(cut)]).toEqual([200, 1]);
    const text = await response.text();
    expect(text).toStartWith("[{");
    expect(() => JSON.parse(text)).toThrow();
    const empty = await get(meet({ type: "empty" }), "/athlete/activities");
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
  });

  test("even an empty list is torn when truncated", async () => {
    const place = visit();
    place.sandbox.injectFault({ action: { type: "truncated" } });
    expect(await (await get(place, "/athlete/activities")).text()).toBe("[");
  });

  test("an answer without rate headers is counted all the same", async () => {
    const place = meet({ type: "no_rate_headers" });
    expect(rateHeaders(await get(place, "/athlete"))).toBeNull();
    expect(rateHeaders(await get(place, "/athlete"))).toBe("2,2");
  });

  test("another athlete's id, in a list and in a detail", async () => {
    const place = visit(aMinuteApart(1));
    const { stravaId } = place.athlete;
    place.sandbox.injectFault({ times: 2, action: { type: "wrong_athlete" } });
    expect((await list(place))[0]?.athlete.id).toBe(stravaId + 1);
    const path = `/activities/${place.sandbox.activities(stravaId)[0]?.id}`;
    expect(await json(get(place, path))).toMatchObject({ athlete: { id: stravaId + 1 } });
    expect(await json(get(place, path))).toMatchObject({ athlete: { id: stravaId } });
  });

  test("a slow answer is counted at once and comes by the clock", async () => {
    const place = meet({ type: "slow", ms: 1_600 });
    let isAnswered = false;
    const response = get(place, "/athlete").then(() => {
      isAnswered = true;
    });
    await place.clock.advance(1_599);
    expect([isAnswered, used(place)]).toEqual([false, 1]);
    await place.clock.advance(1);
    expect(isAnswered).toBe(true);
    await response;
  });

  test("whoever gives up a slow answer gets the signal's reason", async () => {
    const place = meet({ type: "slow", ms: 30_000 });
    const controller = new AbortController();
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const url = "https://strava.example/api/v3/athlete";
    const pending = failure(place.sandbox.fetch(new Request(url, { headers, signal: controller.signal })));
    await place.clock.advance(1_000);
    controller.abort(new Error("no more patience"));
    expect(await pending).toHaveProperty("message", "no more patience");
    expect(place.clock.nextDueMs()).toBeUndefined();
    expect(place.sandbox.ledger()).toMatchObject([{ status: 200, isCounted: true, isDelivered: false }]);
  });
});

describe("answers that never come", () => {
  test("a reset before Strava acted counts nothing", async () => {
    const place = meet({ type: "reset" });
    const error = await failure(get(place, "/athlete"));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toHaveProperty("code", "ECONNRESET");
    expect(used(place)).toBe(0);
    expect(place.sandbox.ledger()).toMatchObject([
      { status: 0, isCounted: false, isDelivered: false, faultId: "fault-1" },
    ]);
  });

  test("a lost response was counted", async () => {
    const place = meet({ type: "lost_response" });
    expect(await failure(get(place, "/athlete"))).toHaveProperty("code", "ECONNRESET");
    expect(used(place)).toBe(1);
    expect(place.sandbox.ledger()).toMatchObject([{ status: 200, isCounted: true, isDelivered: false }]);
  });

  test("a refresh whose response is lost has rotated the token away", async () => {
    const place = visit([], { rotateRefreshTokens: true });
    place.clock.jumpTo(NOW + 6 * 3_600_000);
    place.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    await failure(refresh(place));
    expect((await refresh(place)).status).toBe(400);
  });

  test("a hanging request ends with the client's signal", async () => {
    const place = meet({ type: "hang" });
    const controller = new AbortController();
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const url = "https://strava.example/api/v3/athlete";
    const pending = failure(place.sandbox.fetch(new Request(url, { headers, signal: controller.signal })));
    await place.clock.advance(86_400_000);
    controller.abort();
    expect(await pending).toHaveProperty("name", "AbortError");
    expect([place.sandbox.releaseHangs(), used(place)]).toEqual([0, 0]);
  });

  test("a hanging request goes on when released, and counts then", async () => {
    const place = meet({ type: "hang" });
    const pending = get(place, "/athlete");
    await place.clock.advance(0);
    expect([used(place), place.sandbox.releaseHangs()]).toEqual([0, 1]);
    expect([(await pending).status, used(place)]).toEqual([200, 1]);
  });

  test("a request given up before it was sent never reaches Strava", async () => {
    const place = visit();
    const request = new Request("https://strava.example/api/v3/athlete", { signal: AbortSignal.abort() });
    expect(await failure(place.sandbox.fetch(request))).toHaveProperty("name", "AbortError");
    expect(place.sandbox.ledger()).toEqual([]);
  });
});

describe("which requests", () => {
  const failing: FaultAction = { type: "status", status: 500 };
  const statuses = async (place: Visit, paths: string[]) => {
    const results: number[] = [];
    for (const path of paths) results.push((await get(place, path)).status);
    return results;
  };

  test("the nth that matches from now, and as many as asked", async () => {
    const place = visit();
    await get(place, "/athlete");
    place.sandbox.injectFault({ match: { nth: 2, kind: "athlete" }, times: 2, action: failing });
    const paths = ["/athlete", "/athlete/activities", "/athlete", "/athlete", "/athlete"];
    expect(await statuses(place, paths)).toEqual([200, 200, 500, 500, 200]);
  });

  test("always, until the faults are cleared", async () => {
    const place = visit();
    place.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: failing });
    expect(await statuses(place, ["/athlete", "/athlete", "/athlete"])).toEqual([500, 500, 500]);
    place.sandbox.clearFaults();
    expect(await statuses(place, ["/athlete"])).toEqual([200]);
  });

  test("by page, activity and kinds", async () => {
    const place = visit([startingAt(-60, { id: 16_195_505_756 })]);
    const { sandbox } = place;
    sandbox.injectFault({ match: { page: 2 }, action: failing });
    expect(await statuses(place, ["/athlete/activities", "/athlete/activities?per_page=2&page=2"])).toEqual([200, 500]);
    sandbox.injectFault({ match: { activityId: 16_195_505_756 }, action: failing });
    expect(await statuses(place, ["/activities/1", "/activities/16195505756"])).toEqual([404, 500]);
    sandbox.injectFault({ match: { kind: ["detail", "list"] }, times: 2, action: failing });
    expect(await statuses(place, ["/athlete", "/athlete/activities?page=1", "/activities/1"])).toEqual([200, 500, 500]);
  });

  test("by athlete, also in a refresh", async () => {
    const place = visit();
    const other = place.sandbox.athletes()[1];
    place.sandbox.injectFault({ match: { athlete: place.athlete.stravaId }, times: 2, action: failing });
    expect((await get(place, "/athlete", other?.accessToken)).status).toBe(200);
    expect((await refresh(place, other?.refreshToken)).status).toBe(200);
    expect([(await get(place, "/athlete")).status, (await refresh(place)).status]).toEqual([500, 500]);
  });

  test("of two rules the first takes the request and the second waits for the next", async () => {
    const place = visit();
    place.sandbox.injectFault({ action: { type: "status", status: 500 } });
    place.sandbox.injectFault({ action: { type: "status", status: 503 } });
    expect(await statuses(place, ["/athlete", "/athlete", "/athlete"])).toEqual([500, 503, 200]);
  });
});

describe("ledger and latency", () => {
  test("every request is there in order, with whose, which and how it ended", async () => {
    const place = visit(aMinuteApart(1));
    const { stravaId } = place.athlete;
    const { id } = place.sandbox.activities(stravaId)[0] ?? { id: 0 };
    await get(place, "/athlete/activities?page=3&per_page=200");
    await get(place, `/activities/${id}`);
    await refresh(place);
    await get(place, "/athlete", "unknown");
    expect(place.sandbox.ledger()).toMatchObject([
      { atMs: NOW, method: "GET", kind: "list", stravaId, page: 3, status: 200, isCounted: true, isDelivered: true },
      { kind: "detail", path: `/api/v3/activities/${id}`, stravaId, activityId: id, status: 200 },
      { method: "POST", kind: "token", path: "/oauth/token", stravaId, status: 200, isCounted: false },
      { kind: "athlete", status: 401, isCounted: false, isDelivered: true },
    ]);
    place.sandbox.clearLedger();
    expect(place.sandbox.ledger()).toEqual([]);
  });

  test("latency is drawn from the seed within its range, and Strava acts before it", async () => {
    const place = visit([], { latencyMs: { min: 100, max: 200 } });
    const pending = get(place, "/athlete");
    await place.clock.advance(0);
    expect(used(place)).toBe(1);
    const dueMs = place.clock.nextDueMs() ?? 0;
    expect(dueMs).toBeGreaterThanOrEqual(NOW + 100);
    expect(dueMs).toBeLessThanOrEqual(NOW + 200);
    await place.clock.advance(200);
    expect((await pending).status).toBe(200);
  });
});

describe("storms", () => {
  test("a share of the requests is met, the same ones for the same seed", async () => {
    const play = async (seed: number) => {
      const place = visit([], { seed, quota: { read: { quarter: 1_000 }, overall: { quarter: 1_000 } } });
      place.sandbox.injectFault({ match: { share: 0.6 }, times: Infinity, action: { type: "status", status: 503 } });
      const statuses: number[] = [];
      for (let time = 0; time < 200; time++) statuses.push((await get(place, "/athlete")).status);
      return statuses;
    };
    const statuses = await play(1);
    expect(statuses.filter((status) => status === 503).length).toBeWithin(95, 145);
    expect(await play(1)).toEqual(statuses);
    expect(await play(2)).not.toEqual(statuses);
  });

  test("a rule ends by itself after its time", async () => {
    const place = visit();
    place.sandbox.injectFault({ forMs: 7_200_000, times: Infinity, action: { type: "status", status: 503 } });
    place.clock.jumpTo(NOW + 7_199_999);
    expect((await get(place, "/athlete")).status).toBe(503);
    place.clock.jumpTo(NOW + 7_200_000);
    expect((await get(place, "/athlete")).status).toBe(200);
  });

  test("a share and a time are told by control too", async () => {
    const place = visit();
    const rule = { match: { share: 0 }, for_ms: 10, times: "always", action: { type: "reset" } };
    const control = (body: unknown) =>
      place.sandbox.fetch(
        new Request("http://localhost/sandbox/faults", { method: "POST", body: JSON.stringify(body) }),
      );
    await control(rule);
    expect((await get(place, "/athlete")).status).toBe(200);
    await control({ ...rule, match: {} });
    expect(await failure(get(place, "/athlete"))).toHaveProperty("code", "ECONNRESET");
    place.clock.jumpTo(NOW + 10);
    expect((await get(place, "/athlete")).status).toBe(200);
  });
});

describe("headers and connections", () => {
  test("headers are set and taken away, whatever their case; the rest stays", async () => {
    const place = meet({
      type: "change_headers",
      headers: { date: null, "X-READRATELIMIT-LIMIT": null, "x-ratelimit-usage": "many" },
    });
    const { status, headers } = await get(place, "/athlete");
    expect(status).toBe(200);
    expect(
      ["date", "x-readratelimit-limit", "x-ratelimit-usage", "x-readratelimit-usage"].map((name) => headers.get(name)),
    ).toEqual([null, null, "many", "1,1"]);
    const asked = { action: { type: "change_headers", headers: { Date: null, Age: 5 } } };
    await place.sandbox.fetch(
      new Request("http://localhost/sandbox/faults", { method: "POST", body: JSON.stringify(asked) }),
    );
    const changed = (await get(place, "/athlete")).headers;
    expect([changed.get("date"), changed.get("age")]).toEqual([null, "5"]);
  });

  test("a name that is not known fails as such", async () => {
    const place = meet({ type: "reset", code: "ENOTFOUND" });
    expect(await failure(get(place, "/athlete"))).toHaveProperty("code", "ENOTFOUND");
    expect(used(place)).toBe(0);
  });

  test.each([1_600, 30_000])("an answer may take %d ms", async (ms) => {
    const place = meet({ type: "slow", ms });
    let isAnswered = false;
    const pending = get(place, "/athlete").then(() => {
      isAnswered = true;
    });
    await place.clock.advance(ms - 1);
    expect(isAnswered).toBe(false);
    await place.clock.advance(1);
    await pending;
    expect(isAnswered).toBe(true);
  });
});
