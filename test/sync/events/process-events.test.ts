import { describe, expect, test } from "bun:test";
import { seededDice } from "../../../src/core/dice.ts";
import { epochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/units.ts";
import { sumCounters } from "../../../src/db/counters.ts";
import { readLedger } from "../../../src/db/quota.ts";
import { editRace } from "../../../src/db/race-queries.ts";
import { pauseSync } from "../../../src/sync/pause-sync.ts";
import { createIdTracer, type Tracer } from "../../../src/telemetry/tracing.ts";
import { START_MS } from "../../support/engine.ts";
import { byHand, stepUntil } from "../../support/hand.ts";
import { dailyRuns, heldRaces, RACE, raceOf, stravaIdOf, syncOf, syncToEnd, untilEnded } from "../../support/syncs.ts";
import {
  deliver,
  inboxOf,
  inStepApi,
  looksAt,
  ONE_RACE,
  outcomesOf,
  passing,
  type ReachableApi,
  subscribedApi,
} from "../../support/webhooks.ts";

const settle = ({ engine }: ReachableApi) => engine.clock.advance(SECOND_MS);
const requests = ({ engine }: ReachableApi) => engine.sandbox.ledger().map((entry) => entry.kind);

describe("one look, and no listing", () => {
  test("a new race is held and enriched within the second, for one request", async () => {
    const self = await inStepApi();
    const { engine } = self;
    const { id } = engine.sandbox.addActivity(stravaIdOf(engine), {
      ...RACE,
      name: "Harbour Ten",
      description: "Fast",
      polyline: "whole",
    });
    await settle(self);
    expect(raceOf(engine, id)).toMatchObject({
      name: "Harbour Ten",
      description: "Fast",
      polyline: "whole",
      enrichment: "enriched",
      withdrawnAtMs: null,
    });
    expect(requests(self)).toEqual(["detail"]);
    expect(outcomesOf(engine)).toEqual(["stored"]);
    // The next list finds it as it is, and asks for nothing again.
    engine.sandbox.clearLedger();
    await syncToEnd(engine, { mode: "full" });
    expect(looksAt(engine)).toBe(0);
  });

  test("a second edit in the same second is another event, also once the first is settled; a copy of it is not", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    const edit = { object_id: raceId, owner_id: stravaIdOf(engine), aspect_type: "update", event_time: 5 } as const;
    for (const title of ["Morning Run", "Harbour Ten", "Harbour Ten"]) {
      await deliver(self, { ...edit, updates: { title } });
      await settle(self);
    }
    expect([outcomesOf(engine), looksAt(engine)]).toEqual([["stored", "stored"], 2]);
  });

  test("what is no race is asked for once, and not kept", async () => {
    const self = await inStepApi();
    self.engine.sandbox.addActivity(stravaIdOf(self.engine), { name: "A walk", sport_type: "Walk" });
    self.engine.sandbox.addActivity(stravaIdOf(self.engine), { name: "Easy run" });
    await settle(self);
    expect(requests(self)).toEqual(["detail", "detail"]);
    expect(outcomesOf(self.engine)).toEqual(["no_race", "no_race"]);
    expect(heldRaces(self.engine)).toHaveLength(1);
  });

  test("a new title is stored, also where an admin's own stands before it (I9)", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    engine.commits.now(() => {
      editRace(engine.db, raceOf(engine, raceId).id, { name: "Ours", hidden: true });
    });
    engine.sandbox.updateActivity(raceId, { name: "Theirs" });
    await settle(self);
    expect(raceOf(engine, raceId)).toMatchObject({ name: "Theirs", editedName: "Ours", hidden: 1 });
    expect(requests(self)).toEqual(["detail"]);
  });

  test("a race that became a ride is withdrawn at once", async () => {
    const self = await inStepApi();
    self.engine.sandbox.updateActivity(self.raceId, { sport_type: "Ride", type: "Ride" });
    await settle(self);
    expect(raceOf(self.engine, self.raceId)).toMatchObject({ withdrawnReason: "no longer tagged as a race" });
    expect(outcomesOf(self.engine)).toEqual(["no_race"]);
  });

  test("a race that went private is private here at once, and public again when it is", async () => {
    const self = await inStepApi();
    for (const isPrivate of [true, false]) {
      self.engine.sandbox.updateActivity(self.raceId, {
        private: isPrivate,
        visibility: isPrivate ? "only_me" : "everyone",
      });
      await settle(self);
      expect(raceOf(self.engine, self.raceId)).toMatchObject({
        visibility: isPrivate ? "only_me" : "everyone",
        withdrawnAtMs: null,
      });
    }
    expect(looksAt(self.engine)).toBe(2);
  });

  test("a deleted race is withdrawn at once; what was never held costs no request", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    const plain = engine.sandbox.activities(stravaIdOf(engine))[3];
    engine.sandbox.deleteActivity(plain?.id ?? 0);
    await settle(self);
    expect(requests(self)).toEqual([]);
    engine.sandbox.deleteActivity(raceId);
    await settle(self);
    expect(requests(self)).toEqual(["detail"]);
    expect(raceOf(engine, raceId)).toMatchObject({ withdrawnReason: "Strava does not show it any more" });
    expect(outcomesOf(engine)).toEqual(["nothing_held", "withdrawn"]);
  });

  test("twenty events of one activity in any order cost one look, and those that came too late for it one more", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 400 } });
    const { engine, raceId } = self;
    engine.sandbox.setDelivery({ hold: true });
    for (let n = 0; n < 20; n++) {
      await engine.clock.advance(SECOND_MS);
      engine.sandbox.updateActivity(raceId, { name: `Title ${n}` });
    }
    engine.sandbox.releaseEvents("shuffled");
    await engine.clock.advance(2 * SECOND_MS);
    expect(outcomesOf(engine)).toEqual(new Array(20).fill("stored"));
    expect(looksAt(engine, raceId)).toBeLessThanOrEqual(2);
    expect(raceOf(engine, raceId).name).toBe("Title 19");
  });

  test("an event that comes during a look is not answered by it: what it told of may have come too late", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 1_500 } });
    const { engine, raceId } = self;
    engine.sandbox.updateActivity(raceId, { name: "One" });
    await engine.clock.advance(1_100);
    engine.sandbox.updateActivity(raceId, { name: "Two" });
    await engine.clock.advance(500);
    expect([raceOf(engine, raceId).name, outcomesOf(engine)]).toEqual(["One", ["stored", null]]);
    await engine.clock.advance(2 * SECOND_MS);
    expect([raceOf(engine, raceId).name, outcomesOf(engine)]).toEqual(["Two", ["stored", "stored"]]);
    expect(looksAt(engine, raceId)).toBe(2);
  });

  test("at most four looks at once, one for each activity", async () => {
    const self = await inStepApi({ sandbox: { latencyMs: 1_000 } });
    const { engine } = self;
    for (let n = 0; n < 10; n++) engine.sandbox.addActivity(stravaIdOf(engine), { ...RACE, name: `Race ${n}` });
    let most = 0;
    await stepUntil(engine, () => {
      most = Math.max(most, engine.context.governor.view().inFlight);
      return outcomesOf(engine).filter((outcome) => outcome === "stored").length === 10;
    });
    expect(most).toBe(4);
    expect(looksAt(engine)).toBe(10);
  });

  test("the ledger and the counters know of it", async () => {
    const self = await inStepApi();
    const { engine } = self;
    engine.sandbox.addActivity(stravaIdOf(engine), RACE);
    await settle(self);
    const line = readLedger(engine.db, epochMs(0)).find(({ phase }) => phase === "event");
    expect(line).toMatchObject({ athleteId: engine.athlete(), status: 200, requests: 1 });
    const sums = sumCounters(engine.db, engine.clock.nowMs());
    expect([sums.get("events_received"), sums.get("events_looked_at")]).toEqual([1, 1]);
  });
});

