import { describe, expect, test } from "bun:test";
import { WANTED_SCOPE } from "../../src/core/scope.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { readAthlete, readAthleteByStravaId } from "../../src/db/athletes.ts";
import { createStravaClient } from "../../src/strava/client.ts";
import type { TestApi } from "../support/api.ts";
import { countRaces, stepUntil } from "../support/hand.ts";
import { apiOfClub, beginState, callbackOf, personAt, signIn, untilCallback } from "../support/sign-in.ts";
import { attemptsSpent, requestsOf } from "../support/syncs.ts";

/** A token as Strava gives it out lives six hours. */
const LIFE_MS = 6 * HOUR_MS;
const NEWCOMER = 1;
const CLIENT = { client_id: "12345", client_secret: "sandbox-secret" };
const PRIVATE_TOO = "read,activity:read_all";
const TWO = { club: { athletes: 2, activitiesEach: 30, racesEach: 5 } };
const ELEVEN = { club: { athletes: 11, activitiesEach: 5, racesEach: 1, unconnected: 1 } };
const ALWAYS = Number.POSITIVE_INFINITY;

type Told = { status: number; body: Record<string, unknown> };

/** Puts a question to Strava itself, as any client of its would. */
async function askStrava(at: TestApi, path: string, form: Record<string, string>): Promise<Told> {
  const request = new Request(`https://strava.test${path}`, { method: "POST", body: new URLSearchParams(form) });
  const answer = await at.passing(at.engine.sandbox.fetch(request));
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const refresh = (at: TestApi, refreshToken: string) =>
  askStrava(at, "/oauth/token", { ...CLIENT, grant_type: "refresh_token", refresh_token: refreshToken });

/** What Strava answers to the API for an access token. */
async function statusOf(at: TestApi, accessToken: string): Promise<number> {
  const headers = { authorization: `Bearer ${accessToken}` };
  const request = new Request("https://strava.test/api/v3/athlete/activities", { headers });
  return (await at.passing(at.engine.sandbox.fetch(request))).status;
}

/** The first athlete's tokens, as Strava knows them. */
function tokensOf(at: TestApi) {
  const [athlete] = at.engine.sandbox.athletes();
  if (athlete === undefined) throw new Error("Nobody is connected");
  return athlete;
}

async function syncAll(at: TestApi): Promise<void> {
  await at.post("/api/admin/syncs", { mode: "full" });
  await at.settle();
}

const newestSync = async (at: TestApi) => (await at.get("/api/admin/syncs")).body.items[0];
const athletesOf = async (at: TestApi) => (await at.get("/api/admin/athletes")).body.items;

describe("codes and callbacks", () => {
  test("case 45: an exchange brings the athlete and a token for six hours; the code a second time is refused", async () => {
    const at = apiOfClub();
    const { stravaId, firstName } = personAt(at, NEWCOMER);
    const code = at.engine.sandbox.authorize(stravaId);
    const exchange = () => askStrava(at, "/oauth/token", { ...CLIENT, grant_type: "authorization_code", code });
    const athlete = { id: stravaId, firstname: firstName };
    const { status, body } = await exchange();
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 21_600, athlete, scope: PRIVATE_TOO });
    const refused = { resource: "AuthorizationCode", code: "invalid" };
    expect(await exchange()).toMatchObject({ status: 400, body: { errors: [refused] } });

    // The daemon, given a code that was used already: nothing is stored, and the page says to begin anew.
    const state = await beginState(at);
    const page = await at.visit(callbackOf({ state, code, scope: PRIVATE_TOO }));
    expect([page.status, page.text.includes("Strava did not accept this sign-in")]).toEqual([400, true]);
    expect(readAthleteByStravaId(at.engine.db, stravaId)).toBeUndefined();
  });

  test("case 45: an athlete who signs in is connected with the tokens of the exchange, and synced in full", async () => {
    const at = apiOfClub();
    expect((await signIn(at, NEWCOMER)).status).toBe(200);
    await at.settle();
    const { stravaId } = personAt(at, NEWCOMER);
    const { body } = await at.get(`/api/admin/athletes?q=${stravaId}`);
    const connected = { strava_id: stravaId, status: "connected", scope: WANTED_SCOPE, publish: false };
    expect(body.items).toMatchObject([connected]);
    expect(await newestSync(at)).toMatchObject({ mode: "full", status: "completed", activities_synced: 4 });
  });

  test("case 45: the same callback a second time exchanges nothing, and says that all may be well", async () => {
    const at = apiOfClub();
    const callback = String(await untilCallback(at, NEWCOMER));
    expect((await at.visit(callback)).status).toBe(200);
    const again = await at.visit(callback);
    expect([again.status, again.text.includes("you are connected already")]).toEqual([400, true]);
    expect(requestsOf(at.engine, "token")).toBe(1);
    expect(await athletesOf(at)).toHaveLength(2);
  });

  test.each([
    ["private activities unticked is enough", "read,activity:read", 200],
    ["all activities unticked is too little", "read", 403],
    ["everything unticked is too little", "", 403],
    ["only what we do not need is too little", "read,profile:read_all,activity:write", 403],
  ])("case 46: %s", async (_, scope, status) => {
    const at = apiOfClub();
    const { stravaId } = personAt(at, NEWCOMER);
    const state = await beginState(at);
    const code = at.engine.sandbox.authorize(stravaId, { scope });
    expect((await at.visit(callbackOf({ state, code, scope }))).status).toBe(status);
    const stored = readAthleteByStravaId(at.engine.db, stravaId);
    expect(stored?.status).toBe(status === 200 ? "connected" : undefined);
    await at.engine.clock.advance(SECOND_MS);
    expect(personAt(at, NEWCOMER).isConnected).toBe(status === 200);
  });

  test.each([
    ["private activities", ["activity:read"], 200],
    ["all activities", [], 403],
  ])("case 46: with the box for %s unticked on Strava's page", async (_, ticked, status) => {
    const at = apiOfClub();
    expect((await signIn(at, NEWCOMER, { ticked })).status).toBe(status);
    await at.engine.clock.advance(SECOND_MS);
    expect(personAt(at, NEWCOMER).isConnected).toBe(status === 200);
  });

  test("case 46: an athlete who refuses is told that nothing was stored, and nothing was", async () => {
    const at = apiOfClub();
    const page = await signIn(at, NEWCOMER, { decision: "cancel" });
    expect([page.status, page.text.includes("Nothing was stored")]).toEqual([403, true]);
    expect([requestsOf(at.engine, "token"), (await athletesOf(at)).length]).toEqual([0, 1]);
  });

  test.each([
    ["missing", {}],
    ["empty", { state: "" }],
    ["made up", { state: "x".repeat(43) }],
  ])("case 46: a state that is %s is 400, whatever else is right, and Strava is asked nothing", async (_, given) => {
    const at = apiOfClub();
    await beginState(at);
    const code = at.engine.sandbox.authorize(personAt(at, NEWCOMER).stravaId);
    expect((await at.visit(callbackOf({ code, scope: PRIVATE_TOO, ...given }))).status).toBe(400);
    expect(requestsOf(at.engine, "token")).toBe(0);
  });
});

