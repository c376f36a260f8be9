import { describe, expect, test } from "bun:test";
import type { Fault } from "../../src/core/fault.ts";
import { epochMs, epochSeconds, type Fetch } from "../../src/core/units.ts";
import { createStravaClient } from "../../src/strava/client.ts";
import type { Reply } from "../../src/strava/reply.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { rawActivity } from "./payloads.ts";

const NOW_MS = Date.UTC(2025, 10, 17, 10);
const NOW_SECONDS = NOW_MS / 1000;
const TIMEOUT_MS = 30_000;
const ACCESS_TOKEN = "a".repeat(40);
const REFRESH_TOKEN = "f".repeat(40);
const CLIENT_SECRET = "5ec7e7".repeat(6);
const ID = 16195505756;
const html = (text: string) => `<!DOCTYPE html>\n<html><body>${text}</body></html>`;

describe("what is sent", () => {
  test("a detail is asked for at the configured address, with the token in the header alone", async () => {
    const { client, requests } = connect(() => Response.json(rawActivity()));
    const reply = await client.getActivity(ACCESS_TOKEN, ID, never());
    expect(reply).toMatchObject({ ok: true, status: 200, value: { stravaActivityId: ID } });
    expect(requests.map((request) => `${request.method} ${request.url}`)).toEqual([
      "GET https://api-v3.example/api/v3/activities/16195505756",
    ]);
    expect(requests[0]?.headers.get("authorization")).toBe(`Bearer ${ACCESS_TOKEN}`);
    expect(requests[0]?.redirect).toBe("manual");
  });

  test.each([
    [undefined, "page=2&per_page=200"],
    [epochSeconds(NOW_SECONDS - 1), `page=2&per_page=200&before=${NOW_SECONDS - 1}`],
    [epochSeconds(0), "page=2&per_page=200&before=0"],
  ])("a list before %p is asked for as %p: nothing empty", async (beforeSeconds, query) => {
    const { client, requests } = connect(() => Response.json([]));
    await client.listActivities(ACCESS_TOKEN, { page: 2, perPage: 200, beforeSeconds }, never());
    expect(requests[0]?.url).toBe(`https://api-v3.example/api/v3/athlete/activities?${query}`);
  });

  test("an athlete is sent to the authorize page with everything that it wants, in this order", () => {
    const { client } = connect(() => Response.error());
    const url = client.authorizeUrl({
      redirectUri: "https://club.example/bw/auth/strava/callback",
      scope: "read,activity:read_all",
      state: "s",
    });
    expect(url).toStartWith("https://www.strava.example/oauth/authorize?");
    expect([...new URL(url).searchParams]).toEqual([
      ["client_id", "1234"],
      ["redirect_uri", "https://club.example/bw/auth/strava/callback"],
      ["response_type", "code"],
      ["approval_prompt", "auto"],
      ["scope", "read,activity:read_all"],
      ["state", "s"],
    ]);
  });

  test("a code goes in a form with the client, and the answer says whose the pair is", async () => {
    const { client, requests } = connect(() => Response.json(authorization({ scope: "read,activity:read" })));
    expect(await client.exchangeCode("c0de", never())).toMatchObject({
      ok: true,
      value: {
        accessToken: "new-access",
        refreshToken: "new-refresh",
        expiresAtMs: epochMs(1_764_000_000_000),
        scope: "read,activity:read",
        athlete: { stravaId: 4711, firstName: "Jo", lastName: "Hill" },
      },
    });
    expect(requests.map((request) => `${request.method} ${request.url}`)).toEqual([
      "POST https://www.strava.example/oauth/token",
    ]);
    expect(Object.fromEntries(new URLSearchParams(await requests[0]?.text()))).toEqual({
      client_id: "1234",
      client_secret: CLIENT_SECRET,
      grant_type: "authorization_code",
      code: "c0de",
    });
  });

  test("an athlete without readable names is one all the same; their id must be an id", async () => {
    const people: unknown[] = [{ id: 4711, firstname: null, lastname: 5 }, { id: "4711" }, { id: 2 ** 53 }];
    const replies: unknown[] = [];
    for (const athlete of people) {
      const { client } = connect(() => Response.json(authorization({ athlete })));
      const reply = await client.exchangeCode("c0de", never());
      replies.push(reply.ok ? reply.value.athlete : reply.fault.kind);
    }
    expect(replies).toEqual([{ stravaId: 4711, firstName: "", lastName: "" }, "garbage", "garbage"]);
  });

  test("a refresh carries the client and the token in a form, never in the address", async () => {
    const { client, requests } = connect(() =>
      Response.json({ access_token: "n", refresh_token: "r", expires_at: 2e9 }),
    );
    const reply = await client.refreshToken(REFRESH_TOKEN, never());
    expect(reply).toMatchObject({ ok: true, value: { accessToken: "n", refreshToken: "r", expiresAtMs: 2e12 } });
    expect(`${requests[0]?.method} ${requests[0]?.url}`).toBe("POST https://www.strava.example/oauth/token");
    expect(Object.fromEntries(new URLSearchParams(await requests[0]?.text()))).toEqual({
      client_id: "1234",
      client_secret: CLIENT_SECRET,
      grant_type: "refresh_token",
      refresh_token: REFRESH_TOKEN,
    });
  });

  test("an access token that cannot stand in a header is the athlete's trouble: nothing is sent", async () => {
    const { client, requests } = connect(() => Response.json([]));
    const reply = await client.getActivity("broken\ntoken", ID, never());
    expect(reply).toMatchObject({ ok: false, status: undefined, fault: { scope: "athlete", kind: "unauthorized" } });
    expect(faultOf(reply).message).not.toContain("broken");
    expect(requests).toBeEmpty();
  });
});