describe("events that mean nothing to us", () => {
  test("are settled without a request: those who have to connect again; of others, and of other subscriptions, nothing is kept", async () => {
    const self = await inStepApi({ club: { athletes: [...ONE_RACE.athletes, { activities: dailyRuns(2, [0]) }] } });
    const { engine, raceId } = self;
    const owner_id = stravaIdOf(engine);
    byHand(engine.db, "UPDATE athletes SET status = 'needs_reconnect' WHERE id = 2");
    const ours = engine.sandbox.subscription()?.id ?? 0;
    expect(await deliver(self, { object_id: raceId, owner_id, subscription_id: ours + 1 })).toBe(200);
    expect(await deliver(self, { object_id: raceId, owner_id: 999 })).toBe(200);
    expect(await deliver(self, { object_id: 5, owner_id: stravaIdOf(engine, 1) })).toBe(200);
    expect(await deliver(self, { object_type: "athlete", object_id: owner_id, owner_id, aspect_type: "update" })).toBe(
      200,
    );
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["not_connected", "no_matter"]);
    expect(requests(self)).toEqual([]);
  });

  test("an event that says it is another athlete's activity brings nothing in", async () => {
    const self = await inStepApi({ club: { athletes: [...ONE_RACE.athletes, { activities: dailyRuns(2, [0]) }] } });
    const { engine } = self;
    const foreign = engine.sandbox.activities(stravaIdOf(engine, 1))[0]?.id ?? 0;
    engine.sandbox.injectFault({ match: { kind: "detail" }, action: { type: "wrong_athlete" } });
    await deliver(self, { object_id: self.raceId, owner_id: stravaIdOf(engine) });
    await deliver(self, { object_id: foreign, owner_id: stravaIdOf(engine) });
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["wrong_athlete", null]);
    expect(heldRaces(engine)).toHaveLength(1);
    expect(raceOf(engine, self.raceId).withdrawnAtMs).toBeNull();
  });

  test("while no subscription is known, one waits until it is known whose it is: for the next hourly turn, should the answer be lost", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    byHand(engine.db, "DELETE FROM settings WHERE name = 'webhook_subscription'");
    engine.sandbox.updateActivity(raceId, { name: "Early" });
    await engine.clock.advance(60 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual([null]);
    await passing(engine, engine.events.subscription.keep());
    // Judged the moment it is known, and not when the time is up.
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["stored"]);
    byHand(engine.db, "DELETE FROM settings WHERE name = 'webhook_subscription'");
    engine.sandbox.updateActivity(raceId, { name: "Nobody's" });
    await engine.clock.advance(65 * MINUTE_MS);
    expect(outcomesOf(engine)).toEqual(["stored", "foreign_subscription"]);
  });
});

