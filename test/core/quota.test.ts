import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  admitRequest,
  countRequest,
  holdAfterRefusal,
  mapQuota,
  observeQuota,
  type Quota,
  type QuotaRules,
  RESET_SLACK_MS,
  reserveAt,
  rollQuota,
  settlingAfter,
  unknownQuota,
  windowResetMs,
  windowStartMs,
} from "../../src/core/quota.ts";
import type { RateObservation } from "../../src/core/rate-headers.ts";
import { DAY_MS, type EpochMs, epochMs, HOUR_MS, MINUTE_MS, plusMs, QUARTER_MS } from "../../src/core/units.ts";

/** 2025-11-17 10:07:30 UTC, inside the quarter from 10:00 to 10:15. */
const NOW = at("10:07:30");
const NO_RULES: QuotaRules = { headroom: 0, reserve: { requests: 0 } };
const MANUAL = "manual";

function at(time: string): EpochMs {
  return epochMs(Date.parse(`2025-11-17T${time}Z`));
}

type Used = { quarter: number; day: number };
/** The default limits (200 and 2000 overall, 100 and 1000 of them reads), so much of them used. */
function quotaWith(used: { overall?: Partial<Used>; read?: Partial<Used> }, stravaMs = NOW): Quota {
  const fresh = unknownQuota(stravaMs);
  return mapQuota((budget, window) => ({ ...fresh[budget][window], used: used[budget]?.[window] ?? 0 }));
}
const headers = (overall: [number, number], read: [number, number]): RateObservation => ({
  overall: { limit: [200, 2000], usage: overall },
  read: { limit: [100, 1000], usage: read },
});
const ask = (stravaMs: EpochMs, inFlight = 0, syncClass: "manual" | "event" | "connect" | "schedule" = MANUAL) => ({
  stravaMs,
  inFlight,
  syncClass,
});
const used = (quota: Quota) => mapQuotaTo(quota, (use) => use.used);
function mapQuotaTo<T>(quota: Quota, pick: (use: Quota["read"]["day"]) => T): [T, T, T, T] {
  return [pick(quota.overall.quarter), pick(quota.overall.day), pick(quota.read.quarter), pick(quota.read.day)];
}

test("windows begin at :00, :15, :30 and :45, and the day at 00:00 UTC, to the millisecond", () => {
  for (const [before, start] of [
    ["10:14:59.999", "10:15:00"],
    ["10:29:59.999", "10:30:00"],
    ["10:44:59.999", "10:45:00"],
    ["10:59:59.999", "11:00:00"],
  ] as const) {
    expect(windowStartMs("quarter", at(before))).toBe(plusMs(at(start), -QUARTER_MS));
    expect(windowStartMs("quarter", at(start))).toBe(at(start));
    expect(windowStartMs("quarter", plusMs(at(start), 1))).toBe(at(start));
  }
  expect(windowStartMs("day", plusMs(at("00:00:00"), -1))).toBe(plusMs(at("00:00:00"), -DAY_MS));
  expect(windowStartMs("day", at("00:00:00"))).toBe(at("00:00:00"));
  expect(windowResetMs("day", at("00:00:00"))).toBe(plusMs(at("00:00:00"), DAY_MS));
});

test("a window rolls exactly at its reset: its use is forgotten, its limit and the other windows are kept", () => {
  const quota = quotaWith({ overall: { quarter: 7, day: 70 }, read: { quarter: 5, day: 50 } });
  expect(rollQuota(quota, at("10:14:59.999"))).toBe(quota);
  const rolled = rollQuota(quota, at("10:15:00"));
  expect(used(rolled)).toEqual([0, 70, 0, 50]);
  expect(rolled.read.quarter).toEqual({ startsAtMs: at("10:15:00"), limit: 100, used: 0 });
  expect(used(rollQuota(quota, plusMs(at("00:00:00"), DAY_MS)))).toEqual([0, 0, 0, 0]);
});

test("a window that is only just early is kept: the clocks differ a little, or an old answer came late", () => {
  const quota = quotaWith({ read: { quarter: 5, day: 50 } }, at("10:15:00"));
  expect(rollQuota(quota, at("10:10:00"))).toBe(quota);
});