describe("a page of the list", () => {
  test("keeps what can be read, tells what cannot, and counts both", async () => {
    const { client } = connect(() => Response.json([rawActivity({ id: 1 }), { id: 2 }, rawActivity({ id: 3 })]));
    const reply = await client.listActivities(ACCESS_TOKEN, { page: 1, perPage: 200 }, never());
    if (!reply.ok) throw new Error(reply.fault.message);
    expect(reply.value.activities.map((activity) => activity.stravaActivityId)).toEqual([1, 3]);
    expect(reply.value.malformed).toEqual([
      { index: 1, reason: "sport_type: missing, and type too", stravaActivityId: 2 },
    ]);
    expect(reply.value.rawCount).toBe(3);
  });

  test("that is empty is the end of the list, not a fault", async () => {
    const { client } = connect(() => Response.json([]));
    const reply = await client.listActivities(ACCESS_TOKEN, { page: 1, perPage: 200 }, never());
    expect(reply).toMatchObject({ ok: true, value: { activities: [], malformed: [], rawCount: 0 } });
  });
});

describe("a reply", () => {
  const headers = {
    date: "Mon, 17 Nov 2025 10:01:30 GMT",
    "X-Ratelimit-Limit": "200,2000",
    "X-Ratelimit-Usage": "9,345",
  };
  const head = {
    rate: { overall: { limit: [200, 2000], usage: [9, 345] } },
    dateMs: epochMs(NOW_MS + 90_000),
  };

  test("shows quota and Strava's clock with a value and with a refusal", async () => {
    const answers = [Response.json(rawActivity(), { headers }), new Response("", { status: 429, headers })];
    const { client } = connect(() => answers.shift() ?? Response.error());
    expect(await client.getActivity(ACCESS_TOKEN, ID, never())).toMatchObject({ ...head, ok: true, status: 200 });
    expect(await client.getActivity(ACCESS_TOKEN, ID, never())).toMatchObject({ ...head, ok: false, status: 429 });
  });

  test("without any of these headers says so", async () => {
    const { client } = connect(() => Response.json(rawActivity(), { headers: { date: "long ago" } }));
    const reply = await client.getActivity(ACCESS_TOKEN, ID, never());
    expect(reply).toMatchObject({ ok: true, rate: undefined, dateMs: undefined });
  });

  test("tells how long it took by the clock that was handed in", async () => {
    const { client, clock } = connect(async () => {
      await new Promise<void>((resolve) => clock.after(1_600, resolve));
      return Response.json(rawActivity());
    });
    const asked = client.getActivity(ACCESS_TOKEN, ID, never());
    await clock.advance(1_600);
    expect(await asked).toMatchObject({ ok: true, durationMs: 1_600 });
  });
});

