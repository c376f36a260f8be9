import type { LedgerEntry } from "../src/sandbox/ledger.ts";
import type { StoreState } from "./kill-test-store.ts";

/** What a kill cost, as Strava's own ledger and the database tell. */
export type Loss = {
  /** Requests whose answer was still on its way. */
  readonly inFlight: number;
  /** Pages asked for in this life that the database does not know; so will be asked for again. */
  readonly pages: readonly string[];
  /** The same of details, by activity. */
  readonly details: readonly number[];
  /** How many of both had been answered. */
  readonly uncommitted: number;
  /** The oldest of those answers: how long before the kill it was handed over, in milliseconds. */
  readonly oldestUncommittedMs: number;
};

/** The daemon's default (BROOMWAGON_REQUESTS_IN_FLIGHT). */
const REQUESTS_IN_FLIGHT = 8;
/** The daemon commits an answer within 5 ms; a busy machine needs some more to hand it over and to write it. */
const COMMIT_LIMIT_MS = 100;

/**
 * @param life.asked its requests, after the last of them has come in
 * @param life.after the database that it left
 */
export function lossOf(life: {
  asked: readonly LedgerEntry[];
  after: StoreState;
  killedAtMs: number;
  answeredAtMs: ReadonlyMap<string, number>;
}): Loss {
  const { asked, after, killedAtMs, answeredAtMs } = life;
  const cursors = new Set(
    after.syncs
      .filter(({ phase }) => phase === "discovery")
      .map(({ stravaId, beforeSeconds, page }) => pageKey(stravaId, beforeSeconds, page)),
  );
  const lost = asked.filter(
    (entry) => (isList(entry) && cursors.has(pageOf(entry))) || after.pendingRaces.has(entry.activityId ?? 0),
  );
  const uncommitted = lost.filter(({ isDelivered }) => isDelivered);
  return {
    inFlight: asked.filter(({ isDelivered }) => !isDelivered).length,
    pages: [...new Set(lost.filter(isList).map(pageOf))],
    details: [...new Set(detailsOf(lost))],
    uncommitted: uncommitted.length,
    oldestUncommittedMs: Math.max(0, ...uncommitted.map(({ path }) => killedAtMs - (answeredAtMs.get(path) ?? 0))),
  };
}

/** Holds one kill against its limits: only what was in flight, or had just come in. @returns a sentence for each breach. */
export function judgeLoss({ inFlight, oldestUncommittedMs }: Loss): string[] {
  return [
    ...(inFlight <= REQUESTS_IN_FLIGHT ? [] : [`${inFlight} requests were in flight, over ${REQUESTS_IN_FLIGHT}`]),
    ...(oldestUncommittedMs <= COMMIT_LIMIT_MS
      ? []
      : [`an answer that came ${oldestUncommittedMs} ms before was not committed, over ${COMMIT_LIMIT_MS} ms`]),
  ];
}

/**
 * Holds the whole ledger against the losses: a page or a detail may have been asked for once, and once more for each
 * kill that lost it. @returns a sentence for each that does not.
 */
export function judgeLedger(ledger: readonly LedgerEntry[], losses: readonly Loss[]): string[] {
  const pages = countTwice(
    "page",
    ledger.filter(isList).map(pageOf),
    losses.flatMap((loss) => loss.pages),
  );
  const details = countTwice(
    "detail of activity",
    detailsOf(ledger),
    losses.flatMap((loss) => loss.details),
  );
  const refused = ledger.filter(({ status }) => status >= 400);
  const refusals =
    refused.length === 0 ? [] : [`${refused.length} requests were refused, the first with ${refused[0]?.status}`];
  return [...pages, ...details, ...refusals];
}

function countTwice<Key>(what: string, asked: readonly Key[], lost: readonly Key[]): string[] {
  const times = countEach(asked);
  const losses = countEach(lost);
  return [...times].flatMap(([key, count]) => {
    const allowed = 1 + (losses.get(key) ?? 0);
    return count <= allowed ? [] : [`${what} ${key} was asked for ${count} times, and lost ${allowed - 1} times`];
  });
}

function countEach<Key>(keys: readonly Key[]): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

const isList = ({ kind }: LedgerEntry): boolean => kind === "list";

const detailsOf = (entries: readonly LedgerEntry[]): number[] =>
  entries.flatMap(({ kind, activityId }) => (kind === "detail" && activityId !== undefined ? [activityId] : []));

function pageOf({ stravaId, path }: LedgerEntry): string {
  const query = new URL(path, "http://sandbox.test").searchParams;
  return pageKey(stravaId ?? 0, Number(query.get("before")), Number(query.get("page") ?? 1));
}

const pageKey = (stravaId: number, beforeSeconds: number, page: number): string =>
  `${page} before ${beforeSeconds} of athlete ${stravaId}`;
