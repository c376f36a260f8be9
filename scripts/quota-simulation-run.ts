import { loadConfig } from "../src/config.ts";
import { seededDice } from "../src/core/dice.ts";
import { type EpochMs, epochMs, HOUR_MS, MINUTE_MS, QUARTER_MS, type SyncId } from "../src/core/units.ts";
import { createJobs } from "../src/daemon-jobs.ts";
import { readLedger } from "../src/db/quota.ts";
import { createSeal } from "../src/db/seal.ts";
import { readSync } from "../src/db/syncs.ts";
import { createScheduler } from "../src/scheduler/scheduler.ts";
import { forecastSyncs } from "../src/sync/requests/forecast-syncs.ts";
import { startSync } from "../src/sync/start-sync.ts";
import { createTestEngine, type TestEngine } from "../test/support/engine.ts";
import { ACTIVITIES, type Club, RACES } from "./quota-simulation-club.ts";

/** What a run came to. */
export type Ran = {
  /** From the midnight of the start till the last first full sync ended. */
  readonly doneAfterMs: number;
  /** The forecast of that, made an hour after the start. */
  readonly forecastAfterMs: number | undefined;
  /** Reads of ours until then that Strava counted. */
  readonly requests: number;
  readonly refusals: number;
  /** Most refusals within one quarter of an hour. */
  readonly refusalsInAWindow: number;
  readonly completed: number;
  readonly racesEnriched: number;
  /** Requests in our ledger and in Strava's: equal. */
  /** Reads of the other client. */
  readonly byOthers: number;
  readonly ledger: { readonly ours: number; readonly stravas: number };
};

/** A Monday, 00:00 UTC. */
const START_MS = Date.UTC(2025, 10, 17);
const REQUESTS_IN_FLIGHT = 8;
const OTHERS_AT_ONCE = 3;
const OTHERS_WITHIN_MS = 6_000;

/** Runs a club until every athlete's first full sync has ended. */
export async function runClub(club: Club, seed: number): Promise<Ran> {
  const engine = engineOf(club, seed);
  const { clock } = engine;
  const syncIds = Array.from({ length: club.athletes }, (_, n) => startFirst(engine, n));
  if (club.isScheduled) startSchedules(engine);
  const others = club.othersShare > 0 ? startOtherClient(engine, club, seed) : () => 0;
  await passUntil(engine, () => clock.nowMs() >= START_MS + HOUR_MS);
  const quotaRules = { headroom: 0, reserve: reserveOf(club) };
  const forecast = forecastSyncs(engine.context, { quotaRules, requestsInFlight: REQUESTS_IN_FLIGHT });
  await passUntil(engine, () => syncIds.every((syncId) => readSync(engine.db, syncId)?.status !== "in_progress"));
  // The ledgers are compared when all is quiet.
  engine.processor.setClaiming(false);
  await clock.advance(MINUTE_MS);
  return resultOf(engine, { syncIds, forecastMs: forecast.doneAt.likelyMs, byOthers: others() });
}

const reserveOf = ({ isScheduled }: Club) => (isScheduled ? { fraction: 0.1 } : { requests: 0 });

function engineOf(club: Club, seed: number): TestEngine {
  const reserve = reserveOf(club);
  return createTestEngine({
    startMs: START_MS,
    requestsInFlight: REQUESTS_IN_FLIGHT,
    reserve: "fraction" in reserve ? { fraction: reserve.fraction } : 0,
    sandbox: {
      seed,
      club: { athletes: club.athletes, activitiesEach: ACTIVITIES, racesEach: RACES },
      quota: club.quota,
      latencyMs: { min: 100, max: 500 },
    },
  });
}

/** As when an athlete has just connected. */
function startFirst(engine: TestEngine, n: number): SyncId {
  const request = { athleteId: engine.athlete(n), syncClass: "connect", mode: "full" } as const;
  const started = startSync(engine.context, request, engine.processor);
  if (started.outcome !== "started") throw new Error(`The sync did not start: ${started.outcome}`);
  return started.syncId;
}

/** The jobs of the daemon, by their default patterns. */
function startSchedules({ context, processor, monitor, events, alerts, clock }: TestEngine): void {
  const loaded = loadConfig({ env: {}, flags: {}, isTerminal: false, readFile: () => undefined });
  if (!loaded.ok) throw new Error("The default configuration is refused");
  const seal = createSeal({ key: new Uint8Array(32), randomBytes: (count) => new Uint8Array(count) });
  createScheduler({
    clock,
    timezone: "UTC",
    jobs: createJobs({ config: loaded.config, context, processor, monitor, seal, events, alerts }),
    recorder: { ran: () => {}, skipped: () => {} },
  }).start();
}

/**
 * Spends its share of each quarter of an hour, on average, a few requests at a time. It competes: a window is used up within
 * seconds, so its random moments lie in those; later it would find nothing left.
 * @returns how much it has spent so far.
 */
function startOtherClient({ clock, sandbox }: TestEngine, { othersShare, quota }: Club, seed: number): () => number {
  const dice = seededDice(seed);
  let spent = 0;
  const spend = (requests: number) => {
    const { read } = sandbox.quota();
    const hasRoom = [read.quarter, read.day].every(({ used, limit }) => used + requests <= limit);
    if (!hasRoom) return;
    spent += requests;
    sandbox.spendQuota({ overall: requests, read: requests });
  };
  const spendOfQuarter = () => {
    let left = Math.round(2 * othersShare * dice() * quota.read.quarter);
    while (left > 0) {
      const requests = Math.min(left, 1 + Math.floor(dice() * OTHERS_AT_ONCE));
      left -= requests;
      clock.after(dice() * OTHERS_WITHIN_MS, () => spend(requests));
    }
    clock.after(QUARTER_MS, spendOfQuarter);
  };
  clock.after(0, spendOfQuarter);
  return () => spent;
}

async function passUntil({ clock }: TestEngine, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const dueMs = clock.nextDueMs();
    if (dueMs === undefined) throw new Error("Nothing is to come any more, and the club is not done");
    await clock.advance(Math.max(0, dueMs - clock.nowMs()));
  }
}

function resultOf(
  engine: TestEngine,
  { syncIds, forecastMs, byOthers }: { syncIds: readonly SyncId[]; forecastMs: EpochMs | undefined; byOthers: number },
): Ran {
  const syncs = syncIds.flatMap((syncId) => readSync(engine.db, syncId) ?? []);
  const counted = engine.sandbox.ledger().filter((entry) => entry.isCounted);
  const refused = counted.filter((entry) => entry.status === 429);
  const byWindow = Map.groupBy(refused, (entry) => Math.floor(entry.atMs / QUARTER_MS));
  const ours = readLedger(engine.db, epochMs(0)).filter(({ phase }) => phase !== "token");
  return {
    doneAfterMs: Math.max(...syncs.map((sync) => sync.completedAtMs ?? Number.POSITIVE_INFINITY)) - START_MS,
    forecastAfterMs: forecastMs === undefined ? undefined : forecastMs - START_MS,
    requests: counted.length,
    refusals: refused.length,
    refusalsInAWindow: Math.max(0, ...[...byWindow.values()].map((entries) => entries.length)),
    completed: syncs.filter((sync) => sync.status === "completed").length,
    racesEnriched: syncs.reduce((sum, sync) => sum + sync.racesEnriched, 0),
    byOthers,
    ledger: { ours: ours.reduce((sum, line) => sum + line.requests, 0), stravas: counted.length },
  };
}
