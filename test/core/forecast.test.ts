import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ForecastBasis, forecastClub, type Listing, type SyncNeed } from "../../src/core/forecast.ts";
import { mapQuota, type Quota, unknownQuota } from "../../src/core/quota.ts";
import {
  type AthleteId,
  DAY_MS,
  type EpochMs,
  epochMs,
  HOUR_MS,
  MINUTE_MS,
  plusMs,
  SECOND_MS,
  type SyncId,
} from "../../src/core/units.ts";

const MIDNIGHT = epochMs(Date.UTC(2025, 10, 17));
const at = (hours: number, minutes = 0): EpochMs => plusMs(MIDNIGHT, hours * HOUR_MS + minutes * MINUTE_MS);

/** 100 reads a quarter of an hour and 1,000 a day, nothing used, no reserve, nobody else. */
function basis(values: Partial<ForecastBasis> = {}): ForecastBasis {
  const fromMs = values.fromMs ?? MIDNIGHT;
  return {
    quota: unknownQuota(fromMs),
    rules: { headroom: 0, reserve: { requests: 0 } },
    fromMs,
    othersToday: 0,
    requestMs: 0,
    requestsInFlight: 8,
    meanListLength: undefined,
    ...values,
  };
}
const usedQuota = (quarter: number, day: number, stravaMs: EpochMs): Quota =>
  mapQuota((budget, window) => ({
    ...unknownQuota(stravaMs)[budget][window],
    used: window === "quarter" ? quarter : day,
  }));

let made = 0;
function enriching(racesPending: number, values: Partial<SyncNeed> = {}): SyncNeed {
  return {
    syncId: ++made as SyncId,
    athleteId: made as AthleteId,
    syncClass: "manual",
    isPaused: false,
    racesPending,
    listing: undefined,
    ...values,
  };
}
function listing(values: Partial<Listing>, need: Partial<SyncNeed> = {}): SyncNeed {
  const list = { isBounded: false, activitiesListed: 0, racesListed: 0, lastListLength: undefined, ...values };
  return enriching(0, { listing: list, ...need });
}

test("what the quarter can pay for is done at once, one more waits for the next quarter", () => {
  expect(forecastClub([enriching(100)], basis()).doneAt.likelyMs).toBe(MIDNIGHT);
  expect(forecastClub([enriching(101)], basis()).doneAt.likelyMs).toBe(at(0, 15));
  expect(forecastClub([enriching(100)], basis({ quota: usedQuota(30, 30, MIDNIGHT) })).doneAt.likelyMs).toBe(at(0, 15));
});

test("what the day cannot pay for waits for midnight", () => {
  expect(forecastClub([enriching(1_000)], basis()).doneAt.likelyMs).toBe(at(2, 15));
  expect(forecastClub([enriching(1_001)], basis()).doneAt.likelyMs).toBe(at(24));
  expect(forecastClub([enriching(5_460)], basis()).doneAt.likelyMs).toBe(at(5 * 24 + 1));
});

test("a hold, a headroom and a reserve are waited for; the reserve is there for a person", () => {
  expect(forecastClub([enriching(10)], basis({ fromMs: at(7, 20) })).doneAt.likelyMs).toBe(at(7, 20));
  const headroom = { headroom: 10, reserve: { requests: 0 } };
  expect(forecastClub([enriching(91)], basis({ rules: headroom })).doneAt.likelyMs).toBe(at(0, 15));
  const reserve = { headroom: 0, reserve: { requests: 400 } };
  const scheduled = enriching(690, { syncClass: "schedule" });
  // 600 are free before the reserve shrinks; in the last two hours it leaves room for the rest.
  expect(forecastClub([scheduled], basis({ rules: reserve })).doneAt.likelyMs).toBe(at(22, 15));
  expect(forecastClub([enriching(690)], basis({ rules: reserve })).doneAt.likelyMs).toBe(at(1, 30));
});

test("athletes of one class take turns, a class goes before the next: each sync has its own time", () => {
  // When the short one has had its 60, the long one has had 60 too.
  const short = enriching(60);
  const long = enriching(140);
  const later = enriching(10, { syncClass: "schedule" });
  const { syncs, doneAt } = forecastClub([later, long, short], basis());
  const timeOf = (need: SyncNeed) => syncs.find(({ syncId }) => syncId === need.syncId)?.doneAt.likelyMs;
  expect([timeOf(short), timeOf(long), timeOf(later)]).toEqual([at(0, 15), at(0, 15), at(0, 30)]);
  expect(doneAt.likelyMs).toBe(at(0, 30));
});

