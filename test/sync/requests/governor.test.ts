import { describe, expect, test } from "bun:test";
import type { FaultKind } from "../../../src/core/fault.ts";
import type { SyncClass } from "../../../src/core/sync.ts";
import { QUARTER_MS, SECOND_MS } from "../../../src/core/units.ts";
import type { Reply } from "../../../src/strava/reply.ts";
import { emptyDb } from "../../support/database.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "../../support/engine.ts";
import { countRaces, stepUntil, tickMinutes } from "../../support/hand.ts";
import { attemptsSpent, PLENTY, requestsOf, startOfClass, syncOf } from "../../support/syncs.ts";

function engineOf(athletes: number, racesEach: number, options: TestEngineOptions = {}): TestEngine {
  const { sandbox, ...rest } = options;
  return createTestEngine({
    db: emptyDb(),
    ...rest,
    sandbox: {
      club: { athletes, activitiesEach: racesEach + 10, racesEach },
      latencyMs: 50,
      ...sandbox,
    },
  });
}

const refusals = (engine: TestEngine): number => engine.sandbox.ledger().filter((entry) => entry.status === 429).length;

const ANSWER: Reply<string> = {
  ok: true,
  value: "answer",
  rate: undefined,
  dateMs: undefined,
  status: 200,
  durationMs: 0,
};

const failed = (kind: FaultKind, status: number): Reply<string> => ({
  ok: false,
  fault: { ...kind, status, message: `Strava answered ${status}.` },
  rate: undefined,
  dateMs: undefined,
  status,
  durationMs: 0,
});

/** Asks the governor by hand; each answer comes when the test gives it. */
function askersOf(engine: TestEngine) {
  const sent: string[] = [];
  const answers = new Map<string, (reply: Reply<string>) => void>();
  const { governor } = engine.context;
  return {
    sent,
    ask(name: string, syncClass: SyncClass, signal = new AbortController().signal) {
      const asker = { athleteId: engine.athlete(), phase: "enrichment", syncClass } as const;
      return governor.request(asker, signal, () => {
        sent.push(name);
        return new Promise<Reply<string>>((resolve) => answers.set(name, resolve));
      });
    },
    async answer(name: string, reply: Reply<string> = ANSWER) {
      await engine.clock.advance(0);
      answers.get(name)?.(reply);
      await engine.clock.advance(0);
    },
  };
}

describe("requests in flight", () => {
  for (const requestsInFlight of [1, 3, 8]) {
    test(`are never more than ${requestsInFlight}, over all athletes`, async () => {
      let inFlight = 0;
      let most = 0;
      const engine = engineOf(3, 20, {
        requestsInFlight,
        sandbox: { quota: PLENTY },
        fetch: (sandbox) => async (request) => {
          most = Math.max(most, ++inFlight);
          try {
            return await sandbox.fetch(request);
          } finally {
            inFlight--;
          }
        },
      });
      for (const n of [0, 1, 2]) engine.start(n);
      await stepUntil(engine, () => countRaces(engine.db, "enriched") === 60);
      expect(most).toBe(requestsInFlight);
      expect(engine.context.governor.view().inFlight).toBe(0);
    });
  }

  test("waiters are let out by class, then in the order in which they came", async () => {
    const engine = engineOf(1, 0, { requestsInFlight: 1 });
    const { ask, answer, sent } = askersOf(engine);
    for (const [name, syncClass] of [
      ["first", "schedule"],
      ["schedule", "schedule"],
      ["connect", "connect"],
      ["manual 1", "manual"],
      ["event", "event"],
      ["manual 2", "manual"],
    ] as const) {
      void ask(name, syncClass);
    }
    const order = ["first", "manual 1", "manual 2", "event", "connect", "schedule"];
    for (const [at, name] of order.entries()) {
      await engine.clock.advance(0);
      expect(sent).toEqual(order.slice(0, at + 1));
      await answer(name);
    }
  });

  test("who is called off while waiting is never sent, and keeps no place", async () => {
    const engine = engineOf(1, 0, { requestsInFlight: 1 });
    const { ask, answer, sent } = askersOf(engine);
    const controller = new AbortController();
    void ask("first", "manual");
    const waiting = ask("waiting", "manual", controller.signal);
    void ask("behind", "manual");
    controller.abort();
    expect(await waiting).toEqual({ got: "called_off" });
    expect(await ask("late", "manual", controller.signal)).toEqual({ got: "called_off" });
    await answer("first");
    expect(sent).toEqual(["first", "behind"]);
  });

  test("a hold sends waiters away at once: nothing of them is sent", async () => {
    const engine = engineOf(1, 0, { requestsInFlight: 1 });
    const { ask, answer, sent } = askersOf(engine);
    void ask("first", "manual");
    const waiting = [ask("second", "manual"), ask("third", "schedule")];
    const fault = { scope: "application", kind: "app_inactive", message: "inactive" } as const;
    await answer("first", { ok: false, fault, rate: undefined, dateMs: undefined, status: 403, durationMs: 0 });
    for (const outcome of await Promise.all(waiting))
      expect(outcome).toMatchObject({ got: "hold", hold: { reason: "app_inactive" } });
    expect(sent).toEqual(["first"]);
  });
});

