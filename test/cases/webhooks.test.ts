/** Cases 58 to 64 of what Strava does: its events, through the daemon's own API and the sandbox's own delivery. */
import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { readAthlete } from "../../src/db/athletes.ts";
import type { SentEvent, StravaEvent } from "../../src/sandbox/event-delivery.ts";
import {
  activityIdAt,
  dailyRuns,
  heldRaces,
  RACE,
  raceOf,
  startedAgo,
  stravaIdOf,
  syncToEnd,
} from "../support/syncs.ts";
import {
  callbackPath,
  deliver,
  inboxOf,
  inStepApi,
  looksAt,
  outcomesOf,
  PUBLIC_URL,
  passing,
  type ReachableApi,
  reachableApi,
} from "../support/webhooks.ts";

const RACES = { athletes: [{ activities: dailyRuns(6, [0, 2, 4]) }] };

/** Events come in, and everything that the list shows is held. */
const inStep = (options: Parameters<typeof inStepApi>[0] = {}) => inStepApi({ club: RACES, ...options });

const second = (self: ReachableApi) => self.engine.clock.advance(SECOND_MS);
const create = (self: ReachableApi, body: object = {}) => passing(self.engine, self.post("/api/admin/webhook", body));
const attemptsOf = ({ attempts }: SentEvent): (number | undefined)[] => attempts.map(({ status }) => status);

/** What is held and not withdrawn, and what Strava would list as races: the same, when the two are in step. */
function expectInStep({ engine }: ReachableApi, n = 0): void {
  const held = heldRaces(engine)
    .filter((race) => race.withdrawnAtMs === null)
    .map(({ stravaActivityId, name, visibility }) => ({ id: stravaActivityId, name, visibility }));
  const listed = engine.sandbox
    .activities(stravaIdOf(engine, n))
    .filter((activity) => activity.type === "Run" && activity.workout_type === 1)
    .map(({ id, name, visibility }) => ({ id, name, visibility }));
  expect(new Set<unknown>(held)).toEqual(new Set<unknown>(listed));
}

describe("subscribing", () => {
  test("case 58: the handshake is answered while the daemon waits for the subscription that it asked for", async () => {
    const self = reachableApi();
    expect(await create(self)).toMatchObject({ status: 201, body: { enabled: true, problem: null } });
    expect(self.received.map((request) => [request.method, new URL(request.url).searchParams.get("hub.mode")])).toEqual(
      [["GET", "subscribe"]],
    );
    expect(self.engine.sandbox.subscription()?.callbackUrl).toStartWith(`${PUBLIC_URL}/webhooks/strava/`);
  });

  test("case 58: a callback that shows another token, is slower than 2 s, or is not there is not verifiable", async () => {
    const self = reachableApi();
    const lines: ReachableApi["line"][] = [
      // Something in front that asks the daemon with a token of its own.
      async (request) => self.api.fetch(new Request(request.url.replace(/verify_token=[^&]*/, "verify_token=x"))),
      (_request, answer) => new Promise((resolve) => self.engine.clock.after(2_001, () => resolve(answer()))),
      async () => new Response("<html>not here</html>", { status: 404 }),
    ];
    for (const line of lines) {
      self.line = line;
      expect(await create(self)).toMatchObject({ status: 502, body: { code: "strava_refused" } });
      expect((await self.get("/api/admin/webhook")).body).toMatchObject({
        subscription: null,
        problem: expect.stringContaining("could not verify the callback"),
      });
      expect(self.engine.sandbox.subscription()).toBeUndefined();
    }
    self.line = (_request, answer) => new Promise((resolve) => self.engine.clock.after(1_900, () => resolve(answer())));
    expect((await create(self)).status).toBe(201);
  });

  test("case 58: a second subscription is refused, and the daemon does not take what is somebody else's", async () => {
    const self = reachableApi();
    self.line = async (request) =>
      Response.json({ "hub.challenge": new URL(request.url).searchParams.get("hub.challenge") });
    const client = { client_id: "12345", client_secret: "sandbox-secret" };
    const body = new URLSearchParams({ ...client, callback_url: "https://other.example/hook", verify_token: "t" });
    const asked = new Request("https://strava.test/api/v3/push_subscriptions", { method: "POST", body });
    expect((await passing(self.engine, self.engine.sandbox.fetch(asked.clone()))).status).toBe(201);
    expect((await passing(self.engine, self.engine.sandbox.fetch(asked))).status).toBe(400);
    expect(await create(self)).toMatchObject({ status: 409, body: { code: "subscription_taken" } });
    expect(self.engine.sandbox.subscription()?.callbackUrl).toBe("https://other.example/hook");
  });
});

