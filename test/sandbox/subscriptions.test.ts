import { describe, expect, test } from "bun:test";
import { CALLBACK, challengeBack, type Subscriber, subscribe, subscribed, subscriber } from "./subscriber.ts";
import { CLIENT, json, visit } from "./visit.ts";

const refused = (field: string, code: string) => ({
  message: "Bad Request",
  errors: [{ resource: "PushSubscription", field, code }],
});

const ask = ({ sandbox }: Subscriber, method: string, path: string, client = CLIENT): Promise<Response> =>
  sandbox.fetch(
    new Request(`https://www.strava.example/api/v3/push_subscriptions${path}?${new URLSearchParams(client)}`, {
      method,
    }),
  );

/** Waits by the clock, heeding nobody. */
const after = ({ clock }: Subscriber, delayMs: number) =>
  new Promise<void>((resolve) => void clock.after(delayMs, resolve));

describe("subscribing", () => {
  test("asks the callback for the challenge, and is answered as recorded; nothing is counted", async () => {
    const place = subscriber();
    const response = await subscribe(place);
    expect(response.status).toBe(201);
    const made = await json(response);
    expect(made).toEqual({
      id: expect.any(Number),
      resource_state: 2,
      application_id: 12_345,
      callback_url: CALLBACK,
      created_at: "2025-11-17T09:07:00Z",
      updated_at: "2025-11-17T09:07:00Z",
    });
    const [check] = place.checks;
    expect(`${check?.origin}${check?.pathname}`).toBe("https://club.example/webhooks/strava/secret");
    expect(Object.fromEntries(check?.searchParams ?? [])).toEqual({
      from: "strava",
      "hub.mode": "subscribe",
      "hub.challenge": expect.stringMatching(/^[0-9a-f]{16}$/),
      "hub.verify_token": "proof",
    });
    expect(await json(ask(place, "GET", ""))).toEqual([made] as never);
    expect(place.sandbox.subscription()).toMatchObject({ id: made.id, callbackUrl: CALLBACK });
    expect(place.sandbox.ledger()).toMatchObject([
      { kind: "subscription", method: "POST", status: 201, isCounted: false },
      { kind: "subscription", method: "GET", status: 200, isCounted: false },
    ]);
    expect(place.sandbox.quota().overall.day.used).toBe(0);
  });

  test("takes a multipart form too, as Strava's own examples send it", async () => {
    const place = subscriber();
    const body = new FormData();
    for (const [name, value] of Object.entries({ ...CLIENT, callback_url: CALLBACK, verify_token: "proof" })) {
      body.set(name, value);
    }
    const url = "https://www.strava.example/api/v3/push_subscriptions";
    expect((await place.sandbox.fetch(new Request(url, { method: "POST", body }))).status).toBe(201);
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const torn = new Request(url, { method: "POST", body: "--x", headers });
    expect((await place.sandbox.fetch(torn)).status).toBe(401);
  });

  test.each<[string, string, (place: Subscriber) => Subscriber["answer"]]>([
    [
      "a status other than 200",
      "GET to callback URL does not return 200",
      () => async () => new Response("", { status: 201 }),
    ],
    ["another challenge", "not verifiable", () => async () => Response.json({ "hub.challenge": "x" })],
    ["no JSON", "not verifiable", () => async () => new Response("welcome")],
    ["JSON without a field", "not verifiable", () => async () => Response.json(null)],
    ["a broken connection", "not verifiable", () => () => Promise.reject(new TypeError("no route"))],
    [
      "an answer after 2 s",
      "not verifiable",
      (place) => async (request) => {
        await after(place, 2_001);
        return challengeBack(request);
      },
    ],
  ])("is refused on %s", async (_, code, answering) => {
    const place = subscriber();
    place.answer = answering(place);
    const pending = subscribe(place);
    await place.clock.advance(2_000);
    const response = await pending;
    expect(response.status).toBe(400);
    expect(await json(response)).toEqual(refused("callback url", code));
    expect(place.sandbox.subscription()).toBeUndefined();
  });

  test("an answer within 2 s is in time", async () => {
    const place = subscriber();
    place.answer = async (request) => {
      await after(place, 1_999);
      return challengeBack(request);
    };
    const pending = subscribe(place);
    await place.clock.advance(2_000);
    expect((await pending).status).toBe(201);
  });

  test("a second subscription is refused, without asking anybody, and also when both are asked for at once", async () => {
    const place = subscriber();
    const [one, other] = await Promise.all([subscribe(place), subscribe(place)]);
    expect([one?.status, other?.status].sort()).toEqual([201, 400]);
    const third = await subscribe(place);
    expect([third.status, await json(third)]).toEqual([400, refused("", "already exists")]);
    expect(place.checks).toHaveLength(2);
  });

  test.each([
    [{ callback_url: "" }, "callback_url", "missing"],
    [{ callback_url: "club.example" }, "callback_url", "invalid"],
    [{ callback_url: "ftp://club.example" }, "callback_url", "invalid"],
    [
      { callback_url: `https://club.example/${"x".repeat(256 - "https://club.example/".length)}` },
      "callback_url",
      "invalid",
    ],
    [{ verify_token: "" }, "verify_token", "missing"],
  ])("%j is a bad request, and nobody is asked", async (fields, field, code) => {
    const place = subscriber();
    const response = await subscribe(place, fields);
    expect([response.status, await json(response)]).toEqual([400, refused(field, code)]);
    expect(place.checks).toEqual([]);
  });

  test("255 characters of a callback are allowed", async () => {
    const callback_url = `https://club.example/${"x".repeat(255 - "https://club.example/".length)}`;
    expect((await subscribe(subscriber(), { callback_url })).status).toBe(201);
  });

  test("a wrong client may do nothing", async () => {
    const place = await subscribed();
    const wrong = { ...CLIENT, client_secret: "guess" };
    const { id } = place.sandbox.subscription() ?? {};
    expect((await subscribe(subscriber(), wrong)).status).toBe(401);
    expect((await ask(place, "GET", "", wrong)).status).toBe(401);
    expect((await ask(place, "DELETE", `/${id}`, wrong)).status).toBe(401);
    expect(place.sandbox.subscription()).toBeDefined();
  });

  test("a sandbox that was given no way to call back finds no address verifiable", async () => {
    const response = await subscribe(visit());
    expect(await json(response)).toEqual(refused("callback url", "not verifiable"));
  });

  test("a fault stands before the subscription too", async () => {
    const place = subscriber();
    place.sandbox.injectFault({ match: { kind: "subscription" }, action: { type: "status", status: 503 } });
    expect((await subscribe(place)).status).toBe(503);
    expect(place.checks).toEqual([]);
    expect((await subscribe(place)).status).toBe(201);
  });
});

describe("removing a subscription", () => {
  test("answers 204 without a body; an id that is not there 404; then another can be made", async () => {
    const place = await subscribed();
    const { id = 0 } = place.sandbox.subscription() ?? {};
    expect((await ask(place, "DELETE", `/${id + 1}`)).status).toBe(404);
    const removed = await ask(place, "DELETE", `/${id}`);
    expect([removed.status, removed.body]).toEqual([204, null]);
    expect(await json(ask(place, "GET", ""))).toEqual([] as never);
    expect((await ask(place, "DELETE", `/${id}`)).status).toBe(404);
    expect((await json(subscribe(place))).id).not.toBe(id);
  });

  test.each([
    ["GET", "/1"],
    ["DELETE", ""],
    ["PUT", ""],
    ["GET", "/x"],
  ])("%s push_subscriptions%s is no route", async (method, path) => {
    const place = await subscribed();
    expect((await ask(place, method, path)).status).toBe(401);
    expect(place.sandbox.ledger().at(-1)).toMatchObject({ kind: "other" });
  });
});
