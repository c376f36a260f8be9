import { describe, expect, test } from "bun:test";
import { aMinuteApart, get, json, list, NOW_SECONDS, post, refresh, startingAt, visit } from "./visit.ts";

/** How the real Strava varies, or is not known: no client may depend on either way. */
describe("wording", () => {
  test.each([
    ["current" as const, { message: "Resource Not Found", errors: [{ field: "", code: "not found" }] }],
    ["old" as const, { message: "Record Not Found", errors: [{ field: "id", code: "invalid" }] }],
  ])("a 404 of an activity, %s", async (notFound, body) => {
    const place = visit([], { wording: { notFound } });
    expect(await json(get(place, "/activities/1"))).toMatchObject(body);
  });

  test("a 404 without a body, switched while it runs, by control too", async () => {
    const place = visit();
    place.sandbox.setWording({ notFound: "empty" });
    const empty = await get(place, "/activities/1");
    expect([empty.status, await empty.text()]).toEqual([404, ""]);
    const control = (body: unknown) =>
      place.sandbox.fetch(
        new Request("http://localhost/sandbox/wording", { method: "POST", body: JSON.stringify(body) }),
      );
    expect((await control({ not_found: "old", too_many: "rate limit" })).status).toBe(204);
    expect(await json(get(place, "/activities/1"))).toMatchObject({ message: "Record Not Found" });
    expect((await control({ not_found: "polite" })).status).toBe(400);
  });

  test.each(["overall rate limit", "rate limit"] as const)("a 429 with the field %s", async (tooMany) => {
    const place = visit([], { quota: { read: { quarter: 0 } } });
    place.sandbox.setWording({ tooMany });
    const refused = await get(place, "/athlete");
    expect(refused.status).toBe(429);
    expect(await json(refused)).toEqual({
      message: "Rate Limit Exceeded",
      errors: [{ resource: "Application", field: tooMany, code: "exceeded" }],
    });
  });
});

describe("addresses", () => {
  test("the API may be elsewhere: then the old path is none, and OAuth is where it was", async () => {
    const place = visit(aMinuteApart(1), { apiPath: "" });
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const ask = (url: string) => place.sandbox.fetch(new Request(url, { headers }));
    const activities = await json(ask("https://api-v3.strava.example/athlete/activities"));
    expect(activities).toHaveLength(1);
    expect((await ask("https://api-v3.strava.example/api/v3/athlete")).status).toBe(404);
    expect((await refresh(place)).status).toBe(200);
    expect((await post(place, "/uploads", {}, headers)).status).toBe(401);
    expect(place.sandbox.ledger().map(({ kind }) => kind)).toEqual(["list", "other", "token", "upload"]);
  });

  test("any host will do", async () => {
    const place = visit();
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    for (const host of ["www.strava.com", "api-v3.strava.com", "localhost:1"]) {
      expect((await place.sandbox.fetch(new Request(`https://${host}/api/v3/athlete`, { headers }))).status).toBe(200);
    }
  });
});

describe("lists", () => {
  test("`before` in the future is a bad request where so switched, and else as good as none", async () => {
    const later = `?before=${NOW_SECONDS + 1}`;
    expect(await list(visit(aMinuteApart(2)), later)).toHaveLength(2);
    const strict = visit(aMinuteApart(2), { refuseFutureBefore: true });
    const refused = await get(strict, `/athlete/activities${later}`);
    expect([refused.status, await json(refused)]).toMatchObject([400, { errors: [{ field: "before" }] }]);
    expect(await list(strict, `?before=${NOW_SECONDS}`)).toHaveLength(2);
  });

  test("an upload after one with an id beyond all others has an id that is exact", () => {
    const { sandbox, athlete } = visit([startingAt(-60, { id: Number.MAX_SAFE_INTEGER })]);
    const { id } = sandbox.addActivity(athlete.stravaId);
    expect(id).toBeLessThan(1e11);
    expect(sandbox.activities(athlete.stravaId)).toHaveLength(2);
  });
});

describe("the way to Strava", () => {
  test("takes its time: what counts is when a request arrives, not when it was sent", async () => {
    const place = visit([], { travelMs: 500, latencyMs: 100 });
    place.clock.jumpTo(Date.UTC(2025, 10, 17, 9, 14, 59, 700));
    const pending = get(place, "/athlete");
    await place.clock.advance(499);
    expect(place.sandbox.ledger()).toEqual([]);
    await place.clock.advance(1);
    const arrivedAtMs = Date.UTC(2025, 10, 17, 9, 15, 0, 200);
    expect(place.sandbox.ledger()).toMatchObject([{ atMs: arrivedAtMs, isCounted: true, isDelivered: false }]);
    await place.clock.advance(100);
    expect((await pending).headers.get("x-readratelimit-usage")).toBe("1,1");
  });

  test("ends where the client gives up", async () => {
    const place = visit([], { travelMs: 500 });
    const controller = new AbortController();
    const request = new Request("https://www.strava.example/api/v3/athlete", { signal: controller.signal });
    const pending = place.sandbox.fetch(request).catch((error: unknown) => error);
    await place.clock.advance(499);
    controller.abort();
    expect(await pending).toHaveProperty("name", "AbortError");
    await place.clock.advance(1_000);
    expect(place.sandbox.ledger()).toEqual([]);
  });
});
