/** Cases 34 to 44 of what Strava does: its rate limits, and a client that knows them. */
import { describe, expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS, QUARTER_MS, SECOND_MS } from "../../src/core/units.ts";
import type { FaultAction } from "../../src/sandbox/faults.ts";
import { parseRateHeaders } from "../../src/strava/rate-headers.ts";
import { CLIENT, get, NOW, post, refresh, visit } from "../sandbox/visit.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine, START_MS, type TestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { attemptsSpent, requestsOf, startOfClass, syncOf, syncToEnd, untilEnded } from "../support/syncs.ts";

/** How many requests go out side by side in these tests: so many may be under way when the quota ends. */
const IN_FLIGHT = 8;
/** A wait for a reset ends by then, since Strava's clock is known to the second only. */
const RESET_SLACK_MS = 5 * SECOND_MS;

/** Athletes with more races than the quota of a quarter pays for, at a Strava that takes its time. */
function engineOf(athletes: number, racesEach: number, options: TestEngineOptions = {}): TestEngine {
  const { sandbox, ...rest } = options;
  const club = { athletes, activitiesEach: racesEach + 10, racesEach };
  return createTestEngine({
    db: emptyDb(),
    requestsInFlight: IN_FLIGHT,
    ...rest,
    sandbox: { club, latencyMs: 50, ...sandbox },
  });
}

const refusals = (engine: TestEngine): number => engine.sandbox.ledger().filter((entry) => entry.status === 429).length;

/** Of the races, nothing was decided that Strava did not say. */
function expectNothingMarked(engine: TestEngine): void {
  expect(countRaces(engine.db, "failed") + countRaces(engine.db, "unavailable")).toBe(0);
  expect(attemptsSpent(engine)).toBe(0);
}

const rateHeaders = (response: Response): Record<string, string> =>
  Object.fromEntries([...response.headers].filter(([name]) => name.includes("ratelimit")));

const nextQuarterMs = (nowMs: number): number => (Math.floor(nowMs / QUARTER_MS) + 1) * QUARTER_MS;

describe("what counts", () => {
  test("case 34: four headers, of both budgets and both windows; a request that writes raises one budget and shows one", async () => {
    const place = visit([], {
      club: { athletes: [{ activities: [], scope: "read,activity:read_all,activity:write" }] },
    });
    expect(rateHeaders(await get(place, "/athlete"))).toEqual({
      "x-ratelimit-limit": "200,2000",
      "x-ratelimit-usage": "1,1",
      "x-readratelimit-limit": "100,1000",
      "x-readratelimit-usage": "1,1",
    });
    const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
    const upload = new Request("https://strava.example/api/v3/activities", { method: "POST", headers, body: "{}" });
    expect(rateHeaders(await place.sandbox.fetch(upload))).toEqual({
      "x-ratelimit-limit": "200,2000",
      "x-ratelimit-usage": "2,2",
    });
    expect(rateHeaders(await get(place, "/athlete/activities"))).toMatchObject({
      "x-ratelimit-usage": "3,3",
      "x-readratelimit-usage": "2,2",
    });
  });

  test("case 34: their names may be written in any case", () => {
    for (const write of [
      (name: string) => name.toLowerCase(),
      (name: string) => name.toUpperCase(),
      (name: string) => name.replace("RateLimit", "Ratelimit"),
    ]) {
      const headers = new Headers();
      headers.set(write("X-RateLimit-Limit"), "200,2000");
      headers.set(write("X-RateLimit-Usage"), "12,340");
      headers.set(write("X-ReadRateLimit-Limit"), "100,1000");
      headers.set(write("X-ReadRateLimit-Usage"), "11,339");
      expect(parseRateHeaders(headers)).toEqual({
        overall: { limit: [200, 2000], usage: [12, 340] },
        read: { limit: [100, 1000], usage: [11, 339] },
      });
    }
  });

  test("case 34: tokens and /oauth/revoke are free, the older /oauth/deauthorize is a read", async () => {
    const place = visit();
    await refresh(place);
    expect(place.sandbox.quota().overall.quarter.used).toBe(0);
    const { accessToken, refreshToken } = place.athlete;
    const deauthorized = await post(place, "/oauth/deauthorize", {}, { authorization: `Bearer ${accessToken}` });
    expect(deauthorized.status).toBe(200);
    expect(place.sandbox.quota()).toMatchObject({ overall: { day: { used: 1 } }, read: { day: { used: 1 } } });
    const basic = `Basic ${btoa(`${CLIENT.client_id}:${CLIENT.client_secret}`)}`;
    expect((await post(place, "/oauth/revoke", { token: refreshToken }, { authorization: basic })).status).toBe(200);
    expect(place.sandbox.quota().read.day.used).toBe(1);
  });

  for (const hasHeaders of [true, false]) {
    test(`case 34: the quota is the application's: what is known of it is Strava's own count, whoever the athletes are, ${hasHeaders ? "by its headers" : "and where no headers tell"}`, async () => {
      const engine = engineOf(3, 12);
      byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
      if (!hasHeaders)
        engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "no_rate_headers" } });
      for (const n of [0, 1, 2]) engine.start(n);
      await stepUntil(engine, () => countRaces(engine.db, "enriched") === 36);
      const { overall, read } = engine.context.governor.view().quota;
      const truth = engine.sandbox.quota();
      expect({ overall: overall.quarter.used, read: read.day.used }).toEqual({
        overall: truth.overall.quarter.used,
        read: truth.read.day.used,
      });
      // Two pages, the last of them empty, and twelve details each; three refreshes cost nothing.
      expect(truth.read.day.used).toBe(3 * 14);
      expect(requestsOf(engine, "token")).toBe(3);
    });
  }
});