test("windows that were made by a clock far ahead become those that run now, with what was counted", () => {
  const ahead = quotaWith({ read: { quarter: 5, day: 50 } }, plusMs(NOW, 30 * DAY_MS));
  const mended = rollQuota(ahead, NOW);
  expect(mended.read.quarter).toEqual({ startsAtMs: at("10:00:00"), limit: 100, used: 5 });
  expect(mended.read.day).toEqual({ startsAtMs: at("00:00:00"), limit: 1000, used: 50 });
  const seen = { stravaMs: NOW, sentAfterLastObservation: true };
  expect(used(observeQuota(mended, headers([99, 600], [90, 500]), seen))).toEqual([99, 600, 90, 500]);
  expect(rollQuota(quotaWith({}, at("10:15:00")), plusMs(at("10:10:00"), -1)).read.quarter.startsAtMs).toBe(
    at("10:00:00"),
  );
});

test("an answer to a request that was sent after the last observation is believed, up and down", () => {
  const quota = quotaWith({ overall: { quarter: 50, day: 500 }, read: { quarter: 40, day: 400 } });
  const seen = { stravaMs: NOW, sentAfterLastObservation: true };
  expect(used(observeQuota(quota, headers([51, 501], [41, 401]), seen))).toEqual([51, 501, 41, 401]);
  expect(used(observeQuota(quota, headers([3, 30], [2, 20]), seen))).toEqual([3, 30, 2, 20]);
});

test("an answer that was overtaken never lowers a count", () => {
  const quota = quotaWith({ overall: { quarter: 50, day: 500 }, read: { quarter: 40, day: 400 } });
  const seen = { stravaMs: NOW, sentAfterLastObservation: false };
  expect(used(observeQuota(quota, headers([49, 600], [39, 600]), seen))).toEqual([50, 600, 40, 600]);
});

test("an answer from a window that has ended says nothing about the one that runs", () => {
  const quota = quotaWith({ overall: { quarter: 1, day: 500 }, read: { quarter: 1, day: 400 } }, at("10:15:00"));
  const seen = { stravaMs: at("10:14:59"), sentAfterLastObservation: true };
  expect(used(observeQuota(quota, headers([200, 510], [100, 410]), seen))).toEqual([1, 510, 1, 410]);
});

test("an answer that names one pair counts one request in the other", () => {
  const quota = quotaWith({ overall: { quarter: 50, day: 500 }, read: { quarter: 40, day: 400 } });
  const seen = { stravaMs: NOW, sentAfterLastObservation: true };
  const overallOnly = { overall: { limit: [200, 2000], usage: [60, 600] } } as const;
  expect(used(observeQuota(quota, overallOnly, seen))).toEqual([60, 600, 41, 401]);
  expect(used(countRequest(quota))).toEqual([51, 501, 41, 401]);
});

test("limits that change are taken over with the next answer; a limit of nothing is not believed", () => {
  const seen = { stravaMs: NOW, sentAfterLastObservation: true };
  const raised = { read: { limit: [300, 3000], usage: [1, 1] }, overall: { limit: [600, 0], usage: [1, 1] } } as const;
  const quota = observeQuota(quotaWith({}), raised, seen);
  expect(mapQuotaTo(quota, (use) => use.limit)).toEqual([600, 2000, 300, 3000]);
  const lowered = { ...raised, read: { limit: [10, 30], usage: [10, 30] } } as const;
  expect(admitRequest(observeQuota(quota, lowered, seen), ask(NOW), NO_RULES)).toMatchObject({ admit: "at" });
});

test("the last request that a window can pay for goes out, and the next one waits for its reset", () => {
  for (const budget of ["overall", "read"] as const) {
    const limit = budget === "overall" ? 200 : 100;
    const rules = { ...NO_RULES, headroom: 10 };
    const last = quotaWith({ [budget]: { quarter: limit - 11 } });
    const full = quotaWith({ [budget]: { quarter: limit - 10 } });
    expect(admitRequest(last, ask(NOW), rules)).toEqual({ admit: "yes" });
    expect(admitRequest(full, ask(NOW), rules)).toEqual({
      admit: "at",
      reason: "quota_15min",
      resetMs: at("10:15:00"),
      stravaMs: plusMs(at("10:15:00"), RESET_SLACK_MS),
    });
    expect(admitRequest(full, ask(at("10:14:59.999")), rules)).toMatchObject({ admit: "at" });
    expect(admitRequest(full, ask(at("10:15:00")), rules)).toEqual({ admit: "yes" });
  }
});

