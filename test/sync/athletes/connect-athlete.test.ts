import { describe, expect, test } from "bun:test";
import { WANTED_SCOPE } from "../../../src/core/scope.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readAthleteByStravaId } from "../../../src/db/athletes.ts";
import { readSyncInProgress } from "../../../src/db/syncs.ts";
import { admitAthlete } from "../../../src/sync/athletes/admit-athlete.ts";
import { SIGN_IN_LIVES_MS, SIGN_INS_MAX } from "../../../src/sync/athletes/sign-in.ts";
import type { TestApi } from "../../support/api.ts";
import {
  apiOfClub,
  athleteAt,
  beginState,
  callbackOf,
  countRows,
  expectNothingLeft,
  makeInvite,
  personAt,
  signIn,
  untilCallback,
} from "../../support/sign-in.ts";
import { requestsOf } from "../../support/syncs.ts";

const CLUB = 4_711;
const [MEMBER, STRANGER] = [1, 2];

describe("a newcomer", () => {
  test("is connected, and their full sync of class connect runs to its end", async () => {
    const at = apiOfClub();
    const page = await signIn(at, MEMBER);
    expect(page.status).toBe(200);
    expect(page.text).toContain(`${personAt(at, MEMBER).firstName} ${personAt(at, MEMBER).lastName} is connected<`);
    const athlete = athleteAt(at, MEMBER);
    expect(athlete).toMatchObject({ status: "connected", scope: WANTED_SCOPE, publish: 0 });
    const { body } = await at.get("/api/admin/syncs");
    expect(body.items).toMatchObject([{ athlete_id: athlete?.id, mode: "full", status: expect.any(String) }]);
    expect(at.engine.db.$client.query("SELECT class FROM syncs").all()).toEqual([{ class: "connect" }]);
    await at.settle();
    expect((await at.get("/api/admin/races")).body.items).toHaveLength(4);
    expect(at.engine.lines.join("\n")).toContain("athlete.connected");
  });

  test("who leaves private activities out is connected, and told how to include them", async () => {
    const at = apiOfClub();
    const page = await signIn(at, MEMBER, { ticked: ["activity:read"] });
    expect([page.status, page.text.includes("You left out what only you can see")]).toEqual([200, true]);
    expect(athleteAt(at, MEMBER)).toMatchObject({ scope: "read,activity:read", status: "connected" });
    const again = await signIn(at, MEMBER, { link: "/auth/strava?again" });
    expect([again.status, again.text.includes("You left out")]).toEqual([200, false]);
    expect(athleteAt(at, MEMBER)).toMatchObject({ scope: WANTED_SCOPE });
  });

  test("who allows no activities is turned away, and their grant is revoked", async () => {
    const at = apiOfClub();
    const page = await signIn(at, MEMBER, { ticked: [] });
    expect(page.status).toBe(403);
    expect(page.text).toContain("The permission to read your activities is missing");
    await expectNothingLeft(at, MEMBER);
  });

  test("whose scope is told by the address alone, or the answer alone, is judged by that; told by nobody, the sync will tell", async () => {
    for (const [inAnswer, inAddress, status] of [
      ["read,activity:read_all", undefined, 200],
      [undefined, "read,activity:read", 200],
      [undefined, "read", 403],
      ["read", undefined, 403],
      ["read", "read,activity:read_all", 403],
      [undefined, undefined, 200],
    ] as const) {
      const at = apiOfClub({
        fetch: (sandbox) => async (request) => {
          const answer = await sandbox.fetch(request);
          if (!request.url.endsWith("/oauth/token")) return answer;
          const { scope: _told, ...body } = (await answer.json()) as Record<string, unknown>;
          return Response.json(inAnswer === undefined ? body : { ...body, scope: inAnswer });
        },
      });
      const state = await beginState(at);
      const code = at.engine.sandbox.authorize(personAt(at, MEMBER).stravaId);
      const query = { state, code, ...(inAddress === undefined ? {} : { scope: inAddress }) };
      const page = await at.visit(callbackOf(query));
      expect([inAnswer, inAddress, page.status]).toEqual([inAnswer, inAddress, status]);
    }
  });
});

