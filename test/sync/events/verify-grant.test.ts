import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readAthlete } from "../../../src/db/athletes.ts";
import type { StravaEvent } from "../../../src/sandbox/event-delivery.ts";
import { byHand, stepUntil } from "../../support/hand.ts";
import { beginState, callbackOf, signIn } from "../../support/sign-in.ts";
import { activityIdAt, dailyRuns, heldRaces, requestsOf, stravaIdOf, syncOf, syncToEnd } from "../../support/syncs.ts";
import { deliver, inboxOf, outcomesOf, passing, type ReachableApi, subscribedApi } from "../../support/webhooks.ts";

const CLUB = { athletes: [{ activities: dailyRuns(5, [0, 1]) }, { activities: dailyRuns(5, [0]) }] };

async function connected(options: Parameters<typeof subscribedApi>[0] = {}): Promise<ReachableApi> {
  const self = await subscribedApi({ club: CLUB, ...options });
  for (const n of [0, 1]) await syncToEnd(self.engine, { n });
  self.engine.sandbox.clearLedger();
  return self;
}

/** What Strava says when an athlete takes the access back. */
const takenBack = (stravaId: number): Partial<StravaEvent> => ({
  object_type: "athlete",
  object_id: stravaId,
  owner_id: stravaId,
  aspect_type: "update",
  updates: { authorized: "false" },
});
const rowsOf = ({ engine }: ReachableApi, table: string): number =>
  engine.db.$client.query<{ count: number }, []>(`SELECT count(*) AS count FROM ${table}`).get()?.count ?? -1;

describe("an athlete who took the access back", () => {
  test("is erased at once, and nobody else is: races, tokens, syncs, and what Strava told of them", async () => {
    const self = await connected();
    const { engine } = self;
    const gone = stravaIdOf(engine, 0);
    engine.sandbox.updateActivity(activityIdAt(engine, 0), { name: "Before" });
    await engine.clock.advance(SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["stored"]);
    engine.sandbox.revokeGrant(gone);
    await engine.clock.advance(SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(0))).toBeUndefined();
    expect(readAthlete(engine.db, engine.athlete(1))).toMatchObject({ status: "connected" });
    expect(heldRaces(engine).map((race) => race.athleteId)).toEqual([engine.athlete(1)]);
    expect([rowsOf(self, "strava_tokens"), rowsOf(self, "syncs"), inboxOf(engine)]).toEqual([1, 1, []]);
    expect(requestsOf(engine, "token")).toBe(2);
    // Told again, Strava tells of somebody whom nobody knows: nothing of it is kept.
    expect(await deliver(self, takenBack(gone))).toBe(200);
    await engine.clock.advance(SECOND_MS);
    expect(inboxOf(engine)).toEqual([]);
    expect(requestsOf(engine, "token")).toBe(2);
  });

  test("is erased with the sync that is in progress, which asks for nothing more", async () => {
    const self = await connected({ sandbox: { latencyMs: 300 } });
    const { engine } = self;
    const syncId = engine.start(0, { mode: "full" });
    await engine.clock.advance(100);
    engine.sandbox.revokeGrant(stravaIdOf(engine, 0));
    await engine.clock.advance(2 * SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(0))).toBeUndefined();
    expect(() => syncOf(engine, syncId)).toThrow();
    engine.sandbox.clearLedger();
    await engine.clock.advance(10 * MINUTE_MS);
    expect(engine.sandbox.ledger()).toEqual([]);
  });

  test("is erased also where a sync has found the access gone before the event came", async () => {
    const self = await connected();
    const { engine } = self;
    engine.sandbox.setDelivery({ hold: true });
    engine.sandbox.revokeGrant(stravaIdOf(engine, 0));
    await syncToEnd(engine, { n: 0 });
    expect(readAthlete(engine.db, engine.athlete(0))).toMatchObject({ status: "needs_reconnect" });
    engine.sandbox.releaseEvents();
    await engine.clock.advance(SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(0))).toBeUndefined();
  });

  test("is not erased on anybody's word: while Strava renews the access, it is a false alarm", async () => {
    const self = await connected();
    const { engine } = self;
    for (const authorized of ["false", false]) {
      const event = {
        ...takenBack(stravaIdOf(engine)),
        updates: { authorized } as never,
        event_time: authorized ? 1 : 2,
      };
      expect(await deliver(self, event)).toBe(200);
    }
    await engine.clock.advance(SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["false_alarm", "false_alarm"]);
    // The access token has hours to live, and Strava was asked all the same.
    expect(requestsOf(engine, "token")).toBeGreaterThanOrEqual(1);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
    expect(heldRaces(engine)).toHaveLength(3);
  });

  test("an answer that was under way when the event came does not count", async () => {
    const self = await connected({ sandbox: { latencyMs: 1_000 } });
    const { engine } = self;
    byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
    engine.start(0);
    await stepUntil(engine, () => requestsOf(engine, "token") === 1);
    engine.sandbox.revokeGrant(stravaIdOf(engine, 0));
    await engine.clock.advance(10 * SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(0))).toBeUndefined();
  });
});

