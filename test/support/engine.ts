import { type Alerter, createAlerter } from "../../src/alerts/alerter.ts";
import type { Reach } from "../../src/alerts/post.ts";
import { seededDice } from "../../src/core/dice.ts";
import {
  type AthleteId,
  athleteId,
  type Clock,
  epochMs,
  type Fetch,
  HOUR_MS,
  MINUTE_MS,
  type SyncId,
} from "../../src/core/units.ts";
import { upsertAthlete } from "../../src/db/athletes.ts";
import { noteDaemonStart } from "../../src/db/daemon-starts.ts";
import type { Commits } from "../../src/db/group-commit.ts";
import { readLastLife } from "../../src/db/last-life.ts";
import { migrate, migrationsFolder } from "../../src/db/migrate.ts";
import { type Db, openMemoryDatabase } from "../../src/db/open.ts";
import { createSeal, type Seal } from "../../src/db/seal.ts";
import { createMonitor, type HealthRules, type Monitor } from "../../src/health/monitor.ts";
import { recoverLeftBatches } from "../../src/health/recover.ts";
import { keepThresholds, type ThresholdKeeper } from "../../src/health/thresholds.ts";
import { createSandbox, type Sandbox, type SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { createStravaClient } from "../../src/strava/client.ts";
import { assembleSync } from "../../src/sync/assemble.ts";
import type { SyncContext, SyncRules } from "../../src/sync/context.ts";
import { assembleEvents, type StravaEvents } from "../../src/sync/events/assemble-events.ts";
import { createLinks } from "../../src/sync/links.ts";
import { createProcessor, type Processor } from "../../src/sync/processor.ts";
import { startSync } from "../../src/sync/start-sync.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createIdTracer, type Tracer } from "../../src/telemetry/tracing.ts";
import { FakeClock } from "./fake-clock.ts";

/** 2025-11-17 00:00:05 UTC: the start of a day of quota. */
export const START_MS = Date.UTC(2025, 10, 17, 0, 0, 5);

export type TestEngine = {
  readonly clock: FakeClock;
  readonly db: Db;
  readonly sandbox: Sandbox;
  readonly context: SyncContext;
  readonly seal: Seal;
  readonly commits: Commits;
  readonly processor: Processor;
  readonly events: StravaEvents;
  readonly monitor: Monitor;
  readonly thresholds: ThresholdKeeper;
  readonly alerts: Alerter;
  readonly lines: string[];
  /** Starts a sync of the sandbox's n-th athlete (0 first). */
  start(n?: number, options?: { mode?: "full" | "incremental"; restart?: boolean }): SyncId;
  athlete(n?: number): AthleteId;
  /** Kills the process as far as memory goes: a new one on the same database, not yet started. */
  rebooted(): TestEngine;
  /** A second process that lives at the same time, by a connection of its own to the same database. */
  beside(connection: Db): TestEngine;
};

export type TestEngineOptions = {
  readonly sandbox?: Partial<SandboxOptions>;
  readonly rules?: Partial<SyncRules>;
  readonly health?: Partial<HealthRules>;
  readonly requestsInFlight?: number;
  readonly reserve?: number | { readonly fraction: number };
  readonly headroom?: number;
  readonly timeoutMs?: number;
  readonly apiUrl?: string;
  readonly oauthUrl?: string;
  readonly tracer?: Tracer;
  readonly fetch?: (sandbox: Sandbox) => Fetch;
  readonly db?: Db;
  readonly publicUrl?: string;
  /** How alerts leave; they reach nobody unless given. */
  readonly reach?: Partial<Reach>;
  /** When the clock starts; `START_MS` unless given. */
  readonly startMs?: number;
};

/** The real engine on a real database, against the sandbox, on a clock that the test moves. Every athlete is imported. */
export function createTestEngine(options: TestEngineOptions = {}): TestEngine {
  const clock = new FakeClock(options.startMs ?? START_MS);
  const sandbox = createSandbox({
    clock,
    seed: 7,
    club: { athletes: 1, activitiesEach: 60, racesEach: 20 },
    ...options.sandbox,
  });
  const db = options.db ?? openMemoryDatabase();
  migrate(db, { folder: migrationsFolder(), nowMs: clock.nowMs(), programVersion: "test" });
  const engine = boot(options, { clock, sandbox, db, boots: 0 });
  engine.commits.now(() => {
    noteDaemonStart(db, clock.nowMs());
    for (const {
      stravaId,
      firstName,
      lastName,
      scope,
      accessToken,
      refreshToken,
      expiresAtSeconds,
    } of sandbox.athletes()) {
      const { row } = upsertAthlete(db, { stravaId, firstName, lastName, scope, nowMs: clock.nowMs() });
      engine.context.tokens.store(row.id, {
        accessToken,
        refreshToken,
        expiresAtMs: epochMs(expiresAtSeconds * 1000),
        scope,
      });
    }
  });
  return engine;
}

type World = { clock: FakeClock; sandbox: Sandbox; db: Db; boots: number };

function boot(options: TestEngineOptions, world: World): TestEngine {
  const { sandbox, db, boots } = world;
  const clock: FakeClock = world.clock;
  const mortal = mortalClock(clock);
  const dice = seededDice(42 + boots);
  const lines: string[] = [];
  const tracer = options.tracer ?? createIdTracer(dice);
  const log = createLog({ write: (line) => lines.push(line), clock, level: "info", format: "json" });
  const fetch = options.fetch?.(sandbox) ?? sandbox.fetch;
  const strava = createStravaClient({
    fetch: (request) => (mortal.isDead() ? new Promise(() => {}) : fetch(request)),
    clock: mortal.clock,
    apiUrl: options.apiUrl ?? "https://strava.test/api/v3",
    oauthUrl: options.oauthUrl ?? "https://strava.test/oauth",
    clientId: "12345",
    clientSecret: "sandbox-secret",
    timeoutMs: options.timeoutMs ?? 30_000,
  });
  const rules: SyncRules = {
    enrichmentBatchSize: 15,
    concurrency: 4,
    maxAttempts: 5,
    leaseMs: MINUTE_MS,
    rescanMs: 30 * 24 * HOUR_MS,
    virtualRuns: false,
    ...options.rules,
  };
  const randomBytes = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(dice() * 256));
  const seal = createSeal({ key: new Uint8Array(32).fill(7), randomBytes });
  const context = assembleSync({
    db,
    clock: mortal.clock,
    dice,
    log,
    tracer,
    strava,
    seal,
    rules,
    quotaRules: {
      headroom: options.headroom ?? 0,
      reserve: typeof options.reserve === "object" ? options.reserve : { requests: options.reserve ?? 0 },
    },
    requestsInFlight: options.requestsInFlight ?? 8,
    links: createLinks(options.publicUrl, () => "http://127.0.0.1:8720"),
    owner: `boot-${boots}`,
  });
  const processor = createProcessor(context);
  const events = assembleEvents(context, { processor, seal, randomBytes });
  const health: HealthRules = {
    stallAfterDiscoveryMs: 10 * MINUTE_MS,
    stallAfterEnrichmentMs: 10 * MINUTE_MS,
    maxRemedies: 5,
    healing: "automatic",
    periodMs: MINUTE_MS,
    ...options.health,
  };
  const thresholds = keepThresholds(context, health);
  const monitor = createMonitor(context, processor, thresholds.rules(health), readLastLife(db, "health-check"));
  const alerts = createAlerter(context, {
    seal,
    reach: {
      fetch: options.reach?.fetch ?? (() => Promise.reject(new Error("unreachable"))),
      resolve: options.reach?.resolve ?? (() => Promise.reject(new Error("unknown host"))),
    },
    watched: { monitor, healthPeriodMs: () => options.health?.periodMs ?? MINUTE_MS },
    traceUrl: (traceId) => `https://traces.test/${traceId}`,
  });
  const athlete = (n = 0) => athleteId(n + 1);
  return {
    clock,
    db,
    sandbox,
    context,
    seal,
    commits: context.commits,
    processor,
    events,
    monitor,
    thresholds,
    alerts,
    lines,
    athlete,
    start(n = 0, start = {}) {
      const started = startSync(context, { athleteId: athlete(n), syncClass: "manual", ...start }, processor);
      if (started.outcome !== "started") throw new Error(`The sync did not start: ${started.outcome}`);
      return started.syncId;
    },
    rebooted() {
      mortal.kill();
      const next = boot(options, { clock, sandbox, db, boots: boots + 1 });
      recoverLeftBatches(next.context);
      next.commits.now(() => noteDaemonStart(db, clock.nowMs()));
      next.processor.wake();
      next.events.inbox.wake();
      return next;
    },
    beside: (connection) => boot(options, { clock, sandbox, db: connection, boots: boots + 1 }),
  };
}

/** A clock whose timers never fire again once the process is dead: its promises stay unsettled, as after SIGKILL. */
function mortalClock(clock: Clock): { clock: Clock; kill: () => void; isDead: () => boolean } {
  let isDead = false;
  return {
    clock: {
      nowMs: () => clock.nowMs(),
      after: (delayMs, work) =>
        clock.after(delayMs, () => {
          if (!isDead) work();
        }),
    },
    kill: () => {
      isDead = true;
    },
    isDead: () => isDead,
  };
}
