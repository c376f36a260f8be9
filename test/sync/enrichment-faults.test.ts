import { describe, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import type { FaultAction } from "../../src/sandbox/faults.ts";
import { retryFailed } from "../../src/sync/start-sync.ts";
import { createTestEngine } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import {
  activityIdAt,
  attemptsSpent,
  dailyRuns,
  engineWith,
  heldRaces,
  PLENTY,
  RACE,
  raceOf,
  requestsOf,
  syncOf,
  syncToEnd,
  untilEnded,
} from "../support/syncs.ts";

const detailsOf = (engine: ReturnType<typeof engineWith>, id: number) =>
  engine.sandbox.ledger().filter((entry) => entry.kind === "detail" && entry.activityId === id);

test("a detail that answers 404 makes the race unavailable, not failed; listed again, it is asked for once more", async () => {
  const engine = engineWith(dailyRuns(10, [0, 4]));
  const id = activityIdAt(engine, 4);
  engine.sandbox.injectFault({ match: { kind: "detail", activityId: id }, action: { type: "status", status: 404 } });
  expect(await syncToEnd(engine)).toMatchObject({
    status: "completed",
    racesEnriched: 1,
    racesFailed: 0,
    warnings: "[]",
  });
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", enrichmentError: null, attempts: 0 });
  expect(attemptsSpent(engine)).toBe(0);
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", withdrawnAtMs: null });
  expect(detailsOf(engine, id).length).toBe(2);
});

test("a race deleted between list and detail is unavailable, and withdrawn by the next complete list", async () => {
  const engine = engineWith(dailyRuns(10, [0, 4]), { sandbox: { latencyMs: 100 } });
  const id = activityIdAt(engine, 4);
  const syncId = engine.start();
  await stepUntil(engine, () => requestsOf(engine, "list") === 2);
  engine.sandbox.deleteActivity(id);
  await untilEnded(engine, syncId);
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "unavailable", withdrawnAtMs: null });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, id).withdrawnAtMs).not.toBeNull();
  expect(detailsOf(engine, id).length).toBe(1);
});

for (const body of [
  "",
  { message: "Record Not Found", errors: [{ resource: "Activity", field: "id", code: "invalid" }] },
]) {
  test(`a 404 in ${body === "" ? "no words" : "its old words"} is one all the same`, async () => {
    const engine = engineWith(dailyRuns(3, [0]));
    engine.sandbox.injectFault({ match: { kind: "detail" }, action: { type: "status", status: 404, body } });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesFailed: 0 });
    expect(heldRaces(engine)).toMatchObject([{ enrichment: "unavailable" }]);
  });
}

test("one activity on which Strava always fails is isolated: five tries, then failed with its reason, and all else is enriched", async () => {
  const engine = engineWith(dailyRuns(60, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]));
  const id = activityIdAt(engine, 7);
  engine.sandbox.injectFault({
    match: { kind: "detail", activityId: id },
    times: Number.POSITIVE_INFINITY,
    action: { type: "status", status: 500, body: { message: "error" } },
  });
  const sync = await syncToEnd(engine);
  expect(sync).toMatchObject({ status: "completed", racesEnriched: 19, racesFailed: 1, error: null });
  expect(sync.warnings).toContain("1 races failed");
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "failed", attempts: 5 });
  expect(raceOf(engine, id).enrichmentError).toContain("500");
  expect(detailsOf(engine, id).length).toBe(5);
  expect(requestsOf(engine, "detail")).toBe(19 + 5);
  // Its four waits: 5, 15, 45 and 135 s, each give or take a quarter.
  const waits = detailsOf(engine, id).map((entry, at, all) => entry.atMs - (all[at - 1]?.atMs ?? entry.atMs));
  for (const [at, waitMs] of [0, 5, 15, 45, 135].map((seconds) => seconds * SECOND_MS).entries()) {
    expect(waits[at]).toBeGreaterThanOrEqual(waitMs * 0.75);
    expect(waits[at]).toBeLessThanOrEqual(waitMs * 1.25 + SECOND_MS);
  }
});