describe("the limit itself", () => {
  test("case 35: the request that reaches the limit is answered, the next is refused, and refusals count for the day", async () => {
    const place = visit([], { quota: { read: { quarter: 5, day: 1_000 } } });
    const statuses: number[] = [];
    for (let request = 1; request <= 7; request++) statuses.push((await get(place, "/athlete")).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
    expect(place.sandbox.quota().read).toMatchObject({ quarter: { used: 7 }, day: { used: 7 } });
    expect(rateHeaders(await get(place, "/athlete"))).toMatchObject({ "x-readratelimit-usage": "8,8" });
  });

  test("case 35: the engine sends the last request that the quarter allows, and not one more", async () => {
    const engine = engineOf(2, 60);
    for (const n of [0, 1]) engine.start(n);
    await tickMinutes(engine, 14);
    expect(engine.sandbox.quota().read.quarter).toEqual({ limit: 100, used: 100 });
    expect(refusals(engine)).toBe(0);
  });

  test("case 36: quarters begin at :00, :15, :30, :45, days at 00:00 UTC; a refusal says nothing of when to come back", async () => {
    const place = visit([], { quota: { read: { quarter: 1, day: 3 } } });
    const statusAt = async (timeMs: number) => {
      place.clock.jumpTo(timeMs);
      const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId);
      return (await get(place, "/athlete", accessToken)).status;
    };
    const quarterMs = nextQuarterMs(NOW);
    expect(await statusAt(NOW)).toBe(200);
    const refused = await get(place, "/athlete", place.sandbox.athletes()[0]?.accessToken);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, null]);
    expect(await statusAt(quarterMs - 1)).toBe(429);
    // That was the third of the day, refusals counted: the new quarter has room, the day has none.
    expect(await statusAt(quarterMs)).toBe(429);
    const midnightMs = Date.UTC(2025, 10, 18);
    expect(await statusAt(midnightMs - 1)).toBe(429);
    expect(await statusAt(midnightMs)).toBe(200);
    expect(await statusAt(midnightMs + QUARTER_MS - 1)).toBe(429);
    expect(await statusAt(midnightMs + QUARTER_MS)).toBe(200);
  });

  test("case 36: the engine goes on in every quarter within 5 s of its beginning, and on the next day", async () => {
    const engine = engineOf(1, 90, { sandbox: { quota: { read: { quarter: 30, day: 70 } } } });
    const syncId = engine.start();
    await untilEnded(engine, syncId);
    const counted = engine.sandbox.ledger().filter((entry) => entry.isCounted);
    const perQuarter = new Map<number, number[]>();
    for (const { atMs } of counted) {
      const startMs = Math.floor(atMs / QUARTER_MS) * QUARTER_MS;
      perQuarter.set(startMs, [...(perQuarter.get(startMs) ?? []), atMs]);
    }
    const dayMs = Date.UTC(2025, 10, 17);
    expect([...perQuarter].map(([startMs, times]) => [startMs, times.length])).toEqual([
      [dayMs, 30],
      [dayMs + QUARTER_MS, 30],
      [dayMs + 2 * QUARTER_MS, 10],
      [dayMs + DAY_MS, 22],
    ]);
    for (const [startMs, [firstMs = 0]] of [...perQuarter].slice(1)) {
      expect(firstMs - startMs).toBeGreaterThanOrEqual(0);
      expect(firstMs - startMs).toBeLessThanOrEqual(RESET_SLACK_MS);
    }
    expect(refusals(engine)).toBe(0);
  });
});