describe("a refusal by the API", () => {
  const notFound = errorBody("Resource Not Found", "Activity", "", "not found");
  const oldNotFound = errorBody("Record Not Found", "Activity", "id", "invalid");
  test.each<[string, number, string, string]>([
    [
      "429 of the overall limit",
      429,
      errorBody("Rate Limit Exceeded", "Application", "overall rate limit", "exceeded"),
      "application rate_limited",
    ],
    [
      "429 of a rate limit",
      429,
      errorBody("Rate Limit Exceeded", "Application", "rate limit", "exceeded"),
      "application rate_limited",
    ],
    ["429 whose errors are a string", 429, '{"message":"x","errors":"too many"}', "application rate_limited"],
    ["429 without a body", 429, "", "application rate_limited"],
    ["403 Inactive", 403, errorBody("Forbidden", "Application", "Status", "Inactive"), "application app_inactive"],
    ["403 of one activity", 403, errorBody("Forbidden", "Activity", "", "forbidden"), "item forbidden"],
    ["403 without a body", 403, "", "item forbidden"],
    [
      "403 of a missing permission",
      403,
      errorBody("Forbidden", "AccessToken", "activity:read_permission", "missing"),
      "athlete scope_missing",
    ],
    ["403 web page", 403, html("Request blocked"), "application maintenance"],
    [
      "401 Athlete",
      401,
      errorBody("Authorization Error", "Athlete", "access_token", "invalid"),
      "athlete unauthorized",
    ],
    [
      "401 AccessToken",
      401,
      errorBody("Authorization Error", "AccessToken", "access_token", "invalid"),
      "athlete unauthorized",
    ],
    [
      "401 missing permission",
      401,
      errorBody("Authorization Error", "AccessToken", "activity:read_permission", "missing"),
      "athlete scope_missing",
    ],
    [
      "401 Application",
      401,
      errorBody("Authorization Error", "Application", "", "invalid"),
      "application wrong_client",
    ],
    ["401 without JSON", 401, "Unauthorized", "athlete unauthorized"],
    ["401 of odd errors", 401, '{"errors":[null,7,{"resource":null,"field":{}}]}', "athlete unauthorized"],
    ["404", 404, notFound, "item not_found"],
    ["404 of old", 404, oldNotFound, "item not_found"],
    ["404 without a body", 404, "", "item not_found"],
    ["404 web page", 404, html("nginx"), "item garbage"],
    ["500 of a corrupt activity", 500, '{"message":"error"}', "item server_error"],
    ["500 without a body", 500, "", "item server_error"],
    ["502 web page", 502, html("Bad gateway"), "application maintenance"],
    ["502 of maintenance", 502, html("Strava is temporarily unavailable"), "application maintenance"],
    ["502 without a web page", 502, '{"message":"error"}', "item server_error"],
    ["504", 504, "", "item server_error"],
    ["504 of maintenance", 504, html("Temporarily Unavailable"), "application maintenance"],
    ["503", 503, "", "application maintenance"],
    ["597", 597, "", "application maintenance"],
    ["302", 302, "", "application maintenance"],
    ["400", 400, errorBody("Bad Request", "Activity", "before", "invalid"), "item bad_request"],
    ["408", 408, "", "item server_error"],
    ["418", 418, "short and stout", "item bad_request"],
    ["200 web page", 200, html("Welcome"), "item garbage"],
    ["200 of maintenance", 200, html("Strava is temporarily unavailable"), "application maintenance"],
    ["200 cut off", 200, JSON.stringify(rawActivity()).slice(0, -40), "item garbage"],
    ["200 without a body", 200, "", "item garbage"],
    ["200 null", 200, "null", "item garbage"],
    ["200 of the wrong shape", 200, '{"message":"hello"}', "item garbage"],
    ["200 of a list", 200, "[]", "item garbage"],
    ["200 of another activity", 200, JSON.stringify(rawActivity({ id: ID + 1 })), "item garbage"],
    ["200 cut off in words on maintenance", 200, '{"description":"temporarily unavailable', "item garbage"],
    ["204", 204, "", "item garbage"],
  ])("%s", async (_, status, body, expected) => {
    const { client } = connect(() => answer(status, body));
    const reply = await client.getActivity(ACCESS_TOKEN, ID, never());
    const fault = faultOf(reply);
    expect(`${fault.scope} ${fault.kind}`).toBe(expected);
    expect([reply.status, fault.status]).toEqual([status, status]);
  });

  test("of the list is read alike, and a body that is no list is garbage", async () => {
    const bodies = [answer(429, ""), answer(200, "{}"), answer(200, "[{")];
    const { client } = connect(() => bodies.shift() ?? Response.error());
    const kinds: string[] = [];
    for (let page = 1; page <= 3; page++) {
      kinds.push(faultOf(await client.listActivities(ACCESS_TOKEN, { page, perPage: 200 }, never())).kind);
    }
    expect(kinds).toEqual(["rate_limited", "garbage", "garbage"]);
  });

  test("never shows a token that the answer echoes, nor any of the answer's own words", async () => {
    const echo = `${ACCESS_TOKEN} ${REFRESH_TOKEN} ${CLIENT_SECRET} Jane`;
    for (const status of [200, 302, 400, 401, 403, 404, 429, 500, 503]) {
      const { client } = connect(() => answer(status, errorBody(echo, echo, echo, echo)));
      const faults = [
        faultOf(await client.getActivity(ACCESS_TOKEN, ID, never())),
        faultOf(await client.refreshToken(REFRESH_TOKEN, never())),
      ];
      expect(JSON.stringify(faults)).not.toMatch(/aaaa|ffff|5ec7|Jane/);
    }
  });
});

