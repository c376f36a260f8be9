/**
 * The daemon's parts and how they are put together, without a machine: who calls this hands in the database, the clock, the
 * dice, and the ways out. `daemon.ts` hands in the machine's own, a simulation its own.
 */
import { type Alerter, createAlerter } from "./alerts/alerter.ts";
import { type ChannelKeeper, keepChannels } from "./alerts/keep-channels.ts";
import type { Reach } from "./alerts/post.ts";
import { type Api, createApi } from "./api/api.ts";
import { createAuth } from "./api/auth.ts";
import type { Config } from "./config.ts";
import { rollHex } from "./core/dice.ts";
import type { Incident } from "./core/incident.ts";
import type { QuotaRules } from "./core/quota.ts";
import { type Clock, type Dice, type Fetch, MINUTE_MS, SECOND_MS } from "./core/units.ts";
import { keepScheduleBooks, type ScheduleBooks } from "./daemon-books.ts";
import { createJobs, HEALTH_JOB, PROCESSOR_JOB, REVOKE_JOB, SUBSCRIPTION_JOB } from "./daemon-jobs.ts";
import { noteDaemonStart } from "./db/daemon-starts.ts";
import { readLastLife } from "./db/last-life.ts";
import type { Db } from "./db/open.ts";
import type { RandomBytes, Seal } from "./db/seal.ts";
import { readSetting } from "./db/settings.ts";
import { createMonitor, type Monitor } from "./health/monitor.ts";
import { createPing, type Ping } from "./health/ping.ts";
import { recoverLeftBatches } from "./health/recover.ts";
import { keepThresholds, type ThresholdKeeper } from "./health/thresholds.ts";
import { watchMonitor } from "./health/watch.ts";
import { createScheduler, periodOf, type Scheduler } from "./scheduler/scheduler.ts";
import { createStravaClient } from "./strava/client.ts";
import { assembleSync } from "./sync/assemble.ts";
import { loseLeftExchanges } from "./sync/athletes/lost-exchanges.ts";
import type { SyncContext } from "./sync/context.ts";
import { assembleEvents, type StravaEvents } from "./sync/events/assemble-events.ts";
import type { Links } from "./sync/links.ts";
import { createProcessor, type Processor } from "./sync/processor.ts";
import { forecastSyncs } from "./sync/requests/forecast-syncs.ts";
import type { Log } from "./telemetry/log.ts";
import type { ProcessFigures } from "./telemetry/process-figures.ts";
import type { Tracer } from "./telemetry/tracing.ts";

/** What the parts are put together from. */
export type DaemonMakings = {
  readonly config: Config;
  readonly db: Db;
  readonly seal: Seal;
  readonly log: Log;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly dice: Dice;
  /** For secrets: the machine's own, never dice, where they are to be secret. */
  readonly randomBytes: RandomBytes;
  /** How Strava, and the address that hears of health checks, are reached. */
  readonly fetch: Fetch;
  /** How alerts leave. */
  readonly reach: Reach;
  readonly links: Links;
};

/** The parts of a daemon that runs. */
export type DaemonParts = {
  context: SyncContext;
  processor: Processor;
  events: StravaEvents;
  monitor: Monitor;
  ping: Ping | undefined;
  thresholds: ThresholdKeeper;
  alerts: Alerter;
  channels: ChannelKeeper;
  scheduler: Scheduler;
  books: ScheduleBooks;
};

/** Puts the parts together. Nothing runs yet. */
export function assembleDaemon(parts: DaemonMakings): DaemonParts {
  const { config, fetch, clock, dice, seal, randomBytes } = parts;
  const { clientId, clientSecret, apiUrl, oauthUrl } = config.strava;
  const strava =
    clientId === undefined || clientSecret === undefined
      ? undefined
      : createStravaClient({
          fetch,
          clock,
          apiUrl,
          oauthUrl,
          clientId,
          clientSecret,
          timeoutMs: config.requestTimeoutMs,
        });
  const context = assembleSync({
    ...parts,
    strava,
    rules: config,
    quotaRules: quotaRulesOf(config),
    requestsInFlight: config.requestsInFlight,
    owner: rollHex(dice, 16),
  });
  const processor = createProcessor(context);
  if (readSetting(parts.db, "paused") === "yes") {
    processor.setClaiming(false);
    parts.log.warn("daemon.paused", "A person has paused the daemon: nothing is claimed until somebody resumes it.");
  }
  const events = assembleEvents(context, { processor, seal, randomBytes });
  const thresholds = keepThresholds(context, config);
  const periodMs = periodOf(config.healthCron, config.timezone, clock.nowMs());
  const rules = thresholds.rules({ healing: config.healing, periodMs });
  const healer = createMonitor(context, processor, rules, readLastLife(parts.db, HEALTH_JOB));
  const ping =
    config.pingUrl === undefined ? undefined : createPing({ url: config.pingUrl, fetch, clock, log: parts.log });
  const monitor = watchMonitor(context, healer, { periodMs, ping, schedule: () => scheduler });
  const alerts = createAlerter(context, {
    seal,
    reach: parts.reach,
    watched: { monitor, healthPeriodMs: () => periodOf(config.healthCron, config.timezone, clock.nowMs()) },
    traceUrl: traceUrlOf(config),
  });
  const channels = keepChannels(context, { seal, randomBytes });
  const jobs = createJobs({ config, context, processor, monitor, seal, events, alerts });
  const books = keepScheduleBooks(context, jobs);
  const scheduler: Scheduler = createScheduler({ clock, timezone: config.timezone, jobs, recorder: books });
  return { context, processor, events, monitor, ping, thresholds, alerts, channels, scheduler, books };
}