// Its headers count the quarter in which Strava took it in, its `Date` is of the quarter in which it was answered.
test("case 36: an answer that was asked for before the reset and comes after it says nothing of the new quarter", async () => {
  const engine = engineOf(1, 20, { requestsInFlight: 1, sandbox: { latencyMs: 3 * SECOND_MS } });
  engine.clock.jumpTo(nextQuarterMs(START_MS) - 10 * SECOND_MS);
  // Of the quarter's hundred, another client has left just those that are asked for before it ends.
  engine.sandbox.spendQuota({ overall: 96, read: 96 });
  const syncId = engine.start();
  const sync = await untilEnded(engine, syncId);
  expect(sync).toMatchObject({ status: "completed", racesEnriched: 20 });
  expect((sync.completedAtMs ?? 0) - sync.startedAtMs).toBeLessThan(5 * MINUTE_MS);
  expect(refusals(engine)).toBe(0);
});

describe("a 429 that comes all the same", () => {
  const BODIES: readonly [string, unknown][] = [
    [
      "overall rate limit",
      {
        message: "Rate Limit Exceeded",
        errors: [{ resource: "Application", field: "overall rate limit", code: "exceeded" }],
      },
    ],
    [
      "rate limit",
      { message: "Rate Limit Exceeded", errors: [{ resource: "Application", field: "rate limit", code: "exceeded" }] },
    ],
    ["no list of errors", { message: "Rate Limit Exceeded", errors: "exceeded" }],
    ["no JSON", "<html>Too many requests</html>"],
    ["nothing", ""],
  ];

  /** One athlete's sync meets a 429 on its third request. @returns the API, and what it says of the wait. */
  async function refusedOnce(
    action: Partial<FaultAction & { type: "status" }>,
    others: { quarter?: number; day?: number } = {},
  ) {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: {
        club: { athletes: 1, activitiesEach: 40, racesEach: 20 },
        latencyMs: 50,
        quota: { read: { quarter: others.quarter ?? 100, day: others.day ?? 1_000 } },
      },
      requestsInFlight: 1,
    });
    const match = { kind: ["list", "detail"], nth: 3 } as const;
    api.engine.sandbox.injectFault({ match, action: { type: "status", status: 429, ...action } });
    await api.post("/api/admin/athletes/1/sync");
    await api.engine.clock.advance(20 * SECOND_MS);
    const [waiting] = (await api.get("/api/admin/sync-status")).body.active;
    return { api, waiting };
  }

  async function expectItGoesOn(api: TestApi, resetMs: number): Promise<void> {
    await api.engine.clock.advance(resetMs - 1 - api.engine.clock.nowMs());
    expect(api.engine.sandbox.ledger().filter(({ kind }) => kind !== "token").length).toBe(3);
    await api.engine.clock.advance(MINUTE_MS);
    expect((await api.get("/api/admin/sync-status")).body.recent).toMatchObject([
      { status: "completed", activities_synced: 20 },
    ]);
    expect(refusals(api.engine)).toBe(1);
    expectNothingMarked(api.engine);
  }

  for (const [what, body] of BODIES) {
    for (const rateHeaders of [true, false]) {
      test(`case 37: a 429 ${rateHeaders ? "with" : "without"} headers that says "${what}" is waited out till the next quarter: a reason and a time, nothing marked`, async () => {
        const { api, waiting } = await refusedOnce({ body, rateHeaders });
        const resetMs = nextQuarterMs(START_MS);
        expect(waiting).toMatchObject({
          status: "waiting",
          waiting: { reason: "quota_15min" },
          health: { is_stalled: false },
        });
        expect(waiting.waiting.resumes_at - resetMs).toBeGreaterThanOrEqual(0);
        expect(waiting.waiting.resumes_at - resetMs).toBeLessThanOrEqual(RESET_SLACK_MS);
        await expectItGoesOn(api, resetMs);
      });
    }
  }

  test("case 37: which window is full, the headers say and not the body: here it is the day", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: {
        club: { athletes: 1, activitiesEach: 40, racesEach: 20 },
        quota: { read: { quarter: 5_000, day: 500 } },
      },
    });
    // Another client of the application has used up the day before we ask for the first time.
    api.engine.sandbox.spendQuota({ overall: 500, read: 500 });
    await api.post("/api/admin/athletes/1/sync");
    await api.engine.clock.advance(20 * SECOND_MS);
    const [waiting] = (await api.get("/api/admin/sync-status")).body.active;
    expect(waiting).toMatchObject({
      status: "waiting",
      waiting: { reason: "quota_daily" },
      health: { is_stalled: false },
    });
    const resetMs = Date.UTC(2025, 10, 18);
    expect(waiting.waiting.resumes_at - resetMs).toBeGreaterThanOrEqual(0);
    expect(waiting.waiting.resumes_at - resetMs).toBeLessThanOrEqual(RESET_SLACK_MS);
    expect(refusals(api.engine)).toBe(1);
  });
});