describe("the quota", () => {
  test("who is refused while an outage holds everybody is refused till the quarter ends, however soon the outage does", async () => {
    const engine = engineOf(1, 1, { requestsInFlight: 3, sandbox: { quota: PLENTY } });
    const { governor } = engine.context;
    const { ask, answer } = askersOf(engine);
    void ask("first", "manual");
    await answer("first");
    const [gone, refused] = [ask("gone", "manual"), ask("refused", "manual")];
    await answer("gone", failed({ scope: "application", kind: "maintenance" }, 597));
    await answer("refused", failed({ scope: "application", kind: "rate_limited" }, 429));
    const outage = governor.hold("manual");
    expect(outage?.reason).toBe("strava_unavailable");
    expect(await gone).toMatchObject({ got: "hold", hold: { reason: "strava_unavailable" } });
    expect(await refused).toMatchObject({ got: "hold", hold: { reason: "quota_15min" } });
    const quarterEndMs = Math.ceil(engine.clock.nowMs() / QUARTER_MS) * QUARTER_MS;
    expect(outage?.untilMs).toBeLessThan(quarterEndMs);
    await engine.clock.advance((outage?.untilMs ?? 0) - engine.clock.nowMs() + 1);
    expect(governor.hold("manual")).toMatchObject({ reason: "quota_15min" });
    await engine.clock.advance(quarterEndMs - engine.clock.nowMs());
    expect(governor.hold("manual")).toBeDefined();
    await engine.clock.advance(3 * SECOND_MS);
    expect(governor.hold("manual")).toBeUndefined();
  });

  test("the read limit binds while overall has room", async () => {
    const engine = engineOf(1, 40, {
      sandbox: { quota: { overall: { quarter: 500 }, read: { quarter: 30, day: 1_000 } } },
    });
    engine.start();
    await tickMinutes(engine, 10);
    expect(engine.sandbox.quota()).toMatchObject({
      read: { quarter: { used: 30 } },
      overall: { quarter: { used: 30 } },
    });
    expect(engine.context.governor.hold("manual")).toMatchObject({ reason: "quota_15min" });
    expect(refusals(engine)).toBe(0);
  });

  test("overall binds while read has room", async () => {
    const engine = engineOf(1, 40, {
      sandbox: { quota: { overall: { quarter: 25 }, read: { quarter: 90, day: 1_000 } } },
    });
    engine.start();
    await tickMinutes(engine, 10);
    expect(engine.sandbox.quota().overall.quarter.used).toBe(25);
    expect(refusals(engine)).toBe(0);
  });

  test("what another client of the same application spends is seen in the headers, and not spent again", async () => {
    const engine = engineOf(2, 60);
    for (const n of [0, 1]) engine.start(n);
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.spendQuota({ overall: 50, read: 50 });
    await tickMinutes(engine, 10);
    expect(engine.sandbox.quota().read.quarter.used).toBe(100);
    expect(refusals(engine)).toBe(0);
    await tickMinutes(engine, 30);
    expect(countRaces(engine.db, "enriched")).toBe(120);
    expect(attemptsSpent(engine)).toBe(0);
  });

  test("a quarter that another client has used up meets at most what was in flight with a 429, and no attempt is spent", async () => {
    const engine = engineOf(2, 60);
    for (const n of [0, 1]) engine.start(n);
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.spendQuota({ overall: 200, read: 100 });
    await tickMinutes(engine, 10);
    expect(refusals(engine)).toBeLessThanOrEqual(8);
    await tickMinutes(engine, 30);
    expect(countRaces(engine.db, "enriched")).toBe(120);
    expect(refusals(engine)).toBeLessThanOrEqual(8);
    expect(attemptsSpent(engine)).toBe(0);
  });

  test("limits that are raised at run time are picked up with the first answer of the next quarter", async () => {
    const engine = engineOf(1, 60, { sandbox: { quota: { read: { quarter: 20, day: 1_000 } } } });
    const syncId = engine.start();
    await tickMinutes(engine, 5);
    expect(requestsOf(engine, "detail") + requestsOf(engine, "list")).toBe(20);
    engine.sandbox.setQuota({ overall: { quarter: 400, day: 4_000 }, read: { quarter: 200, day: 2_000 } });
    await tickMinutes(engine, 11);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed", racesEnriched: 60 });
    expect(engine.context.governor.view().quota.read).toMatchObject({ quarter: { limit: 200 }, day: { limit: 2_000 } });
  });

  test("limits that are lowered at run time hold at once", async () => {
    const engine = engineOf(1, 90);
    engine.start();
    await stepUntil(engine, () => countRaces(engine.db, "enriched") >= 10);
    engine.sandbox.setQuota({ overall: { quarter: 60 }, read: { quarter: 40 } });
    await tickMinutes(engine, 10);
    expect(engine.sandbox.quota().read.quarter.used).toBe(40);
    expect(refusals(engine)).toBe(0);
  });

  test("answers without any rate headers are counted one by one, by the limits that are known", async () => {
    const engine = engineOf(2, 70);
    engine.sandbox.injectFault({ times: Number.POSITIVE_INFINITY, action: { type: "no_rate_headers" } });
    for (const n of [0, 1]) engine.start(n);
    await tickMinutes(engine, 12);
    expect(engine.sandbox.quota().read.quarter.used).toBe(100);
    expect(refusals(engine)).toBe(0);
    await tickMinutes(engine, 15);
    expect(countRaces(engine.db, "enriched")).toBe(140);
  });

  test("usage outlives a restart in the middle of a quarter, and is gone with the quarter", async () => {
    const engine = engineOf(1, 60, { sandbox: { quota: { read: { quarter: 30, day: 1_000 } } } });
    const syncId = engine.start();
    await tickMinutes(engine, 3);
    const next = engine.rebooted();
    expect(next.context.governor.view().quota.read).toMatchObject({
      quarter: { used: 30, limit: 30 },
      day: { used: 30 },
    });
    await tickMinutes(next, 5);
    expect(refusals(next)).toBe(0);
    expect(engine.sandbox.quota().read.quarter.used).toBe(30);
    await tickMinutes(next, 25);
    expect(syncOf(next, syncId)).toMatchObject({ status: "completed", racesEnriched: 60 });
    expect(refusals(next)).toBe(0);
  });

  test("the day's reserve is left by a schedule, and there for a person", async () => {
    const engine = engineOf(2, 30, { reserve: 20, sandbox: { quota: { read: { quarter: 100, day: 40 } } } });
    const scheduled = startOfClass(engine, 0, "schedule");
    await tickMinutes(engine, 5);
    expect(engine.sandbox.quota().read.day.used).toBe(20);
    expect(syncOf(engine, scheduled).status).toBe("in_progress");
    startOfClass(engine, 1, "manual");
    await tickMinutes(engine, 5);
    expect(engine.sandbox.quota().read.day.used).toBe(40);
    expect(refusals(engine)).toBe(0);
  });

  test("a headroom is left unused in the quarter", async () => {
    const engine = engineOf(1, 60, { headroom: 10, sandbox: { quota: { read: { quarter: 30, day: 1_000 } } } });
    engine.start();
    await tickMinutes(engine, 5);
    expect(engine.sandbox.quota().read.quarter.used).toBe(20);
  });
});