test("retry-failed lists nothing and asks for just the races that failed", async () => {
  const engine = engineWith(dailyRuns(40, [0, 1, 2, 3, 4]));
  const ids = [1, 3].map((place) => activityIdAt(engine, place));
  for (const activityId of ids) {
    engine.sandbox.injectFault({ match: { activityId }, times: 5, action: { type: "status", status: 500 } });
  }
  const sync = await syncToEnd(engine);
  expect(sync).toMatchObject({ racesEnriched: 3, racesFailed: 2 });
  engine.sandbox.clearLedger();
  const retried = retryFailed(engine.context, sync.id, engine.processor);
  if (retried.outcome !== "started") throw new Error(retried.outcome);
  expect(retried.races).toBe(2);
  expect(await untilEnded(engine, retried.syncId)).toMatchObject({
    status: "completed",
    racesEnriched: 2,
    racesFailed: 0,
  });
  const asked = engine.sandbox.ledger().map((entry) => `${entry.kind} ${entry.activityId}`);
  expect(asked.sort()).toEqual(ids.map((id) => `detail ${id}`).sort());
});

test("a failed race is left alone by the next syncs until it changes, and enriched then", async () => {
  const engine = engineWith(dailyRuns(5, [0]));
  const id = activityIdAt(engine, 0);
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 5, action: { type: "status", status: 500 } });
  await syncToEnd(engine);
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "failed" });
  engine.sandbox.updateActivity(id, { name: "Mended" });
  await syncToEnd(engine, { mode: "full" });
  expect(raceOf(engine, id)).toMatchObject({
    enrichment: "enriched",
    name: "Mended",
    attempts: 0,
    enrichmentError: null,
  });
});

describe("a detail that goes wrong once is tried again after a backoff, and enriched", () => {
  const faults: readonly [string, FaultAction][] = [
    ["no answer within the time limit", { type: "hang" }],
    ["a connection reset", { type: "reset" }],
    ["a response that was lost", { type: "lost_response" }],
    ["JSON that is cut off", { type: "truncated" }],
    ["an empty body", { type: "empty" }],
    ["a page of HTML with 200", { type: "status", status: 200, html: "<html>Sign in</html>" }],
    ["a 500", { type: "status", status: 500 }],
    ["a 502 in JSON", { type: "status", status: 502, body: { message: "error" } }],
    ["a 408", { type: "status", status: 408 }],
  ];
  for (const [what, action] of faults) {
    test(what, async () => {
      const engine = engineWith(dailyRuns(5, [0, 2]), { timeoutMs: 20_000 });
      const id = activityIdAt(engine, 2);
      engine.sandbox.injectFault({ match: { kind: "detail", activityId: id }, action });
      expect(await syncToEnd(engine)).toMatchObject({
        status: "completed",
        racesEnriched: 2,
        racesFailed: 0,
        warnings: "[]",
      });
      expect(raceOf(engine, id)).toMatchObject({ enrichment: "enriched", enrichmentError: null });
      expect(attemptsSpent(engine)).toBe(1);
      const [first, second] = detailsOf(engine, id);
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(5 * SECOND_MS * 0.75);
    });
  }

  for (const [what, action] of [
    ["an outage's page", { type: "html" }],
    ["an outage's page with 200", { type: "html", status: 200 }],
    ["a 503", { type: "status", status: 503 }],
    ["a 597", { type: "status", status: 597 }],
  ] as const) {
    test(`${what} is Strava's trouble, not the race's: everybody waits, and no attempt is spent`, async () => {
      const engine = engineWith(dailyRuns(5, [0, 2]));
      engine.sandbox.injectFault({ match: { kind: "detail" }, action });
      expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 2 });
      expect(attemptsSpent(engine)).toBe(0);
      expect(heldRaces(engine).map((race) => race.attempts)).toEqual([0, 0]);
    });
  }
});