describe("a refused refresh", () => {
  test.each<[string, number, string, string]>([
    [
      "400 RefreshToken",
      400,
      errorBody("Bad Request", "RefreshToken", "refresh_token", "invalid"),
      "athlete access_revoked",
    ],
    [
      "400 Application",
      400,
      errorBody("Bad Request", "Application", "client_id", "invalid"),
      "application wrong_client",
    ],
    [
      "401 Application",
      401,
      errorBody("Authorization Error", "Application", "client_id", "invalid"),
      "application wrong_client",
    ],
    [
      "401 RefreshToken",
      401,
      errorBody("Authorization Error", "RefreshToken", "", "invalid"),
      "athlete access_revoked",
    ],
    ["401 unexplained", 401, "", "application wrong_client"],
    ["400 unexplained", 400, "", "item bad_request"],
    ["404: a wrong address, no athlete's fault", 404, "", "item bad_request"],
    ["403 Inactive", 403, errorBody("Forbidden", "Application", "Status", "Inactive"), "application app_inactive"],
    ["429", 429, "", "application rate_limited"],
    ["500", 500, "", "item server_error"],
    ["503", 503, "", "application maintenance"],
    ["200 of garbage", 200, '{"token_type":"Bearer"}', "item garbage"],
  ])("%s", async (_, status, body, expected) => {
    const { client } = connect(() => answer(status, body));
    const fault = faultOf(await client.refreshToken(REFRESH_TOKEN, never()));
    expect(`${fault.scope} ${fault.kind}`).toBe(expected);
  });
});

