import { describe, expect, test } from "bun:test";
import { epochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { readAthlete } from "../../../src/db/athletes.ts";
import { sumCounters } from "../../../src/db/counters.ts";
import { receiveEvent } from "../../../src/sync/events/receive-event.ts";
import { anEvent } from "../../support/builders.ts";
import { START_MS, type TestEngine } from "../../support/engine.ts";
import { byHand } from "../../support/hand.ts";
import { dailyRuns, heldRaces, RACE, raceOf, stravaIdOf, syncToEnd } from "../../support/syncs.ts";
import {
  deliver,
  inboxOf,
  inStepApi,
  looksAt,
  outcomesOf,
  passing,
  type ReachableApi,
} from "../../support/webhooks.ts";

const REFUSED = { type: "status", status: 500 } as const;

const settle = ({ engine }: ReachableApi) => engine.clock.advance(SECOND_MS);
const requests = ({ engine }: ReachableApi) => engine.sandbox.ledger().map((entry) => entry.kind);

describe("an activity that Strava does not show", () => {
  test("is looked at again after 1, 5 and 30 minutes, and then forgotten", async () => {
    const self = await inStepApi();
    const { engine } = self;
    await deliver(self, { object_id: 4_711, owner_id: stravaIdOf(engine) });
    const receivedAtMs = inboxOf(engine)[0]?.receivedAtMs ?? 0;
    const looks: number[] = [];
    for (const afterMs of [MINUTE_MS, 6 * MINUTE_MS, 36 * MINUTE_MS]) {
      await engine.clock.advance(receivedAtMs + afterMs - 1 - engine.clock.nowMs());
      looks.push(looksAt(engine));
      await engine.clock.advance(1);
      looks.push(looksAt(engine));
    }
    expect(looks).toEqual([1, 2, 2, 3, 3, 4]);
    expect(outcomesOf(engine)).toEqual(["not_found"]);
    await engine.clock.advance(24 * HOUR_MS);
    expect(looksAt(engine)).toBe(4);
  });

  test("and that we hold is withdrawn only after the last of these looks", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    engine.sandbox.setDelivery({ drop: 1 });
    engine.sandbox.deleteActivity(raceId);
    engine.sandbox.setDelivery({ drop: 0 });
    await deliver(self, { object_id: raceId, owner_id: stravaIdOf(engine), aspect_type: "update" });
    await engine.clock.advance(30 * MINUTE_MS);
    expect(raceOf(engine, raceId).withdrawnAtMs).toBeNull();
    await engine.clock.advance(6 * MINUTE_MS + 10 * SECOND_MS);
    expect(raceOf(engine, raceId).withdrawnAtMs).not.toBeNull();
    expect(outcomesOf(engine)).toEqual(["withdrawn"]);
  });

  test("an end that was forged withdraws nothing: Strava still shows it", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    await deliver(self, { object_id: raceId, owner_id: stravaIdOf(engine), aspect_type: "delete" });
    await settle(self);
    expect(raceOf(engine, raceId).withdrawnAtMs).toBeNull();
    expect(outcomesOf(engine)).toEqual(["stored"]);
  });
});

describe("an end that Strava told of", () => {
  test("and a change beside it, of an activity that is hidden for now: withdrawn at once, and back when it is", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    const hide = { type: "status", status: 404, body: { message: "Resource Not Found", errors: [] } } as const;
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: 1, action: hide });
    self.engine.processor.setClaiming(false);
    for (const aspect_type of ["delete", "create"] as const) {
      await deliver(self, { object_id: raceId, owner_id: stravaIdOf(engine), aspect_type });
    }
    engine.processor.setClaiming(true);
    engine.events.inbox.wake();
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["withdrawn", null]);
    expect(raceOf(engine, raceId).withdrawnAtMs).not.toBeNull();
    await engine.clock.advance(MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["withdrawn", "stored"]);
    expect(raceOf(engine, raceId).withdrawnAtMs).toBeNull();
    expect(looksAt(engine)).toBe(2);
  });

  test("of somebody who has to connect again is believed after 48 hours without a request; once connected, it is asked", async () => {
    for (const isConnectedAgain of [false, true]) {
      const self = await inStepApi();
      const { engine, raceId } = self;
      byHand(engine.db, "UPDATE athletes SET status = 'needs_reconnect'");
      engine.sandbox.deleteActivity(raceId);
      await engine.clock.advance(47 * HOUR_MS);
      expect([outcomesOf(engine), raceOf(engine, raceId).withdrawnAtMs]).toEqual([[null], null]);
      if (isConnectedAgain) byHand(engine.db, "UPDATE athletes SET status = 'connected'");
      await engine.clock.advance(HOUR_MS);
      expect(outcomesOf(engine)).toEqual(["withdrawn"]);
      expect(raceOf(engine, raceId).withdrawnReason).toBe(
        isConnectedAgain
          ? "Strava does not show it any more"
          : "Strava told of its end, and the athlete has been disconnected for 48 hours since",
      );
      expect(looksAt(engine)).toBe(isConnectedAgain ? 1 : 0);
    }
  });
});

