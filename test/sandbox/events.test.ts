import { describe, expect, test } from "bun:test";
import { CALLBACK, challengeBack, receivedEvents, type Subscriber, subscribe, subscribed } from "./subscriber.ts";
import { CLIENT, NOW, NOW_SECONDS, post, visit } from "./visit.ts";

const MINUTE_MS = 60_000;

/** A subscriber whose first athlete allows just this. */
const withScope = (scope: string) =>
  subscribed({ club: { athletes: [{ activities: [{ id: 11, name: "First" }], scope }, { activities: [] }] } });

/** What arrives without time passing. */
async function arrived(place: Subscriber): Promise<Record<string, unknown>[]> {
  await place.clock.advance(0);
  return receivedEvents(place).splice(0);
}

/** Aspect and updates of each event that arrived since the last look. */
async function told(place: Subscriber): Promise<unknown[]> {
  const events = (await arrived(place)).map(({ aspect_type, updates }) => [aspect_type, updates]);
  place.received.length = 0;
  return events;
}

describe("what is told", () => {
  test("an upload, a new title, a deletion: dated, addressed, in order", async () => {
    const place = await subscribed();
    const { stravaId } = place.athlete;
    const { id } = place.sandbox.addActivity(stravaId, { name: "One" });
    place.sandbox.updateActivity(id, { name: "Two" });
    place.sandbox.deleteActivity(id);
    const common = {
      object_type: "activity",
      object_id: id,
      owner_id: stravaId,
      subscription_id: place.sandbox.subscription()?.id,
      event_time: NOW_SECONDS,
    };
    expect(place.received).toEqual([]);
    expect(await arrived(place)).toEqual([
      { ...common, aspect_type: "create", updates: {} },
      { ...common, aspect_type: "update", updates: { title: "Two" } },
      { ...common, aspect_type: "delete", updates: {} },
    ]);
    expect(place.sandbox.events()).toMatchObject([
      { body: place.received[0], attempts: [{ atMs: NOW, status: 200 }], outcome: "delivered" },
      { outcome: "delivered" },
      { outcome: "delivered" },
    ]);
  });

  test("only title, type and privacy of an edit, as texts; never a race tag, a description, a distance, a map", async () => {
    const place = await withScope("read,activity:read_all");
    const edit = (patch: object) => place.sandbox.updateActivity(11, patch);
    edit({ workout_type: 1, description: "x", distance: 5, map: null, start_date: "2025-11-01T08:00:00Z" });
    edit({ name: "First" });
    edit({ visibility: "followers_only" });
    expect(await told(place)).toEqual([]);
    edit({ name: "Second", sport_type: "Ride" });
    edit({ private: true });
    edit({ private: false, sport_type: "TrailRun" });
    expect(await told(place)).toEqual([
      ["update", { title: "Second", type: "Ride" }],
      ["update", { private: "true" }],
      ["update", { type: "Run", private: "false" }],
    ]);
  });

  test("with activity:read alone, going private is a deletion and coming back a creation; what is hidden stays so", async () => {
    const place = await withScope("read,activity:read");
    const { sandbox } = place;
    sandbox.updateActivity(11, { visibility: "only_me", name: "Hidden" });
    expect(await told(place)).toEqual([["delete", {}]]);
    sandbox.updateActivity(11, { name: "Still hidden" });
    const secret = sandbox.addActivity(place.athlete.stravaId, { visibility: "only_me" });
    sandbox.deleteActivity(secret.id);
    expect(await told(place)).toEqual([]);
    sandbox.updateActivity(11, { visibility: "everyone" });
    expect(await told(place)).toEqual([["create", {}]]);
  });

  test("activities only to who may read them, and of nobody whose grant is dead", async () => {
    for (const scope of ["read", "read,activity:write"]) {
      const place = await withScope(scope);
      place.sandbox.addActivity(place.athlete.stravaId);
      expect(await told(place)).toEqual([]);
    }
    const place = await withScope("read,activity:read_all");
    place.sandbox.revokeGrant(place.athlete.stravaId);
    await told(place);
    place.sandbox.addActivity(place.athlete.stravaId);
    expect(await told(place)).toEqual([]);
  });

  test("a grant taken back, by the athlete or by the application, once", async () => {
    const place = await subscribed();
    const [one, other] = place.sandbox.athletes();
    const ids = [one?.stravaId ?? 0, other?.stravaId ?? 0];
    place.sandbox.revokeGrant(ids[0] ?? 0);
    place.sandbox.revokeGrant(ids[0] ?? 0);
    const authorization = `Basic ${btoa(`${CLIENT.client_id}:${CLIENT.client_secret}`)}`;
    await post(place, "/oauth/revoke", { token: other?.refreshToken ?? "" }, { authorization });
    expect(await arrived(place)).toMatchObject(
      ids.map((id) => ({
        object_type: "athlete",
        object_id: id,
        owner_id: id,
        aspect_type: "update",
        updates: { authorized: "false" },
      })),
    );
    place.sandbox.grantAgain(ids[1] ?? 0);
    place.sandbox.grantAgain(ids[1] ?? 0);
    expect(place.sandbox.events()).toHaveLength(2);
  });

  test("an upload by another client of the application", async () => {
    const place = await withScope("read,activity:read_all,activity:write");
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const upload = { method: "POST", headers, body: JSON.stringify({ name: "By hand" }) };
    await place.sandbox.fetch(new Request("https://www.strava.example/api/v3/activities", upload));
    expect(await told(place)).toEqual([["create", {}]]);
  });

  test("nothing while nobody has subscribed", () => {
    const { sandbox, athlete } = visit();
    sandbox.addActivity(athlete.stravaId);
    sandbox.revokeGrant(athlete.stravaId);
    expect(sandbox.events()).toEqual([]);
  });
});