describe("a state", () => {
  test("is 256 bits, kept as a hash only, and good until 15 minutes have passed", async () => {
    for (const [lateMs, status] of [
      [SIGN_IN_LIVES_MS - SECOND_MS, 200],
      [SIGN_IN_LIVES_MS, 400],
    ] as const) {
      const at = apiOfClub();
      const state = await beginState(at);
      expect(Buffer.from(state, "base64url")).toHaveLength(32);
      expect(Buffer.from(at.engine.db.$client.serialize()).includes(state)).toBe(false);
      const begunAtMs = at.engine.clock.nowMs();
      await at.engine.clock.advance(lateMs - (at.engine.clock.nowMs() - begunAtMs) - 50);
      const code = at.engine.sandbox.authorize(personAt(at, MEMBER).stravaId);
      const page = await at.visit(callbackOf({ state, code, scope: "read,activity:read_all" }));
      expect([lateMs, page.status]).toEqual([lateMs, status]);
    }
  });

  test("that is wrong or missing is answered 400, and Strava is asked nothing", async () => {
    const at = apiOfClub();
    await beginState(at);
    const code = at.engine.sandbox.authorize(personAt(at, MEMBER).stravaId);
    for (const query of [
      { code },
      { code, state: "" },
      { code, state: "made-up" },
      { state: "x", error: "access_denied" },
    ]) {
      expect((await at.visit(callbackOf(query))).status).toBe(400);
    }
    expect(requestsOf(at.engine, "token")).toBe(0);
    expect(countRows(at, "sign_ins")).toBe(1);
    // Whoever sends a thousand of these fills no log.
    expect(at.engine.lines).toEqual([]);
  });

  test("is used up by refusing as well, and without a code by nothing but itself", async () => {
    const at = apiOfClub();
    expect((await signIn(at, MEMBER, { decision: "cancel" })).status).toBe(403);
    const state = await beginState(at);
    expect((await at.visit(callbackOf({ state }))).status).toBe(400);
    expect([countRows(at, "sign_ins"), requestsOf(at.engine, "token"), athleteAt(at, MEMBER)]).toEqual([
      0,
      0,
      undefined,
    ]);
  });

  test("is one of some thousands: beyond that nobody begins, until the oldest have expired", async () => {
    const at = apiOfClub();
    const { db, clock } = at.engine;
    const insert = db.$client.prepare(
      "INSERT INTO sign_ins (state_hash, created_at_ms, expires_at_ms) VALUES (?1, 0, ?2)",
    );
    const expiresAtMs = clock.nowMs() + MINUTE_MS;
    db.$client.transaction(() => {
      for (let place = 0; place < SIGN_INS_MAX; place++) insert.run(`state-${place}`, expiresAtMs);
    })();
    const refused = await at.visit("/auth/strava");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "180"]);
    await clock.advance(MINUTE_MS);
    expect((await at.visit("/auth/strava")).status).toBe(302);
    expect(countRows(at, "sign_ins")).toBe(1);
  });
});

