/**
 * When the syncs in progress will be done, as a range: what is certain to be needed, what is likely, and, once the list is
 * known, what will be needed at most. Requests are shared as the processor shares them (by class, athletes in turn), and paid
 * for by the windows of the quota as they come.
 */
import {
  mapQuota,
  QUOTA_BUDGETS,
  type Quota,
  type QuotaRules,
  reserveAt,
  rollQuota,
  windowResetMs,
  windowStartMs,
} from "./quota.ts";
import { classRank, PAGE_SIZE, type SyncClass } from "./sync.ts";
import { type AthleteId, DAY_MS, type EpochMs, epochMs, plusMs, QUARTER_MS, type SyncId } from "./units.ts";

/** What is known of a sync's remaining work. */
export type SyncNeed = {
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  /** Held by a person: it is done when they say so. */
  readonly isPaused: boolean;
  readonly racesPending: number;
  /** undefined once the list is complete. */
  readonly listing: Listing | undefined;
};
export type Listing = {
  /** An incremental list ends where it reaches back far enough: mostly on its first page. */
  readonly isBounded: boolean;
  readonly activitiesListed: number;
  readonly racesListed: number;
  /** Of the athlete's last complete list; its races are known. undefined: this is the first. */
  readonly lastListLength: number | undefined;
};

/** `most` is undefined while nobody knows how long the list is. */
export type Amount = { readonly least: number; readonly likely: number; readonly most: number | undefined };
/** undefined: nobody knows, or not within two months. */
export type DoneAt = {
  readonly earliestMs: EpochMs | undefined;
  readonly likelyMs: EpochMs | undefined;
  readonly latestMs: EpochMs | undefined;
};
export type SyncForecast = {
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly requests: Amount;
  readonly doneAt: DoneAt;
};
/** Of the club: all syncs in progress but those that a person holds. */
export type ClubForecast = {
  readonly requests: Amount;
  readonly doneAt: DoneAt;
  readonly syncs: readonly SyncForecast[];
};

export type ForecastBasis = {
  readonly quota: Quota;
  readonly rules: QuotaRules;
  /** By Strava's clock: now, or the end of a hold. All times of the forecast are Strava's too. */
  readonly fromMs: EpochMs;
  /** Requests that other clients of the application made since the day began. */
  readonly othersToday: number;
  /** How long one request takes, and how many are in flight at once. */
  readonly requestMs: number;
  readonly requestsInFlight: number;
  /** Mean length of the complete lists of the club; undefined: there is none yet. */
  readonly meanListLength: number | undefined;
};

/** A list whose length nobody can tell from others' is taken to be as long as one that was recorded: 1,132, of them 84 races. */
const TYPICAL_LIST = 1_100;
const TYPICAL_RACE_SHARE = 84 / 1_132;
/** Of a shorter list the share of races is chance. */
const LIST_WITH_A_SHARE = 100;
/** Pages overlap by one activity. */
const NEW_A_PAGE = PAGE_SIZE - 1;
/** A forecast looks no further ahead: what takes longer, nobody knows. */
const HORIZON_MS = 60 * DAY_MS;

/** Forecasts every sync in progress, and the club as a whole. Pure. */
export function forecastClub(needs: readonly SyncNeed[], basis: ForecastBasis): ClubForecast {
  const raceShare = shareOfRaces(needs);
  const typical = { raceShare, listLength: basis.meanListLength ?? TYPICAL_LIST };
  const wanted = needs.map((need): Wanted => ({ need, ...workOf(need, typical) }));
  const moving = wanted.filter(({ need }) => !need.isPaused);
  const earliest = finishTimes(moving, "least", { ...basis, othersToday: 0 });
  const likely = finishTimes(moving, "likely", basis);
  const latest = finishTimes(moving, "most", basis);
  const syncs = wanted.map(({ need, requests }) => ({
    syncId: need.syncId,
    athleteId: need.athleteId,
    requests,
    doneAt: {
      earliestMs: earliest.get(need.syncId),
      likelyMs: likely.get(need.syncId),
      latestMs: latest.get(need.syncId),
    },
  }));
  const paused = new Set(needs.filter(({ isPaused }) => isPaused).map(({ syncId }) => syncId));
  const running = syncs.filter(({ syncId }) => !paused.has(syncId));
  return { requests: total(running.map(({ requests }) => requests)), doneAt: lastOf(running), syncs };
}

/** Of the requests, `pages` follow one another; where the list is known, none is left. */
type Work = { readonly requests: Amount; readonly pages: Amount };
type Wanted = Work & { readonly need: SyncNeed };

/** Of the lists that are being read, how many activities are races. */
function shareOfRaces(needs: readonly SyncNeed[]): number {
  let activities = 0;
  let races = 0;
  for (const { listing } of needs) {
    if (listing === undefined || listing.isBounded) continue;
    activities += listing.activitiesListed;
    races += listing.racesListed;
  }
  return activities < LIST_WITH_A_SHARE ? TYPICAL_RACE_SHARE : races / activities;
}

function workOf(need: SyncNeed, typical: { raceShare: number; listLength: number }): Work {
  const { racesPending, listing } = need;
  if (listing === undefined) return { requests: same(racesPending), pages: same(0) };
  if (listing.isBounded) return reading({ racesPending, pages: 1, newRaces: 0 });
  const { activitiesListed, racesListed, lastListLength } = listing;
  const unlisted = Math.max(0, (lastListLength ?? typical.listLength) - activitiesListed);
  const share = activitiesListed < LIST_WITH_A_SHARE ? typical.raceShare : racesListed / activitiesListed;
  // Races of a list that was read before are known, and only those that changed are asked for again.
  const newRaces = lastListLength === undefined ? Math.round(unlisted * share) : 0;
  return reading({ racesPending, pages: Math.ceil(unlisted / NEW_A_PAGE) + 1, newRaces });
}