test("a first list of unknown length: at least one page more, likely as long as the club's others, at most nobody knows", () => {
  const { requests, doneAt } = forecastClub([listing({})], basis({ meanListLength: 398 }));
  expect(requests).toEqual({ least: 1, likely: 2 + 1 + Math.round(398 * (84 / 1_132)), most: undefined });
  expect(doneAt.latestMs).toBeUndefined();
  expect(doneAt.earliestMs).toBe(MIDNIGHT);
});

test("the share of races in what was listed so far is that of the rest", () => {
  const half = listing({ activitiesListed: 500, racesListed: 50 }, { racesPending: 50 });
  const { requests } = forecastClub([half], basis({ meanListLength: 1_000 }));
  expect(requests).toEqual({ least: 51, likely: 50 + Math.ceil(500 / 199) + 1 + 50, most: undefined });
});

test("a list that was read before is as long as it was, and brings no races that are not known", () => {
  const again = listing({ activitiesListed: 199, racesListed: 20, lastListLength: 1_100 });
  expect(forecastClub([again], basis()).requests).toEqual({
    least: 1,
    likely: Math.ceil(901 / 199) + 1,
    most: undefined,
  });
});

test("an incremental list likely ends with its first page", () => {
  expect(forecastClub([listing({ isBounded: true })], basis()).requests).toEqual({
    least: 1,
    likely: 1,
    most: undefined,
  });
});

test("what other clients have spent today they go on spending: likely is later, the earliest is without them", () => {
  const fromMs = at(2);
  // 240 in two hours are 30 a quarter of an hour.
  const others = basis({ fromMs, othersToday: 240, quota: usedQuota(0, 240, fromMs) });
  const { doneAt } = forecastClub([enriching(200)], others);
  expect([doneAt.earliestMs, doneAt.likelyMs]).toEqual([at(2, 15), at(2, 30)]);
});

test("a sync that a person holds has no time, and keeps nobody else's", () => {
  const held = enriching(500, { isPaused: true });
  const { syncs, requests, doneAt } = forecastClub([held, enriching(10)], basis());
  expect(syncs[0]?.doneAt).toEqual({ earliestMs: undefined, likelyMs: undefined, latestMs: undefined });
  expect([requests.likely, doneAt.likelyMs]).toEqual([10, MIDNIGHT]);
});

test("pages of a list follow one another, however large the quota", () => {
  const quota = mapQuota((budget, window) => ({ ...unknownQuota(MIDNIGHT)[budget][window], limit: 1_000_000 }));
  const pages = forecastClub([listing({ lastListLength: 1_990 })], basis({ quota, requestMs: SECOND_MS }));
  expect(pages.doneAt.likelyMs).toBe(plusMs(MIDNIGHT, 11 * SECOND_MS));
});

test("nothing to do is done; more than two months ahead nobody knows", () => {
  expect(forecastClub([], basis())).toEqual({
    requests: { least: 0, likely: 0, most: 0 },
    doneAt: { earliestMs: undefined, likelyMs: undefined, latestMs: undefined },
    syncs: [],
  });
  expect(forecastClub([enriching(0)], basis()).doneAt.latestMs).toBe(MIDNIGHT);
  expect(forecastClub([enriching(1_000_000)], basis()).doneAt.likelyMs).toBeUndefined();
});

test("earliest, likely and latest are in this order, and more work is never done sooner", () => {
  const needs = fc.array(
    fc.record({ races: fc.nat({ max: 300 }), syncClass: fc.constantFrom("manual" as const, "schedule" as const) }),
    { minLength: 1, maxLength: 8 },
  );
  const moments = fc.integer({ min: 0, max: 2 * DAY_MS }).map((ms) => plusMs(MIDNIGHT, ms));
  fc.assert(
    fc.property(needs, moments, fc.nat({ max: 500 }), (some, fromMs, othersToday) => {
      const rules = { headroom: 0, reserve: { fraction: 0.1 } };
      const ofClub = (more: number) =>
        forecastClub(
          some.map(({ races, syncClass }) => enriching(races + more, { syncClass })),
          basis({ fromMs, othersToday, rules }),
        );
      const { doneAt, syncs } = ofClub(0);
      const never = Number.POSITIVE_INFINITY;
      for (const time of [doneAt, ...syncs.map((sync) => sync.doneAt)]) {
        const order = [time.earliestMs, time.likelyMs, time.latestMs].map((ms) => ms ?? never);
        expect(order).toEqual([...order].sort((a, b) => a - b));
        expect(order[0]).toBeGreaterThanOrEqual(fromMs);
      }
      expect(ofClub(40).doneAt.likelyMs ?? never).toBeGreaterThanOrEqual(doneAt.likelyMs ?? never);
    }),
    { numRuns: 50 },
  );
});