describe("the exchange", () => {
  test("whose answer is lost stores nothing, and the page says that nothing is lost; the next try connects", async () => {
    const at = apiOfClub();
    at.engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    const page = await signIn(at, MEMBER);
    expect(page.status).toBe(503);
    expect(page.text).toContain("nothing is lost");
    expect(page.headers.get("retry-after")).toBe("60");
    expect([athleteAt(at, MEMBER), countRows(at, "syncs"), countRows(at, "revocations")]).toEqual([undefined, 0, 0]);
    expect((await signIn(at, MEMBER)).status).toBe(200);
  });

  test("that hangs ends with the time limit of a request, and stores nothing", async () => {
    const at = apiOfClub({ timeoutMs: 5_000 });
    at.engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "hang" } });
    const startMs = at.engine.clock.nowMs();
    expect((await signIn(at, MEMBER)).status).toBe(503);
    expect(at.engine.clock.nowMs() - startMs).toBeLessThan(6_000);
  });

  test("while all places in flight are taken, waits a minute at most", async () => {
    const at = apiOfClub({ requestsInFlight: 1, timeoutMs: 10 * MINUTE_MS });
    at.engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "hang" } });
    await at.post("/api/admin/athletes/1/sync");
    const startMs = at.engine.clock.nowMs();
    expect((await signIn(at, MEMBER)).status).toBe(503);
    expect(at.engine.clock.nowMs() - startMs).toBeLessThan(62_000);
    expect(requestsOf(at.engine, "token")).toBe(0);
  });

  test.each([
    ["Strava away", { type: "status", status: 503 } as const, 503, "Strava did not answer"],
    ["a 500", { type: "status", status: 500 } as const, 503, "Strava did not answer"],
    ["half an answer", { type: "truncated" } as const, 503, "Strava did not answer"],
    ["a web page with 200", { type: "html" } as const, 503, "Strava did not answer"],
  ])("answered by %s stores nothing and says so", async (_, action, status, words) => {
    const at = apiOfClub();
    at.engine.sandbox.injectFault({ match: { kind: "token" }, action });
    const page = await signIn(at, MEMBER);
    expect([page.status, page.text.includes(words)]).toEqual([status, true]);
    expect([athleteAt(at, MEMBER), countRows(at, "syncs")]).toEqual([undefined, 0]);
  });

  test("is refused for a wrong client by a page that names no athlete as the cause, and touches none", async () => {
    const at = apiOfClub({ sandbox: { clientSecret: "another" } });
    const page = await signIn(at, MEMBER);
    expect([page.status, page.text.includes("Strava refuses this application")]).toEqual([503, true]);
    expect(athleteAt(at, 0)).toMatchObject({ status: "connected" });
  });

  test("takes its place in the ledger, as nobody's request of the phase connect", async () => {
    const at = apiOfClub();
    await signIn(at, MEMBER, { ticked: [] });
    await at.engine.clock.advance(MINUTE_MS);
    const lines = at.engine.db.$client.query("SELECT athlete_id, phase, status, requests FROM quota_usage").all();
    expect(lines).toEqual([
      { athlete_id: 0, phase: "connect", status: 200, requests: 1 },
      { athlete_id: 0, phase: "revoke", status: 200, requests: 1 },
    ]);
  });
});

describe("a known athlete who connects again", () => {
  test("gets new tokens, names and scope in place of the old, is mended, and synced in full", async () => {
    const at = apiOfClub();
    const { sandbox, db, clock } = at.engine;
    await at.post("/api/admin/athletes/1/sync");
    await at.settle();
    db.$client.run("UPDATE athletes SET publish = 1, first_name = 'Old'");
    sandbox.revokeGrant(personAt(at, 0).stravaId);
    await at.post("/api/admin/athletes/1/sync");
    await at.settle();
    const lost = (await at.get("/api/admin/athletes/1")).body;
    expect(lost).toMatchObject({ status: "needs_reconnect", reconnect_url: "http://127.0.0.1:8720/auth/strava?again" });
    expect(lost.needs_reconnect_since).toBeLessThanOrEqual(clock.nowMs());
    const page = await signIn(at, 0, { link: "/auth/strava?again" });
    expect([page.status, page.text.includes("connected again")]).toEqual([200, true]);
    expect((await at.get("/api/admin/athletes/1")).body).toMatchObject({
      status: "connected",
      status_reason: null,
      needs_reconnect_since: null,
      reconnect_url: null,
      first_name: personAt(at, 0).firstName,
      publish: true,
    });
    await at.settle();
    const [newest] = (await at.get("/api/admin/syncs")).body.items;
    expect(newest).toMatchObject({ mode: "full", status: "completed" });
    expect(countRows(at, "athletes")).toBe(1);
  });

  test("keeps a sync that is in progress, which goes on with the new tokens", async () => {
    const at = apiOfClub({ sandbox: { latencyMs: 400 } });
    await at.post("/api/admin/athletes/1/sync");
    const before = readSyncInProgress(at.engine.db, at.engine.athlete())?.id;
    expect((await signIn(at, 0)).status).toBe(200);
    expect(readSyncInProgress(at.engine.db, at.engine.athlete())?.id).toBe(before);
    await at.settle();
    expect((await at.get("/api/admin/syncs")).body.items).toMatchObject([{ status: "completed" }]);
  });

  test("with too little scope is held back: needs_reconnect with the reason, nothing erased, nothing revoked", async () => {
    const at = apiOfClub();
    await at.post("/api/admin/athletes/1/sync");
    await at.settle();
    const races = countRows(at, "races");
    at.engine.sandbox.injectFault({ match: { kind: "list" }, action: { type: "hang" } });
    await at.post("/api/admin/athletes/1/sync");
    const page = await signIn(at, 0, { ticked: [] });
    expect([page.status, page.text.includes("Your races stay")]).toEqual([403, true]);
    const athlete = athleteAt(at, 0);
    expect(athlete).toMatchObject({ status: "needs_reconnect", scope: "read" });
    expect(athlete?.statusReason).toContain("did not allow that activities are read");
    expect([races > 0, countRows(at, "races"), countRows(at, "revocations")]).toEqual([true, races, 0]);
    const [sync] = (await at.get("/api/admin/syncs")).body.items;
    expect(sync).toMatchObject({ status: "failed", error: expect.stringContaining("/auth/strava?again") });
    await at.engine.clock.advance(SECOND_MS);
    expect(at.engine.context.governor.view().inFlight).toBe(0);
    await at.engine.clock.advance(MINUTE_MS);
    expect(personAt(at, 0).isConnected).toBe(true);
    // The pair that is stored is the one that works: erasing the athlete ends the grant.
    await at.delete("/api/admin/athletes/1");
    await at.engine.clock.advance(MINUTE_MS);
    expect(personAt(at, 0).isConnected).toBe(false);
  });

  test("with too little scope has needed that since the first time, however often they try", async () => {
    const at = apiOfClub({ started: false });
    await signIn(at, 0, { ticked: [] });
    const since = athleteAt(at, 0)?.needsReconnectSinceMs;
    await at.engine.clock.advance(DAY_MS);
    await signIn(at, 0, { ticked: [] });
    expect(athleteAt(at, 0)?.needsReconnectSinceMs).toBe(since ?? null);
    expect(since).not.toBeNull();
  });

  test("needs no invitation, no club and no free place", async () => {
    const at = apiOfClub({ connect: { mode: "invite", clubId: CLUB, athleteCapacity: 1 } });
    at.engine.sandbox.setClubs(personAt(at, 0).stravaId, []);
    expect((await signIn(at, 0, { link: "/auth/strava?again" })).status).toBe(200);
    expect(requestsOf(at.engine, "clubs")).toBe(0);
  });
});