describe("a subscription that was ours when the event came", () => {
  const renew = async ({ engine }: ReachableApi) => {
    const { subscription } = engine.events;
    await passing(engine, subscription.remove());
    expect(await passing(engine, subscription.create({ replace: false }))).toEqual({ outcome: "created" });
  };

  test("renewed while events wait, costs none of them: the end of a race and of a grant are looked at all the same", async () => {
    const self = await inStepApi({ club: { athletes: [...ONE_RACE.athletes, { activities: [] }] } });
    const { engine, raceId } = self;
    engine.processor.setClaiming(false);
    const before = engine.sandbox.subscription()?.id ?? 0;
    engine.sandbox.deleteActivity(raceId);
    engine.sandbox.revokeGrant(stravaIdOf(engine, 1));
    await settle(self);
    await renew(self);
    expect(engine.sandbox.subscription()?.id).not.toBe(before);
    // However long the former one is remembered, they were ours when they came.
    await engine.clock.advance(40 * HOUR_MS);
    byHand(engine.db, "DELETE FROM settings WHERE name = 'webhook_former_subscriptions'");
    engine.processor.setClaiming(true);
    engine.events.inbox.wake();
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["withdrawn"]);
    expect(raceOf(engine, raceId).withdrawnAtMs).not.toBeNull();
    expect(engine.db.$client.query("SELECT id FROM athletes").all()).toEqual([{ id: 1 }]);
  });

  test("is remembered for a week: what Strava still sends of it is ours", async () => {
    const self = await inStepApi();
    const { engine, raceId } = self;
    const told = {
      object_id: raceId,
      owner_id: stravaIdOf(engine),
      aspect_type: "update",
      subscription_id: engine.sandbox.subscription()?.id ?? 0,
    } as const;
    await renew(self);
    await deliver(self, { ...told, event_time: 1 });
    await settle(self);
    await engine.clock.advance(7 * 24 * HOUR_MS - MINUTE_MS);
    await deliver(self, { ...told, event_time: 2 });
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["stored", "stored"]);
    await engine.clock.advance(2 * MINUTE_MS);
    await deliver(self, { ...told, event_time: 3 });
    await settle(self);
    expect(outcomesOf(engine)).toEqual(["stored", "stored"]);
  });
});

