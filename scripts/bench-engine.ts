import { randomBytes } from "node:crypto";
import { systemClock, systemDice } from "../src/clock.ts";
import { mapQuota, windowStartMs } from "../src/core/quota.ts";
import { athleteId, epochMs, type Fetch, HOUR_MS, MINUTE_MS } from "../src/core/units.ts";
import { upsertAthlete } from "../src/db/athletes.ts";
import { migrate, migrationsFolder } from "../src/db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "../src/db/open.ts";
import { storeQuota } from "../src/db/quota.ts";
import { createSeal } from "../src/db/seal.ts";
import { insertSync } from "../src/db/syncs.ts";
import { createStravaClient, type StravaClient } from "../src/strava/client.ts";
import { assembleSync } from "../src/sync/assemble.ts";
import type { SyncContext } from "../src/sync/context.ts";
import { createLinks } from "../src/sync/links.ts";
import { createProcessor } from "../src/sync/processor.ts";
import { reconcile } from "../src/sync/reconcile.ts";
import { createLog } from "../src/telemetry/log.ts";
import { createIdTracer } from "../src/telemetry/tracing.ts";

export type Work = {
  readonly batches: number;
  readonly batchSize: number;
  readonly athletes: number;
  readonly requestsInFlight: number;
  readonly concurrency: number;
};

/** Bodies of details by activity id. */
export type Answers = { readonly fetch: Fetch; readonly arrivedMs: Map<number, number> };

const FIRST_ACTIVITY = 16_000_000_000;
/** So much quota that it never binds: what is measured is the engine. */
const PLENTY = 100_000_000;
const RATE_HEADERS = {
  "x-ratelimit-limit": `${PLENTY},${PLENTY}`,
  "x-ratelimit-usage": "1,1",
  "x-readratelimit-limit": `${PLENTY},${PLENTY}`,
  "x-readratelimit-usage": "1,1",
};

/** Details as Strava writes them, about 3 kB each, answered in the turn after the request. */
export function answersFromMemory(work: Work): Answers {
  const arrivedMs = new Map<number, number>();
  const bodies = new Map<number, string>();
  for (let race = 0; race < work.batches * work.batchSize; race++)
    bodies.set(FIRST_ACTIVITY + race, detail(work, race));
  return {
    arrivedMs,
    fetch: async (request) => {
      const id = Number(request.url.slice(request.url.lastIndexOf("/") + 1));
      const body = bodies.get(id) ?? "";
      await new Promise<void>((resolve) => setImmediate(resolve));
      arrivedMs.set(id, performance.now());
      return new Response(body, {
        headers: {
          "content-type": "application/json; charset=utf-8",
          "content-length": String(body.length),
          ...RATE_HEADERS,
        },
      });
    },
  };
}

function detail(work: Work, race: number): string {
  const start = new Date(Date.UTC(2020, 0, 1) + race * HOUR_MS).toISOString().slice(0, 19);
  return JSON.stringify({
    id: FIRST_ACTIVITY + race,
    athlete: { id: stravaIdOf(race % work.athletes), resource_state: 1 },
    name: `Parkrun number ${race}`,
    type: "Run",
    sport_type: "Run",
    workout_type: 1,
    distance: 5000 + race / 10,
    moving_time: 1500,
    elapsed_time: 1510,
    total_elevation_gain: 34,
    start_date: `${start}Z`,
    start_date_local: `${start}Z`,
    timezone: "(GMT+10:00) Australia/Sydney",
    utc_offset: 36000,
    visibility: "everyone",
    private: false,
    manual: false,
    description: "Windy on the way back.",
    map: { id: `a${race}`, summary_polyline: "abcdefgh".repeat(40), polyline: "abcdefgh".repeat(250) },
  });
}

const stravaIdOf = (index: number): number => 26_000_000 + index;

/** A database with every athlete in enrichment and their races pending; batches are planned by the engine's own code. */
export function prepareStore(path: string, work: Work): Db {
  const db = openDatabase(path);
  const nowMs = systemClock.nowMs();
  migrate(db, { folder: migrationsFolder(), nowMs, programVersion: "bench" });
  storeQuota(
    db,
    mapQuota((_budget, window) => ({ startsAtMs: windowStartMs(window, nowMs), limit: PLENTY, used: 0 })),
  );
  const context = contextOn(db, work, () => Promise.reject(new Error("Preparing asks nothing")));
  context.commits.now(() => {
    for (let index = 0; index < work.athletes; index++) prepareAthlete(context, work, index);
  });
  db.$client.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return db;
}

