import { describe, expect, test } from "bun:test";
import { get, json, NOW, post, refresh, type Visit, visit } from "./visit.ts";

const TO_NEXT_QUARTER_MS = 8 * 60_000;

const usage = (response: Response) => [
  response.headers.get("x-ratelimit-usage"),
  response.headers.get("x-readratelimit-usage"),
];

/** Asks for the athlete so often, one after the other. @returns the statuses */
async function ask(place: Visit, times: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < times; time++) statuses.push((await get(place, "/athlete")).status);
  return statuses;
}

describe("headers", () => {
  test("every answered read shows both limits and both usages, 15 minutes before the day", async () => {
    const place = visit();
    await get(place, "/athlete/activities");
    const { headers } = await get(place, "/activities/1");
    expect(headers.get("x-ratelimit-limit")).toBe("200,2000");
    expect(headers.get("x-ratelimit-usage")).toBe("2,2");
    expect(headers.get("x-readratelimit-limit")).toBe("100,1000");
    expect(headers.get("x-readratelimit-usage")).toBe("2,2");
  });

  test("an upload counts overall, is no read, and shows no read headers", async () => {
    const place = visit();
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    for (const path of ["/api/v3/activities", "/api/v3/uploads"]) await post(place, path, {}, headers);
    const upload = await post(place, "/api/v3/activities", {}, headers);
    expect(usage(upload)).toEqual(["3,3", null]);
    expect(upload.headers.get("x-readratelimit-limit")).toBeNull();
    expect(usage(await get(place, "/athlete"))).toEqual(["4,4", "1,1"]);
  });

  test("token and revoke requests carry none and count nothing; deauthorize counts as a read", async () => {
    const place = visit();
    expect(usage(await refresh(place))).toEqual([null, null]);
    const withToken = { authorization: `Bearer ${place.athlete.accessToken}` };
    expect(usage(await post(place, "/oauth/token", {}, withToken))).toEqual([null, null]);
    expect(usage(await post(place, "/oauth/revoke", { token: "unknown" }))).toEqual([null, null]);
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    expect(usage(await post(place, "/oauth/deauthorize", {}, headers))).toEqual(["1,1", "1,1"]);
  });

  test("a request without a good token counts for nobody", async () => {
    const place = visit();
    expect(usage(await get(place, "/athlete", "unknown"))).toEqual([null, null]);
    expect(place.sandbox.quota().overall.day.used).toBe(0);
  });

  test("`Date` is Strava's own time, which may be ahead of the client's", async () => {
    expect((await get(visit(), "/athlete")).headers.get("date")).toBe("Mon, 17 Nov 2025 09:07:00 GMT");
    const ahead = await get(visit([], { skewMs: 90_000 }), "/athlete");
    expect(ahead.headers.get("date")).toBe("Mon, 17 Nov 2025 09:08:30 GMT");
  });
});

describe("limits", () => {
  test("the request that reaches the read limit passes, the next is refused", async () => {
    const place = visit();
    expect(new Set(await ask(place, 99))).toEqual(new Set([200]));
    const last = await get(place, "/athlete");
    expect([last.status, ...usage(last)]).toEqual([200, "100,100", "100,100"]);
    const refused = await get(place, "/athlete");
    expect([refused.status, ...usage(refused)]).toEqual([429, "101,101", "101,101"]);
    expect(refused.headers.get("retry-after")).toBeNull();
    expect(await json(refused)).toEqual({
      message: "Rate Limit Exceeded",
      errors: [{ resource: "Application", field: "overall rate limit", code: "exceeded" }],
    });
  });

  test("all athletes share the application's quota", async () => {
    const place = visit([], { quota: { read: { quarter: 2 } } });
    await ask(place, 2);
    expect((await get(place, "/athlete", place.sandbox.athletes()[1]?.accessToken)).status).toBe(429);
  });

  test("the overall limit stops reads and uploads, the read limit reads only", async () => {
    const upload = (place: Visit) =>
      post(place, "/api/v3/activities", {}, { authorization: `Bearer ${place.athlete.accessToken}` });
    const readFull = visit([], { quota: { read: { quarter: 1 } } });
    expect(await ask(readFull, 2)).toEqual([200, 429]);
    expect((await upload(readFull)).status).toBe(401); // answered: only the scope is missing
    const allFull = visit([], { quota: { overall: { quarter: 1 } } });
    expect(await ask(allFull, 2)).toEqual([200, 429]);
    expect((await upload(allFull)).status).toBe(429);
  });

  test("refused requests count against the day", async () => {
    const place = visit([], { quota: { read: { quarter: 2, day: 5 } } });
    expect(await ask(place, 5)).toEqual([200, 200, 429, 429, 429]);
    await place.clock.advance(TO_NEXT_QUARTER_MS);
    const refused = await get(place, "/athlete");
    expect([refused.status, ...usage(refused)]).toEqual([429, "1,6", "1,6"]);
  });

  test("limits change while it runs, and usage stands", async () => {
    const place = visit([], { quota: { read: { quarter: 1 } } });
    expect(await ask(place, 2)).toEqual([200, 429]);
    place.sandbox.setQuota({ read: { quarter: 200, day: 2_000 } });
    const { status, headers } = await get(place, "/athlete");
    expect([status, headers.get("x-readratelimit-limit"), headers.get("x-ratelimit-limit")]).toEqual([
      200,
      "200,2000",
      "200,2000",
    ]);
    expect(headers.get("x-readratelimit-usage")).toBe("3,3");
  });

  test("another client of the application spends the same quota", async () => {
    const place = visit();
    place.sandbox.spendQuota({ overall: 99, read: 99 });
    expect(await ask(place, 2)).toEqual([200, 429]);
  });
});

describe("resets", () => {
  test("the short window opens at the wall-clock quarter, not a millisecond before", async () => {
    const place = visit([], { quota: { read: { quarter: 1 } } });
    await ask(place, 1);
    await place.clock.advance(TO_NEXT_QUARTER_MS - 1);
    expect((await get(place, "/athlete")).status).toBe(429);
    await place.clock.advance(1);
    const first = await get(place, "/athlete");
    expect([first.status, ...usage(first)]).toEqual([200, "1,3", "1,3"]);
  });

  test("the day begins at 00:00 UTC, not a millisecond before", async () => {
    const place = visit([], { quota: { read: { day: 1 } } });
    place.clock.jumpTo(Date.UTC(2025, 10, 17, 23, 59, 59, 999));
    place.sandbox.grantAgain(place.athlete.stravaId);
    const accessToken = place.sandbox.athletes()[0]?.accessToken;
    expect((await get(place, "/athlete", accessToken)).status).toBe(200);
    expect((await get(place, "/athlete", accessToken)).status).toBe(429);
    place.clock.jumpTo(Date.UTC(2025, 10, 18));
    const first = await get(place, "/athlete", accessToken);
    expect([first.status, ...usage(first)]).toEqual([200, "1,1", "1,1"]);
  });

  test("windows turn by Strava's clock where that is ahead", async () => {
    const place = visit([], { quota: { read: { quarter: 1 } }, skewMs: TO_NEXT_QUARTER_MS - 1 });
    expect(await ask(place, 2)).toEqual([200, 429]);
    place.clock.jumpTo(NOW + 1);
    expect(await ask(place, 1)).toEqual([200]);
  });
});
