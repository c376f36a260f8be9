import { describe, expect, test } from "bun:test";
import { epochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readAthlete } from "../../../src/db/athletes.ts";
import { forgetAthlete } from "../../../src/sync/athletes/forget-athlete.ts";
import { importAthlete } from "../../../src/sync/athletes/import-athlete.ts";
import { createTestEngine, type TestEngine } from "../../support/engine.ts";
import { byHand, stepUntil, tickMinutes } from "../../support/hand.ts";
import { dailyRuns, heldRaces, PLENTY, requestsOf, stravaIdOf, syncOf, syncToEnd } from "../../support/syncs.ts";
import { deliver, subscribedApi } from "../../support/webhooks.ts";

/** The athlete gives the access again, and an admin imports the new pair: the old one is refused from now on. */
function connectAgain(engine: TestEngine): void {
  const { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtSeconds, scope } =
    engine.sandbox.grantAgain(stravaIdOf(engine));
  importAthlete(engine.context, { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtSeconds, scope });
}

/** One athlete whose refresh Strava refuses, slowly. */
function refusing(): TestEngine {
  const engine = createTestEngine({
    sandbox: { quota: PLENTY, latencyMs: 2 * SECOND_MS, club: { athletes: 1, activitiesEach: 10, racesEach: 3 } },
  });
  engine.sandbox.revokeGrant(stravaIdOf(engine));
  byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
  return engine;
}

describe("an athlete who connects again while Strava refuses the old token", () => {
  for (const refusals of [1, 2]) {
    test(`during refusal ${refusals}: is connected, and the sync goes on with the new pair`, async () => {
      const engine = refusing();
      const syncId = engine.start();
      await stepUntil(engine, () => requestsOf(engine, "token") === refusals);
      connectAgain(engine);
      await tickMinutes(engine, 3);
      expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected", statusReason: null });
      expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 3 });
    });
  }

  test("as the refusal is being written: the run is released, no attempt spent, and the sync goes on", async () => {
    const engine = refusing();
    const syncId = engine.start();
    await stepUntil(engine, () => requestsOf(engine, "token") === 2);
    const isAnswered = () =>
      engine.sandbox.ledger().filter((entry) => entry.isDelivered && entry.status === 400).length === 2;
    while (!isAnswered()) await engine.clock.fireNext();
    // The refusal is judged, and its commit comes with the next turn: in between, the athlete is back.
    expect(syncOf(engine, syncId).status).toBe("in_progress");
    connectAgain(engine);
    await tickMinutes(engine, 3);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 3 });
  });

  test("after the access was said to be taken back: is not erased, and the new grant is not revoked", async () => {
    const self = await subscribedApi({
      club: { athletes: [{ activities: dailyRuns(5, [0, 1]) }] },
      sandbox: { latencyMs: 2 * SECOND_MS },
    });
    const { engine } = self;
    await syncToEnd(engine);
    engine.sandbox.setDelivery({ hold: true });
    engine.sandbox.revokeGrant(stravaIdOf(engine));
    engine.sandbox.clearLedger();
    const stravaId = stravaIdOf(engine);
    const event = { object_type: "athlete", object_id: stravaId, owner_id: stravaId, aspect_type: "update" } as const;
    expect(await deliver(self, { ...event, updates: { authorized: "false" } })).toBe(200);
    await stepUntil(engine, () => requestsOf(engine, "token") === 2);
    connectAgain(engine);
    await engine.clock.advance(HOUR_MS);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
    expect(heldRaces(engine)).toHaveLength(2);
    expect(engine.sandbox.people()[0]).toMatchObject({ isConnected: true });
    await syncToEnd(engine, { mode: "full" });
  });
});

test("a pair that came meanwhile has to be refused twice as well", async () => {
  const engine = refusing();
  const syncId = engine.start();
  await stepUntil(engine, () => requestsOf(engine, "token") === 1);
  connectAgain(engine);
  const body = {
    message: "Bad Request",
    errors: [{ resource: "RefreshToken", field: "refresh_token", code: "invalid" }],
  };
  engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "status", status: 400, body } });
  await tickMinutes(engine, 3);
  expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
  expect(syncOf(engine, syncId)).toMatchObject({ status: "completed" });
});

test("nobody is erased for a token that is not theirs any more", () => {
  const engine = refusing();
  const { context, processor } = engine;
  const id = engine.athlete();
  expect(forgetAthlete(context, processor, id, { refused: { refreshToken: "one of before" } })).toBe(false);
  expect(forgetAthlete(context, processor, id, { refused: { accessToken: "one of before" } })).toBe(false);
  expect(readAthlete(engine.db, id)).toBeDefined();
  const refreshToken = context.tokens.read(id)?.refreshToken ?? "";
  expect(forgetAthlete(context, processor, id, { refused: { refreshToken } })).toBe(true);
});

test("a late answer to a refresh never replaces a pair that came since", async () => {
  const engine = createTestEngine({
    sandbox: { quota: PLENTY, latencyMs: 2 * SECOND_MS, club: { athletes: 1, activitiesEach: 10, racesEach: 3 } },
  });
  engine.sandbox.setRotation(true);
  engine.sandbox.expireAccessToken(stravaIdOf(engine));
  byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
  engine.start();
  await stepUntil(engine, () => requestsOf(engine, "token") === 1);
  connectAgain(engine);
  const imported = engine.sandbox.athletes()[0];
  await engine.clock.advance(MINUTE_MS);
  expect(engine.context.tokens.read(engine.athlete())).toMatchObject({
    refreshToken: imported?.refreshToken,
    expiresAtMs: epochMs((imported?.expiresAtSeconds ?? 0) * SECOND_MS),
  });
});

test("a run whose sync is over says nothing of the athlete", async () => {
  const engine = refusing();
  const old = engine.start();
  await stepUntil(engine, () => requestsOf(engine, "token") === 2);
  byHand(engine.db, "UPDATE batches SET status = 'cancelled', lease_token = NULL");
  await engine.clock.advance(5 * SECOND_MS);
  expect(syncOf(engine, old).status).toBe("in_progress");
  expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
});

test("requests of a run that ends with lost access are counted on its sync", async () => {
  const engine = createTestEngine({
    sandbox: { quota: PLENTY, club: { athletes: 1, activitiesEach: 10, racesEach: 3 } },
  });
  engine.sandbox.injectFault({
    match: { kind: "list" },
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 401 },
  });
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  expect(syncOf(engine, syncId)).toMatchObject({ status: "failed", requests: 2 });
});