test("a grant that waits to be revoked is kept when its owner gives it again with the very same token", async () => {
  const at = apiOfClub({
    fetch: (sandbox) => async (request) => {
      if (!request.url.endsWith("/oauth/token")) return sandbox.fetch(request);
      // A Strava whose refresh token is the same each time, as it was seen to be for years.
      const { refresh_token: _given, ...body } = (await (await sandbox.fetch(request)).json()) as Record<
        string,
        unknown
      >;
      return Response.json({ ...body, refresh_token: "always-the-same" });
    },
  });
  at.engine.sandbox.injectFault({ match: { kind: "revoke" }, times: 1, action: { type: "status", status: 503 } });
  expect((await signIn(at, MEMBER, { ticked: [] })).status).toBe(403);
  await at.engine.clock.advance(SECOND_MS);
  expect(countRows(at, "revocations")).toBe(1);
  expect((await signIn(at, MEMBER)).status).toBe(200);
  expect(countRows(at, "revocations")).toBe(0);
});

test("a revocation that Strava does not confirm is tried again until it does", async () => {
  const at = apiOfClub();
  at.engine.sandbox.injectFault({ match: { kind: "revoke" }, times: 3, action: { type: "status", status: 503 } });
  expect((await signIn(at, MEMBER, { ticked: [] })).status).toBe(403);
  await at.engine.clock.advance(SECOND_MS);
  expect([countRows(at, "revocations"), personAt(at, MEMBER).isConnected]).toEqual([1, true]);
  await at.engine.clock.advance(HOUR_MS);
  await expectNothingLeft(at, MEMBER);
});

test("an athlete who is erased while they sign in again, their token on its way, is not brought back", async () => {
  const at = apiOfClub({ connect: { mode: "invite" }, sandbox: { latencyMs: 300 } });
  const callback = await untilCallback(at, 0, { link: "/auth/strava?again" });
  const page = at.visit(String(callback));
  await at.engine.clock.advance(100);
  expect((await at.delete("/api/admin/athletes/1")).status).toBe(202);
  expect((await page).status).toBe(403);
  await at.engine.clock.advance(MINUTE_MS);
  await expectNothingLeft(at, 0);
});