test("a full day is waited for till midnight UTC, also where the quarter is full as well", () => {
  const midnight = plusMs(at("00:00:00"), DAY_MS);
  const full = quotaWith({ overall: { quarter: 200 }, read: { day: 1000 } });
  expect(admitRequest(full, ask(NOW), NO_RULES)).toMatchObject({ reason: "quota_daily", resetMs: midnight });
  const overall = quotaWith({ overall: { day: 2000 } });
  expect(admitRequest(overall, ask(NOW), NO_RULES)).toMatchObject({ reason: "quota_daily", resetMs: midnight });
  expect(RESET_SLACK_MS).toBeLessThanOrEqual(5_000);
});

test("a small share of what is left is in flight: towards the end one request at a time, and then none", () => {
  const admitted = (usedReads: number, inFlight: number) =>
    admitRequest(
      quotaWith({ read: { quarter: usedReads, day: usedReads }, overall: { quarter: 1, day: 1 } }),
      ask(NOW, inFlight),
      NO_RULES,
    ).admit;
  expect([7, 8].map((inFlight) => admitted(36, inFlight))).toEqual(["yes", "after_reply"]);
  expect([0, 1, 2].map((inFlight) => admitted(91, inFlight))).toEqual(["yes", "yes", "after_reply"]);
  expect([0, 1].map((inFlight) => admitted(92, inFlight))).toEqual(["yes", "after_reply"]);
  expect([0, 1].map((inFlight) => admitted(99, inFlight))).toEqual(["yes", "after_reply"]);
  expect(admitted(100, 1)).toBe("at");
});

test("the first request of a window goes out alone: what another client has spent of it, only an answer tells", () => {
  const firstOfQuarter = quotaWith({ overall: { day: 500 }, read: { day: 300 } });
  expect(admitRequest(firstOfQuarter, ask(NOW, 0), NO_RULES)).toEqual({ admit: "yes" });
  expect(admitRequest(firstOfQuarter, ask(NOW, 1), NO_RULES)).toEqual({ admit: "after_reply" });
});

test("the day's reserve is for those who wait: others stop before it, to the request", () => {
  const rules: QuotaRules = { headroom: 0, reserve: { fraction: 0.1 } };
  const before = quotaWith({ read: { day: 899 } });
  const atReserve = quotaWith({ read: { day: 900 } });
  for (const syncClass of ["connect", "schedule"] as const) {
    expect(admitRequest(before, ask(NOW, 0, syncClass), rules)).toEqual({ admit: "yes" });
    expect(admitRequest(before, ask(NOW, 1, syncClass), rules)).toEqual({ admit: "after_reply" });
    expect(admitRequest(atReserve, ask(NOW, 0, syncClass), rules)).toMatchObject({ reason: "quota_reserve" });
  }
  for (const syncClass of ["manual", "event"] as const)
    expect(admitRequest(atReserve, ask(NOW, 0, syncClass), rules)).toEqual({ admit: "yes" });
});

test("the reserve is whole until 22:00 UTC and shrinks to nothing at midnight", () => {
  const rules: QuotaRules = { headroom: 0, reserve: { fraction: 0.1 } };
  const quota = quotaWith({});
  const reserves = ["00:00:00", "21:59:59.999", "22:00:00", "22:00:01", "23:00:00", "23:59:59.999"].map((time) =>
    reserveAt(quota, at(time), rules),
  );
  expect(reserves).toEqual([100, 100, 100, 100, 50, 1]);
  expect(reserveAt(quota, at("23:30:00"), { headroom: 0, reserve: { requests: 40 } })).toBe(10);
  expect(reserveAt(quota, at("12:00:00"), NO_RULES)).toBe(0);
});

test("who waits for the shrinking reserve is told the moment at which it leaves room for one request", () => {
  const rules: QuotaRules = { headroom: 0, reserve: { fraction: 0.1 } };
  const quota = quotaWith({ read: { day: 949 } });
  const held = admitRequest(quota, ask(NOW, 0, "schedule"), rules);
  expect(held).toMatchObject({ admit: "at", reason: "quota_reserve", stravaMs: at("23:00:00") });
  const then = (stravaMs: EpochMs) => admitRequest(quota, ask(stravaMs, 0, "schedule"), rules).admit;
  expect([then(plusMs(at("23:00:00"), -1)), then(at("23:00:00"))]).toEqual(["at", "yes"]);
});