describe("a clock that is not Strava's", () => {
  for (const skewMs of [-90 * SECOND_MS, 90 * SECOND_MS]) {
    const what = skewMs < 0 ? "behind" : "ahead of";
    test(`Strava's 90 s ${what} ours: quarter after full quarter, boundaries bring no storm of 429s`, async () => {
      const engine = engineOf(2, 50, { sandbox: { skewMs, quota: { read: { quarter: 40, day: 1_000 } } } });
      for (const n of [0, 1]) engine.start(n);
      await tickMinutes(engine, 50);
      expect(countRaces(engine.db, "enriched")).toBe(100);
      expect(refusals(engine)).toBe(0);
      expect(attemptsSpent(engine)).toBe(0);
      const { skewMs: learnedMs } = engine.context.governor.view();
      expect(Math.abs(learnedMs - skewMs)).toBeLessThanOrEqual(1_500);
    });

    test(`Strava's 90 s ${what} ours: a restart between the two boundaries meets at most what was in flight with a 429`, async () => {
      const engine = engineOf(2, 50, { sandbox: { skewMs, quota: { read: { quarter: 40, day: 1_000 } } } });
      for (const n of [0, 1]) engine.start(n);
      // The quarter of the later clock has begun, that of the earlier has not.
      const boundaryMs = Date.UTC(2025, 10, 17, 0, 15) + Math.max(0, -skewMs);
      await tickMinutes(engine, 10);
      await engine.clock.advance(boundaryMs - 45 * SECOND_MS - engine.clock.nowMs());
      const next = engine.rebooted();
      await tickMinutes(next, 40);
      expect(countRaces(engine.db, "enriched")).toBe(100);
      expect(refusals(next)).toBeLessThanOrEqual(8);
    });
  }
});