describe("what events tell", () => {
  test("case 59: a creation, each kind of edit, a deletion: in step within the second, one request each, no list", async () => {
    const self = await inStep();
    const { sandbox } = self.engine;
    const { id } = sandbox.addActivity(stravaIdOf(self.engine), { ...RACE, name: "New" });
    const changes: (() => unknown)[] = [
      () => {},
      () => sandbox.updateActivity(id, { name: "Renamed" }),
      () => sandbox.updateActivity(id, { private: true, visibility: "only_me" }),
      () => sandbox.updateActivity(id, { private: false, visibility: "everyone" }),
      () => sandbox.updateActivity(id, { sport_type: "Ride", type: "Ride" }),
      () => sandbox.updateActivity(id, { sport_type: "TrailRun", type: "Run" }),
      () => sandbox.deleteActivity(id),
    ];
    for (const [n, change] of changes.entries()) {
      change();
      await second(self);
      expectInStep(self);
      expect(looksAt(self.engine, id)).toBe(n + 1);
    }
    expect(sandbox.ledger().map((entry) => entry.kind)).not.toContain("list");
    const told = sandbox.events().map(({ body }) => (JSON.parse(body) as StravaEvent).updates);
    expect(told).toContainEqual({ private: "true" });
    expect(outcomesOf(self.engine)).toEqual(["stored", "stored", "stored", "stored", "no_race", "stored", "withdrawn"]);
  });

  test('case 59: an athlete who is not authorized any more ("false") is erased, once Strava says so too', async () => {
    const self = await inStep();
    self.engine.sandbox.revokeGrant(stravaIdOf(self.engine));
    const told = self.engine.sandbox.events().map(({ body }) => (JSON.parse(body) as StravaEvent).updates);
    expect(told).toEqual([{ authorized: "false" }]);
    await second(self);
    expect(readAthlete(self.engine.db, self.engine.athlete())).toBeUndefined();
    expect(heldRaces(self.engine)).toEqual([]);
  });
});

describe("delivery", () => {
  test("case 60: what is not acknowledged comes again, three times in all; what came through is looked at once", async () => {
    const self = await inStep();
    const { engine } = self;
    const id = activityIdAt(engine, 0);
    let tries = 0;
    self.line = async (_request, answer) => {
      tries++;
      // First the daemon stores it and its answer is late, then something in front fails, then it comes through.
      const response = await answer();
      if (tries === 1) return new Promise((resolve) => engine.clock.after(2_500, () => resolve(response)));
      return tries === 2 ? new Response("bad gateway", { status: 502 }) : response;
    };
    engine.sandbox.updateActivity(id, { name: "Told thrice" });
    await engine.clock.advance(10 * MINUTE_MS);
    expect(engine.sandbox.events().map(attemptsOf)).toEqual([[undefined, 502, 200]]);
    expect(inboxOf(engine)).toHaveLength(1);
    expect(looksAt(engine, id)).toBe(1);
    expectInStep(self);
  });

  test("case 60: an event that never comes through is given up by Strava, and nothing of it is left here", async () => {
    const self = await inStep();
    const { engine } = self;
    self.line = async () => new Response("bad gateway", { status: 502 });
    engine.sandbox.updateActivity(activityIdAt(engine, 0), { name: "Never told" });
    await engine.clock.advance(10 * MINUTE_MS);
    expect(engine.sandbox.events()).toMatchObject([{ outcome: "given_up" }]);
    expect(inboxOf(engine)).toEqual([]);
    await syncToEnd(engine);
    expectInStep(self);
  });

  test("case 60: every event twice, at any moment: idempotent", async () => {
    const self = await inStep();
    const { engine } = self;
    engine.sandbox.setDelivery({ double: 1, delayMs: { min: 0, max: 30_000 } });
    const { id } = engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, name: "Twice" });
    engine.sandbox.deleteActivity(activityIdAt(engine, 3));
    await engine.clock.advance(MINUTE_MS);
    expect(engine.sandbox.events()).toHaveLength(4);
    expect(inboxOf(engine)).toHaveLength(2);
    expect(looksAt(engine, id)).toBe(1);
    expectInStep(self);
  });
});