describe("where nothing can be stored", () => {
  const failing = (at: TestApi, table: string) =>
    at.engine.db.$client.run(
      `CREATE TRIGGER no_${table} BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'no'); END`,
    );

  test("a newcomer's grant is revoked all the same, and the page says that something went wrong", async () => {
    const at = apiOfClub();
    failing(at, "strava_tokens");
    failing(at, "revocations");
    expect((await signIn(at, MEMBER)).status).toBe(500);
    await expectNothingLeft(at, MEMBER);
    expect((await signIn(at, MEMBER, { ticked: [] })).status).toBe(500);
    await expectNothingLeft(at, MEMBER);
    expect(at.engine.lines.join("\n")).not.toContain("revocation.lost");
  });

  test("that this was not confirmed either is said in the log: nobody else remembers it", async () => {
    const at = apiOfClub();
    failing(at, "strava_tokens");
    at.engine.sandbox.injectFault({ match: { kind: "revoke" }, action: { type: "status", status: 503 } });
    expect((await signIn(at, MEMBER)).status).toBe(500);
    expect(at.engine.lines.join("\n")).toContain("revocation.lost");
  });

  test("a known athlete keeps the grant, and what was stored before", async () => {
    const at = apiOfClub();
    failing(at, "syncs");
    expect((await signIn(at, 0)).status).toBe(500);
    await at.engine.clock.advance(MINUTE_MS);
    expect([requestsOf(at.engine, "revoke"), personAt(at, 0).isConnected]).toEqual([0, true]);
    expect(athleteAt(at, 0)).toMatchObject({ status: "connected", scope: "read,activity:read_all" });
  });
});

test("an athlete who was known, and is not any more when they are stored, is no newcomer whom nobody has looked at", () => {
  const { engine } = apiOfClub();
  const { stravaId, firstName, lastName } = personAt({ engine }, MEMBER);
  const tokens = { accessToken: "a", refreshToken: "r", expiresAtMs: engine.clock.nowMs() };
  const signedIn = {
    grant: { ...tokens, athlete: { stravaId, firstName, lastName } },
    granted: { scope: "read,activity:read_all", reads: "all" as const },
  };
  const admit = () => admitAthlete(engine.context, signedIn, { as: "known" }, engine.processor);
  expect(engine.commits.now(admit)).toEqual({ outcome: "erased" });
  expect(readAthleteByStravaId(engine.db, stravaId)).toBeUndefined();
});

test("I10: no token, code, state, invitation or name is in a log line, in plain text in the database, or in an answer to the admin", async () => {
  const at = apiOfClub({ connect: { mode: "invite", clubId: CLUB } });
  const { sandbox } = at.engine;
  sandbox.setClubs(personAt(at, MEMBER).stravaId, [CLUB]);
  const link = await makeInvite(at);
  const callbacks = [
    await untilCallback(at, MEMBER, { link }),
    await untilCallback(at, STRANGER, { link }),
    await untilCallback(at, STRANGER, { link: "/auth/strava?again" }),
  ].map(String);
  for (const callback of callbacks) await at.visit(callback);
  await at.engine.clock.advance(MINUTE_MS);
  const secrets = callbacks.flatMap((callback) => {
    const { searchParams } = new URL(callback);
    return [searchParams.get("state"), searchParams.get("code")];
  });
  secrets.push(new URL(link).searchParams.get("invite"));
  for (const athlete of sandbox.athletes()) secrets.push(athlete.accessToken, athlete.refreshToken);
  const lines = at.engine.lines.join("\n");
  expect(lines).toContain("sign_in.ended");
  const file = Buffer.from(at.engine.db.$client.serialize());
  const shown = [await at.get("/api/admin/connect"), await at.get("/api/admin/invites")].map(({ text }) => text).join();
  for (const secret of secrets) {
    if (secret === null || secret.length < 20) throw new Error("A secret was not caught");
    expect([lines.includes(secret), file.includes(secret), shown.includes(secret)]).toEqual([false, false, false]);
  }
  for (const { firstName, lastName } of sandbox.people()) {
    expect([lines.includes(firstName), lines.includes(lastName)]).toEqual([false, false]);
  }
});
