import { describe, expect, test } from "bun:test";
import type { SyncClass } from "../../../src/core/sync.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readAthlete } from "../../../src/db/athletes.ts";
import { insertEvent } from "../../../src/db/strava-events.ts";
import { forgetAthlete } from "../../../src/sync/athletes/forget-athlete.ts";
import { revokeGrants } from "../../../src/sync/athletes/revoke-grants.ts";
import { stopSync } from "../../../src/sync/stop-sync.ts";
import { createTestEngine, type TestEngine } from "../../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../../support/hand.ts";
import {
  activityIdAt,
  attemptsSpent,
  dailyRuns,
  engineWith,
  PLENTY,
  requestsOf,
  stravaIdOf,
  syncOf,
  syncToEnd,
  untilEnded,
} from "../../support/syncs.ts";

/** A token as the sandbox gives it out lives six hours. */
const LIFE_MS = 6 * HOUR_MS;
/** The engine starts 5 s into the day, and every token with it. */
const raceful = (count: number) =>
  dailyRuns(
    count + 5,
    Array.from({ length: count }, (_, place) => place),
  );

function askForToken(
  engine: TestEngine,
  options: { rejected?: string; syncClass?: SyncClass; signal?: AbortSignal } = {},
) {
  const { rejected, syncClass = "manual", signal = new AbortController().signal } = options;
  const parent = engine.context.tracer.startSpan("test", {});
  const request = { athleteId: engine.athlete(), syncClass, parent, signal };
  return engine.context.tokens.accessToken(rejected === undefined ? request : { ...request, rejected });
}

describe("a token is refreshed when it has an hour or less to live", () => {
  for (const [leftMs, refreshes] of [
    [HOUR_MS + SECOND_MS, 0],
    [HOUR_MS, 1],
    [HOUR_MS - SECOND_MS, 1],
    [-SECOND_MS, 1],
  ] as const) {
    test(`${leftMs / SECOND_MS} s left: ${refreshes === 0 ? "no refresh" : "one refresh"}`, async () => {
      const engine = engineWith(raceful(10));
      await engine.clock.advance(LIFE_MS - leftMs);
      expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 10 });
      expect(requestsOf(engine, "token")).toBe(refreshes);
    });
  }
});

test("twenty who need a token at its expiry share one refresh", async () => {
  const engine = engineWith([], { sandbox: { latencyMs: 200 } });
  await engine.clock.advance(LIFE_MS);
  const asked = Promise.all(Array.from({ length: 20 }, () => askForToken(engine)));
  await engine.clock.advance(1_000);
  const answers = await asked;
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ got: "token", accessToken: engine.sandbox.athletes()[0]?.accessToken });
  expect(requestsOf(engine, "token")).toBe(1);
});

test("a rotated pair is stored before the new access token is used", async () => {
  const seen: { kind: string; stored: number }[] = [];
  const engine: TestEngine = engineWith(raceful(3), {
    sandbox: { rotateRefreshTokens: true, latencyMs: 50 },
    fetch: (sandbox) => (request) => {
      const stored = engine.db.$client.query<{ at: number }, []>("SELECT updated_at_ms AS at FROM strava_tokens").get();
      seen.push({ kind: new URL(request.url).pathname, stored: stored?.at ?? -1 });
      return sandbox.fetch(request);
    },
  });
  await engine.clock.advance(LIFE_MS);
  const syncedFromMs = engine.clock.nowMs();
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed" });
  expect(seen[0]).toMatchObject({ kind: "/oauth/token" });
  for (const { kind, stored } of seen.slice(1)) {
    expect(kind).not.toBe("/oauth/token");
    expect(stored).toBeGreaterThanOrEqual(syncedFromMs);
  }
  // The pair that is stored works for the next refresh too.
  await engine.clock.advance(LIFE_MS);
  expect(await syncToEnd(engine, { mode: "full" })).toMatchObject({ status: "completed" });
  expect(requestsOf(engine, "token")).toBe(2);
});

test("a token refused before its time is replaced once, and the question put again: nothing is lost or spent", async () => {
  const engine = engineWith(raceful(10), { sandbox: { latencyMs: { min: 20, max: 400 } } });
  const syncId = engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 1);
  engine.sandbox.expireAccessToken(stravaIdOf(engine));
  expect(await untilEnded(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 10 });
  expect(requestsOf(engine, "token")).toBe(1);
  expect(attemptsSpent(engine)).toBe(0);
});