function prepareAthlete(context: SyncContext, work: Work, index: number): void {
  const { db } = context;
  const nowMs = systemClock.nowMs();
  const { row } = upsertAthlete(db, {
    stravaId: stravaIdOf(index),
    firstName: "",
    lastName: "",
    scope: "read,activity:read_all",
    nowMs,
  });
  context.tokens.store(row.id, {
    accessToken: "access",
    refreshToken: "refresh",
    expiresAtMs: epochMs(nowMs + 6 * HOUR_MS),
  });
  const insert = db.$client.query(
    "INSERT INTO races (athlete_id, strava_activity_id, start_at_ms, fingerprint) VALUES (?1, ?2, ?3, 'listed')",
  );
  for (let race = index; race < work.batches * work.batchSize; race += work.athletes) {
    insert.run(row.id, FIRST_ACTIVITY + race, Date.UTC(2020, 0, 1) + race * HOUR_MS);
  }
  const cursor = { beforeSeconds: 0 as never, page: 1 };
  const sync = {
    mode: "full",
    syncClass: "schedule",
    phase: "enrichment",
    startedAtMs: nowMs,
    listFromSeconds: null,
    cursor,
    servedAtMs: epochMs(0),
  } as const;
  reconcile(context, insertSync(db, { athleteId: athleteId(row.id), ...sync }));
}

/** The client that both use: fetching and parsing is the work itself. */
export function clientOf(fetch: Fetch): StravaClient {
  return createStravaClient({
    fetch,
    clock: systemClock,
    apiUrl: "http://127.0.0.1/api/v3",
    oauthUrl: "http://127.0.0.1/oauth",
    clientId: "1",
    clientSecret: "secret",
    timeoutMs: 30_000,
  });
}

function contextOn(db: Db, work: Work, fetch: Fetch): SyncContext {
  return assembleSync({
    db,
    clock: systemClock,
    dice: systemDice,
    log: createLog({ write: () => {}, clock: systemClock, level: "error", format: "json" }),
    tracer: createIdTracer(systemDice),
    strava: clientOf(fetch),
    seal: createSeal({ key: new Uint8Array(32), randomBytes }),
    rules: {
      enrichmentBatchSize: work.batchSize,
      concurrency: work.concurrency,
      maxAttempts: 5,
      leaseMs: MINUTE_MS,
      rescanMs: 0,
      virtualRuns: false,
    },
    quotaRules: { headroom: 0, reserve: { requests: 0 } },
    requestsInFlight: work.requestsInFlight,
    links: createLinks(undefined, () => "http://127.0.0.1"),
    owner: "bench",
  });
}

/** Runs every batch through the engine. Throws when a single race is not enriched at the end. */
export async function runEngine(db: Db, work: Work, answers: Answers): Promise<Measured> {
  const delaysMs: number[] = [];
  answers.arrivedMs.clear();
  const context = contextOn(db, work, answers.fetch);
  const { commits } = context;
  const measured: SyncContext = {
    ...context,
    commits: { ...commits, soon: (run) => timed(answers, delaysMs, () => commits.soon(run)) },
  };
  const processor = createProcessor(measured);
  const startedMs = performance.now();
  processor.wake();
  const inProgress = db.$client.query("SELECT 1 FROM syncs WHERE status = 'in_progress' LIMIT 1");
  while (inProgress.get() !== null) await new Promise<void>((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - startedMs) / 1000;
  const enriched = db.$client
    .query<{ count: number }, []>("SELECT count(*) AS count FROM races WHERE enrichment = 'enriched'")
    .get()?.count;
  const completed = db.$client
    .query<{ count: number }, []>("SELECT count(*) AS count FROM batches WHERE status = 'completed'")
    .get()?.count;
  if (enriched !== work.batches * work.batchSize || completed !== work.batches)
    throw new Error(`Not all done: ${enriched} races, ${completed} batches`);
  await processor.stop(1_000);
  closeDatabase(db);
  return { seconds, ...percentiles(delaysMs) };
}

/** How long all of it took, and the time from a race's arrival to its commit. */
export type Measured = { readonly seconds: number; readonly p50Ms: number; readonly p99Ms: number };

export function percentiles(delaysMs: number[]): { p50Ms: number; p99Ms: number } {
  delaysMs.sort((a, b) => a - b);
  const at = (share: number) =>
    delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * share))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** From the arrival of the oldest answer that is not committed yet, so that parsing counts as waiting too. */
async function timed<T>(answers: Answers, delaysMs: number[], commit: () => Promise<T>): Promise<T> {
  const first = answers.arrivedMs.entries().next().value;
  if (first !== undefined) answers.arrivedMs.delete(first[0]);
  const value = await commit();
  if (first !== undefined) delaysMs.push(performance.now() - first[1]);
  return value;
}