describe("a refused code", () => {
  test.each<[string, number, string, string]>([
    [
      "400 AuthorizationCode",
      400,
      errorBody("Bad Request", "AuthorizationCode", "code", "invalid"),
      "item code_refused",
    ],
    ["400 RequestToken", 400, errorBody("Bad Request", "RequestToken", "code", "invalid"), "item code_refused"],
    ["401 RequestToken", 401, errorBody("Authorization Error", "RequestToken", "", "invalid"), "item code_refused"],
    ["400 unexplained", 400, "", "item code_refused"],
    [
      "400 Application",
      400,
      errorBody("Bad Request", "Application", "client_id", "invalid"),
      "application wrong_client",
    ],
    ["401 unexplained", 401, "", "application wrong_client"],
    ["403 Inactive", 403, errorBody("Forbidden", "Application", "Status", "Inactive"), "application app_inactive"],
    [
      "403 of capacity, as it might be in JSON",
      403,
      errorBody("Forbidden", "Application", "athletes", "limit exceeded"),
      "item capacity_reached",
    ],
    [
      "403 of capacity on a page",
      403,
      html("Error 403: Limit of connected athletes exceeded"),
      "item capacity_reached",
    ],
    ["403 of capacity in a line", 403, "Limit of connected athletes exceeded", "item capacity_reached"],
    ["403 web page of another matter", 403, html("Forbidden"), "application maintenance"],
    ["403 that names nothing", 403, "{}", "item forbidden"],
    ["429", 429, "", "application rate_limited"],
    ["500", 500, "", "item server_error"],
    ["503", 503, "", "application maintenance"],
    ["200 without an athlete", 200, JSON.stringify(authorization({ athlete: undefined })), "item garbage"],
    ["200 without a refresh token", 200, JSON.stringify(authorization({ refresh_token: undefined })), "item garbage"],
  ])("%s", async (_, status, body, expected) => {
    const { client } = connect(() => answer(status, body));
    const fault = faultOf(await client.exchangeCode("c0de", never()));
    expect(`${fault.scope} ${fault.kind}`).toBe(expected);
    expect(JSON.stringify(fault)).not.toContain("c0de");
  });

  test("capacity is a matter of signing in only: the same answer to the API holds the application back", async () => {
    const { client } = connect(() => answer(403, errorBody("Forbidden", "Application", "athletes", "limit exceeded")));
    expect(faultOf(await client.refreshToken(REFRESH_TOKEN, never()))).toMatchObject({ kind: "app_inactive" });
    expect(faultOf(await client.getActivity(ACCESS_TOKEN, ID, never()))).toMatchObject({ kind: "app_inactive" });
  });
});

describe("clubs", () => {
  test("a page is asked for with the token in the header, and gives ids", async () => {
    const { client, requests } = connect(() => Response.json([{ id: 7, name: "A" }, { id: 9 }]));
    expect(await client.listClubs(ACCESS_TOKEN, 2, never())).toMatchObject({ ok: true, value: { clubIds: [7, 9] } });
    expect(requests[0]?.url).toBe("https://api-v3.example/api/v3/athlete/clubs?page=2&per_page=200");
    expect(requests[0]?.headers.get("authorization")).toBe(`Bearer ${ACCESS_TOKEN}`);
  });

  test.each([
    ["a body that is no list", 200, "{}"],
    ["a club without an id, which might be ours", 200, '[{"id":7},{"name":"x"}]'],
    ["half a body", 200, '[{"id":7}'],
  ])("%s is garbage, never an empty page", async (_, status, body) => {
    const { client } = connect(() => answer(status, body));
    expect(faultOf(await client.listClubs(ACCESS_TOKEN, 1, never())).kind).toBe("garbage");
  });
});

