import { describe, expect, test } from "bun:test";
import { epochMs, HOUR_MS } from "../../../src/core/units.ts";
import { readLedger } from "../../../src/db/quota.ts";
import { readSetting } from "../../../src/db/settings.ts";
import { byHand } from "../../support/hand.ts";
import {
  callbackPath,
  PUBLIC_URL,
  passing,
  type ReachableApi,
  reachableApi,
  subscribedApi,
} from "../../support/webhooks.ts";

const keep = ({ engine }: ReachableApi) => passing(engine, engine.events.subscription.keep());
const view = ({ engine }: ReachableApi) => engine.events.subscription.view();
/** Requests about subscriptions, with what they were answered. */
const asked = ({ engine }: ReachableApi): string[] =>
  engine.sandbox
    .ledger()
    .filter((entry) => entry.path.includes("push_subscriptions"))
    .map((entry) => `${entry.method} ${entry.status}`);

/** Somebody else of the same application subscribes. */
async function subscribeElsewhere({ engine }: ReachableApi, callbackUrl: string): Promise<void> {
  const body = new URLSearchParams({
    client_id: "12345",
    client_secret: "sandbox-secret",
    callback_url: callbackUrl,
    verify_token: "theirs",
  });
  const url = "https://strava.test/api/v3/push_subscriptions";
  const answer = await passing(engine, engine.sandbox.fetch(new Request(url, { method: "POST", body })));
  if (answer.status !== 201) throw new Error(`it was answered with ${answer.status}`);
}

/** Strava ends the subscription; the daemon does not hear of it. */
async function endAtStrava({ engine }: ReachableApi): Promise<void> {
  const query = "client_id=12345&client_secret=sandbox-secret";
  const url = `https://strava.test/api/v3/push_subscriptions/${engine.sandbox.subscription()?.id}?${query}`;
  await passing(engine, engine.sandbox.fetch(new Request(url, { method: "DELETE" })));
}
const answerAnybody = async (request: Request): Promise<Response> =>
  Response.json({ "hub.challenge": new URL(request.url).searchParams.get("hub.challenge") });

describe("the daemon's own turn", () => {
  test("subscribes where nothing is: Strava calls back before it answers, and is answered", async () => {
    const self = reachableApi();
    await keep(self);
    expect(self.received.map((request) => request.method)).toEqual(["GET"]);
    const subscription = self.engine.sandbox.subscription();
    expect(subscription?.callbackUrl).toMatch(/^https:\/\/club\.example\/webhooks\/strava\/[\w-]{43}$/);
    expect(view(self)).toMatchObject({
      publicUrl: PUBLIC_URL,
      isEnabled: true,
      subscription: { id: subscription?.id, maskedUrl: `${PUBLIC_URL}/webhooks/strava/***` },
      checkedAtMs: self.engine.clock.nowMs(),
      problem: undefined,
    });
    expect(asked(self)).toEqual(["GET 200", "POST 201"]);
  });

  test("finds its own again, every hour and after a restart, and creates no other", async () => {
    const self = await subscribedApi();
    const id = self.engine.sandbox.subscription()?.id;
    await keep(self);
    const next = self.engine.rebooted();
    expect(next.events.subscription.view()).toMatchObject({ subscription: { id }, problem: undefined });
    await passing(next, next.events.subscription.keep());
    expect(asked(self)).toEqual(["GET 200", "POST 201", "GET 200", "GET 200"]);
    expect(next.events.subscription.view().subscription?.id).toBe(id ?? -1);
  });

  test("subscribes again where Strava has ended it", async () => {
    const self = await subscribedApi();
    const { engine } = self;
    const first = engine.sandbox.subscription()?.id;
    await endAtStrava(self);
    await keep(self);
    expect(view(self).subscription?.id).toBe(engine.sandbox.subscription()?.id ?? -1);
    expect(view(self).subscription?.id).not.toBe(first ?? -1);
  });

  test("replaces its own of before: by its id after a move, and by its address when the secrets are lost", async () => {
    const moved = await subscribedApi();
    byHand(moved.engine.db, "DELETE FROM settings WHERE name = 'webhook_path_secret'");
    const lost = await subscribedApi();
    byHand(lost.engine.db, "DELETE FROM settings WHERE name LIKE 'webhook%'");
    for (const self of [moved, lost]) {
      const before = self.engine.sandbox.subscription();
      await keep(self);
      const after = self.engine.sandbox.subscription();
      expect(after?.callbackUrl).not.toBe(before?.callbackUrl ?? "");
      expect(view(self)).toMatchObject({ subscription: { id: after?.id }, problem: undefined });
      expect(asked(self).slice(2)).toEqual(["GET 200", "DELETE 204", "POST 201"]);
    }
  });

  test("leaves somebody else's alone, says so with the cure, and says it once", async () => {
    const self = reachableApi();
    self.line = answerAnybody;
    await subscribeElsewhere(self, "https://other.example/hooks/their-own-secret");
    for (let turn = 0; turn < 3; turn++) await keep(self);
    expect(self.engine.sandbox.subscription()?.callbackUrl).toContain("other.example");
    const { problem, subscription } = view(self);
    expect(subscription).toBeUndefined();
    expect(view(self).checkedAtMs).toBe(self.engine.clock.nowMs());
    expect(problem).toContain("other.example");
    expect(problem).toContain('{"replace": true}');
    expect(problem).not.toContain("their-own-secret");
    expect(self.engine.lines.filter((line) => line.includes("webhook.problem"))).toHaveLength(1);
  });

  test("does not take for ours what somebody else made after Strava had ended ours", async () => {
    const self = await subscribedApi();
    const { engine } = self;
    await endAtStrava(self);
    self.line = answerAnybody;
    await subscribeElsewhere(self, "https://other.example/hook");
    await keep(self);
    expect(view(self)).toMatchObject({ subscription: undefined, problem: expect.stringContaining("other.example") });
    const { id } = engine.sandbox.subscription() ?? { id: 0 };
    expect(engine.sandbox.subscription()?.id).toBe(id);
  });

  test("does nothing without a public address, without Strava's credentials, and once it is switched off", async () => {
    const bare = reachableApi({ reachable: false });
    await keep(bare);
    expect([asked(bare), view(bare).isEnabled, view(bare).problem]).toEqual([[], false, undefined]);
    const self = await subscribedApi();
    await passing(self.engine, self.engine.events.subscription.remove());
    await keep(self);
    expect(asked(self)).toEqual(["GET 200", "POST 201", "GET 200", "DELETE 204"]);
    expect(view(self)).toMatchObject({ isEnabled: false, subscription: undefined });
  });
});