describe("how it is delivered", () => {
  test("as JSON to the callback; a 200 is enough, a redirect is not followed", async () => {
    const place = await subscribed();
    const seen: Request[] = [];
    place.answer = async (request) => {
      seen.push(request);
      return new Response(null, { status: 200 });
    };
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(10 * MINUTE_MS);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ url: CALLBACK, method: "POST", redirect: "manual" });
    expect(seen[0]?.headers.get("content-type")).toBe("application/json");
  });

  test.each<[string, (place: Subscriber) => Subscriber["answer"]]>([
    ["another status than 200", () => async () => new Response(null, { status: 202 })],
    ["a broken connection", () => () => Promise.reject(new TypeError("no route"))],
    [
      "an answer after 2 s",
      ({ clock }) =>
        async (request) => {
          await new Promise<void>((resolve) => void clock.after(2_001, resolve));
          return challengeBack(request);
        },
    ],
  ])("on %s it comes again after 2 minutes, three times in all", async (_, answering) => {
    const place = await subscribed();
    place.answer = answering(place);
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(2_000);
    expect(place.received).toHaveLength(1);
    await place.clock.advance(2 * MINUTE_MS - 2_001);
    expect(place.received).toHaveLength(1);
    await place.clock.advance(2_001);
    expect(place.received).toHaveLength(2);
    expect(place.sandbox.events()).toMatchObject([{ outcome: "pending" }]);
    await place.clock.advance(60 * MINUTE_MS);
    expect(new Set(place.received).size).toBe(1);
    expect(place.received).toHaveLength(3);
    expect(place.sandbox.events()).toMatchObject([{ outcome: "given_up", attempts: [{}, {}, {}] }]);
  });

  test("an answer just within 2 s is in time, and a second try that succeeds is the last", async () => {
    const place = await subscribed();
    let tries = 0;
    place.answer = async () => {
      tries++;
      await new Promise<void>((resolve) => void place.clock.after(1_999, resolve));
      return new Response(null, { status: tries === 1 ? 500 : 200 });
    };
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(60 * MINUTE_MS);
    const secondAtMs = NOW + 1_999 + 2 * MINUTE_MS;
    expect(place.sandbox.events()).toMatchObject([
      {
        outcome: "delivered",
        attempts: [
          { atMs: NOW, status: 500 },
          { atMs: secondAtMs, status: 200 },
        ],
      },
    ]);
  });

  test("a try that takes too long is called off", async () => {
    const place = await subscribed();
    const signals: AbortSignal[] = [];
    place.answer = (request) => {
      signals.push(request.signal);
      return new Promise(() => {});
    };
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(1_999);
    expect(signals[0]?.aborted).toBe(false);
    await place.clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
  });

  test("nothing goes to a subscription that is gone, nor to the one after it", async () => {
    const place = await subscribed();
    place.answer = async () => new Response(null, { status: 500 });
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(0);
    const path = `push_subscriptions/${place.sandbox.subscription()?.id}?${new URLSearchParams(CLIENT)}`;
    await place.sandbox.fetch(new Request(`https://www.strava.example/api/v3/${path}`, { method: "DELETE" }));
    place.answer = challengeBack;
    expect((await subscribe(place)).status).toBe(201);
    await place.clock.advance(60 * MINUTE_MS);
    expect(place.sandbox.events()).toMatchObject([{ outcome: "given_up", attempts: [{ status: 500 }] }]);
  });

  test("a sandbox that was stopped sends nothing more, and leaves no timer", async () => {
    const place = await subscribed();
    place.answer = (request) => (place.received.length === 1 ? new Promise(() => {}) : challengeBack(request));
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(1);
    place.sandbox.setDelivery({ delayMs: MINUTE_MS });
    place.sandbox.addActivity(place.athlete.stravaId);
    place.sandbox.stop();
    await place.clock.advance(0);
    expect(place.clock.nextDueMs()).toBeUndefined();
    place.sandbox.addActivity(place.athlete.stravaId);
    await place.clock.advance(60 * MINUTE_MS);
    expect(await place.sandbox.sendEvent("{}")).toEqual({ atMs: place.clock.nowMs() });
    expect(place.received).toHaveLength(1);
  });
});

