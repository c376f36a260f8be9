import { afterEach, describe, expect, test } from "bun:test";
import type { WebhookJson } from "../../src/api/webhook-subscription.ts";
import { answering, createTestWorld, json, NOW_MS, problem, type TestWorld } from "./test-world.ts";

let world: TestWorld | undefined;
afterEach(() => world?.discard());

const webhook = (changes: Partial<WebhookJson> = {}): WebhookJson => ({
  public_url: "https://club.example",
  enabled: true,
  subscription: {
    id: 262_001,
    callback_url: "https://club.example/webhooks/strava/***",
    created_at: NOW_MS - 3_600_000,
  },
  checked_at: NOW_MS - 90_000,
  problem: null,
  inbox: { open: 2, oldest_received_at: NOW_MS - 5_000, received_24h: 17 },
  ...changes,
});

/** Runs a command against a daemon that answers so; what it said, and with which exit code. */
async function run(routes: Readonly<Record<string, () => Response>>, ...args: string[]) {
  world = createTestWorld({ fetch: answering(routes) });
  world.pretendDaemon();
  const exitCode = await world.run("webhook", ...args);
  return { exitCode, told: world.lines.join("\n"), complained: world.errors.join("\n") };
}

describe("webhook show", () => {
  const show = (answer: WebhookJson, ...args: string[]) =>
    run({ "GET /api/admin/webhook": () => json(answer) }, "show", ...args);

  test("says what is subscribed since when, when that was looked at, and what waits", async () => {
    expect(await show(webhook())).toEqual({
      exitCode: 0,
      told: [
        "Strava's events: subscription 262001 to https://club.example/webhooks/strava/*** since 01:00:00",
        "  looked at 1 min 30 s ago",
        "  inbox: 2 open, the oldest came 5 s ago; 17 received since yesterday",
      ].join("\n"),
      complained: "",
    });
  });

  test("says why nothing is subscribed, and what is wrong", async () => {
    const none = {
      subscription: null,
      checked_at: null,
      inbox: { open: 0, oldest_received_at: null, received_24h: 0 },
    };
    expect((await show(webhook({ ...none, enabled: false, public_url: null }))).told).toContain(
      "BROOMWAGON_PUBLIC_URL",
    );
    expect((await show(webhook({ ...none, enabled: false }))).told).toContain("switched off");
    const { told } = await show(webhook({ ...none, problem: "Somebody else's is in the way." }));
    expect(told).toContain("not subscribed yet");
    expect(told).toContain("looked at never");
    expect(told).toEndWith("Somebody else's is in the way.");
  });

  test("gives the API's own answer where JSON is wanted", async () => {
    expect(JSON.parse((await show(webhook(), "--json")).told)).toEqual(webhook());
  });
});

test("webhook create subscribes; with --replace it says so to the daemon", async () => {
  const bodies: unknown[] = [];
  for (const args of [["create"], ["create", "--replace"]]) {
    world = createTestWorld({
      fetch: async (request) => {
        bodies.push([request.method, new URL(request.url).pathname, await request.json()]);
        return json(webhook(), 201);
      },
    });
    world.pretendDaemon();
    expect(await world.run("webhook", ...args)).toBe(0);
    expect(world.lines[0]).toContain("subscription 262001");
    world.discard();
  }
  expect(bodies).toEqual([
    ["POST", "/api/admin/webhook", { replace: false }],
    ["POST", "/api/admin/webhook", { replace: true }],
  ]);
});

test("webhook create that the daemon refuses fails with its words", async () => {
  const taken = () => problem(409, "subscription_taken", "Strava allows one subscription an application.");
  expect(await run({ "POST /api/admin/webhook": taken }, "create")).toEqual({
    exitCode: 1,
    told: "",
    complained: "Strava allows one subscription an application.",
  });
});

test("webhook delete ends it", async () => {
  const { exitCode, told } = await run({ "DELETE /api/admin/webhook": () => json(webhook()) }, "delete");
  expect([exitCode, told]).toEqual([0, "Strava tells this daemon of nothing any more; lists find what changes."]);
});

test("webhook delete says what could not be seen to", async () => {
  const answer = webhook({ subscription: null, problem: "It is switched off, and Strava could not be asked." });
  const { exitCode, told } = await run({ "DELETE /api/admin/webhook": () => json(answer) }, "delete");
  expect([exitCode, told]).toEqual([0, "It is switched off, and Strava could not be asked."]);
});

test("webhook alone wants a further word, and without a daemon each says how to start one", async () => {
  world = createTestWorld();
  expect(await world.run("webhook")).toBe(2);
  for (const word of ["show", "create", "delete"]) expect(await world.run("webhook", word)).toBe(1);
  expect(world.errors.join("\n")).toContain("broomwagon serve");
});