test("the races that a first list is likely to bring are no pages: they go out side by side", () => {
  const quota = mapQuota((budget, window) => ({ ...unknownQuota(MIDNIGHT)[budget][window], limit: 1_000_000 }));
  const slow = basis({ quota, requestMs: SECOND_MS, meanListLength: 1_990 });
  const { requests, doneAt } = forecastClub([listing({})], slow);
  // Ten pages and the empty one, one after the other; 148 races and the pages, eight at a time.
  expect(requests.likely).toBe(11 + 148);
  expect(doneAt.likelyMs).toBe(plusMs(MIDNIGHT, (159 / 8) * SECOND_MS));
  expect(forecastClub([listing({})], { ...slow, requestsInFlight: 1_000 }).doneAt.likelyMs).toBe(
    plusMs(MIDNIGHT, 11 * SECOND_MS),
  );
});

test("at the earliest, one page more is read, however long the list is likely to be", () => {
  const slow = basis({ requestMs: SECOND_MS, requestsInFlight: 1 });
  const { doneAt } = forecastClub([listing({ lastListLength: 1_990 })], slow);
  expect([doneAt.earliestMs, doneAt.likelyMs]).toEqual([plusMs(MIDNIGHT, SECOND_MS), plusMs(MIDNIGHT, 11 * SECOND_MS)]);
  const [first, second] = [listing({ isBounded: true }), enriching(3)];
  expect(forecastClub([first, second], slow).doneAt.likelyMs).toBe(plusMs(MIDNIGHT, 4 * SECOND_MS));
});

const likelyOf = (need: SyncNeed, values: Partial<ForecastBasis> = {}, ...others: SyncNeed[]) =>
  forecastClub([need, ...others], basis(values)).syncs[0]?.requests.likely;

test("where no list of the club is known, it is taken to be as long as one that was recorded", () => {
  expect(likelyOf(listing({ activitiesListed: 100, racesListed: 50 }))).toBe(Math.ceil(1_000 / 199) + 1 + 500);
  expect(likelyOf(listing({}), { meanListLength: 11_320_000 })).toBe(Math.ceil(11_320_000 / 199) + 1 + 840_000);
});

test("the share of a list counts from a hundred activities on; of a shorter one it is that of the lists being read", () => {
  const newRaces = (need: SyncNeed, unlisted: number, ...others: SyncNeed[]) =>
    (likelyOf(need, { meanListLength: unlisted + (need.listing?.activitiesListed ?? 0) }, ...others) ?? 0) -
    Math.ceil(unlisted / 199) -
    1;
  expect(newRaces(listing({ activitiesListed: 100, racesListed: 25 }), 10_000)).toBe(2_500);
  const short = listing({ activitiesListed: 99, racesListed: 99 });
  expect(newRaces(short, 11_320)).toBe(840);
  const [rich, poor] = [
    { activitiesListed: 900, racesListed: 900 },
    { activitiesListed: 100, racesListed: 25 },
  ];
  expect(newRaces(listing(poor), 10_000, listing(rich))).toBe(2_500);
  // 100 activities of the club, of them 99 + 0 races.
  expect(newRaces(short, 10_000, listing({ activitiesListed: 1 }))).toBe(9_900);
  const [one, other] = [
    listing({ activitiesListed: 300, racesListed: 30 }),
    listing({ activitiesListed: 200, racesListed: 50 }),
  ];
  expect(newRaces(listing({}), 1_000_000, one, other, enriching(5))).toBe(160_000);
  // Where an incremental list is read, races are what it looks for.
  const bounded = listing({ isBounded: true, activitiesListed: 500, racesListed: 500 });
  expect(newRaces(listing({}), 1_132, bounded)).toBe(84);
});

test("a list that has grown longer than it was ends with the next page; two pages overlap by one activity", () => {
  expect(likelyOf(listing({ activitiesListed: 1_200, lastListLength: 1_100 }))).toBe(1);
  expect([199, 200, 398, 399].map((lastListLength) => likelyOf(listing({ lastListLength })))).toEqual([2, 3, 3, 4]);
});