describe("disorder and garbage", () => {
  test("case 61: deleted before it was created, edited before it was created: the truth at the end, whatever the order", async () => {
    for (const order of ["in_order", "reversed", "shuffled"] as const) {
      const self = await inStep();
      const { engine } = self;
      engine.sandbox.setDelivery({ hold: true });
      const kept = engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, name: "Kept" });
      const gone = engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, name: "Gone" });
      await second(self);
      engine.sandbox.updateActivity(kept.id, { name: "Kept, and renamed" });
      engine.sandbox.deleteActivity(gone.id);
      engine.sandbox.deleteActivity(activityIdAt(engine, 2));
      engine.sandbox.releaseEvents(order);
      await engine.clock.advance(HOUR_MS);
      expectInStep(self);
      expect(outcomesOf(engine)).not.toContain(null);
    }
  });

  test("case 61: of an unknown athlete, and of another subscription: acknowledged, and not worth a request", async () => {
    const self = await inStep();
    const { engine } = self;
    const ours = engine.sandbox.subscription()?.id ?? 0;
    const object_id = activityIdAt(engine, 0);
    expect(await deliver(self, { object_id, owner_id: 4_711 })).toBe(200);
    const forged = {
      object_id,
      owner_id: stravaIdOf(engine),
      subscription_id: ours + 1,
      aspect_type: "delete",
    } as const;
    expect(await deliver(self, forged)).toBe(200);
    await second(self);
    // Of somebody whom nobody knows here, and of others' subscriptions, nothing is kept.
    expect(outcomesOf(engine)).toEqual([]);
    expect(engine.sandbox.ledger()).toEqual([]);
    expectInStep(self);
  });

  test("case 61: garbage and a body of 1 MB are refused, nothing of them is kept, and the next event comes through", async () => {
    const self = await inStep();
    const { engine } = self;
    const statuses: (number | undefined)[] = [];
    for (const body of [
      "{",
      "<html>",
      "[]",
      "null",
      "{}",
      '{"object_type":"activity"}',
      JSON.stringify({ junk: "x".repeat(1_000_000) }),
    ]) {
      statuses.push(await deliver(self, body));
    }
    expect(statuses).toEqual([400, 400, 422, 422, 422, 422, 413]);
    expect(inboxOf(engine)).toEqual([]);
    engine.sandbox.updateActivity(activityIdAt(engine, 0), { name: "After the garbage" });
    await second(self);
    expectInStep(self);
  });

  test("case 61: forged at a path that was guessed, nothing gets in", async () => {
    const self = await inStep();
    const event = {
      object_type: "activity",
      object_id: 1,
      aspect_type: "delete",
      owner_id: 1,
      subscription_id: 1,
      event_time: 1,
    };
    const path = callbackPath(self);
    for (const guess of ["/webhooks/strava/x", path.toUpperCase(), `${path.slice(0, -1)}_`]) {
      const answer = await passing(self.engine, self.post(guess, event, { token: null }));
      expect(answer.status).toBe(404);
    }
    expect(inboxOf(self.engine)).toEqual([]);
  });
});

test("case 62: events that were lost while the daemon was down are found by the next list", async () => {
  const self = await inStep();
  const { engine } = self;
  engine.sandbox.setDelivery({ drop: 1 });
  engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, name: "Missed" });
  engine.sandbox.updateActivity(activityIdAt(engine, 1), { name: "Renamed meanwhile" });
  engine.sandbox.deleteActivity(activityIdAt(engine, 3));
  await engine.clock.advance(HOUR_MS);
  expect(inboxOf(engine)).toEqual([]);
  expect(await syncToEnd(engine, { mode: "incremental" })).toMatchObject({ status: "completed" });
  expectInStep(self);
});

test("case 63: with activity:read alone a race that goes private is told as deleted, and as created when it is back", async () => {
  const self = await inStep({ club: { athletes: [{ ...RACES.athletes[0], scope: "read,activity:read" }] } });
  const { engine } = self;
  const id = activityIdAt(engine, 0);
  engine.sandbox.updateActivity(id, { private: true, visibility: "only_me" });
  await second(self);
  expect(raceOf(engine, id).withdrawnAtMs).not.toBeNull();
  await engine.clock.advance(HOUR_MS);
  engine.sandbox.updateActivity(id, { private: false, visibility: "everyone", name: "Back again" });
  await second(self);
  const aspects = engine.sandbox.events().map(({ body }) => (JSON.parse(body) as StravaEvent).aspect_type);
  expect(aspects).toEqual(["delete", "create"]);
  expect(raceOf(engine, id)).toMatchObject({ withdrawnAtMs: null, enrichment: "enriched", name: "Back again" });
  expectInStep(self);
});

test("case 64: an activity that is announced before it can be read is found a little later", async () => {
  for (const [misses, foundAfterMs] of [
    [1, MINUTE_MS],
    [2, 6 * MINUTE_MS],
    [3, 36 * MINUTE_MS],
  ] as const) {
    const self = await inStep();
    const { engine } = self;
    const NOT_THERE = { type: "status", status: 404, body: { message: "Resource Not Found", errors: [] } } as const;
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: misses, action: NOT_THERE });
    const { id } = engine.sandbox.addActivity(stravaIdOf(engine), { ...startedAgo(HOUR_MS, RACE), name: "Processing" });
    await engine.clock.advance(foundAfterMs - SECOND_MS);
    expect(heldRaces(engine).some((race) => race.stravaActivityId === id)).toBe(false);
    await engine.clock.advance(2 * SECOND_MS);
    expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
    expect(looksAt(engine, id)).toBe(misses + 1);
    expectInStep(self);
  }
});