test("a fresh token refused as well: the athlete must connect again, their sync fails with the cure, and the others go on", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 30, racesEach: 10 }, quota: PLENTY, latencyMs: 20 },
  });
  engine.sandbox.injectFault({
    match: { kind: "detail", athlete: stravaIdOf(engine, 0) },
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 401 },
  });
  const [refused, fine] = [engine.start(0), engine.start(1)];
  await tickMinutes(engine, 3);
  const sync = syncOf(engine, refused);
  expect(sync.status).toBe("failed");
  expect(sync.error).toContain("must connect again");
  expect(readAthlete(engine.db, engine.athlete(0))).toMatchObject({ status: "needs_reconnect" });
  expect(countRaces(engine.db, "failed")).toBe(0);
  expect(requestsOf(engine, "token")).toBe(1);
  expect(syncOf(engine, fine)).toMatchObject({ status: "completed", racesEnriched: 10 });
  expect(readAthlete(engine.db, engine.athlete(1))).toMatchObject({ status: "connected", statusReason: null });
});

test("an athlete who revoked the access: needs_reconnect, the cure, two refused refreshes and no more; races stay", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 30, racesEach: 10 }, quota: PLENTY },
  });
  await syncToEnd(engine);
  engine.sandbox.revokeGrant(stravaIdOf(engine, 0));
  engine.sandbox.clearLedger();
  const [revoked, fine] = [engine.start(0), engine.start(1)];
  await tickMinutes(engine, 60);
  expect(syncOf(engine, revoked)).toMatchObject({ status: "failed" });
  expect(syncOf(engine, revoked).error).toContain("must connect again");
  expect(
    engine.sandbox
      .ledger()
      .filter((entry) => entry.kind === "token")
      .map((entry) => entry.status),
  ).toEqual([400, 400]);
  expect(() => engine.start(0)).toThrow("needs_reconnect");
  expect(syncOf(engine, fine)).toMatchObject({ status: "completed" });
  expect(
    engine.db.$client.query("SELECT count(*) AS count FROM races WHERE withdrawn_at_ms IS NOT NULL").get(),
  ).toEqual({
    count: 0,
  });
});

for (const wrongClientStatus of [400, 401] as const) {
  test(`a wrong client (${wrongClientStatus}) is the application's fault: everybody waits, no athlete is touched`, async () => {
    const engine = createTestEngine({
      sandbox: {
        club: { athletes: 2, activitiesEach: 30, racesEach: 10 },
        clientSecret: "another-secret",
        wrongClientStatus,
      },
    });
    await engine.clock.advance(LIFE_MS);
    const syncIds = [engine.start(0), engine.start(1)];
    await tickMinutes(engine, 10);
    expect(engine.db.$client.query("SELECT DISTINCT status FROM athletes").all()).toEqual([{ status: "connected" }]);
    for (const syncId of syncIds) expect(syncOf(engine, syncId).status).toBe("in_progress");
    expect(attemptsSpent(engine)).toBe(0);
    expect(engine.context.governor.hold("manual")).toMatchObject({ reason: "app_inactive" });
    expect(engine.sandbox.ledger().length).toBeLessThanOrEqual(2);
  });
}

test("an inactive application is nobody's fault even while refreshing works: no athlete is touched", async () => {
  const engine = engineWith(raceful(5));
  await engine.clock.advance(LIFE_MS);
  engine.sandbox.injectFault({
    match: { kind: ["list", "detail"] },
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 403 },
  });
  const syncId = engine.start();
  await tickMinutes(engine, 60);
  expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
  expect(attemptsSpent(engine)).toBe(0);
  expect(requestsOf(engine, "token")).toBe(1);
  engine.sandbox.clearFaults();
  await tickMinutes(engine, 20);
  expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
});

test("the answer to a rotation that was lost ends in needs_reconnect after one more try, and in no loop", async () => {
  const engine = engineWith(raceful(5), { sandbox: { rotateRefreshTokens: true } });
  await engine.clock.advance(LIFE_MS);
  engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
  const syncId = engine.start();
  await tickMinutes(engine, 60);
  expect(syncOf(engine, syncId)).toMatchObject({ status: "failed" });
  expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
  expect(requestsOf(engine, "token")).toBe(3);
  expect(requestsOf(engine, "list")).toBe(0);
});

test("a lost answer without rotation costs one more try, and the sync completes", async () => {
  const engine = engineWith(raceful(5));
  await engine.clock.advance(LIFE_MS);
  engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 5 });
  expect(requestsOf(engine, "token")).toBe(2);
});

test("a sync that is cancelled while its token is refreshed does not lose the rotated pair", async () => {
  const engine = engineWith(raceful(5), { sandbox: { rotateRefreshTokens: true, latencyMs: 500 } });
  await engine.clock.advance(LIFE_MS);
  const syncId = engine.start();
  await stepUntil(engine, () => requestsOf(engine, "token") === 1);
  stopSync(engine.context, engine.processor, syncId);
  await engine.clock.advance(MINUTE_MS);
  expect(syncOf(engine, syncId).status).toBe("cancelled");
  expect(requestsOf(engine, "list")).toBe(0);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 5 });
});