test("after a 429 the wait is for the window that is full, the day before the quarter, else the next quarter", () => {
  const midnight = plusMs(at("00:00:00"), DAY_MS + RESET_SLACK_MS);
  const quarter = plusMs(at("10:15:00"), RESET_SLACK_MS);
  const wait = (quota: Quota) => holdAfterRefusal(quota, NOW);
  expect(wait(quotaWith({ read: { quarter: 100 } }))).toEqual({ reason: "quota_15min", stravaMs: quarter });
  expect(wait(quotaWith({ read: { quarter: 100, day: 1000 } }))).toEqual({ reason: "quota_daily", stravaMs: midnight });
  expect(wait(quotaWith({ overall: { day: 1999 } }))).toEqual({ reason: "quota_15min", stravaMs: quarter });
});

const moments = fc.integer({ min: 0, max: 2 * DAY_MS }).map((ms) => plusMs(at("00:00:00"), ms));
const reserves = fc.oneof(
  fc.record({ requests: fc.integer({ min: 0, max: 1_200 }) }),
  fc.record({ fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
);
const someRules = fc.record({ headroom: fc.integer({ min: 0, max: 20 }), reserve: reserves });
const someQuota = fc
  .tuple(moments, fc.nat({ max: 220 }), fc.nat({ max: 2_100 }), fc.nat({ max: 110 }), fc.nat({ max: 1_100 }))
  .map(([stravaMs, oq, od, rq, rd]) => ({
    stravaMs,
    quota: quotaWith({ overall: { quarter: oq, day: od }, read: { quarter: rq, day: rd } }, stravaMs),
  }));

test("an admitted request fits in every window with all those in flight, below the headroom; a reserve only adds", () => {
  fc.assert(
    fc.property(
      someQuota,
      fc.nat({ max: 8 }),
      someRules,
      fc.constantFrom("manual" as const, "event" as const, "connect" as const, "schedule" as const),
      ({ quota, stravaMs }, inFlight, rules, syncClass) => {
        const admission = admitRequest(quota, ask(stravaMs, inFlight, syncClass), rules);
        const room = Math.min(...mapQuotaTo(quota, (use) => use.limit - rules.headroom - use.used));
        if (admission.admit === "yes") expect(room).toBeGreaterThan(inFlight);
        if (admission.admit === "after_reply") expect(inFlight).toBeGreaterThan(0);
        if (admission.admit === "at") expect(admission.stravaMs).toBeGreaterThan(stravaMs);
        if (admission.admit === "at" && admission.reason !== "quota_reserve") expect(room).toBeLessThanOrEqual(0);
        if (syncClass === "manual" && inFlight === 0 && room > 0) expect(admission.admit).toBe("yes");
        if (admission.admit === "yes" && inFlight > 0) expect(inFlight).toBeLessThan(room / 8);
      },
    ),
    { numRuns: 500 },
  );
});

test("whoever waits until the moment given is not held back for the same reason again, but a second more at most", () => {
  fc.assert(
    fc.property(someQuota, someRules, ({ quota, stravaMs }, rules) => {
      // A reserve that leaves nothing of a whole day holds back every day anew.
      fc.pre("fraction" in rules.reserve ? rules.reserve.fraction < 0.9 : rules.reserve.requests < 900);
      const first = admitRequest(quota, ask(stravaMs, 0, "schedule"), rules);
      if (first.admit !== "at") return;
      const again = admitRequest(quota, ask(plusMs(first.stravaMs, 1_000), 0, "schedule"), rules);
      if (again.admit === "at") {
        // After the quarter the reserve may still hold; after the reserve, only a window may.
        expect(again.reason).not.toBe(first.reason);
        expect(first.stravaMs).toBeLessThan(again.stravaMs);
      }
    }),
    { numRuns: 500 },
  );
});

test("usage never passes the limit less the headroom, whatever the order of answers and the passing of windows", () => {
  type Sent = { sequence: number; countedAtMs: EpochMs; usage: RateObservation };
  const steps = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant("send" as const) }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant("answer" as const), which: fc.nat({ max: 7 }) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: HOUR_MS }) }),
      },
    ),
    { minLength: 20, maxLength: 150 },
  );
  const limits = fc.record({ quarter: fc.integer({ min: 3, max: 12 }), day: fc.integer({ min: 5, max: 40 }) });
  fc.assert(
    fc.property(steps, limits, fc.integer({ min: 0, max: 2 }), (actions, limit, headroom) => {
      const rules = { headroom, reserve: { requests: 0 } };
      let nowMs = at("23:40:00");
      // What Strava itself counts; it refuses nobody here, so that a request too many shows.
      let strava = {
        quarter: 0,
        day: 0,
        quarterStart: windowStartMs("quarter", nowMs),
        dayStart: windowStartMs("day", nowMs),
      };
      let quota: Quota = mapQuota((_budget, window) => ({
        startsAtMs: windowStartMs(window, nowMs),
        limit: limit[window],
        used: 0,
      }));
      const inFlight: Sent[] = [];
      let sequence = 0;
      let lastObserved = 0;
      for (const action of actions) {
        if (action.do === "wait") {
          // Requests do not outlive a window here: they are answered first.
          if (inFlight.length > 0) continue;
          nowMs = plusMs(nowMs, action.ms);
        }
        const [quarterStart, dayStart] = [windowStartMs("quarter", nowMs), windowStartMs("day", nowMs)];
        if (quarterStart !== strava.quarterStart) strava = { ...strava, quarter: 0, quarterStart };
        if (dayStart !== strava.dayStart) strava = { ...strava, day: 0, dayStart };
        if (action.do === "send") {
          if (admitRequest(quota, ask(nowMs, inFlight.length), rules).admit !== "yes") continue;
          strava = { ...strava, quarter: strava.quarter + 1, day: strava.day + 1 };
          expect(strava.quarter).toBeLessThanOrEqual(limit.quarter - headroom);
          expect(strava.day).toBeLessThanOrEqual(limit.day - headroom);
          const usage = { limit: [limit.quarter, limit.day], usage: [strava.quarter, strava.day] } as const;
          inFlight.push({ sequence: ++sequence, countedAtMs: nowMs, usage: { overall: usage, read: usage } });
        }
        if (action.do === "answer") {
          const [sent] = inFlight.splice(action.which % Math.max(1, inFlight.length), 1);
          if (sent === undefined) continue;
          const seen = { stravaMs: sent.countedAtMs, sentAfterLastObservation: sent.sequence > lastObserved };
          quota = observeQuota(rollQuota(quota, nowMs), sent.usage, seen);
          lastObserved = sequence;
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("a quarter lies wholly inside its day, wherever the moment", () => {
  fc.assert(
    fc.property(moments, (moment) => {
      const start = windowStartMs("quarter", moment);
      expect(moment - start).toBeLessThan(QUARTER_MS);
      expect(new Date(start).getUTCMinutes() % 15).toBe(0);
      expect(windowStartMs("day", start)).toBe(windowStartMs("day", moment));
      expect(start % MINUTE_MS).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test("a wait ends two seconds past the reset", () => {
  expect(RESET_SLACK_MS).toBe(2_000);
});

test("each window rolls by itself: one that has ended moves none that has not, nor one that is just early", () => {
  const ended = quotaWith({ read: { quarter: 5, day: 50 } }, plusMs(NOW, -QUARTER_MS)).read;
  const current = quotaWith({ overall: { quarter: 7, day: 70 } });
  for (const quota of [
    { ...current, read: ended },
    { overall: ended, read: current.overall },
  ])
    expect(used(rollQuota(quota, NOW)).toSorted((a, b) => a - b)).toEqual([0, 7, 50, 70]);
  const early = quotaWith({ read: { quarter: 5, day: 50 } }, at("10:15:00"));
  const yesterday = { ...early.read.day, startsAtMs: plusMs(at("00:00:00"), -DAY_MS) };
  const rolled = rollQuota({ ...early, read: { ...early.read, day: yesterday } }, at("10:10:00"));
  expect(rolled.read.quarter).toEqual({ startsAtMs: at("10:15:00"), limit: 100, used: 5 });
  expect(rolled.read.day).toEqual({ startsAtMs: at("00:00:00"), limit: 1_000, used: 0 });
});

test("the smallest limit that is believed is one", () => {
  const seen = { stravaMs: NOW, sentAfterLastObservation: true };
  const pair = { limit: [1, 1], usage: [0, 0] } as const;
  const quota = observeQuota(quotaWith({}), { overall: pair, read: pair }, seen);
  expect(mapQuotaTo(quota, (use) => use.limit)).toEqual([1, 1, 1, 1]);
});

test("a reserve that is a fraction of the limit is rounded up", () => {
  const quota = mapQuota((budget, window) => ({ ...quotaWith({})[budget][window], limit: 1_005 }));
  expect(reserveAt(quota, NOW, { headroom: 0, reserve: { fraction: 0.1 } })).toBe(101);
});

test("before the reserve, what is in flight and the headroom count as spent", () => {
  const admitted = (usedReads: number, inFlight: number, headroom = 0) =>
    admitRequest(
      quotaWith({ read: { quarter: 1, day: usedReads }, overall: { quarter: 1, day: 1 } }),
      ask(NOW, inFlight, "schedule"),
      { headroom, reserve: { requests: 400 } },
    ).admit;
  expect([1, 2, 3].map((inFlight) => admitted(598, inFlight))).toEqual(["yes", "after_reply", "after_reply"]);
  expect([0, 1].map((inFlight) => admitted(599, inFlight))).toEqual(["yes", "after_reply"]);
  expect([588, 589, 590].map((usedReads) => admitted(usedReads, 0, 10))).toEqual(["yes", "yes", "at"]);
});

test("the moment that the reserve leaves room is never before it does, a second away at least, and the reset at the latest", () => {
  const heldUntil = (usedReads: number, stravaMs: EpochMs, requests: number) => {
    const admission = admitRequest(quotaWith({ read: { day: usedReads } }, stravaMs), ask(stravaMs, 0, "schedule"), {
      headroom: 0,
      reserve: { requests },
    });
    return admission.admit === "at" ? admission.stravaMs : undefined;
  };
  const midnight = plusMs(at("00:00:00"), DAY_MS);
  // 11 are left of 70: two hours, less 1,028,571.4 ms.
  expect(heldUntil(989, NOW, 70)).toBe(plusMs(midnight, -1_028_571));
  expect(heldUntil(949, at("22:59:59.500"), 100)).toBe(at("23:00:00.500"));
  expect(heldUntil(999, NOW, 100)).toBe(midnight);
});

describe("settlingAfter", () => {
  const MIDNIGHT = epochMs(Date.UTC(2025, 10, 18));
  const QUARTER = 15 * 60_000;
  /** Read windows of the quarter before midnight and of its day, used so far; overall has room. */
  const before = (quarterUsed: number, dayUsed: number): Quota =>
    mapQuota((budget, window) => {
      const startsAtMs = epochMs(window === "day" ? MIDNIGHT - 24 * 3_600_000 : MIDNIGHT - QUARTER);
      const limit = window === "day" ? 1_000 : 100;
      return { startsAtMs, limit, used: budget === "read" ? (window === "day" ? dayUsed : quarterUsed) : 0 };
    });
  const settling = (quota: Quota, stravaMs: number) => settlingAfter(quota, rollQuota(quota, epochMs(stravaMs)));

  test("a window that was full, or nearly, when it ended keeps everybody for two seconds more; one with room keeps nobody", () => {
    const reason = "quota_15min";
    expect(settling(before(100, 500), MIDNIGHT)).toEqual({ reason, stravaMs: epochMs(MIDNIGHT + 2_000) });
    expect(settling(before(88, 500), MIDNIGHT)).toEqual({ reason, stravaMs: epochMs(MIDNIGHT + 2_000) });
    expect(settling(before(87, 500), MIDNIGHT)).toBeUndefined();
    expect(settling(before(100, 500), MIDNIGHT - 1)).toBeUndefined();
  });

  test("where a day ends with its quarter, it is the day that was waited for", () => {
    const reason = "quota_daily";
    expect(settling(before(100, 1_000), MIDNIGHT)).toEqual({ reason, stravaMs: epochMs(MIDNIGHT + 2_000) });
    expect(settling(before(10, 1_000), MIDNIGHT)).toEqual({ reason, stravaMs: epochMs(MIDNIGHT + 2_000) });
    // An eighth of it is left.
    expect(settling(before(10, 875), MIDNIGHT)).toEqual({ reason, stravaMs: epochMs(MIDNIGHT + 2_000) });
    expect(settling(before(10, 874), MIDNIGHT)).toBeUndefined();
  });

  test("windows that ended long ago say nothing of the one that has begun", () => {
    expect(settling(before(100, 500), MIDNIGHT + QUARTER)).toBeUndefined();
  });
});
