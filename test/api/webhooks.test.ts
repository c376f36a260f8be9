import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeDatabase, openDatabase } from "../../src/db/open.ts";
import { OPEN_EVENTS_LIMIT } from "../../src/db/strava-events.ts";
import { byHand } from "../support/hand.ts";
import {
  callbackPath,
  inboxOf,
  PUBLIC_URL,
  passing,
  type ReachableApi,
  reachableApi,
  subscribedApi,
} from "../support/webhooks.ts";

const NOBODY = { token: null };
/** Of the sandbox's first athlete. */
const event = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  object_type: "activity",
  object_id: 16_500_000_000,
  aspect_type: "create",
  owner_id: 26_500_001,
  subscription_id: 262_001,
  event_time: 1_763_334_772,
  updates: {},
  ...changes,
});
const post = (self: ReachableApi, path: string, body: unknown) => passing(self.engine, self.post(path, body, NOBODY));

/** What Strava sent when it verified the callback. */
const handshake = (self: ReachableApi): URL => new URL(self.received[0]?.url ?? "");

describe("the handshake", () => {
  test("gives Strava its challenge back, as JSON, to whoever knows path and token", async () => {
    const self = await subscribedApi();
    const { pathname, search } = handshake(self);
    const answer = await self.get(`${pathname}${search}`, NOBODY);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    expect(answer.body).toEqual({ "hub.challenge": handshake(self).searchParams.get("hub.challenge") });
  });

  test.each([
    ["another token", "hub.verify_token", "x"],
    ["no token", "hub.verify_token", undefined],
    ["another mode", "hub.mode", "unsubscribe"],
    ["no mode", "hub.mode", undefined],
    ["no challenge", "hub.challenge", undefined],
  ])("with %s: 403", async (_what, field, value) => {
    const self = await subscribedApi();
    const { pathname, searchParams } = handshake(self);
    if (value === undefined) searchParams.delete(field);
    else searchParams.set(field, value);
    expect(await self.get(`${pathname}?${searchParams}`, NOBODY)).toMatchObject({
      status: 403,
      body: { code: "not_verified" },
    });
  });

  test("at another path: 404, whatever else is right; and before anything was subscribed nobody knows a path", async () => {
    const self = await subscribedApi();
    const { pathname, search } = handshake(self);
    for (const path of [`${pathname}x`, pathname.slice(0, -1), "/webhooks/strava/x", "/webhooks/strava/%00"]) {
      expect(await self.get(`${path}${search}`, NOBODY)).toMatchObject({
        status: 404,
        body: { code: "route_unknown" },
      });
    }
    for (const path of ["/webhooks/strava/", "/webhooks/strava"])
      expect((await self.get(path, NOBODY)).status).toBe(404);
    const fresh = reachableApi();
    expect((await fresh.get(`/webhooks/strava/${"A".repeat(43)}${search}`, NOBODY)).status).toBe(404);
    expect((await post(fresh, "/webhooks/strava/undefined", event())).status).toBe(404);
  });
});

test("all of it works under a public address with a path, whether or not a proxy cuts that off", async () => {
  for (const isCut of [false, true]) {
    const self = reachableApi({ publicUrl: `${PUBLIC_URL}/bw` });
    self.line = (request, answer) =>
      isCut ? self.api.fetch(new Request(request.url.replace("/bw/", "/"), request)) : answer();
    await passing(self.engine, self.engine.events.subscription.keep());
    expect(callbackPath(self)).toStartWith("/bw/webhooks/strava/");
    const sent = self.engine.sandbox.sendEvent({ object_id: 5, owner_id: 26_500_001 });
    expect((await passing(self.engine, sent)).status).toBe(200);
    expect(inboxOf(self.engine)).toHaveLength(1);
  }
});

