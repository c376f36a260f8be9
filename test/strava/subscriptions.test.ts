import { describe, expect, test } from "bun:test";
import { epochMs, type Fetch } from "../../src/core/units.ts";
import { createStravaClient } from "../../src/strava/client.ts";
import type { Reply } from "../../src/strava/reply.ts";
import { FakeClock } from "../support/fake-clock.ts";

const SECRET = "5ec7e7".repeat(6);
const CALLBACK = "https://club.example/webhooks/strava/path-secret";
const VERIFY_TOKEN = "verify-token";
const TIMEOUT_MS = 30_000;
const CREATED = {
  id: 120_475,
  resource_state: 2,
  application_id: 1234,
  callback_url: CALLBACK,
  created_at: "2025-11-17T10:00:00Z",
  updated_at: "2025-11-17T10:00:00Z",
};

describe("what is sent", () => {
  test("a list: id and secret in the query, no token", async () => {
    const { client, requests } = connect(() => Response.json([CREATED]));
    expect(await client.listSubscriptions(never())).toMatchObject({
      ok: true,
      value: [{ id: 120_475, callbackUrl: CALLBACK, createdAtMs: epochMs(Date.UTC(2025, 10, 17, 10)) }],
    });
    expect(await told(requests[0])).toEqual([
      "GET https://api-v3.example/api/v3/push_subscriptions",
      { client_id: "1234", client_secret: SECRET },
      {},
    ]);
    expect(requests[0]?.headers.get("authorization")).toBeNull();
  });

  test("a new one: everything in the form, nothing in the address; the answer may hold nothing but the id", async () => {
    const { client, requests } = connect(() => Response.json({ id: 7 }, { status: 201 }));
    const reply = await client.createSubscription(CALLBACK, VERIFY_TOKEN, never());
    expect(reply).toMatchObject({ ok: true, value: { id: 7, callbackUrl: CALLBACK, createdAtMs: null } });
    expect(await told(requests[0])).toEqual([
      "POST https://api-v3.example/api/v3/push_subscriptions",
      {},
      { client_id: "1234", client_secret: SECRET, callback_url: CALLBACK, verify_token: VERIFY_TOKEN },
    ]);
  });

  test("an end: the id in the path, the rest in the query; 204 without a body confirms it", async () => {
    const { client, requests } = connect(() => new Response(null, { status: 204 }));
    expect(await client.deleteSubscription(120_475, never())).toMatchObject({ ok: true, value: "deleted" });
    expect(await told(requests[0])).toEqual([
      "DELETE https://api-v3.example/api/v3/push_subscriptions/120475",
      { client_id: "1234", client_secret: SECRET },
      {},
    ]);
  });
});

describe("what a refusal means", () => {
  const create = (status: number, body: string) =>
    connect(() => new Response(body, { status })).client.createSubscription(CALLBACK, VERIFY_TOKEN, never());

  test.each([
    [400, refusal("PushSubscription", "callback url", "not verifiable"), "item", "callback_unverifiable"],
    [
      400,
      refusal("PushSubscription", "callback url", "GET to callback URL does not return 200"),
      "item",
      "callback_unverifiable",
    ],
    [400, refusal("PushSubscription", "", "already exists"), "item", "subscription_exists"],
    [400, refusal("Application", "client_id", "invalid"), "application", "wrong_client"],
    [401, refusal("Application", "client_id", "invalid"), "application", "wrong_client"],
    [401, "", "application", "wrong_client"],
    [400, "no JSON", "item", "bad_request"],
    [403, refusal("Application", "Status", "Inactive"), "application", "app_inactive"],
    [429, "{}", "application", "rate_limited"],
    [503, "", "application", "maintenance"],
    [500, '{"message":"error"}', "item", "server_error"],
    [201, "<html>", "item", "garbage"],
    [201, '{"id":"7"}', "item", "garbage"],
  ] as const)("%p %p is %p / %p, and none of the secrets is in its words", async (status, body, scope, kind) => {
    const reply = await create(status, body);
    expect(faultOf(reply)).toMatchObject({ scope, kind });
    for (const secret of [SECRET, "path-secret", VERIFY_TOKEN]) expect(JSON.stringify(reply)).not.toContain(secret);
  });

  test("404 for one to be ended: there is none of that id", async () => {
    const { client } = connect(() => new Response(refusal("PushSubscription", "id", "not found"), { status: 404 }));
    expect(faultOf(await client.deleteSubscription(1, never()))).toMatchObject({ scope: "item", kind: "not_found" });
  });

  test("a list is no list when one of it cannot be read: that one might be ours", async () => {
    for (const body of ["{}", '[{"id":1}]', '[{"id":0,"callback_url":"x"}]', `[${JSON.stringify(CREATED)},null]`]) {
      const { client } = connect(() => new Response(body));
      expect(faultOf(await client.listSubscriptions(never()))).toMatchObject({ kind: "garbage" });
    }
  });

  test("a time without a zone is taken for missing: the host's own zone would decide what moment it is", async () => {
    const { client } = connect(() => Response.json([{ ...CREATED, created_at: "2025-11-17T10:00:00" }]));
    expect(await client.listSubscriptions(never())).toMatchObject({ value: [{ createdAtMs: null }] });
  });

  test("no answer within the limit is a fault like any other", async () => {
    const { client, clock } = connect(() => new Promise(() => {}));
    const asked = client.createSubscription(CALLBACK, VERIFY_TOKEN, never());
    await clock.advance(TIMEOUT_MS);
    expect(faultOf(await asked)).toMatchObject({ kind: "timeout" });
  });
});

function connect(reply: () => Response | Promise<Response>) {
  const clock = new FakeClock(Date.UTC(2025, 10, 17, 10));
  const requests: Request[] = [];
  const fetch: Fetch = (request) => {
    requests.push(request.clone());
    return Promise.resolve(reply());
  };
  const client = createStravaClient({
    fetch,
    clock,
    apiUrl: "https://api-v3.example/api/v3/",
    oauthUrl: "https://www.strava.example/oauth",
    clientId: "1234",
    clientSecret: SECRET,
    timeoutMs: TIMEOUT_MS,
  });
  return { client, clock, requests };
}

/** Method and address, the query's fields, the form's. */
async function told(request: Request | undefined): Promise<[string, object, object]> {
  if (request === undefined) throw new Error("nothing was sent");
  const { origin, pathname, searchParams } = new URL(request.url);
  const form = new URLSearchParams(await request.text());
  return [`${request.method} ${origin}${pathname}`, Object.fromEntries(searchParams), Object.fromEntries(form)];
}

function faultOf(reply: Reply<unknown>) {
  if (reply.ok) throw new Error("expected a fault");
  return reply.fault;
}

function refusal(resource: string, field: string, code: string): string {
  return JSON.stringify({ message: "Bad Request", errors: [{ resource, field, code }] });
}

const never = (): AbortSignal => new AbortController().signal;