describe("budgets and other clients", () => {
  test("case 38: with the read limit reached the engine stops, though overall has room, and the other way round", async () => {
    for (const [quota, used] of [
      [{ overall: { quarter: 500 }, read: { quarter: 30, day: 1_000 } }, 30],
      [{ overall: { quarter: 25 }, read: { quarter: 90, day: 1_000 } }, 25],
      [{ overall: { quarter: 500, day: 20 }, read: { quarter: 90, day: 1_000 } }, 20],
    ] as const) {
      const engine = engineOf(1, 60, { sandbox: { quota } });
      engine.start();
      await tickMinutes(engine, 10);
      expect(engine.sandbox.quota().read.quarter.used).toBe(used);
      expect(refusals(engine)).toBe(0);
      expectNothingMarked(engine);
    }
  });

  test("case 39: what another client spends is seen in the headers: the engine counts as Strava does, not as it remembers", async () => {
    const engine = engineOf(2, 60);
    for (const n of [0, 1]) engine.start(n);
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.spendQuota({ overall: 50, read: 50 });
    await tickMinutes(engine, 10);
    expect(engine.sandbox.quota().read.quarter.used).toBe(100);
    expect(refusals(engine)).toBe(0);
    await tickMinutes(engine, 30);
    expect(countRaces(engine.db, "enriched")).toBe(120);
    expectNothingMarked(engine);
  });

  test("case 39: one that uses up the quarter at once costs at most what was under way, and nothing is marked", async () => {
    const engine = engineOf(2, 60);
    for (const n of [0, 1]) engine.start(n);
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.spendQuota({ overall: 200, read: 100 });
    await tickMinutes(engine, 14);
    expect(refusals(engine)).toBeLessThanOrEqual(IN_FLIGHT);
    await tickMinutes(engine, 20);
    expect(countRaces(engine.db, "enriched")).toBe(120);
    expect(refusals(engine)).toBeLessThanOrEqual(IN_FLIGHT);
    expectNothingMarked(engine);
  });

  test("case 40: limits that are raised while it runs are used without a restart, those that are lowered hold at once", async () => {
    const engine = engineOf(1, 250, { sandbox: { quota: { read: { quarter: 100, day: 1_000 } } } });
    const syncId = engine.start();
    await tickMinutes(engine, 5);
    expect(engine.sandbox.quota().read.quarter.used).toBe(100);
    engine.sandbox.setQuota({ overall: { quarter: 400, day: 4_000 }, read: { quarter: 200, day: 2_000 } });
    await tickMinutes(engine, 12);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 250 });
    expect(engine.context.governor.view().quota.read).toMatchObject({ quarter: { limit: 200 }, day: { limit: 2_000 } });
    expect(refusals(engine)).toBe(0);

    const lowered = engineOf(1, 90);
    lowered.start();
    await stepUntil(lowered, () => countRaces(lowered.db, "enriched") >= 10);
    lowered.sandbox.setQuota({ overall: { quarter: 60 }, read: { quarter: 40 } });
    await tickMinutes(lowered, 10);
    expect(lowered.sandbox.quota().read.quarter).toEqual({ limit: 40, used: 40 });
    expect(refusals(lowered)).toBe(0);
  });
});