test("who stops waiting for a refresh is called off; who waits with them gets the token", async () => {
  const engine = engineWith([], { sandbox: { latencyMs: 500 } });
  await engine.clock.advance(LIFE_MS);
  const controller = new AbortController();
  const first = askForToken(engine, { signal: controller.signal });
  const second = askForToken(engine);
  await engine.clock.advance(100);
  controller.abort("stopping");
  await engine.clock.advance(1_000);
  expect(await first).toEqual({ got: "called_off" });
  expect(await second).toMatchObject({ got: "token" });
});

test("a scope that is missing names the scope, and only the athlete can mend it", async () => {
  const engine = engineWith(raceful(5), { scope: "read" });
  const sync = await syncToEnd(engine);
  expect(sync.status).toBe("failed");
  expect(sync.error).toContain("activity:read");
  expect(sync.error).toContain("must connect again");
  expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
  expect(readAthlete(engine.db, engine.athlete())?.statusReason).toContain("activity:read");
  expect(requestsOf(engine, "token")).toBe(0);
});

test("Strava's clock 90 s behind ours: an hour before the expiry, one refresh too early gains nothing and is not repeated for each request", async () => {
  const engine = engineWith(raceful(30), { sandbox: { skewMs: -90 * SECOND_MS, latencyMs: 50 } });
  // By our clock 59.5 minutes are left; by Strava's 61, so that it gives the same token back.
  await engine.clock.advance(LIFE_MS - 90 * SECOND_MS - HOUR_MS + 30 * SECOND_MS);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 30 });
  expect(requestsOf(engine, "token")).toBeLessThanOrEqual(1);
});

test("I10: no token and no name is in plain text in the database, a log line or an error, whatever goes wrong", async () => {
  const engine = createTestEngine({
    sandbox: {
      club: {
        athletes: [
          { firstName: "Zebedeus", lastName: "Quarkmeister", activities: dailyRuns(30, [0, 1, 2, 3]) },
          { firstName: "Wilhelmine", lastName: "Xylander", activities: dailyRuns(30, [0, 1]) },
        ],
      },
      rotateRefreshTokens: true,
      latencyMs: 20,
    },
  });
  const secrets = new Set(engine.sandbox.athletes().flatMap((athlete) => [athlete.accessToken, athlete.refreshToken]));
  await engine.clock.advance(LIFE_MS);
  engine.sandbox.injectFault({ match: { kind: "detail", nth: 2 }, times: 2, action: { type: "truncated" } });
  engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "status", status: 500 } });
  engine.start(0);
  engine.start(1);
  await tickMinutes(engine, 3);
  for (const athlete of engine.sandbox.athletes()) {
    secrets.add(athlete.accessToken);
    secrets.add(athlete.refreshToken);
  }
  engine.sandbox.revokeGrant(stravaIdOf(engine, 0));
  const { error } = await syncToEnd(engine);
  engine.sandbox.deleteActivity(activityIdAt(engine, 0, 1));
  await tickMinutes(engine, 2);
  expect(error).not.toBeNull();
  expect(secrets.size).toBe(8);
  const file = Buffer.from(engine.db.$client.serialize());
  const lines = engine.lines.join("\n");
  expect(lines).toContain("sync.failed");
  for (const secret of secrets) {
    expect(file.includes(secret)).toBe(false);
    expect(lines.includes(secret)).toBe(false);
  }
  const names = ["Zebedeus", "Quarkmeister", "Wilhelmine", "Xylander", "sandbox-secret", "Morning Run"];
  const told = engine.db.$client
    .query(
      "SELECT error, warnings FROM syncs UNION ALL SELECT error, NULL FROM batches UNION ALL SELECT message, NULL FROM sync_logs",
    )
    .all();
  for (const name of names) {
    expect(lines.includes(name)).toBe(false);
    expect(JSON.stringify(told).includes(name)).toBe(false);
  }
});

test("an outage of the token endpoint is Strava's: the sync waits, fails for nobody, and goes on by itself", async () => {
  const engine = createTestEngine({ sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 5 } } });
  byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
  engine.sandbox.injectFault({ match: { kind: "token" }, times: Number.POSITIVE_INFINITY, action: { type: "reset" } });
  const syncId = engine.start();
  await tickMinutes(engine, 10);
  expect(syncOf(engine, syncId)).toMatchObject({ status: "in_progress" });
  expect(engine.context.governor.view().appHold).toMatchObject({ reason: "strava_unavailable" });
  engine.sandbox.clearFaults();
  await tickMinutes(engine, 20);
  expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 5 });
});