test("an answer that is slower than usual but within the limit is an answer", async () => {
  const engine = engineWith(dailyRuns(5, [0]), { timeoutMs: 31_000 });
  engine.sandbox.injectFault({ match: { kind: "detail" }, action: { type: "slow", ms: 30_000 } });
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1 });
  expect(attemptsSpent(engine)).toBe(0);
});

test("a detail that belongs to another athlete is rejected: nothing of it is kept, and the race fails with that reason", async () => {
  const engine = engineWith([{ ...RACE, description: "somebody's" }, RACE]);
  const id = activityIdAt(engine, 0);
  engine.sandbox.injectFault({ match: { kind: "detail", activityId: id }, action: { type: "wrong_athlete" } });
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 1, racesFailed: 1 });
  expect(raceOf(engine, id)).toMatchObject({ enrichment: "failed", description: null, enrichedAtMs: null });
  expect(raceOf(engine, id).enrichmentError).toContain("another athlete");
});

test("a hidden map is no reason to ask again: enriched without a polyline, for good", async () => {
  const engine = engineWith([
    { ...RACE, map: undefined },
    { ...RACE, map: null },
    { ...RACE, map: { id: "a1", summary_polyline: null, resource_state: 2 }, polyline: null },
  ]);
  expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 3 });
  for (const race of heldRaces(engine)) expect(race).toMatchObject({ enrichment: "enriched", polyline: null });
  await syncToEnd(engine, { mode: "full" });
  expect(requestsOf(engine, "detail")).toBe(3);
});

test("the full polyline replaces nothing of the summary, and both are kept", async () => {
  const map = { id: "a1", summary_polyline: "coarse", resource_state: 2 };
  const engine = engineWith([{ ...RACE, map, polyline: 'fine\\and"odd' }]);
  await syncToEnd(engine);
  expect(heldRaces(engine)).toMatchObject([{ summaryPolyline: "coarse", polyline: 'fine\\and"odd' }]);
});

test("descriptions are kept to the letter: none, empty, line ends, emoji, markup, ten thousand letters", async () => {
  const descriptions = [
    null,
    "",
    "one\r\ntwo\n\tthree",
    "🏃‍♀️ 1.º 日本",
    "<b>&amp;</b> \"'\\ \u2028",
    "x".repeat(10_000),
  ];
  const engine = engineWith(descriptions.map((description) => ({ ...RACE, description })));
  await syncToEnd(engine);
  expect(heldRaces(engine).map((race) => race.description)).toEqual(descriptions);
});