describe("an event", () => {
  test("is acknowledged once it is stored, and known when it comes again", async () => {
    const self = await subscribedApi();
    const path = callbackPath(self);
    expect(await post(self, path, event())).toMatchObject({ status: 200, body: { received: "stored" } });
    expect(await post(self, path, event())).toMatchObject({ status: 200, body: { received: "known" } });
    expect(inboxOf(self.engine)).toMatchObject([{ objectId: 16_500_000_000, ownerId: 26_500_001, aspect: "create" }]);
  });

  test("of another subscription is acknowledged, and nothing of it is stored", async () => {
    const self = await subscribedApi();
    const foreign = event({ subscription_id: 1 });
    expect(await post(self, callbackPath(self), foreign)).toMatchObject({ status: 200, body: { received: "foreign" } });
    expect(inboxOf(self.engine)).toEqual([]);
  });

  test("at another path is answered 404 before anything of it is read: garbage too", async () => {
    const self = await subscribedApi();
    for (const body of [event(), "{", "[]", ""]) {
      expect(await post(self, "/webhooks/strava/guess", body)).toMatchObject({
        status: 404,
        body: { code: "route_unknown" },
      });
    }
    expect(inboxOf(self.engine)).toEqual([]);
  });

  test.each([
    ["{", 400, "malformed_json"],
    ["<html>", 400, "malformed_json"],
    ["", 422, "invalid_request"],
    ["null", 422, "invalid_request"],
    ["[]", 422, "invalid_request"],
    ['"event"', 422, "invalid_request"],
    [JSON.stringify(event({ object_id: "5" })), 422, "invalid_request"],
    [JSON.stringify(event({ object_id: 2 ** 53 })), 422, "invalid_request"],
    [JSON.stringify(event({ aspect_type: "explode" })), 422, "invalid_request"],
    [JSON.stringify(event({ subscription_id: undefined })), 422, "invalid_request"],
  ])("that is %p: %p %p, and nothing is stored", async (body, status, code) => {
    const self = await subscribedApi();
    expect(await post(self, callbackPath(self), body)).toMatchObject({ status, body: { code } });
    expect(inboxOf(self.engine)).toEqual([]);
  });

  test("may be about ids as large as JSON holds exactly, and bring along what nobody asked for", async () => {
    const self = await subscribedApi();
    const large = event({ object_id: Number.MAX_SAFE_INTEGER, extra: { a: 1 } });
    expect((await post(self, callbackPath(self), large)).status).toBe(200);
    expect(inboxOf(self.engine)).toMatchObject([{ objectId: 2 ** 53 - 1 }]);
  });

  test("of 1 MB: 413", async () => {
    const self = await subscribedApi();
    const body = JSON.stringify(event({ updates: { title: "x".repeat(1_000_000) } }));
    expect(await post(self, callbackPath(self), body)).toMatchObject({ status: 413, body: { code: "too_large" } });
    expect(inboxOf(self.engine)).toEqual([]);
  });

  test("is refused with 503 while 10,000 wait: Strava delivers it again", async () => {
    const self = await subscribedApi();
    self.engine.processor.setClaiming(false);
    byHand(
      self.engine.db,
      `INSERT INTO strava_events (received_at_ms, run_after_ms, subscription_id, object_type, object_id, aspect, owner_id, event_time_s)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${OPEN_EVENTS_LIMIT})
       SELECT 1, 9e15, 262001, 'activity', i, 'create', 1, 1 FROM n`,
    );
    expect(await post(self, callbackPath(self), event())).toMatchObject({ status: 503, body: { code: "inbox_full" } });
    byHand(self.engine.db, "UPDATE strava_events SET settled_at_ms = 1, outcome = 'stored' WHERE object_id = 5");
    expect((await post(self, callbackPath(self), event())).status).toBe(200);
  });

  test("is not acknowledged when it cannot be stored within 70 ms, and stored all the same once it can", async () => {
    const directory = mkdtempSync(join(tmpdir(), "broomwagon-events-"));
    const db = openDatabase(join(directory, "events.sqlite"));
    const writer = new Database(join(directory, "events.sqlite"));
    try {
      const self = await subscribedApi({ db });
      const path = callbackPath(self);
      // Somebody else holds the lock: SQLite waits for it a moment, and then commits wait by the clock.
      db.$client.run("PRAGMA busy_timeout = 1");
      writer.run("BEGIN IMMEDIATE");
      const atMs = self.engine.clock.nowMs();
      expect(await post(self, path, event())).toMatchObject({ status: 503, body: { code: "not_stored" } });
      expect(self.engine.clock.nowMs() - atMs).toBeLessThanOrEqual(100);
      writer.run("ROLLBACK");
      await self.engine.clock.advance(1_000);
      expect(inboxOf(self.engine)).toHaveLength(1);
      expect(await post(self, path, event())).toMatchObject({ status: 200, body: { received: "known" } });
    } finally {
      writer.close();
      closeDatabase(db);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe("I10: the secret of the path", () => {
  test("is in no answer, no log line and no documentation, whatever is asked at it", async () => {
    const self = await subscribedApi();
    const path = callbackPath(self);
    const secret = path.split("/").at(-1) ?? "none";
    const answers = [
      await self.get(path, NOBODY),
      await self.get(`${path}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=no`, NOBODY),
      await post(self, path, "{"),
      await post(self, path, "[]"),
      await post(self, path, event()),
      await self.patch(path, {}, NOBODY),
      await self.delete(path),
      await self.get(`${path}/more`, NOBODY),
      await self.get("/swagger/json", NOBODY),
      await self.get("/api/admin/webhook"),
    ];
    for (const answer of answers) {
      expect(answer.text).not.toContain(secret);
      for (const [, value] of answer.headers) expect(value).not.toContain(secret);
    }
    expect(answers[5]?.body.detail).toContain("PATCH /webhooks/strava/***");
    expect(self.engine.lines.join("\n")).not.toContain(secret);
  });
});