describe("refreshing", () => {
  test("case 47: with over an hour left a refresh gives the same token; later a new one, and the old one works to its end", async () => {
    const at = apiOfClub({ started: false });
    const first = tokensOf(at);
    await at.engine.clock.advance(LIFE_MS - HOUR_MS - 10 * SECOND_MS);
    expect((await refresh(at, first.refreshToken)).body).toMatchObject({ access_token: first.accessToken });
    await at.engine.clock.advance(10 * SECOND_MS);
    const { body } = await refresh(at, first.refreshToken);
    expect(body).toMatchObject({ expires_in: LIFE_MS / SECOND_MS, refresh_token: first.refreshToken });
    expect(body.access_token).not.toBe(first.accessToken);
    await at.engine.clock.advance(HOUR_MS - 5 * SECOND_MS);
    expect(await statusOf(at, first.accessToken)).toBe(200);
    await at.engine.clock.advance(5 * SECOND_MS);
    expect(await statusOf(at, first.accessToken)).toBe(401);
    expect(await statusOf(at, String(body.access_token))).toBe(200);
  });

  test("case 47: the daemon asks for a new token when an hour is left and no sooner", async () => {
    const at = apiOfClub({ started: false });
    await at.engine.clock.advance(LIFE_MS - HOUR_MS - MINUTE_MS);
    await syncAll(at);
    expect(requestsOf(at.engine, "token")).toBe(0);
    await at.engine.clock.advance(MINUTE_MS);
    await syncAll(at);
    expect(requestsOf(at.engine, "token")).toBe(1);
    expect(await newestSync(at)).toMatchObject({ status: "completed" });
  });

  test("case 48: with rotation the old refresh token is dead at once, and the daemon goes on with the new pair each time", async () => {
    const at = apiOfClub({ sandbox: { rotateRefreshTokens: true }, started: false });
    const first = tokensOf(at);
    for (let round = 0; round < 3; round++) {
      await at.engine.clock.advance(LIFE_MS);
      await syncAll(at);
      expect(await newestSync(at)).toMatchObject({ status: "completed" });
    }
    expect(requestsOf(at.engine, "token")).toBe(3);
    expect(tokensOf(at).refreshToken).not.toBe(first.refreshToken);
    const invalid = { resource: "RefreshToken", field: "refresh_token", code: "invalid" };
    expect(await refresh(at, first.refreshToken)).toMatchObject({ status: 400, body: { errors: [invalid] } });
  });

  test("case 48: without rotation, and when that changes between two refreshes, nothing is lost", async () => {
    const at = apiOfClub({ started: false });
    const seen = new Set([tokensOf(at).refreshToken]);
    for (const isRotating of [false, true, false, true]) {
      at.engine.sandbox.setRotation(isRotating);
      await at.engine.clock.advance(LIFE_MS);
      await syncAll(at);
      expect(await newestSync(at)).toMatchObject({ status: "completed" });
      seen.add(tokensOf(at).refreshToken);
    }
    expect([seen.size, requestsOf(at.engine, "token")]).toEqual([3, 4]);
  });

  test("case 49: the answer to a rotation is lost: needs_reconnect after one more try and no loop; connecting again mends it", async () => {
    const at = apiOfClub({ sandbox: { rotateRefreshTokens: true }, started: false });
    await at.engine.clock.advance(LIFE_MS);
    at.scheduler.start();
    at.engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    await syncAll(at);
    const cure = expect.stringContaining("/auth/strava?again");
    expect(await newestSync(at)).toMatchObject({ status: "failed", error: cure });
    await at.engine.clock.advance(HOUR_MS);
    expect(requestsOf(at.engine, "token")).toBe(3);
    expect((await at.get("/api/admin/athletes/1")).body).toMatchObject({ status: "needs_reconnect" });
    expect((await signIn(at, 0, { link: "/auth/strava?again" })).status).toBe(200);
    await at.settle();
    expect(await newestSync(at)).toMatchObject({ status: "completed" });
  });

  test("case 50: twenty who need one athlete's token at its expiry make one refresh, and all get what it brought", async () => {
    const at = apiOfClub({ sandbox: { latencyMs: 300 }, started: false });
    const { context, clock } = at.engine;
    await clock.advance(LIFE_MS);
    const { signal } = new AbortController();
    const parent = context.tracer.startSpan("test", {});
    const asked = Array.from({ length: 20 }, () =>
      context.tokens.accessToken({ athleteId: at.engine.athlete(), syncClass: "manual", parent, signal }),
    );
    const answers = await at.passing(Promise.all(asked));
    const { accessToken } = tokensOf(at);
    expect(answers).toEqual(Array.from({ length: 20 }, () => ({ got: "token", accessToken })));
    expect(requestsOf(at.engine, "token")).toBe(1);
  });

  test("case 51: a token refused before its time is replaced once, and the question put again; nothing is marked", async () => {
    const at = apiOfClub({ sandbox: { latencyMs: 100 } });
    await at.post("/api/admin/athletes/1/sync");
    await stepUntil(at.engine, () => requestsOf(at.engine, "list") === 2);
    at.engine.sandbox.expireAccessToken(tokensOf(at).stravaId);
    await at.settle();
    expect(await newestSync(at)).toMatchObject({ status: "completed", activities_synced: 4 });
    expect([requestsOf(at.engine, "token"), attemptsSpent(at.engine)]).toEqual([1, 0]);
  });

  test("case 51: the fresh token is refused as well: needs_reconnect after one refresh and one more try, and no loop", async () => {
    const at = apiOfClub();
    const action = { type: "status", status: 401 } as const;
    at.engine.sandbox.injectFault({ match: { kind: "list" }, times: ALWAYS, action });
    await syncAll(at);
    await at.engine.clock.advance(HOUR_MS);
    expect([requestsOf(at.engine, "token"), requestsOf(at.engine, "list")]).toEqual([1, 2]);
    expect((await at.get("/api/admin/athletes/1")).body).toMatchObject({ status: "needs_reconnect" });
  });
});