const same = (count: number): Amount => ({ least: count, likely: count, most: count });

/** While a list is read: one page more is certain, so many pages and new races are likely. */
function reading(likely: { racesPending: number; pages: number; newRaces: number }): Work {
  const { racesPending, pages, newRaces } = likely;
  return {
    requests: { least: racesPending + 1, likely: racesPending + pages + newRaces, most: undefined },
    pages: { least: 1, likely: pages, most: undefined },
  };
}

function total(amounts: readonly Amount[]): Amount {
  return amounts.reduce<Amount>(
    (sum, { least, likely, most }) => ({
      least: sum.least + least,
      likely: sum.likely + likely,
      most: sum.most === undefined || most === undefined ? undefined : sum.most + most,
    }),
    { least: 0, likely: 0, most: 0 },
  );
}

/** The club is done when the last sync is; unknown as long as that of one is. */
function lastOf(syncs: readonly SyncForecast[]): DoneAt {
  const last = (timeOf: (doneAt: DoneAt) => EpochMs | undefined): EpochMs | undefined => {
    const times = syncs.map(({ doneAt }) => timeOf(doneAt));
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 || known.length < times.length ? undefined : epochMs(Math.max(...known));
  };
  return {
    earliestMs: last(({ earliestMs }) => earliestMs),
    likelyMs: last(({ likelyMs }) => likelyMs),
    latestMs: last(({ latestMs }) => latestMs),
  };
}

/**
 * When each sync has had its last request. Classes are served one after the other, and within a class athletes take
 * turns: when a sync of n requests is done, each other of its class has had n too, or all that it needed.
 */
function finishTimes(wanted: readonly Wanted[], bound: keyof Amount, basis: ForecastBasis): Map<SyncId, EpochMs> {
  const inOrder = wanted
    .map(({ need, requests, pages }) => ({
      need,
      rank: classRank(need.syncClass),
      amount: requests[bound] ?? Number.POSITIVE_INFINITY,
      serialMs: (pages[bound] ?? 0) * basis.requestMs,
    }))
    .sort((a, b) => a.rank - b.rank || a.amount - b.amount);
  const times = new Map<SyncId, EpochMs>();
  const payers = new Map([false, true].map((isReserved) => [isReserved, createPayer(basis, isReserved)]));
  let before = 0;
  for (let start = 0; start < inOrder.length; ) {
    const rank = inOrder[start]?.rank;
    const count = inOrder.slice(start).findIndex((one) => one.rank !== rank);
    const group = inOrder.slice(start, count < 0 ? undefined : start + count);
    let done = 0;
    for (const [at, { need, amount, serialMs }] of group.entries()) {
      const position = before + done + amount * (group.length - at);
      done += amount;
      const isReserved = need.syncClass === "connect" || need.syncClass === "schedule";
      const paidMs = payers.get(isReserved)?.(position);
      // Pages of a list follow one another, whatever the quota.
      if (paidMs !== undefined) times.set(need.syncId, epochMs(Math.max(paidMs, plusMs(basis.fromMs, serialMs))));
    }
    before += done;
    start += group.length;
  }
  return times;
}

/**
 * Says when the windows have paid for so many requests from now on. Ask for rising numbers: it walks through the quarters of
 * an hour once. `isReserved`: the day's reserve is not theirs.
 */
function createPayer(basis: ForecastBasis, isReserved: boolean): (requests: number) => EpochMs | undefined {
  const { rules, fromMs, requestMs, requestsInFlight } = basis;
  const paceMs = requestMs / requestsInFlight;
  let quota = rollQuota(basis.quota, fromMs);
  let nowMs = fromMs;
  let paidBefore = 0;
  const dayStartMs = windowStartMs("day", fromMs);
  const othersPerMs = basis.othersToday / Math.max(QUARTER_MS, fromMs - dayStartMs);

  return (requests) => {
    if (!Number.isFinite(requests)) return undefined;
    for (;;) {
      const endMs = windowResetMs("quarter", windowStartMs("quarter", nowMs));
      const others = Math.floor(othersPerMs * (endMs - nowMs));
      const room = Math.max(0, roomIn(quota, endMs, rules, isReserved) - others);
      if (requests - paidBefore <= room) return epochMs(Math.round(nowMs + (requests - paidBefore) * paceMs));
      if (endMs - fromMs > HORIZON_MS) return undefined;
      paidBefore += room;
      quota = rollQuota(spend(quota, room + others), endMs);
      nowMs = endMs;
    }
  };
}

/** What may still go out in this quarter of an hour: of all four windows the least. */
function roomIn(quota: Quota, endMs: EpochMs, rules: QuotaRules, isReserved: boolean): number {
  const rooms = QUOTA_BUDGETS.flatMap((budget) => [
    quota[budget].quarter.limit - rules.headroom - quota[budget].quarter.used,
    quota[budget].day.limit - rules.headroom - quota[budget].day.used,
  ]);
  if (isReserved) {
    const { limit, used } = quota.read.day;
    rooms.push(limit - rules.headroom - used - reserveAt(quota, epochMs(endMs - 1), rules));
  }
  return Math.max(0, Math.min(...rooms));
}

const spend = (quota: Quota, requests: number): Quota =>
  mapQuota((budget, window) => ({ ...quota[budget][window], used: quota[budget][window].used + requests }));