describe("a clock that is not Strava's", () => {
  for (const skewMs of [-90 * SECOND_MS, 90 * SECOND_MS]) {
    const what = `Strava's clock 90 s ${skewMs < 0 ? "behind" : "ahead"}`;

    test(`case 41: ${what}: over quarter after full quarter no 429, and no time lost`, async () => {
      const engine = engineOf(2, 60, { sandbox: { skewMs, quota: { read: { quarter: 40, day: 1_000 } } } });
      for (const n of [0, 1]) engine.start(n);
      await tickMinutes(engine, 50);
      expect(countRaces(engine.db, "enriched")).toBe(120);
      expect(refusals(engine)).toBe(0);
      expectNothingMarked(engine);
    });

    test(`case 41: ${what}: nor at midnight, when the day begins anew`, async () => {
      const engine = engineOf(2, 60, { sandbox: { skewMs, quota: { read: { quarter: 40, day: 70 } } } });
      engine.clock.jumpTo(START_MS + DAY_MS / 2);
      const syncIds = [engine.start(0), engine.start(1)];
      for (const syncId of syncIds) await untilEnded(engine, syncId);
      const midnightMs = Date.UTC(2025, 10, 18);
      const afterMs = engine.sandbox
        .ledger()
        .flatMap(({ atMs, isCounted }) => (isCounted && atMs > midnightMs - DAY_MS / 4 ? [atMs] : []));
      expect(afterMs.length).toBe(2 * 62 - 70);
      expect((afterMs[0] ?? 0) - midnightMs).toBeGreaterThanOrEqual(0);
      expect((afterMs[0] ?? 0) - midnightMs).toBeLessThanOrEqual(RESET_SLACK_MS);
      expect(refusals(engine)).toBe(0);
      expectNothingMarked(engine);
    });

    // The difference is not known yet, and the two clocks are in different quarters, or days.
    for (const boundaryMs of [Date.UTC(2025, 10, 17, 0, 15), Date.UTC(2025, 10, 18)]) {
      const when = new Date(boundaryMs).toISOString().slice(11, 16);
      test(`case 41: ${what}: a first sync that begins around ${when} meets at most what was under way with a 429`, async () => {
        for (const offsetMs of [-100, -60, -5, 5, 60, 100].map((seconds) => seconds * SECOND_MS)) {
          const engine = engineOf(1, 30, { sandbox: { skewMs, quota: { read: { quarter: 25, day: 1_000 } } } });
          engine.clock.jumpTo(boundaryMs + offsetMs);
          // Another client has left eight.
          engine.sandbox.spendQuota({ overall: 17, read: 17 });
          const syncId = engine.start();
          await untilEnded(engine, syncId);
          expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 30 });
          expect(refusals(engine)).toBeLessThanOrEqual(IN_FLIGHT);
          expectNothingMarked(engine);
        }
      });
    }
  }
});