const traceUrlOf = (config: Config) => (traceId: string) => config.traceUrl?.replaceAll("{traceId}", traceId) ?? null;

const quotaRulesOf = (config: Config): QuotaRules => ({ headroom: config.quotaHeadroom, reserve: config.quotaReserve });

/** The API of these parts; `runtimeToken` lets in whoever may read the data directory. */
export function createDaemonApi(
  makings: DaemonMakings,
  parts: DaemonParts,
  own: { readonly runtimeToken: string; readonly version: string; readonly readProcess: () => ProcessFigures },
): Api {
  const { config, randomBytes } = makings;
  const { context } = parts;
  const configured = config.adminToken === undefined ? [] : [{ token: config.adminToken, actor: "admin" as const }];
  const auth = createAuth({ context, fixedTokens: [...configured, { token: own.runtimeToken, actor: "runtime" }] });
  const quotaRules = quotaRulesOf(config);
  return createApi({
    ...parts,
    auth,
    traceUrl: traceUrlOf(config),
    version: own.version,
    readProcess: own.readProcess,
    isMetricsPublic: config.metricsPublic,
    randomBytes,
    healthJob: HEALTH_JOB,
    processorJob: PROCESSOR_JOB,
    revokeJob: REVOKE_JOB,
    quotaRules,
    forecast: () => forecastSyncs(context, { quotaRules, requestsInFlight: config.requestsInFlight }),
    incidentConfig: () => incidentConfigOf(config, parts),
    connectRules: { mode: config.connect, clubId: config.strava.clubId, athleteCapacity: config.athleteCapacity },
  });
}

/** Thresholds and mode as the monitor goes by them now; the rest is as it was configured. */
function incidentConfigOf(config: Config, { monitor, thresholds, context }: DaemonParts): Incident["config"] {
  const { stallAfterDiscoveryMs, stallAfterEnrichmentMs, leaseMs, enrichmentBatchSize, healing } =
    monitor.rules("schedule");
  const periodMs = periodOf(config.healthCron, config.timezone, context.clock.nowMs());
  return {
    stall_after_discovery_ms: stallAfterDiscoveryMs,
    stall_after_enrichment_ms: stallAfterEnrichmentMs,
    lease_ms: leaseMs,
    enrichment_batch_size: enrichmentBatchSize,
    max_attempts: config.maxAttempts,
    max_remedies: thresholds.view().current.maxRemedies,
    concurrency: config.concurrency,
    healing,
    // Of a pattern that never comes the period has no end.
    health_period_ms: Number.isFinite(periodMs) ? periodMs : MINUTE_MS,
    processor_cron: config.processorCron,
    health_cron: config.healthCron,
    full_sync_cron: config.fullSyncCron ?? "",
    incremental_sync_cron: config.incrementalSyncCron ?? "",
    timezone: config.timezone,
  };
}

/** Takes up what the former process left, and remembers this start. @returns how many batches were left. */
export function takeUp(context: SyncContext): number {
  const recovered = recoverLeftBatches(context);
  context.commits.now(() => {
    loseLeftExchanges(context.db, context.clock.nowMs());
    noteDaemonStart(context.db, context.clock.nowMs());
  });
  return recovered;
}

/** Starts what ticks and wakes what waits, once the database is taken up. */
export function beginWork({ processor, events, alerts, scheduler }: DaemonParts): void {
  scheduler.start();
  processor.wake();
  events.inbox.wake();
  alerts.wake();
  // Only now that it listens: Strava calls back before it answers.
  void scheduler.runNow(SUBSCRIPTION_JOB);
  // The first check does not wait for its minute: whatever happened while the daemon was down is found now.
  void scheduler.runNow(HEALTH_JOB);
}

/** The time that running batches get to finish; with the rest of the stop it stays within ten seconds. */
const STOP_BATCHES_MS = 6 * SECOND_MS;
/** A message that is called off is sent again at the next start. */
const STOP_ALERTS_MS = 3 * SECOND_MS;

/** Begins nothing more, and finishes or releases what runs. What is left to commit is the caller's to wait for. */
export async function endWork({ scheduler, processor, events, alerts, books }: DaemonParts): Promise<void> {
  scheduler.stop();
  books.close();
  await Promise.all([processor.stop(STOP_BATCHES_MS), events.inbox.stop(STOP_BATCHES_MS), alerts.stop(STOP_ALERTS_MS)]);
}
