import { describe, expect, test } from "bun:test";
import { CALLBACK, subscribe, subscribed, subscriber } from "./subscriber.ts";
import { aMinuteApart, CLIENT, get, json, list, NOW, post, refresh, startingAt, type Visit, visit } from "./visit.ts";

async function control(place: Visit, method: string, path: string, body?: unknown): Promise<Response> {
  const request = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return place.sandbox.fetch(new Request(`http://localhost/sandbox/${path}`, request));
}

describe("control over HTTP", () => {
  test("athletes come as an admin imports them", async () => {
    const place = visit();
    const { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtSeconds, scope } = place.athlete;
    const athletes: unknown = await json(control(place, "GET", "athletes"));
    expect(athletes).toMatchObject([
      {
        strava_id: stravaId,
        first_name: firstName,
        last_name: lastName,
        access_token: accessToken,
        refresh_token: refreshToken,
        expires_at: expiresAtSeconds,
        scope,
      },
      {},
    ]);
  });

  test("activities are listed, added, edited and deleted by Strava's field names", async () => {
    const place = visit([startingAt(-60, { name: "First" })]);
    const { stravaId } = place.athlete;
    const added = await json(
      control(place, "POST", "activities", { athlete: stravaId, name: "Second", workout_type: 1 }),
    );
    expect(added).toMatchObject({ name: "Second", workout_type: 1, athlete: { id: stravaId } });
    const both: unknown = await json(control(place, "GET", `activities?athlete=${stravaId}`));
    expect(both).toMatchObject([{ name: "Second" }, { name: "First" }]);
    const edited = await json(
      control(place, "PATCH", `activities/${added.id}`, { workout_type: 0, description: "easy" }),
    );
    expect(edited).toMatchObject({ workout_type: 0 });
    expect(await json(control(place, "GET", `activities/${added.id}`))).toMatchObject({ description: "easy" });
    expect((await control(place, "DELETE", `activities/${added.id}`)).status).toBe(204);
    expect((await get(place, `/activities/${added.id}`)).status).toBe(404);
    expect((await control(place, "DELETE", `activities/${added.id}`)).status).toBe(404);
  });

  test("faults are injected, told apart and cleared", async () => {
    const place = visit(aMinuteApart(1));
    const [{ id } = { id: 0 }] = place.sandbox.activities(place.athlete.stravaId);
    const rule = {
      match: { kind: "detail", activity_id: id, athlete: place.athlete.stravaId, nth: 2 },
      times: "always",
      action: { type: "status", status: 429, body: { message: "no" }, headers: { "X-A": 1 }, rate_headers: false },
    };
    expect(await json(control(place, "POST", "faults", rule))).toEqual({ id: "fault-1" });
    expect((await get(place, `/activities/${id}`)).status).toBe(200);
    for (let time = 0; time < 2; time++) {
      const { status, headers } = await get(place, `/activities/${id}`);
      expect([status, headers.get("x-a"), headers.get("x-ratelimit-usage")]).toEqual([429, "1", null]);
    }
    expect((await control(place, "DELETE", "faults")).status).toBe(204);
    expect((await get(place, `/activities/${id}`)).status).toBe(200);
  });

  test.each(["truncated", "empty", "reset", "lost_response", "no_rate_headers", "wrong_athlete", "html"])(
    "the fault %s can be asked for",
    async (type) => {
      const place = visit();
      expect((await control(place, "POST", "faults", { action: { type } })).status).toBe(200);
      const result = await get(place, "/athlete").catch(() => undefined);
      expect(place.sandbox.ledger()).toMatchObject([{ faultId: "fault-1", isDelivered: result !== undefined }]);
    },
  );

  test("a hang is let go", async () => {
    const place = visit();
    await control(place, "POST", "faults", { action: { type: "hang" } });
    const pending = get(place, "/athlete");
    await place.clock.advance(0);
    expect(await json(control(place, "POST", "hangs/release"))).toEqual({ released: 1 });
    expect((await pending).status).toBe(200);
  });

  test("quota is read, set and spent", async () => {
    const place = visit();
    const set = await json(control(place, "POST", "quota", { read: { quarter: 10 } }));
    expect(set).toMatchObject({ read: { quarter: { limit: 10, used: 0 }, day: { limit: 1_000 } } });
    await control(place, "POST", "spend", { overall: 10, read: 10 });
    expect(await json(control(place, "GET", "quota"))).toMatchObject({ read: { quarter: { used: 10 } } });
    expect((await get(place, "/athlete")).status).toBe(429);
  });

  test("the ledger is told in snake_case, without the control's own requests", async () => {
    const place = visit();
    await get(place, "/athlete/activities?page=2");
    await control(place, "GET", "athletes");
    const told: unknown = await json(control(place, "GET", "ledger"));
    const { stravaId } = place.athlete;
    expect(told).toMatchObject([
      { at: NOW, kind: "list", strava_id: stravaId, page: 2, status: 200, is_counted: true },
    ]);
    expect((await control(place, "DELETE", "ledger")).status).toBe(204);
    expect(place.sandbox.ledger()).toEqual([]);
  });

  test("tokens expire, grants are taken back and given again, rotation is switched", async () => {
    const place = visit();
    const { stravaId } = place.athlete;
    await control(place, "POST", "rotation", { on: true });
    await control(place, "POST", `athletes/${stravaId}/expire`);
    expect((await get(place, "/athlete")).status).toBe(401);
    expect((await json(refresh(place))).refresh_token).not.toBe(place.athlete.refreshToken);
    await control(place, "POST", `athletes/${stravaId}/revoke`);
    expect((await refresh(place)).status).toBe(400);
    const again = await json(control(place, "POST", `athletes/${stravaId}/grant`, { scope: "read" }));
    expect(again).toMatchObject({ strava_id: stravaId, scope: "read" });
    expect((await get(place, "/athlete", String(again.access_token))).status).toBe(200);
  });

  test("a page is made short", async () => {
    const place = visit(aMinuteApart(4));
    const short = { athlete: place.athlete.stravaId, page: 1, size: 1, per_page: 2 };
    expect((await control(place, "POST", "short-pages", short)).status).toBe(204);
    expect(await list(place, "?per_page=2")).toHaveLength(1);
    expect((await control(place, "POST", "short-pages", { ...short, page: 9 })).status).toBe(404);
  });

  test("the clock moves where it can be moved", async () => {
    expect((await control(visit(), "POST", "clock", { advance_ms: 1 })).status).toBe(400);
    let movedMs = 0;
    const movable = visit([], {
      moveClock: (durationMs) => {
        movedMs += durationMs;
      },
    });
    expect((await control(movable, "POST", "clock", { advance_ms: 900_000 })).status).toBe(204);
    expect(movedMs).toBe(900_000);
  });

  test.each([
    ["POST", "faults", { action: { type: "meteor" } }, 400, "meteor"],
    ["POST", "faults", { match: { kind: "detial" }, action: { type: "reset" } }, 400, "match.kind"],
    ["POST", "faults", { action: { type: "status", status: 42 } }, 400, "action.status"],
    ["POST", "faults", {}, 400, "action"],
    ["POST", "spend", { read: "many" }, 400, "read"],
    ["POST", "activities", { athlete: 1 }, 404, "no athlete 1"],
    ["POST", "activities", { athlete: 26_500_001, start_date: "soon" }, 400, "start_date"],
    ["GET", "activities", undefined, 400, "athlete"],
    ["PATCH", "activities/1", {}, 404, "no activity 1"],
    ["POST", "athletes/1/expire", undefined, 404, "no athlete 1"],
    ["GET", "nothing", undefined, 404, "GET nothing"],
  ])("%s %s %j is refused in words", async (method, path, body, status, words) => {
    const refused = await control(visit(), method, path, body);
    expect(refused.status).toBe(status);
    expect((await json(refused)).message).toContain(words);
  });

  test("a body that is no JSON is refused", async () => {
    const { sandbox } = visit();
    const request = new Request("http://localhost/sandbox/faults", { method: "POST", body: "{" });
    expect((await sandbox.fetch(request)).status).toBe(400);
  });
});