describe("where a rotated pair may have been lost", () => {
  const rotating = { sandbox: { rotateRefreshTokens: true } };

  test("with an answer on the wire: a notice that is false erases nobody, and the athlete has to connect again", async () => {
    const self = await connected(rotating);
    const { engine } = self;
    engine.sandbox.expireAccessToken(stravaIdOf(engine));
    engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    await deliver(self, takenBack(stravaIdOf(engine)));
    await engine.clock.advance(30 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["needs_reconnect"]);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
    expect(heldRaces(engine)).toHaveLength(3);
  });

  test("with the process that asked: the next one erases nobody either", async () => {
    const self = await connected(rotating);
    const { engine } = self;
    engine.sandbox.expireAccessToken(stravaIdOf(engine));
    // The pair that the dead process was about to store.
    const stored = engine.db.$client.query("SELECT * FROM strava_tokens WHERE athlete_id = 1").get() as {
      refresh_token_sealed: string;
    };
    engine.start(0);
    await stepUntil(engine, () => requestsOf(engine, "token") === 1);
    byHand(
      engine.db,
      `UPDATE strava_tokens SET refresh_token_sealed = '${stored.refresh_token_sealed}', refresh_asked_at_ms = 1 WHERE athlete_id = 1`,
    );
    await deliver(self, takenBack(stravaIdOf(engine)));
    await engine.clock.advance(MINUTE_MS);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
    expect(heldRaces(engine)).toHaveLength(3);
  });

  test("with the answer to a sign-in, of whomever: a notice that is false erases nobody, and a refresh ends the doubt", async () => {
    const self = await connected(rotating);
    const { engine } = self;
    engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    expect((await signIn(self, 0, { link: "/auth/strava?again" })).status).toBe(503);
    for (const n of [0, 1]) await deliver(self, takenBack(stravaIdOf(engine, n)));
    await engine.clock.advance(30 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["needs_reconnect", "false_alarm"]);
    expect(readAthlete(engine.db, engine.athlete(0))).toMatchObject({ status: "needs_reconnect" });
    expect(heldRaces(engine)).toHaveLength(3);
    // Whose pair has been renewed since is in no doubt.
    engine.sandbox.revokeGrant(stravaIdOf(engine, 1));
    await engine.clock.advance(SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(1))).toBeUndefined();
  });

  test("a sign-in that was answered leaves no doubt, with a grant or without", async () => {
    const self = await connected(rotating);
    const { engine } = self;
    expect((await signIn(self, 0, { link: "/auth/strava?again" })).status).toBe(200);
    const state = await beginState(self);
    expect((await self.visit(callbackOf({ state, code: "used-already" }))).status).toBe(400);
    expect(rowsOf(self, "sign_ins")).toBe(0);
    engine.sandbox.revokeGrant(stravaIdOf(engine, 1));
    await engine.clock.advance(SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete(1))).toBeUndefined();
  });

  test("a new pair ends the doubt: who then takes the access back is erased", async () => {
    const self = await connected();
    const { engine } = self;
    engine.sandbox.expireAccessToken(stravaIdOf(engine));
    engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "lost_response" } });
    await deliver(self, takenBack(stravaIdOf(engine)));
    await engine.clock.advance(30 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["false_alarm"]);
    engine.sandbox.revokeGrant(stravaIdOf(engine));
    await engine.clock.advance(SECOND_MS);
    expect(readAthlete(engine.db, engine.athlete())).toBeUndefined();
  });
});

describe("where Strava cannot say", () => {
  test("the athlete stays, and is asked about until it can", async () => {
    const self = await connected();
    const { engine } = self;
    const gone = stravaIdOf(engine);
    engine.sandbox.injectFault({
      match: { kind: "token" },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status: 500 },
    });
    engine.sandbox.revokeGrant(gone);
    await engine.clock.advance(2 * HOUR_MS);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
    expect(inboxOf(engine)[0]).toMatchObject({ settledAtMs: null, error: expect.any(String) });
    expect(requestsOf(engine, "token")).toBeLessThan(25);
    engine.sandbox.clearFaults();
    await engine.clock.advance(30 * MINUTE_MS);
    expect(readAthlete(engine.db, engine.athlete())).toBeUndefined();
  });

  test("for 48 hours: given up, and nobody is erased", async () => {
    const self = await connected();
    const { engine } = self;
    engine.sandbox.injectFault({
      match: { kind: "token" },
      times: Number.POSITIVE_INFINITY,
      action: { type: "reset" },
    });
    await deliver(self, takenBack(stravaIdOf(engine)));
    const receivedAtMs = inboxOf(engine)[0]?.receivedAtMs ?? 0;
    await engine.clock.advance(receivedAtMs + 48 * HOUR_MS - SECOND_MS - engine.clock.nowMs());
    expect(outcomesOf(engine)).toEqual([null]);
    await engine.clock.advance(2 * SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["given_up"]);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "connected" });
  });

  test("with no usable token stored, nothing is asked and nobody is erased: the athlete has to connect again", async () => {
    const self = await connected();
    const { engine } = self;
    byHand(engine.db, "DELETE FROM strava_tokens WHERE athlete_id = 1");
    await deliver(self, takenBack(stravaIdOf(engine)));
    await engine.clock.advance(SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["needs_reconnect"]);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
    expect(heldRaces(engine)).toHaveLength(3);
    expect(requestsOf(engine, "token")).toBe(0);
  });

  test("a stop leaves the event for the next start", async () => {
    const self = await connected();
    const { engine } = self;
    engine.sandbox.injectFault({ match: { kind: "token" }, action: { type: "hang" } });
    await deliver(self, takenBack(stravaIdOf(engine)));
    await engine.clock.advance(SECOND_MS);
    await passing(engine, engine.events.inbox.stop(1_000), 2_000);
    expect(inboxOf(engine)[0]).toMatchObject({ settledAtMs: null, error: null });
  });
});