describe("whose fault it is", () => {
  test("case 52: a revoked athlete needs to reconnect, since a moment that is kept; races stay, the others are synced", async () => {
    const at = apiOfClub({ sandbox: TWO });
    await syncAll(at);
    const before = countRaces(at.engine.db, "enriched");
    const revoked = tokensOf(at);
    at.engine.sandbox.revokeGrant(revoked.stravaId);
    expect(await statusOf(at, revoked.accessToken)).toBe(401);
    expect((await refresh(at, revoked.refreshToken)).status).toBe(400);
    const nowMs = at.engine.clock.nowMs();
    await syncAll(at);
    const [lost, fine] = await athletesOf(at);
    expect([lost.status, fine.status, fine.needs_reconnect_since]).toEqual(["needs_reconnect", "connected", null]);
    expect(Math.abs(lost.needs_reconnect_since - nowMs)).toBeLessThan(MINUTE_MS);
    expect([before, countRaces(at.engine.db, "enriched")]).toEqual([10, 10]);
    const { items } = (await at.get("/api/admin/syncs?limit=2")).body;
    const ended = items.map((sync: { athlete_id: number; status: string }) => `${sync.athlete_id} ${sync.status}`);
    expect(ended.sort()).toEqual(["1 failed", "2 completed"]);
    expect((await at.get("/api/admin/races?withdrawn=true")).body.items).toHaveLength(10);
    expect((await at.get("/api/admin/races")).body.items).toHaveLength(10);
  });

  test("case 52: a single 401 wipes nothing and disconnects nobody", async () => {
    const at = apiOfClub();
    await syncAll(at);
    at.engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "status", status: 401 } });
    await syncAll(at);
    expect(await newestSync(at)).toMatchObject({ status: "completed" });
    expect((await at.get("/api/admin/athletes/1")).body).toMatchObject({ status: "connected" });
    expect((await at.get("/api/admin/races")).body.items).toHaveLength(4);
  });

  for (const wrongClientStatus of [400, 401] as const) {
    test(`case 53: a wrong client (${wrongClientStatus}) is the application's fault, in a refresh and in an exchange: no athlete is touched`, async () => {
      const at = apiOfClub({ sandbox: { ...TWO, clientSecret: "another", wrongClientStatus }, started: false });
      const page = await at.visit(callbackOf({ state: await beginState(at), code: "x", scope: PRIVATE_TOO }));
      expect([page.status, page.text.includes("Strava refuses this application")]).toEqual([503, true]);
      await at.engine.clock.advance(LIFE_MS);
      at.scheduler.start();
      await at.post("/api/admin/syncs", { mode: "full" });
      await at.engine.clock.advance(HOUR_MS);
      expect(await athletesOf(at)).toMatchObject([{ status: "connected" }, { status: "connected" }]);
      const waits = { status: "waiting", waiting: { reason: "app_inactive" } };
      expect((await at.get("/api/admin/sync-status")).body.active).toMatchObject([waits, waits]);
      expect(attemptsSpent(at.engine)).toBe(0);
    });
  }

  test("case 54: an inactive application holds everybody, says so, and touches no athlete while refreshing works; then it goes on", async () => {
    const at = apiOfClub({ sandbox: TWO, started: false });
    await at.engine.clock.advance(LIFE_MS);
    at.scheduler.start();
    const action = { type: "status", status: 403 } as const;
    at.engine.sandbox.injectFault({ match: { kind: ["list", "detail", "athlete"] }, times: ALWAYS, action });
    await at.post("/api/admin/syncs", { mode: "full" });
    await at.engine.clock.advance(2 * HOUR_MS);
    const waits = { status: "waiting", waiting: { reason: "app_inactive" } };
    expect((await at.get("/api/admin/sync-status")).body.active).toMatchObject([waits, waits]);
    expect(at.engine.sandbox.ledger().filter(({ status }) => status === 403).length).toBeLessThan(20);
    expect(await athletesOf(at)).toMatchObject([{ status: "connected" }, { status: "connected" }]);
    expect(attemptsSpent(at.engine)).toBe(0);
    at.engine.sandbox.clearFaults();
    await at.settle();
    const done = { status: "completed", activities_synced: 5 };
    expect((await at.get("/api/admin/syncs")).body.items).toMatchObject([done, done]);
  });
});