describe("connecting, by control", () => {
  test("people are told, a code is handed out, clubs and capacity are set", async () => {
    const place = visit([], { club: { athletes: 2, activitiesEach: 1, unconnected: 1 } });
    const [, stranger] = place.sandbox.people();
    const id = stranger?.stravaId ?? 0;
    const people: unknown = await json(control(place, "GET", "people"));
    expect(people).toMatchObject([
      { strava_id: place.athlete.stravaId, is_connected: true, clubs: [97_531] },
      { strava_id: id, first_name: expect.any(String), last_name: expect.any(String), is_connected: false },
    ]);
    expect((await control(place, "POST", `athletes/${id}/clubs`, { clubs: [7] })).status).toBe(204);
    expect(place.sandbox.clubs(id)).toEqual([7]);
    const capacity = { athletes: 1, refuse_at: "exchange" };
    expect((await control(place, "POST", "capacity", capacity)).status).toBe(204);
    const { code } = await json(control(place, "POST", `athletes/${id}/authorize`, { scope: "read" }));
    const exchange = { ...CLIENT, grant_type: "authorization_code", code: String(code) };
    expect((await post(place, "/oauth/token", exchange)).status).toBe(403);
    expect((await control(place, "POST", "capacity", { athletes: "any" })).status).toBe(204);
    expect(await json(post(place, "/oauth/token", exchange))).toMatchObject({ scope: "read", athlete: { id } });
  });

  test.each([
    ["athletes/1/authorize", {}, 404],
    ["athletes/1/clubs", { clubs: [] }, 404],
    ["athletes/26500001/clubs", { clubs: 7 }, 400],
    ["athletes/26500001/clubs", { clubs: ["x"] }, 400],
    ["capacity", {}, 400],
    ["capacity", { athletes: 1, refuse_at: "never" }, 400],
  ])("POST %s %j is refused with %d", async (path, body, status) => {
    expect((await control(visit(), "POST", path, body)).status).toBe(status);
  });
});