describe("a storm of server errors", () => {
  /** Eight athletes are being enriched when Strava fails for two hours. */
  async function storm() {
    const engine = createTestEngine({
      sandbox: { club: { athletes: 8, activitiesEach: 40, racesEach: 30 }, quota: PLENTY, latencyMs: 100 },
      requestsInFlight: 8,
    });
    const syncIds = Array.from({ length: 8 }, (_, n) => engine.start(n));
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 20);
    engine.sandbox.clearLedger();
    engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "status", status: 500 } });
    return { engine, syncIds };
  }

  test("holds everybody: ten failures in a row and what was in flight, and no more", async () => {
    const { engine } = await storm();
    await engine.clock.advance(20_000);
    expect(engine.context.governor.hold("manual")).toMatchObject({ reason: "strava_unavailable" });
    expect(engine.sandbox.ledger().length).toBeLessThanOrEqual(10 + 8);
    // Four batches ran: none can have spent more than the attempt of this very run.
    expect(attemptsSpent(engine)).toBeLessThanOrEqual(4);
  });

  test("two hours of it spend no further attempt, fail no race and no sync, and all goes on by itself", async () => {
    const { engine, syncIds } = await storm();
    await engine.clock.advance(20_000);
    const spent = attemptsSpent(engine);
    await tickMinutes(engine, 120);
    expect(attemptsSpent(engine)).toBe(spent);
    // From 30 s on, twice as long each time, up to a quarter of an hour; a probe lets at most 8 out.
    expect(engine.sandbox.ledger().length).toBeLessThan(18 + 15 * 8);
    expect(engine.db.$client.query("SELECT DISTINCT status FROM athletes").all()).toEqual([{ status: "connected" }]);
    expect(countRaces(engine.db, "failed")).toBe(0);
    for (const syncId of syncIds) expect(syncOf(engine, syncId).status).toBe("in_progress");
    engine.sandbox.clearFaults();
    await tickMinutes(engine, 25);
    for (const syncId of syncIds) expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesFailed: 0 });
    expect(countRaces(engine.db, "enriched")).toBe(8 * 30);
    expect(engine.db.$client.query("SELECT count(*) AS count FROM findings").get()).toEqual({ count: 0 });
  });

  test("the waits grow from half a minute, however many requests were in flight when it broke out", async () => {
    const { engine } = await storm();
    await stepUntil(engine, () => engine.context.governor.view().appHold !== undefined);
    const waits: number[] = [];
    for (let probe = 0; probe < 4; probe++) {
      const untilMs = engine.context.governor.view().appHold?.untilMs ?? 0;
      waits.push(untilMs - engine.clock.nowMs());
      await engine.clock.advance(untilMs - engine.clock.nowMs() + 2_000);
    }
    for (const [at, waitMs] of [30, 60, 120, 240].map((seconds) => seconds * SECOND_MS).entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(waitMs * 0.75 - 2_000);
      expect(waits[at]).toBeLessThanOrEqual(waitMs * 1.25);
    }
  });

  test("tokens that are handed out meanwhile do not end it: still no further attempt is spent", async () => {
    const { engine } = await storm();
    engine.sandbox.clearFaults();
    engine.sandbox.injectFault({
      match: { kind: ["list", "detail"] },
      times: Number.POSITIVE_INFINITY,
      action: { type: "status", status: 500 },
    });
    await engine.clock.advance(20_000);
    const spent = attemptsSpent(engine);
    for (const { stravaId } of engine.sandbox.athletes()) engine.sandbox.expireAccessToken(stravaId);
    byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
    await tickMinutes(engine, 60);
    expect(requestsOf(engine, "token")).toBeGreaterThan(0);
    expect(attemptsSpent(engine)).toBe(spent);
  });

  // A list page is no single corrupt item, but five failures of it fail the sync before ten in a row make a storm.
  test("with one athlete in discovery fails no sync either", async () => {
    const engine = engineWith(dailyRuns(30, [0]));
    engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "status", status: 500 } });
    const syncId = engine.start();
    await tickMinutes(engine, 120);
    engine.sandbox.clearFaults();
    await engine.clock.advance(HOUR_MS + MINUTE_MS);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 1 });
  });
});

test("a list page that goes wrong once is asked for again, and nothing is lost", async () => {
  const faults: readonly FaultAction[] = [
    { type: "truncated" },
    { type: "empty" },
    { type: "reset" },
    { type: "hang" },
    { type: "status", status: 200, html: "<html></html>" },
    { type: "status", status: 200, body: { message: "no array" } },
    { type: "status", status: 500 },
  ];
  for (const action of faults) {
    const engine = engineWith(dailyRuns(230, [0, 220]));
    engine.sandbox.injectFault({ match: { kind: "list", nth: 2 }, action });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", activitiesListed: 230, racesEnriched: 2 });
    expect(attemptsSpent(engine)).toBe(1);
  }
});

test("every answer counts as a request of its batch and its sync, whatever it said", async () => {
  const engine = createTestEngine({ sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 4 } } });
  engine.sandbox.injectFault({ match: { kind: "detail", nth: 2 }, times: 1, action: { type: "status", status: 500 } });
  engine.sandbox.injectFault({ match: { kind: "list", nth: 1 }, times: 1, action: { type: "status", status: 500 } });
  const syncId = engine.start();
  await tickMinutes(engine, 2);
  const asked = engine.sandbox.ledger().filter(({ kind }) => kind === "list" || kind === "detail").length;
  expect(asked).toBe(8);
  expect(engine.db.$client.query("SELECT sum(requests) AS requests FROM batches").get()).toEqual({ requests: asked });
  expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", requests: asked });
});