test("what the club needs at most is the sum, and unknown as long as that of one is", () => {
  const mostOf = (...needs: SyncNeed[]) => forecastClub(needs, basis()).requests.most;
  expect(mostOf(enriching(10), enriching(20))).toBe(30);
  expect(mostOf(enriching(10), listing({}), enriching(20))).toBeUndefined();
  // Whose list is known is done at the latest when all that are before it are, whoever stands first.
  const known = enriching(10);
  const { syncs, doneAt } = forecastClub([listing({}), known], basis());
  expect([syncs[1]?.doneAt.latestMs, doneAt.latestMs]).toEqual([MIDNIGHT, undefined]);
});

test("two of a later class take turns too, after all that goes before them", () => {
  const [first, second] = [enriching(60, { syncClass: "schedule" }), enriching(90, { syncClass: "schedule" })];
  const { syncs } = forecastClub([enriching(70), second, first], basis());
  // 70 + 60 + 60 of them, and 70 + 60 + 90.
  expect(syncs.map(({ doneAt }) => doneAt.likelyMs)).toEqual([MIDNIGHT, at(0, 30), at(0, 15)]);
});

test("an athlete who has just connected does not get the reserve", () => {
  const rules = { headroom: 0, reserve: { requests: 400 } };
  const doneAt = (syncClass: SyncNeed["syncClass"]) =>
    forecastClub([enriching(690, { syncClass })], basis({ rules })).doneAt.likelyMs;
  expect([doneAt("manual"), doneAt("event")]).toEqual([at(1, 30), at(1, 30)]);
  expect([doneAt("connect"), doneAt("schedule")]).toEqual([at(22, 15), at(22, 15)]);
});

test("the reserve of a quarter is that of its last moment, less the headroom as well", () => {
  const doneAt = (requests: number, headroom = 0) =>
    forecastClub(
      [enriching(requests, { syncClass: "schedule" })],
      basis({
        fromMs: at(23, 30),
        rules: { headroom, reserve: { requests: 400 } },
        quota: usedQuota(0, 900, at(23, 30)),
      }),
    ).doneAt.likelyMs;
  // Until 23:45 the reserve is 51, until midnight 1: of the 100 that are left, 49 and then 50 more.
  expect([49, 50, 99, 100].map((requests) => doneAt(requests))).toEqual([at(23, 30), at(23, 45), at(23, 45), at(24)]);
  expect([39, 40, 89, 90].map((requests) => doneAt(requests, 10))).toEqual([
    at(23, 30),
    at(23, 45),
    at(23, 45),
    at(24),
  ]);
});

test("the day pays too, less the headroom", () => {
  const doneAt = (requests: number) =>
    forecastClub(
      [enriching(requests)],
      basis({ rules: { headroom: 10, reserve: { requests: 0 } }, quota: usedQuota(0, 960, MIDNIGHT) }),
    ).doneAt.likelyMs;
  expect([30, 31].map(doneAt)).toEqual([MIDNIGHT, at(24)]);
});

test("requests take their time: so many at once, from the quarter in which they go out, to the millisecond", () => {
  const slow = basis({ requestMs: SECOND_MS });
  expect(forecastClub([enriching(5)], slow).doneAt.likelyMs).toBe(plusMs(MIDNIGHT, 625));
  expect(forecastClub([enriching(50)], slow).doneAt.likelyMs).toBe(plusMs(MIDNIGHT, 6_250));
  expect(forecastClub([enriching(150)], slow).doneAt.likelyMs).toBe(plusMs(at(0, 15), 6_250));
  expect(forecastClub([enriching(5)], basis({ requestMs: 1 })).doneAt.likelyMs).toBe(plusMs(MIDNIGHT, 1));
});

test("what others spend is counted in whole requests, and at the earliest they spend nothing", () => {
  const fromMs = at(2);
  const doneAt = (othersToday: number) => forecastClub([enriching(100)], basis({ fromMs, othersToday })).doneAt;
  // Seven in two hours are less than one a quarter of an hour, nine are more.
  expect([7, 9].map((others) => doneAt(others).likelyMs)).toEqual([fromMs, at(2, 15)]);
  expect(doneAt(9).earliestMs).toBe(fromMs);
  // Just after midnight, what was spent so far is that of a quarter at least.
  expect(forecastClub([enriching(100)], basis({ othersToday: 2 })).doneAt).toMatchObject({
    earliestMs: MIDNIGHT,
    likelyMs: at(0, 15),
  });
});

test("sixty days ahead are known to the request, and not one more", () => {
  const doneAt = (requests: number) => forecastClub([enriching(requests)], basis()).doneAt.likelyMs;
  expect([60_000, 60_001, 60_100, 60_101].map(doneAt)).toEqual([
    at(59 * 24 + 2, 15),
    at(60 * 24),
    at(60 * 24),
    undefined,
  ]);
});