describe("when Strava refuses", () => {
  test("a callback that it cannot verify: what to look at, once; mended, it is said too", async () => {
    const self = reachableApi();
    self.line = async () => new Response("no", { status: 502 });
    for (let turn = 0; turn < 2; turn++) await keep(self);
    const { problem } = view(self);
    expect(problem).toContain("could not verify the callback");
    expect(problem).toContain(`${PUBLIC_URL}/webhooks/strava/***`);
    expect(problem).toContain("BROOMWAGON_PUBLIC_URL");
    self.line = (_request, answer) => answer();
    await keep(self);
    expect(view(self).problem).toBeUndefined();
    const told = self.engine.lines.map((line) => JSON.parse(line)).filter(({ event }) => event.startsWith("webhook."));
    expect(told.map(({ event }) => event)).toEqual(["webhook.problem", "webhook.created"]);
  });

  for (const [what, action, words] of [
    ["no answer", { type: "reset" }, "could not be reached"],
    ["an outage", { type: "html" }, "temporarily unavailable"],
    ["a wrong client", { type: "status", status: 401, body: {} }, "STRAVA_CLIENT_SECRET"],
    ["garbage", { type: "truncated" }, "cannot be read"],
  ] as const) {
    test(`${what}: it is told, syncs go on, and the next turn tries again`, async () => {
      const self = reachableApi();
      self.engine.sandbox.injectFault({ match: { kind: "subscription" }, action });
      await keep(self);
      expect(view(self).problem).toContain(words);
      expect(self.engine.context.governor.hold("schedule")).toBeUndefined();
      await keep(self);
      expect(view(self)).toMatchObject({ problem: undefined, subscription: { id: expect.any(Number) } });
    });
  }

  test("an answer that was lost: the next turn finds what was created", async () => {
    const self = reachableApi();
    self.engine.sandbox.injectFault({
      match: { kind: "subscription", nth: 2 },
      action: { type: "lost_response" },
    });
    await keep(self);
    expect(view(self).subscription).toBeUndefined();
    await keep(self);
    expect(view(self).subscription?.id).toBe(self.engine.sandbox.subscription()?.id ?? -1);
  });

  test("an address that would be too long for Strava is not even asked for", async () => {
    const self = reachableApi({ publicUrl: `https://club.example/${"x".repeat(200)}` });
    await keep(self);
    expect(view(self).problem).toContain("255 characters");
    expect(asked(self)).toEqual(["GET 200"]);
  });
});