describe("beside a sync", () => {
  test("a race that a look stored while the list was read is not withdrawn by that list, nor asked for again", async () => {
    const self = await subscribedApi({
      club: { athletes: [{ activities: dailyRuns(250, [0, 1, 2]) }] },
      sandbox: { latencyMs: 300 },
    });
    const { engine } = self;
    const syncId = engine.start();
    // The first page is stored: the list will not come by there again.
    await stepUntil(engine, () => syncOf(engine, syncId).activitiesListed >= 200);
    const { id } = engine.sandbox.addActivity(stravaIdOf(engine), {
      ...RACE,
      start_date: new Date(START_MS - HOUR_MS).toISOString(),
    });
    await stepUntil(engine, () => heldRaces(engine).some((race) => race.stravaActivityId === id));
    expect(syncOf(engine, syncId).phase).toBe("discovery");
    expect(await untilEnded(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 3 });
    expect(raceOf(engine, id)).toMatchObject({ withdrawnAtMs: null, enrichment: "enriched" });
    expect(looksAt(engine, id)).toBe(1);
  });

  test("a race that waits in a batch of a paused sync is done by the look, and the batch finds it done", async () => {
    const self = await subscribedApi({ club: { athletes: [{ activities: dailyRuns(5, [0, 1]) }] } });
    const { engine } = self;
    engine.sandbox.injectFault({ match: { kind: "detail" }, times: 2, action: { type: "status", status: 500 } });
    const syncId = engine.start();
    await stepUntil(engine, () => looksAt(engine) === 2);
    pauseSync(engine.context, syncId);
    await engine.clock.advance(MINUTE_MS);
    const raceId = heldRaces(engine)[0]?.stravaActivityId ?? 0;
    engine.sandbox.updateActivity(raceId, { name: "Seen" });
    await settle(self);
    expect(raceOf(engine, raceId)).toMatchObject({ enrichment: "enriched", name: "Seen" });
    byHand(engine.db, "UPDATE syncs SET paused_at_ms = NULL");
    engine.processor.wake();
    expect(await untilEnded(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 2, racesFailed: 0 });
    expect(looksAt(engine, raceId)).toBe(2);
  });

  test("while somebody has paused the daemon no look is started; resumed, they are", async () => {
    const self = await inStepApi();
    await self.post("/api/admin/pause");
    self.engine.sandbox.updateActivity(self.raceId, { name: "Waits" });
    await self.engine.clock.advance(10 * MINUTE_MS);
    expect([looksAt(self.engine), outcomesOf(self.engine)]).toEqual([0, [null]]);
    await self.post("/api/admin/resume");
    await settle(self);
    expect(outcomesOf(self.engine)).toEqual(["stored"]);
  });
});

test("each look is a trace of its own: the root with its ids, a child for its request, and the trace in the log line", async () => {
  const spans: { name: string; traceId: string; parent: string | undefined; attributes: Record<string, unknown> }[] =
    [];
  const ids = createIdTracer(seededDice(5));
  const tracer: Tracer = {
    ...ids,
    startSpan(name, options) {
      const span = ids.startSpan(name, options);
      const attributes: Record<string, unknown> = { ...options.attributes };
      spans.push({ name, traceId: span.traceId, parent: options.parent?.traceId, attributes });
      return { ...span, setAttributes: (more) => void Object.assign(attributes, more) };
    },
  };
  const self = await inStepApi({ tracer });
  const { engine } = self;
  spans.length = 0;
  engine.sandbox.updateActivity(self.raceId, { name: "Traced" });
  await settle(self);
  const [root, child] = spans;
  expect(root).toMatchObject({
    name: "event.look",
    parent: undefined,
    attributes: {
      "broomwagon.event.id": 1,
      "broomwagon.event.object": "activity",
      "broomwagon.event.count": 1,
      "broomwagon.athlete.id": engine.athlete(),
      "broomwagon.look.result": "race",
    },
  });
  expect(child).toMatchObject({
    name: "strava.get_activity",
    parent: root?.traceId,
    attributes: { "broomwagon.race.id": raceOf(engine, self.raceId).id, "http.response.status_code": 200 },
  });
  const line = engine.lines.map((text) => JSON.parse(text)).find(({ event }) => event === "event.looked_at");
  expect(line).toMatchObject({ trace_id: root?.traceId, athlete_id: engine.athlete(), event_id: 1 });
});

test("a flood of a thousand events is worked off without a request, and the inbox is empty after it", async () => {
  const self = await inStepApi();
  const { engine } = self;
  const ours = stravaIdOf(engine);
  for (let n = 1; n <= 1_000; n++) {
    const event = { object_id: 10_000 + n, event_time: n, aspect_type: "delete" } as const;
    void engine.sandbox.sendEvent({ ...event, owner_id: n % 2 === 0 ? ours : 999 });
  }
  await engine.clock.advance(5 * SECOND_MS);
  expect(inboxOf(engine).filter((event) => event.outcome === "nothing_held")).toHaveLength(500);
  expect(inboxOf(engine)).toHaveLength(500);
  expect(requests(self)).toEqual([]);
});