describe("revoking", () => {
  test("asks /oauth/revoke with Basic, and an empty 200 is the confirmation", async () => {
    const { client, requests } = connect(() => answer(200, ""));
    expect(await client.revoke(ACCESS_TOKEN, never())).toMatchObject({ ok: true, value: "revoked" });
    expect(requests.map((request) => request.url)).toEqual(["https://www.strava.example/oauth/revoke"]);
    expect(requests[0]?.headers.get("authorization")).toBe(`Basic ${btoa(`1234:${CLIENT_SECRET}`)}`);
    expect(await requests[0]?.text()).toBe(`token=${ACCESS_TOKEN}`);
  });

  test("the older address takes the access token in its header, and a body that repeats it", async () => {
    const { client, requests } = connect(() => answer(200, `{"access_token":"${ACCESS_TOKEN}"}`));
    expect(await client.deauthorize(ACCESS_TOKEN, never())).toMatchObject({ ok: true, value: "revoked" });
    expect(requests.map((request) => request.url)).toEqual(["https://www.strava.example/oauth/deauthorize"]);
    expect(requests[0]?.headers.get("authorization")).toBe(`Bearer ${ACCESS_TOKEN}`);
    expect(await requests[0]?.text()).toBe("");
  });

  test.each([
    [400, "bad_request"],
    [401, "wrong_client"],
    [404, "bad_request"],
    [405, "bad_request"],
    [503, "maintenance"],
  ])("answered %p is not confirmed, and asks no second address", async (status, kind) => {
    const { client, requests } = connect(() => answer(status, ""));
    expect(String(faultOf(await client.revoke(ACCESS_TOKEN, never())).kind)).toBe(kind);
    expect(requests).toHaveLength(1);
  });
});

describe("the time limit", () => {
  test.each([
    ["the headers", () => new Promise<Response>(() => undefined)],
    ["the body", () => Promise.resolve(new Response(hangingBody('{"id":')))],
    [
      "a body of declared length",
      () => Promise.resolve(new Response(hangingBody("{"), { headers: { "content-length": "99" } })),
    ],
  ])("ends a wait for %s, no sooner and no later, even where fetch heeds no signal", async (_, fetch) => {
    const { client, clock } = connect(fetch);
    let reply: Reply<unknown> | undefined;
    void client.getActivity(ACCESS_TOKEN, ID, never()).then((settled) => {
      reply = settled;
    });
    await clock.advance(TIMEOUT_MS - 1);
    expect(reply).toBeUndefined();
    await clock.advance(1);
    expect(reply).toMatchObject({ ok: false, durationMs: TIMEOUT_MS, fault: { scope: "item", kind: "timeout" } });
  });

  test("aborts the request under way", async () => {
    const { client, clock, requests } = connect(() => new Promise<Response>(() => undefined));
    const asked = client.getActivity(ACCESS_TOKEN, ID, never());
    await clock.advance(TIMEOUT_MS);
    await asked;
    expect(requests[0]?.signal.aborted).toBe(true);
  });

  test("keeps what the headers told, and a 429 stays a 429", async () => {
    const headers = { "x-ratelimit-limit": "200,2000", "x-ratelimit-usage": "201,345" };
    const { client, clock } = connect(() => new Response(hangingBody("{"), { status: 429, headers }));
    const asked = client.getActivity(ACCESS_TOKEN, ID, never());
    await clock.advance(TIMEOUT_MS);
    expect(await asked).toMatchObject({
      status: 429,
      rate: { overall: { usage: [201, 345] } },
      fault: { kind: "rate_limited", status: 429 },
    });
  });

  test("leaves no timer and no listener behind", async () => {
    const { client, clock } = connect(() => Response.json(rawActivity()));
    const signal = new AbortController().signal;
    const listeners = countListeners(signal);
    await client.getActivity(ACCESS_TOKEN, ID, signal);
    expect(clock.nextDueMs()).toBeUndefined();
    expect(listeners()).toBe(0);
  });
});

