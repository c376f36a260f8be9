import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/units.ts";
import { PUBLIC_URL, passing, type ReachableApi, reachableApi, subscribedApi } from "../support/webhooks.ts";

const create = (self: ReachableApi, body: unknown = {}, token?: string) =>
  passing(self.engine, self.post("/api/admin/webhook", body, token === undefined ? {} : { token }));
const remove = (self: ReachableApi) => passing(self.engine, self.delete("/api/admin/webhook"));
const show = async (self: ReachableApi) => (await self.get("/api/admin/webhook")).body;

describe("GET /api/admin/webhook", () => {
  test("shows nothing subscribed and nothing wrong before anything has happened", async () => {
    expect(await show(reachableApi({ reachable: false }))).toEqual({
      public_url: null,
      enabled: false,
      subscription: null,
      checked_at: null,
      problem: null,
      inbox: { open: 0, oldest_received_at: null, received_24h: 0 },
    });
  });

  test("shows the subscription without its secret, and what is in the inbox", async () => {
    const self = await subscribedApi();
    const { engine } = self;
    const checkedAt = engine.clock.nowMs();
    engine.processor.setClaiming(false);
    const owner_id = engine.sandbox.athletes()[0]?.stravaId ?? 0;
    for (const object_id of [1, 2]) {
      // Delivered twice, it was received once.
      for (const event_time of [5, 5]) {
        await passing(engine, engine.sandbox.sendEvent({ object_id, owner_id, event_time }));
      }
      await engine.clock.advance(MINUTE_MS);
    }
    expect(await show(self)).toEqual({
      public_url: PUBLIC_URL,
      enabled: true,
      subscription: {
        id: engine.sandbox.subscription()?.id,
        callback_url: `${PUBLIC_URL}/webhooks/strava/***`,
        created_at: Math.floor(checkedAt / 1_000) * 1_000,
      },
      checked_at: checkedAt,
      problem: null,
      inbox: { open: 2, oldest_received_at: expect.any(Number), received_24h: 2 },
    });
  });
});

describe("POST and DELETE /api/admin/webhook", () => {
  test("make it, find it, remove it and make it again", async () => {
    const self = reachableApi();
    expect(await create(self)).toMatchObject({ status: 201, body: { enabled: true, subscription: { id: 262_001 } } });
    expect(await create(self)).toMatchObject({ status: 200, body: { subscription: { id: 262_001 } } });
    expect(await remove(self)).toMatchObject({ status: 200, body: { enabled: false, subscription: null } });
    expect(self.engine.sandbox.subscription()).toBeUndefined();
    expect((await remove(self)).status).toBe(200);
    expect(await create(self)).toMatchObject({ status: 201, body: { enabled: true, subscription: { id: 262_002 } } });
  });

  test("want the scope admin, and seeing it wants read", async () => {
    const self = reachableApi();
    for (const scope of ["read", "operate"] as const) {
      expect((await create(self, {}, self.token(scope))).status).toBe(403);
      expect((await self.delete("/api/admin/webhook", { token: self.token(scope) })).status).toBe(403);
      expect((await self.get("/api/admin/webhook", { token: self.token(scope) })).status).toBe(200);
    }
    expect((await self.get("/api/admin/webhook", { token: null })).status).toBe(401);
  });

  test("without a public address, or without Strava's credentials: 409 with the cure", async () => {
    const unreachable = reachableApi({ reachable: false });
    expect(await create(unreachable)).toMatchObject({
      status: 409,
      body: { code: "public_url_missing", detail: expect.stringContaining("BROOMWAGON_PUBLIC_URL") },
    });
    const unconfigured = reachableApi({ withoutStrava: true });
    expect(await create(unconfigured)).toMatchObject({ status: 409, body: { code: "strava_not_configured" } });
    expect(await remove(unconfigured)).toMatchObject({ status: 409, body: { code: "strava_not_configured" } });
  });

  test("somebody else's is in the way: 409, unless it is to be replaced", async () => {
    const self = reachableApi();
    self.line = async (request) =>
      Response.json({ "hub.challenge": new URL(request.url).searchParams.get("hub.challenge") });
    const body = new URLSearchParams({
      client_id: "12345",
      client_secret: "sandbox-secret",
      callback_url: "https://other.example/hook",
      verify_token: "t",
    });
    const theirs = new Request("https://strava.test/api/v3/push_subscriptions", { method: "POST", body });
    await passing(self.engine, self.engine.sandbox.fetch(theirs));
    self.line = (_request, answer) => answer();
    expect(await create(self)).toMatchObject({ status: 409, body: { code: "subscription_taken" } });
    expect((await show(self)).problem).toContain("other.example");
    expect(await create(self, { replace: true })).toMatchObject({ status: 201, body: { problem: null } });
  });

  test("what Strava refuses is told in words: 502", async () => {
    const self = reachableApi();
    self.line = async () => new Response(null, { status: 404 });
    expect(await create(self)).toMatchObject({
      status: 502,
      body: { code: "strava_refused", detail: expect.stringContaining("could not verify the callback") },
    });
    expect(await create(self, { replace: "yes" })).toMatchObject({ status: 422 });
  });

  test("a Strava without subscriptions: words of its own; what is switched off is switched off, and what is wrong is told", async () => {
    const self = reachableApi();
    const body = { message: "Record Not Found", errors: [] };
    const gone = { match: { kind: "subscription" }, action: { type: "status", status: 404, body } } as const;
    self.engine.sandbox.injectFault({ ...gone, times: Number.POSITIVE_INFINITY });
    const refused = await create(self);
    expect(refused).toMatchObject({ status: 502, body: { code: "strava_refused" } });
    expect(refused.body.detail).toContain("no subscriptions to events");
    expect(refused.body.detail).toContain("BROOMWAGON_STRAVA_API_URL");
    expect(refused.body.detail).not.toContain("token");
    const removed = await remove(self);
    expect(removed).toMatchObject({ status: 200, body: { enabled: false, subscription: null } });
    expect(removed.body.problem).toContain("no subscriptions to events");
    expect((await show(self)).problem).toBe(removed.body.problem);
  });

  test("one of ours that Strava could not be told to end is still there: 502, and the next turn ends it", async () => {
    const self = await subscribedApi();
    self.engine.sandbox.injectFault({ match: { kind: "subscription" }, action: { type: "status", status: 500 } });
    expect(await remove(self)).toMatchObject({ status: 502, body: { code: "strava_refused" } });
    expect(await show(self)).toMatchObject({ enabled: false, subscription: { id: expect.any(Number) } });
    await passing(self.engine, self.engine.events.subscription.keep());
    expect(await show(self)).toMatchObject({ subscription: null, problem: null });
  });
});