describe("events, by control", () => {
  test("the subscription and what was sent are told, events are lost, held, released and sent by hand", async () => {
    const place = subscriber();
    expect((await (await control(place, "GET", "subscription")).json()) as unknown).toBeNull();
    await subscribe(place);
    expect(await json(control(place, "GET", "subscription"))).toMatchObject({
      callback_url: CALLBACK,
      created_at: NOW,
    });
    const upload = () => control(place, "POST", "activities", { athlete: place.athlete.stravaId });
    const levers = { drop: 1, double: 1, delay_ms: { min: 1, max: 2 }, hold: false };
    expect((await control(place, "POST", "delivery", levers)).status).toBe(204);
    await upload();
    await control(place, "POST", "delivery", { drop: 0, double: 0, delay_ms: 5 });
    await upload();
    await place.clock.advance(5);
    await control(place, "POST", "delivery", { hold: true });
    await upload();
    const released = await json(control(place, "POST", "events/release", { order: "shuffled" }));
    expect(released).toEqual({ released: 1 });
    await place.clock.advance(0);
    const sent: unknown = await json(control(place, "GET", "events"));
    expect(sent).toMatchObject([
      { outcome: "dropped", attempts: [] },
      { outcome: "dropped", attempts: [] },
      { outcome: "delivered", attempts: [{ at: NOW + 5, status: 200 }], body: place.received[0] },
      { outcome: "delivered" },
    ]);
    expect(await json(control(place, "POST", "events", { raw: "garbage" }))).toEqual({ at: NOW + 5, status: 200 });
    place.answer = () => Promise.reject(new TypeError("no route"));
    expect(await json(control(place, "POST", "events", { owner_id: 5 }))).toEqual({ at: NOW + 5, status: null });
    expect(place.received.slice(-2)).toEqual(["garbage", expect.stringContaining('"owner_id":5')]);
  });

  test.each([
    ["events", {}, 404],
    ["events", { raw: 5 }, 400],
    ["events/release", { order: "random" }, 400],
    ["delivery", { drop: "all" }, 400],
    ["delivery", { delay_ms: "long" }, 400],
    ["delivery", { delay_ms: { min: 1 } }, 400],
  ])("POST %s %j is refused with %d", async (path, body, status) => {
    const place = path === "events" && status === 400 ? await subscribed() : visit();
    expect((await control(place, "POST", path, body)).status).toBe(status);
  });
});