describe("the caller's signal", () => {
  test("aborted before: nothing is sent", async () => {
    const { client, requests } = connect(() => Response.json(rawActivity()));
    const reply = await client.getActivity(ACCESS_TOKEN, ID, AbortSignal.abort());
    expect(reply).toMatchObject({ ok: false, status: undefined, fault: { scope: "caller", kind: "aborted" } });
    expect(requests).toBeEmpty();
  });

  test("aborted meanwhile: the request is called off, with no timer left", async () => {
    const caller = new AbortController();
    const { client, clock, requests } = connect(() => new Promise<Response>(() => undefined));
    const asked = client.getActivity(ACCESS_TOKEN, ID, caller.signal);
    await clock.advance(10);
    caller.abort();
    expect(await asked).toMatchObject({ ok: false, durationMs: 10, fault: { scope: "caller", kind: "aborted" } });
    expect(requests[0]?.signal.aborted).toBe(true);
    expect(clock.nextDueMs()).toBeUndefined();
  });

  test("aborted: an answer that comes all the same is dropped", async () => {
    const caller = new AbortController();
    let isCancelled = false;
    const late = Promise.withResolvers<Response>();
    const { client, clock } = connect(() => late.promise);
    const asked = client.getActivity(ACCESS_TOKEN, ID, caller.signal);
    caller.abort();
    await asked;
    const body = new ReadableStream({
      cancel() {
        isCancelled = true;
      },
    });
    late.resolve(new Response(body));
    await clock.advance(1);
    expect(isCancelled).toBe(true);
  });
});

describe("a connection that fails", () => {
  test.each([
    ["reset", () => Promise.reject(new TypeError(`reset by https://x/${ACCESS_TOKEN}`))],
    [
      "throwing at once",
      () => {
        throw new Error("getaddrinfo ENOTFOUND");
      },
    ],
    ["broken off in the body", () => Promise.resolve(new Response(breakingBody('{"id":')))],
    [
      "broken off in a 404, which only a whole answer may say",
      () => Promise.resolve(new Response(breakingBody("{"), { status: 404 })),
    ],
  ])("%s: a fault of the item, with no address in it", async (_, fetch) => {
    const { client } = connect(fetch);
    const fault = faultOf(await client.getActivity(ACCESS_TOKEN, ID, never()));
    expect(`${fault.scope} ${fault.kind}`).toBe("item network");
    expect(fault.message).not.toContain("https");
  });

  test("in a 429 or 503 leaves them what they are", async () => {
    const kinds: string[] = [];
    for (const status of [429, 503]) {
      const { client } = connect(() => new Response(breakingBody("{"), { status }));
      kinds.push(faultOf(await client.getActivity(ACCESS_TOKEN, ID, never())).kind);
    }
    expect(kinds).toEqual(["rate_limited", "maintenance"]);
  });
});