describe("an athlete who is erased while their token is refreshed leaves no live grant behind", () => {
  const isAlive = (engine: TestEngine, refreshToken: string) =>
    engine.sandbox.fetch(
      new Request("https://strava.test/oauth/token", {
        method: "POST",
        body: new URLSearchParams({
          client_id: "12345",
          client_secret: "sandbox-secret",
          grant_type: "refresh_token",
          refresh_token: refreshToken,
        }),
      }),
    );

  /** Erased while Strava has rotated the pair and the answer is under way. */
  async function erasedInRefresh() {
    const engine = engineWith(raceful(5), { sandbox: { rotateRefreshTokens: true, latencyMs: 500 } });
    await engine.clock.advance(LIFE_MS);
    engine.start();
    await stepUntil(engine, () => requestsOf(engine, "token") === 1);
    expect(forgetAthlete(engine.context, engine.processor, engine.athlete())).toBe(true);
    return engine;
  }

  const waiting = (engine: TestEngine) => engine.db.$client.query("SELECT 1 FROM revocations").all().length;

  async function refusedAtStrava(engine: TestEngine): Promise<number> {
    const answer = isAlive(engine, engine.sandbox.athletes()[0]?.refreshToken ?? "");
    await engine.clock.advance(1_000);
    return (await answer).status;
  }

  test("the answer comes before the grant is revoked: it is revoked by the new token", async () => {
    const engine = await erasedInRefresh();
    await engine.clock.advance(MINUTE_MS);
    expect(waiting(engine)).toBe(1);
    const revoked = revokeGrants(engine.context, engine.seal);
    await engine.clock.advance(MINUTE_MS);
    await revoked;
    expect([waiting(engine), await refusedAtStrava(engine)]).toEqual([0, 400]);
  });

  test("the answer comes while the dead token is being revoked: the new one is revoked next", async () => {
    const engine = await erasedInRefresh();
    await engine.clock.advance(300);
    const revoked = revokeGrants(engine.context, engine.seal);
    await engine.clock.advance(MINUTE_MS);
    await revoked;
    expect(waiting(engine)).toBe(1);
    const again = revokeGrants(engine.context, engine.seal);
    await engine.clock.advance(MINUTE_MS);
    await again;
    expect([waiting(engine), await refusedAtStrava(engine)]).toEqual([0, 400]);
  });

  test("the answer comes after the dead token was revoked, which Strava confirms: the new one is revoked next", async () => {
    const engine = await erasedInRefresh();
    // As when the revocation overtook the answer.
    engine.db.$client.run("DELETE FROM revocations");
    await engine.clock.advance(MINUTE_MS);
    expect(waiting(engine)).toBe(1);
    const revoked = revokeGrants(engine.context, engine.seal);
    await engine.clock.advance(MINUTE_MS);
    await revoked;
    expect([waiting(engine), await refusedAtStrava(engine)]).toEqual([0, 400]);
  });

  test("and a look at what Strava told of them, which waited for the token, asks for nothing", async () => {
    const engine = engineWith(raceful(5), { sandbox: { latencyMs: 500 } });
    await engine.clock.advance(LIFE_MS);
    const event = {
      subscriptionId: 1,
      objectType: "activity",
      objectId: activityIdAt(engine, 0),
      aspect: "create",
    } as const;
    const rest = {
      ownerId: stravaIdOf(engine),
      eventTimeSeconds: 0,
      isDeauthorized: false,
      updatesHash: "",
      isOurs: true,
    };
    insertEvent(engine.db, { ...event, ...rest }, engine.clock.nowMs());
    engine.events.inbox.wake();
    await stepUntil(engine, () => requestsOf(engine, "token") === 1);
    expect(forgetAthlete(engine.context, engine.processor, engine.athlete())).toBe(true);
    await engine.clock.advance(MINUTE_MS);
    expect(requestsOf(engine, "detail")).toBe(0);
    expect(engine.db.$client.query("SELECT 1 FROM strava_events WHERE settled_at_ms IS NULL").all()).toEqual([]);
  });

  test("without rotation the token that was kept is the right one, and once it is revoked nothing waits any more", async () => {
    const engine = engineWith(raceful(5), { sandbox: { latencyMs: 500 } });
    await engine.clock.advance(LIFE_MS);
    engine.start();
    await stepUntil(engine, () => requestsOf(engine, "token") === 1);
    forgetAthlete(engine.context, engine.processor, engine.athlete());
    expect(waiting(engine)).toBe(1);
    engine.sandbox.revokeGrant(stravaIdOf(engine));
    engine.db.$client.run("DELETE FROM revocations");
    await engine.clock.advance(MINUTE_MS);
    expect(waiting(engine)).toBe(0);
  });
});