describe("what can be done to it", () => {
  test("events are lost, and later ones are not", async () => {
    const place = await subscribed();
    place.sandbox.setDelivery({ drop: 1 });
    place.sandbox.setDelivery({ delayMs: 0 });
    place.sandbox.addActivity(place.athlete.stravaId);
    place.sandbox.setDelivery({ drop: 0 });
    const { id } = place.sandbox.addActivity(place.athlete.stravaId);
    expect(await arrived(place)).toMatchObject([{ object_id: id }]);
    expect(place.sandbox.events()).toMatchObject([{ outcome: "dropped", attempts: [] }, { outcome: "delivered" }]);
  });

  test("a share is lost and a share sent twice, the same for the same seed", async () => {
    const play = async (seed: number) => {
      const place = await subscribed({ seed });
      place.sandbox.setDelivery({ drop: 0.3, double: 0.2 });
      for (let count = 0; count < 200; count++) place.sandbox.addActivity(place.athlete.stravaId);
      await place.clock.advance(0);
      return place;
    };
    const place = await play(5);
    const sent = place.sandbox.events();
    expect(sent.length).toBeWithin(220, 260);
    expect(sent.filter(({ outcome }) => outcome === "dropped").length).toBeWithin(50, 95);
    expect((await play(5)).received).toEqual(place.received);
  });

  test("a range of delays puts them out of order", async () => {
    const place = await subscribed();
    place.sandbox.setDelivery({ delayMs: { min: 1_000, max: MINUTE_MS } });
    const ids = Array.from({ length: 20 }, () => place.sandbox.addActivity(place.athlete.stravaId).id);
    await place.clock.advance(999);
    expect(place.received).toEqual([]);
    await place.clock.advance(MINUTE_MS);
    const order = receivedEvents(place).map(({ object_id }) => object_id);
    expect(order).not.toEqual(ids);
    expect(order.toSorted()).toEqual(ids.toSorted());
  });

  test.each([
    ["in_order" as const, (ids: number[]) => ids],
    ["reversed" as const, (ids: number[]) => ids.toReversed()],
    ["shuffled" as const, undefined],
  ])("held events wait, and are released %s", async (order, arrange) => {
    const place = await subscribed();
    place.sandbox.setDelivery({ hold: true });
    const ids = Array.from({ length: 12 }, () => place.sandbox.addActivity(place.athlete.stravaId).id);
    await place.clock.advance(60 * MINUTE_MS);
    expect(place.received).toEqual([]);
    expect(place.sandbox.events()[0]).toMatchObject({ outcome: "held" });
    expect(place.sandbox.releaseEvents(order)).toBe(12);
    expect(place.sandbox.releaseEvents(order)).toBe(0);
    const came = (await arrived(place)).map(({ object_id }) => Number(object_id));
    if (arrange !== undefined) return expect(came).toEqual(arrange(ids));
    expect(came).not.toEqual(ids);
    expect(came.toSorted()).toEqual(ids.toSorted());
  });

  test("a text is posted as it is, once, and its answer told", async () => {
    const place = await subscribed();
    place.answer = async () => new Response(null, { status: 413 });
    expect(await place.sandbox.sendEvent("{")).toEqual({ atMs: NOW as never, status: 413 });
    await place.clock.advance(60 * MINUTE_MS);
    expect(place.received).toEqual(["{"]);
    expect(place.sandbox.events()).toMatchObject([{ body: "{", outcome: "given_up" }]);
  });

  test("an event of a test's own is filled up, and may lie about its subscription", async () => {
    const place = await subscribed();
    const sent = await place.sandbox.sendEvent({ object_id: 5, subscription_id: 1, owner_id: 7 });
    expect(sent.status).toBe(200);
    expect(receivedEvents(place)).toEqual([
      {
        object_type: "activity",
        object_id: 5,
        aspect_type: "create",
        updates: {},
        owner_id: 7,
        subscription_id: 1,
        event_time: NOW_SECONDS,
      },
    ]);
    await expect(visit().sandbox.sendEvent("{}")).rejects.toThrow(RangeError);
  });

  test("they change nothing else that a seed decides", async () => {
    const alone = visit();
    const place = await subscribed({
      club: { athletes: [{ activities: [] }, { activities: [{ name: "Somebody else's" }] }] },
    });
    place.sandbox.setDelivery({ double: 0.5, delayMs: { min: 1, max: 9 } });
    const { stravaId } = place.athlete;
    const play = ({ sandbox }: typeof alone) => [sandbox.addActivity(stravaId), sandbox.grantAgain(stravaId)];
    expect(play(place)).toEqual(play(alone));
  });

  test("Strava's clock, not the machine's, dates them", async () => {
    const place = await subscribed({ skewMs: 90_000 });
    place.sandbox.addActivity(place.athlete.stravaId);
    expect(await arrived(place)).toMatchObject([{ event_time: NOW_SECONDS + 90 }]);
  });
});