describe("the size limit", () => {
  const LIMIT_BYTES = 5_000_000;
  const sized = (byteCount: number) => {
    const bare = JSON.stringify(rawActivity({ description: "" }));
    return JSON.stringify(rawActivity({ description: "x".repeat(byteCount - bare.length) }));
  };

  test.each([
    [LIMIT_BYTES, true],
    [LIMIT_BYTES + 1, false],
  ])("a detail of %p bytes is read: %p, with its length declared or not", async (byteCount, isRead) => {
    const text = sized(byteCount);
    for (const headers of [new Headers(), new Headers({ "content-length": String(byteCount) })]) {
      const { client } = connect(() => new Response(text, { headers }));
      const reply = await client.getActivity(ACCESS_TOKEN, ID, never());
      expect(reply.ok).toBe(isRead);
      if (!reply.ok) expect(reply.fault).toMatchObject({ kind: "garbage", status: 200 });
    }
  });

  test("a compressed body's declared length proves nothing", async () => {
    const headers = { "content-length": "40", "content-encoding": "gzip" };
    const { client } = connect(() => new Response(sized(LIMIT_BYTES + 1), { headers }));
    expect(faultOf(await client.getActivity(ACCESS_TOKEN, ID, never())).kind).toBe("garbage");
  });

  test("a body without end is given up", async () => {
    let isCancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_000_000)),
      cancel() {
        isCancelled = true;
      },
    });
    const { client } = connect(() => new Response(endless));
    expect(faultOf(await client.getActivity(ACCESS_TOKEN, ID, never())).kind).toBe("garbage");
    expect(isCancelled).toBe(true);
  });

  test("how long it took, and how much of that the body, is told apart", async () => {
    const headers = Promise.withResolvers<Response>();
    const { client, clock } = connect(() => headers.promise);
    const asked = client.getActivity(ACCESS_TOKEN, ID, never());
    await clock.advance(100);
    let end = (): void => {};
    headers.resolve(
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(JSON.stringify(rawActivity({}))));
            end = () => controller.close();
          },
        }),
      ),
    );
    await clock.advance(9_000);
    end();
    expect(await asked).toMatchObject({ ok: true, durationMs: 9_100, bodyMs: 9_000 });
  });

  test("text that is cut between chunks in the middle of a letter stays whole", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(rawActivity({ description: "🏃 Zürich" })));
    const { client } = connect(() => new Response(bytewise(bytes)));
    expect(await client.getActivity(ACCESS_TOKEN, ID, never())).toMatchObject({ value: { description: "🏃 Zürich" } });
  });
});

test("an address that is none is refused when the client is made", () => {
  const clock = new FakeClock(NOW_MS);
  const fetch = () => Promise.resolve(Response.error());
  const options = { fetch, clock, clientId: "1", clientSecret: "s", timeoutMs: 1, oauthUrl: "https://x" };
  expect(() => createStravaClient({ ...options, apiUrl: "strava" })).toThrow(TypeError);
});

function connect(reply: (request: Request) => Response | Promise<Response>) {
  const clock = new FakeClock(NOW_MS);
  const requests: Request[] = [];
  const fetch: Fetch = (request) => {
    requests.push(request.clone());
    return Promise.resolve(reply(request));
  };
  const client = createStravaClient({
    fetch,
    clock,
    apiUrl: "https://api-v3.example/api/v3/",
    oauthUrl: "https://www.strava.example/oauth",
    clientId: "1234",
    clientSecret: CLIENT_SECRET,
    timeoutMs: TIMEOUT_MS,
  });
  return { client, clock, requests };
}

function faultOf(reply: Reply<unknown>): Fault {
  if (reply.ok) throw new Error("expected a fault");
  return reply.fault;
}

/** What Strava answers to a code; `changes` replaces fields, undefined removes one. */
function authorization(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    token_type: "Bearer",
    expires_at: 1_764_000_000,
    expires_in: 21_600,
    refresh_token: "new-refresh",
    access_token: "new-access",
    athlete: { id: 4711, resource_state: 2, firstname: "Jo", lastname: "Hill" },
    ...changes,
  };
}

const never = (): AbortSignal => new AbortController().signal;

function answer(status: number, body: string): Response {
  return new Response(status === 204 ? null : body, { status });
}

function errorBody(message: string, resource: string, field: string, code: string): string {
  return JSON.stringify({ message, errors: [{ resource, field, code }] });
}

function hangingBody(start: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(start)) });
}

function bytewise(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let index = 0;
  return new ReadableStream({
    pull(controller) {
      if (index < bytes.length) controller.enqueue(bytes.slice(index, index + 1));
      else controller.close();
      index++;
    },
  });
}

function breakingBody(start: string): ReadableStream<Uint8Array> {
  let isStarted = false;
  return new ReadableStream({
    pull(controller) {
      if (isStarted) controller.error(new TypeError("reset by https://peer"));
      else controller.enqueue(new TextEncoder().encode(start));
      isStarted = true;
    },
  });
}

/** How many listeners the signal has more than when the counting began. */
function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...parameters: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, parameters);
  };
  signal.removeEventListener = (...parameters: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, parameters);
  };
  return () => count;
}