describe("the day", () => {
  test("case 42: used up in mid-enrichment, it is waited for; after midnight all goes on, and meanwhile no race is done or failed that was not", async () => {
    const api = createTestApi({
      db: emptyDb(),
      sandbox: {
        club: { athletes: 1, activitiesEach: 60, racesEach: 40 },
        latencyMs: 50,
        quota: { read: { quarter: 100, day: 20 } },
      },
    });
    await api.post("/api/admin/athletes/1/sync");
    await api.engine.clock.advance(2 * MINUTE_MS);
    const midnightMs = Date.UTC(2025, 10, 18);
    for (const hour of [0, 12, 23]) {
      api.engine.clock.jumpTo(Math.max(api.engine.clock.nowMs(), START_MS + hour * 60 * MINUTE_MS));
      await api.engine.clock.advance(MINUTE_MS);
      const [sync] = (await api.get("/api/admin/sync-status")).body.active;
      expect(sync).toMatchObject({
        status: "waiting",
        waiting: { reason: "quota_daily" },
        activities_synced: 18,
        activities_expected: 40,
        health: { is_stalled: false },
      });
      expect(sync.waiting.resumes_at - midnightMs).toBeLessThanOrEqual(RESET_SLACK_MS);
      expect(countRaces(api.engine.db, "pending")).toBe(22);
      expectNothingMarked(api.engine);
    }
    expect((await api.get("/api/admin/health/findings")).body.items).toEqual([]);
    api.engine.sandbox.setQuota({ read: { quarter: 100, day: 100 } });
    api.engine.clock.jumpTo(midnightMs - SECOND_MS);
    await api.settle();
    expect((await api.get("/api/admin/sync-status")).body.recent).toMatchObject([
      { status: "completed", activities_synced: 40 },
    ]);
    expect(refusals(api.engine)).toBe(0);
    // What was fetched before midnight was not fetched again.
    expect(requestsOf(api.engine, "detail")).toBe(40);
  });

  test("case 43: a backfill leaves the day's reserve alone, and a person who waits is served from it", async () => {
    const engine = engineOf(3, 50, { reserve: 20, sandbox: { quota: { read: { quarter: 100, day: 60 } } } });
    const backfill = [startOfClass(engine, 0, "schedule"), startOfClass(engine, 1, "connect")];
    await tickMinutes(engine, 20);
    expect(engine.sandbox.quota().read.day.used).toBe(40);
    for (const syncId of backfill) expect(syncOf(engine, syncId).status).toBe("in_progress");
    // A reserve of twenty is not enough for fifty races, but nobody else takes of it.
    const manual = startOfClass(engine, 2, "manual");
    await tickMinutes(engine, 20);
    expect(engine.sandbox.quota().read.day.used).toBe(60);
    expect(syncOf(engine, manual).requests).toBe(20);
    expect(refusals(engine)).toBe(0);
    expectNothingMarked(engine);
  });

  test("case 43: what nobody used of it by the last two hours of the day is not lost", async () => {
    const engine = engineOf(1, 50, { reserve: 20, sandbox: { quota: { read: { quarter: 100, day: 40 } } } });
    const syncId = startOfClass(engine, 0, "schedule");
    await tickMinutes(engine, 5);
    expect(engine.sandbox.quota().read.day.used).toBe(20);
    engine.clock.jumpTo(Date.UTC(2025, 10, 17, 21, 58));
    await tickMinutes(engine, 1);
    expect(engine.sandbox.quota().read.day.used).toBe(20);
    // Half an hour before midnight a quarter of it is left, and so on down to nothing.
    engine.clock.jumpTo(Date.UTC(2025, 10, 17, 23, 29));
    await tickMinutes(engine, 1);
    expect(engine.sandbox.quota().read.day.used).toBe(35);
    await tickMinutes(engine, 29);
    expect(engine.sandbox.quota().read.day.used).toBeGreaterThanOrEqual(39);
    await untilEnded(engine, syncId);
    expect(refusals(engine)).toBe(0);
  });

  test("case 44: answers without any rate header are counted one by one, against the limits that are known", async () => {
    const engine = engineOf(2, 70);
    engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "no_rate_headers" } });
    const syncIds = [engine.start(0), engine.start(1)];
    await tickMinutes(engine, 14);
    expect(engine.sandbox.quota().read.quarter.used).toBe(100);
    for (const syncId of syncIds) await untilEnded(engine, syncId);
    expect(countRaces(engine.db, "enriched")).toBe(140);
    expect(refusals(engine)).toBe(0);
    expectNothingMarked(engine);
  });

  test("case 44: a first answer without headers is no reason to believe that there is no quota, nor one with limits of nought", async () => {
    const engine = engineOf(1, 5, { sandbox: { quota: { read: { quarter: 100, day: 1_000 } } } });
    const odd = {
      "X-Ratelimit-Limit": "0,0",
      "X-Ratelimit-Usage": "0,0",
      "X-Readratelimit-Limit": "none",
      "X-Readratelimit-Usage": "",
    };
    engine.sandbox.injectFault({
      match: { kind: "list" },
      action: { type: "status", status: 500, headers: odd, rateHeaders: false },
    });
    expect(await syncToEnd(engine)).toMatchObject({ status: "completed", racesEnriched: 5 });
    expect(engine.context.governor.view().quota.read.quarter.limit).toBe(100);
    expect(refusals(engine)).toBe(0);
  });
});