describe("a person's word", () => {
  test("replaces somebody else's, and only when it says so", async () => {
    const self = reachableApi();
    self.line = answerAnybody;
    await subscribeElsewhere(self, "https://other.example/hook");
    self.line = (_request, answer) => answer();
    const { subscription } = self.engine.events;
    expect(await passing(self.engine, subscription.create({ replace: false }))).toMatchObject({
      outcome: "subscription_taken",
    });
    expect(await passing(self.engine, subscription.create({ replace: true }))).toEqual({ outcome: "created" });
    expect(self.engine.sandbox.subscription()?.callbackUrl).toStartWith(PUBLIC_URL);
    expect(await passing(self.engine, subscription.create({ replace: true }))).toEqual({ outcome: "kept" });
  });

  test("switches off for good: after a restart too, until somebody wants it again", async () => {
    const self = await subscribedApi();
    expect(await passing(self.engine, self.engine.events.subscription.remove())).toEqual({ outcome: "removed" });
    const next = self.engine.rebooted();
    await passing(next, next.events.subscription.keep());
    expect(self.engine.sandbox.subscription()).toBeUndefined();
    expect(await passing(next, next.events.subscription.create({ replace: false }))).toEqual({ outcome: "created" });
    expect(next.events.subscription.view().isEnabled).toBe(true);
  });

  test("where Strava did not hear it, is carried out at the next turn", async () => {
    const self = await subscribedApi();
    self.engine.sandbox.injectFault({
      match: { kind: "subscription", nth: 2 },
      action: { type: "status", status: 500 },
    });
    expect(await passing(self.engine, self.engine.events.subscription.remove())).toMatchObject({
      outcome: "strava_refused",
    });
    expect(self.engine.sandbox.subscription()).toBeDefined();
    expect(view(self)).toMatchObject({ isEnabled: false, problem: expect.stringContaining("failed to answer") });
    await keep(self);
    expect(self.engine.sandbox.subscription()).toBeUndefined();
    expect(view(self)).toMatchObject({ subscription: undefined, problem: undefined });
  });

  test("what is gone when it is to be ended is ended", async () => {
    const self = await subscribedApi();
    const gone = { type: "status", status: 404, body: { message: "Not Found", errors: [] } } as const;
    self.engine.sandbox.injectFault({ match: { kind: "subscription", nth: 2 }, action: gone });
    expect(await passing(self.engine, self.engine.events.subscription.remove())).toEqual({ outcome: "removed" });
    expect(view(self)).toMatchObject({ subscription: undefined, problem: undefined });
  });

  test("leaves alone what is not ours", async () => {
    const self = reachableApi();
    self.line = answerAnybody;
    await subscribeElsewhere(self, "https://other.example/hook");
    expect(await passing(self.engine, self.engine.events.subscription.remove())).toEqual({ outcome: "removed" });
    expect(self.engine.sandbox.subscription()?.callbackUrl).toContain("other.example");
  });

  test("and the job's turn at the same moment create one subscription, and not two", async () => {
    const self = reachableApi({ sandbox: { latencyMs: 100 } });
    const { subscription } = self.engine.events;
    const both = Promise.all([subscription.keep(), subscription.create({ replace: false })]);
    expect((await passing(self.engine, both))[1]).toEqual({ outcome: "kept" });
    expect(asked(self)).toEqual(["GET 200", "POST 201", "GET 200"]);
  });
});

test("I10: the secrets are sealed in the database, and in no log line; the requests are in the ledger, and cost no quota", async () => {
  const self = await subscribedApi();
  const { engine } = self;
  const secret = callbackPath(self).split("/").at(-1) ?? "";
  const [handshake] = self.received;
  const verifyToken = new URL(handshake?.url ?? "").searchParams.get("hub.verify_token") ?? "";
  expect(verifyToken).toMatch(/^[\w-]{43}$/);
  await engine.clock.advance(HOUR_MS);
  const stored = Buffer.from(engine.db.$client.serialize()).toString("latin1");
  for (const word of [secret, verifyToken]) {
    expect(stored).not.toContain(word);
    expect(engine.lines.join("\n")).not.toContain(word);
  }
  expect(readSetting(engine.db, "webhook_path_secret")).toBeDefined();
  const lines = readLedger(engine.db, epochMs(0)).filter(({ phase }) => phase === "webhook");
  expect(lines.map(({ athleteId, status, requests }) => [athleteId, status, requests])).toEqual([
    [0, 200, 1],
    [0, 201, 1],
  ]);
  expect(engine.sandbox.quota()).toMatchObject({ read: { quarter: { used: 0 } } });
});

test("a secret that does not open any more is made anew, and Strava is told the new address", async () => {
  const self = await subscribedApi();
  const before = callbackPath(self);
  byHand(self.engine.db, "UPDATE settings SET value = 'AAAA' WHERE name = 'webhook_path_secret'");
  expect((await self.post(before, {}, { token: null })).status).toBe(404);
  await keep(self);
  expect(callbackPath(self)).not.toBe(before);
  expect(view(self).problem).toBeUndefined();
});