describe("trouble", () => {
  const fail = ({ engine }: ReachableApi, action: Parameters<TestEngine["sandbox"]["injectFault"]>[0]["action"]) =>
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: Number.POSITIVE_INFINITY, action });

  test("that passes: the look is tried again, less and less often, and tells the truth in the end", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    fail(self, REFUSED);
    engine.sandbox.updateActivity(raceId, { name: "Later" });
    await engine.clock.advance(2 * HOUR_MS);
    const tries = looksAt(engine, raceId);
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(25);
    expect(inboxOf(engine)[0]).toMatchObject({ settledAtMs: null, attempts: 0 });
    engine.sandbox.clearFaults();
    await engine.clock.advance(20 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["stored"]);
    expect(raceOf(engine, raceId).name).toBe("Later");
  });

  test("for 48 hours: a change is given up and the race stays; an end is believed, and the next list brings back what lives", async () => {
    const self = await inStepApi({ club: { athletes: [{ activities: dailyRuns(5, [0, 1]) }] } });
    const { engine } = self;
    const [changed, ended] = heldRaces(engine).map((race) => race.stravaActivityId) as [number, number];
    fail(self, REFUSED);
    const owner_id = stravaIdOf(engine);
    await deliver(self, { object_id: changed, owner_id, aspect_type: "update" });
    await deliver(self, { object_id: ended, owner_id, aspect_type: "delete" });
    const receivedAtMs = inboxOf(engine)[0]?.receivedAtMs ?? 0;
    await engine.clock.advance(receivedAtMs + 48 * HOUR_MS - SECOND_MS - engine.clock.nowMs());
    expect(outcomesOf(engine)).toEqual([null, null]);
    expect(raceOf(engine, ended).withdrawnAtMs).toBeNull();
    await engine.clock.advance(3 * SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["given_up", "withdrawn"]);
    expect(raceOf(engine, changed).withdrawnAtMs).toBeNull();
    expect(raceOf(engine, ended).withdrawnReason).toBe("Strava told of its end, and could not be asked for 48 hours");
    expect(sumCounters(engine.db, epochMs(START_MS)).get("events_given_up")).toBe(1);
    engine.sandbox.clearFaults();
    await syncToEnd(engine, { mode: "full" });
    expect(raceOf(engine, ended).withdrawnAtMs).toBeNull();
  });

  test("a hold is waited for, and nothing is asked meanwhile; what others did to the quota costs no event", async () => {
    const self = await inStepApi({ sandbox: { quota: { read: { quarter: 30, day: 1_000 } } } });
    const { engine, raceId } = self;
    engine.sandbox.spendQuota({ read: 30, overall: 30 });
    engine.sandbox.updateActivity(raceId, { name: "First" });
    await settle(self);
    expect(looksAt(engine)).toBe(1);
    expect(inboxOf(engine)[0]).toMatchObject({
      settledAtMs: null,
      attempts: 0,
      error: "Everybody waits (quota_15min).",
    });
    const resetMs = Date.UTC(2025, 10, 17, 0, 15);
    expect(inboxOf(engine)[0]?.runAfterMs ?? 0).toBeGreaterThanOrEqual(resetMs);
    await engine.clock.advance(resetMs - SECOND_MS - engine.clock.nowMs());
    expect(looksAt(engine)).toBe(1);
    await engine.clock.advance(10 * SECOND_MS);
    expect([looksAt(engine), outcomesOf(engine)]).toEqual([2, ["stored"]]);
  });

  test("while everybody waits, no event starts a look of its own: all are put off at once, with one line, and none is lost", async () => {
    const self = await inStepApi({ sandbox: { quota: { read: { quarter: 30, day: 1_000 } } } });
    const { engine, raceId } = self;
    engine.sandbox.spendQuota({ read: 30, overall: 30 });
    engine.sandbox.updateActivity(raceId, { name: "Runs into it" });
    await settle(self);
    const looksTold = () => engine.lines.filter((line) => line.includes("event.looked_at")).length;
    const told = looksTold();
    for (let n = 0; n < 20; n++) {
      await deliver(self, { object_id: 4_711 + n, owner_id: stravaIdOf(engine), aspect_type: "create" });
    }
    await deliver(self, { object_id: 5, owner_id: stravaIdOf(engine), aspect_type: "delete" });
    await settle(self);
    expect([looksTold(), looksAt(engine)]).toEqual([told, 1]);
    expect(engine.lines.filter((line) => line.includes("event.looks_wait"))).toHaveLength(1);
    // What needs no request does not wait with them.
    expect(outcomesOf(engine)).toEqual([...Array(21).fill(null), "nothing_held"]);
    const resetMs = Date.UTC(2025, 10, 17, 0, 15);
    for (const event of inboxOf(engine).slice(1, 21)) {
      expect(event).toMatchObject({ attempts: 0, error: "Everybody waits (quota_15min)." });
      expect(event.runAfterMs).toBeGreaterThanOrEqual(resetMs);
    }
    await engine.clock.advance(resetMs + 10 * SECOND_MS - engine.clock.nowMs());
    expect(looksAt(engine)).toBe(22);
  });

  test("a hold that outlasts 48 hours: an end is believed then, a change given up, though nobody can be asked", async () => {
    const self = await inStepApi({ club: { athletes: [{ activities: dailyRuns(5, [0, 1]) }] } });
    const { engine } = self;
    const [changed, ended] = heldRaces(engine).map((race) => race.stravaActivityId) as [number, number];
    const owner_id = stravaIdOf(engine);
    engine.context.governor.hold = () => ({ reason: "strava_unavailable", untilMs: epochMs(START_MS + 90 * HOUR_MS) });
    await deliver(self, { object_id: changed, owner_id, aspect_type: "update" });
    await deliver(self, { object_id: ended, owner_id, aspect_type: "delete" });
    await engine.clock.advance(48 * HOUR_MS - SECOND_MS);
    expect(outcomesOf(engine)).toEqual([null, null]);
    await engine.clock.advance(3 * SECOND_MS);
    expect([outcomesOf(engine), looksAt(engine)]).toEqual([["given_up", "withdrawn"], 0]);
  });

  test("a hold costs no token either", async () => {
    const self = await inStepApi({ sandbox: { quota: { read: { quarter: 30, day: 1_000 } } } });
    const { engine, raceId } = self;
    engine.sandbox.spendQuota({ read: 30, overall: 30 });
    engine.sandbox.updateActivity(raceId, { name: "Runs into it" });
    await settle(self);
    expect(requests(self)).toEqual(["detail"]);
    byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
    engine.sandbox.updateActivity(raceId, { name: "Is held" });
    await settle(self);
    expect([outcomesOf(engine), requests(self)]).toEqual([[null, null], ["detail"]]);
  });

  test("an athlete who is erased in mid-look stays erased, and it is no error", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 500 } });
    const { engine } = self;
    engine.sandbox.addActivity(stravaIdOf(engine), RACE);
    await engine.clock.advance(100);
    expect(looksAt(engine)).toBe(1);
    expect((await self.delete(`/api/admin/athletes/${engine.athlete()}`)).status).toBe(202);
    await engine.clock.advance(2 * SECOND_MS);
    expect([heldRaces(engine), inboxOf(engine)]).toEqual([[], []]);
    expect(engine.lines.filter((line) => line.includes("look_failed"))).toEqual([]);
  });

  test("a look that cannot be written is tried again a moment later, and not in a tight loop", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    engine.db.$client.run(
      "CREATE TRIGGER broken BEFORE UPDATE OF settled_at_ms ON strava_events BEGIN SELECT RAISE(ABORT, 'disk on fire'); END",
    );
    engine.sandbox.updateActivity(raceId, { name: "In the end" });
    await engine.clock.advance(5 * SECOND_MS);
    const failed = () => engine.lines.filter((line) => line.includes("event.look_failed")).length;
    expect(failed()).toBeGreaterThanOrEqual(4);
    expect(failed()).toBeLessThanOrEqual(6);
    engine.db.$client.run("DROP TRIGGER broken");
    await engine.clock.advance(2 * SECOND_MS);
    expect(outcomesOf(engine)).toEqual(["stored"]);
  });

  test("an event that comes while others are being sorted is not left behind one that hangs", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    engine.sandbox.injectFault({ match: { activityId: raceId }, action: { type: "hang" } });
    engine.sandbox.updateActivity(raceId, { name: "Hangs" });
    await settle(self);
    engine.sandbox.updateActivity(raceId, { name: "Waits for it" });
    await engine.clock.advance(0);
    // In the commit that sorts what is due, and behind it.
    engine.events.inbox.wake();
    engine.clock.after(0, () => {
      const ours = { subscriptionId: engine.sandbox.subscription()?.id ?? 0, ownerId: stravaIdOf(engine) };
      const other = anEvent({ ...ours, objectId: 4_711, aspect: "delete" });
      void receiveEvent(engine.context, engine.events.inbox, other);
    });
    await settle(self);
    expect(outcomesOf(engine)).toEqual([null, null, "nothing_held"]);
  });

  test("an athlete who lets nobody in any more has to connect again, and their sync ends with the cure", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    fail(self, { type: "status", status: 401 });
    await deliver(self, { object_id: raceId, owner_id: stravaIdOf(engine) });
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["needs_reconnect"]);
    expect(readAthlete(engine.db, engine.athlete())).toMatchObject({ status: "needs_reconnect" });
    expect(raceOf(engine, raceId).withdrawnAtMs).toBeNull();
  });

  test("an answer that will not change is not asked for again", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    fail(self, { type: "status", status: 403, body: { message: "Forbidden", errors: [] } });
    engine.sandbox.updateActivity(raceId, { name: "Closed" });
    await engine.clock.advance(24 * HOUR_MS);
    expect([looksAt(engine), outcomesOf(engine)]).toEqual([1, ["refused"]]);
    expect(raceOf(engine, raceId).withdrawnAtMs).toBeNull();
  });

  test("a daemon that dies in mid-look looks again after its restart", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 500 } });
    const { engine, raceId } = self;
    engine.sandbox.updateActivity(raceId, { name: "Twice" });
    await engine.clock.advance(100);
    expect(looksAt(engine)).toBe(1);
    const next = engine.rebooted();
    await next.clock.advance(2 * SECOND_MS);
    expect([looksAt(next), outcomesOf(next), raceOf(next, raceId).name]).toEqual([2, ["stored"], "Twice"]);
  });

  test("a stop calls off what is not sent, waits for what is, and loses no event", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 500 }, requestsInFlight: 1 });
    const { engine, raceId } = self;
    engine.sandbox.updateActivity(raceId, { name: "In flight" });
    engine.sandbox.addActivity(stravaIdOf(engine), RACE);
    await engine.clock.advance(100);
    const stopped = engine.events.inbox.stop(6_000);
    engine.sandbox.addActivity(stravaIdOf(engine), RACE);
    await passing(engine, stopped, 2_000);
    expect(outcomesOf(engine)).toEqual(["stored", null, null]);
    expect(looksAt(engine)).toBe(1);
  });

  test("a stop ends also what was just about to look: by then the database is closed", async () => {
    const { engine } = await inStepApi();
    engine.events.inbox.wake();
    await passing(engine, Promise.all([engine.events.inbox.stop(1_000), Promise.resolve(engine.db.$client.close())]));
    await engine.clock.advance(HOUR_MS);
    expect(engine.lines.filter((line) => line.includes("event.pass_failed"))).toEqual([]);
  });

  test("a stop that cannot wait aborts what is in flight, and writes nothing of it", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    fail(self, { type: "hang" });
    engine.sandbox.updateActivity(raceId, { name: "Hangs" });
    await engine.clock.advance(100);
    await passing(engine, engine.events.inbox.stop(1_000), 1_500);
    expect(inboxOf(engine)[0]).toMatchObject({ settledAtMs: null, error: null });
    await engine.clock.advance(HOUR_MS);
    expect(looksAt(engine)).toBe(1);
  });
});