describe("capacity and revoking", () => {
  test("case 55: the eleventh athlete is refused on Strava's page, and nothing of theirs comes to us; a place that comes free is theirs", async () => {
    const at = apiOfClub({ sandbox: ELEVEN });
    at.engine.sandbox.setCapacity(10);
    const page = await signIn(at, 10);
    expect([page.status, page.text.includes("Limit of connected athletes exceeded")]).toEqual([403, true]);
    expect((await at.get("/api/admin/connect")).body.athletes).toMatchObject({ connected: 10 });
    // Whoever is connected connects again without a free place.
    expect((await signIn(at, 0, { link: "/auth/strava?again" })).status).toBe(200);
    expect((await at.delete("/api/admin/athletes/2")).status).toBe(202);
    await at.engine.clock.advance(SECOND_MS);
    expect((await signIn(at, 10)).status).toBe(200);
  });

  test("case 55: the eleventh athlete is refused when the code is exchanged: a page says so, and nobody else is held back", async () => {
    const at = apiOfClub({ sandbox: ELEVEN });
    at.engine.sandbox.setCapacity(10, "exchange");
    const page = await signIn(at, 10);
    expect([page.status, page.text.includes("No place is free")]).toEqual([403, true]);
    expect((await at.get("/api/admin/connect")).body.capacity_reached_at).toEqual(expect.any(Number));
    await syncAll(at);
    expect(await newestSync(at)).toMatchObject({ status: "completed" });
  });

  test("case 55: with the capacity configured the eleventh athlete is told before they go to Strava", async () => {
    const at = apiOfClub({ sandbox: ELEVEN, connect: { athleteCapacity: 10 } });
    const page = await signIn(at, 10);
    expect([page.status, page.text.includes("No place is free")]).toEqual([403, true]);
    expect(requestsOf(at.engine, "authorize")).toBe(0);
  });

  test("case 56: erasing revokes the grant; a 503 is tried again until Strava confirms, and nothing is left", async () => {
    const at = apiOfClub();
    const { accessToken, refreshToken } = tokensOf(at);
    at.engine.sandbox.injectFault({ match: { kind: "revoke" }, times: 2, action: { type: "status", status: 503 } });
    expect((await at.delete("/api/admin/athletes/1")).status).toBe(202);
    await at.engine.clock.advance(SECOND_MS);
    expect(await statusOf(at, accessToken)).toBe(200);
    await at.engine.clock.advance(HOUR_MS);
    expect([await statusOf(at, accessToken), (await refresh(at, refreshToken)).status]).toEqual([401, 400]);
    expect(requestsOf(at.engine, "revoke")).toBe(3);
    expect(at.engine.db.$client.query("SELECT 1 FROM revocations").all()).toEqual([]);
    expect(readAthlete(at.engine.db, at.engine.athlete())).toBeUndefined();
  });

  test("case 56: what Strava answers to a revocation: 200 for a token that nobody knows, 400 without one, 401 for a wrong client", async () => {
    const at = apiOfClub();
    const { accessToken } = tokensOf(at);
    const options = { apiUrl: "https://strava.test/api/v3", oauthUrl: "https://strava.test/oauth", timeoutMs: 1_000 };
    const revoke = async (token: string, clientSecret = "sandbox-secret") => {
      const { sandbox, clock } = at.engine;
      const client = createStravaClient({ ...options, clock, fetch: sandbox.fetch, clientId: "12345", clientSecret });
      const reply = await client.revoke(token, new AbortController().signal);
      return [reply.status, reply.ok ? "revoked" : reply.fault.kind];
    };
    expect(await revoke("nobody-knows-it")).toEqual([200, "revoked"]);
    expect(await revoke("")).toEqual([400, "bad_request"]);
    expect(await revoke(accessToken, "wrong")).toEqual([401, "wrong_client"]);
    expect(await statusOf(at, accessToken)).toBe(200);
    expect(await revoke(accessToken)).toEqual([200, "revoked"]);
    expect(await statusOf(at, accessToken)).toBe(401);
  });

  for (const status of [404, 405] as const) {
    test(`case 56: where /oauth/revoke is not there (${status}), the older address ends the grant, by a fresh access token`, async () => {
      const at = apiOfClub({
        started: false,
        fetch: (sandbox) => (request) =>
          request.url.endsWith("/oauth/revoke")
            ? Promise.resolve(new Response("", { status }))
            : sandbox.fetch(request),
      });
      await at.engine.clock.advance(LIFE_MS);
      await at.delete("/api/admin/athletes/1");
      await at.engine.clock.advance(SECOND_MS);
      expect(personAt(at, 0).isConnected).toBe(false);
      expect(at.engine.db.$client.query("SELECT 1 FROM revocations").all()).toEqual([]);
      const [entry] = at.engine.sandbox.ledger().filter(({ kind }) => kind === "deauthorize");
      expect(entry).toMatchObject({ status: 200, isCounted: true });
    });
  }

  test("case 57: with both addresses on other hosts, by configuration, all goes there: signing in, syncing, revoking", async () => {
    const hosts = new Set<string>();
    const at = apiOfClub({
      apiUrl: "https://api-v3.strava.example/api/v3/",
      oauthUrl: "https://sign-in.strava.example/oauth",
      fetch: (sandbox) => (request) => {
        hosts.add(new URL(request.url).host);
        return sandbox.fetch(request);
      },
    });
    const start = await at.visit("/auth/strava");
    expect(start.headers.get("location")).toStartWith("https://sign-in.strava.example/oauth/authorize?");
    expect((await signIn(at, NEWCOMER)).status).toBe(200);
    await at.settle();
    expect(await newestSync(at)).toMatchObject({ status: "completed", activities_synced: 4 });
    await at.delete("/api/admin/athletes/1");
    await at.engine.clock.advance(SECOND_MS);
    expect(personAt(at, 0).isConnected).toBe(false);
    expect([...hosts].sort()).toEqual(["api-v3.strava.example", "sign-in.strava.example"]);
  });
});
