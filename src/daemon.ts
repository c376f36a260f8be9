import { randomBytes } from "node:crypto";
import { type Alerter, createAlerter } from "./alerts/alerter.ts";
import { type ChannelKeeper, keepChannels } from "./alerts/keep-channels.ts";
import { systemReach } from "./alerts/system-reach.ts";
import { createApi } from "./api/api.ts";
import { createAuth, hashToken, makeToken } from "./api/auth.ts";
import { type Listener, listen } from "./api/listen.ts";
import { systemClock, systemDice } from "./clock.ts";
import type { Config } from "./config.ts";
import { rollHex } from "./core/dice.ts";
import type { Incident } from "./core/incident.ts";
import type { QuotaRules } from "./core/quota.ts";
import { type Clock, type Dice, type Fetch, MINUTE_MS, SECOND_MS } from "./core/units.ts";
import { createJobs, HEALTH_JOB, PROCESSOR_JOB, REVOKE_JOB, SUBSCRIPTION_JOB } from "./daemon-jobs.ts";
import { hasAdminToken, insertAdminToken } from "./db/admin-tokens.ts";
import { retryWhenBusy } from "./db/busy.ts";
import { noteDaemonStart } from "./db/daemon-starts.ts";
import { type DataDirectory, openDataDirectory } from "./db/data-directory.ts";
import { migrate, migrationsFolder } from "./db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "./db/open.ts";
import { writeRuntimeFile } from "./db/runtime-file.ts";
import { noteJobRun, noteJobSkipped } from "./db/schedule.ts";
import { createSeal, openCheckWord, type Seal, sealCheckWord } from "./db/seal.ts";
import { loadSecretKey } from "./db/secret-key.ts";
import { readSetting, storeSetting } from "./db/settings.ts";
import { createMonitor, type Monitor } from "./health/monitor.ts";
import { createPing, type Ping } from "./health/ping.ts";
import { recoverLeftBatches } from "./health/recover.ts";
import { keepThresholds, type ThresholdKeeper } from "./health/thresholds.ts";
import { watchMonitor } from "./health/watch.ts";
import { createScheduler, periodOf, type Scheduler } from "./scheduler/scheduler.ts";
import { createStravaClient } from "./strava/client.ts";
import { assembleSync } from "./sync/assemble.ts";
import type { SyncContext } from "./sync/context.ts";
import { assembleEvents, type StravaEvents } from "./sync/events/assemble-events.ts";
import { createLinks, type Links } from "./sync/links.ts";
import { createProcessor, type Processor } from "./sync/processor.ts";
import { forecastSyncs } from "./sync/requests/forecast-syncs.ts";
import { createTracer } from "./telemetry/create-tracer.ts";
import { createLog, type Log } from "./telemetry/log.ts";
import { readProcessFigures } from "./telemetry/process-figures.ts";
import type { Tracer } from "./telemetry/tracing.ts";

export type DaemonOptions = {
  readonly config: Config;
  readonly version: string;
  /** Takes one log line, without its line break. */
  readonly writeLogLine: (line: string) => void;
  readonly color?: boolean;
  /** How Strava is reached; the machine's own unless given. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly dice?: Dice;
};

export type Daemon = {
  /** Where it listens: `http://127.0.0.1:8720`. */
  readonly url: string;
  /** Set when this start made a token, since there was none: shown once, kept as a hash. */
  readonly madeAdminToken: string | undefined;
  /** Good while it runs: how other commands reach it. */
  readonly runtimeToken: string;
  /** Claims nothing new, finishes or releases what runs, flushes, and closes; within ten seconds. */
  stop(): Promise<void>;
};

/** The time that running batches get to finish; with the rest of the stop it stays within ten seconds. */
const STOP_BATCHES_MS = 6 * SECOND_MS;
/** A message that is called off is sent again at the next start. */
const STOP_ALERTS_MS = 3 * SECOND_MS;
const STOP_ANSWERS_MS = SECOND_MS;
const FLUSH_TRACES_MS = SECOND_MS;
const LAST_COMMITS_MS = SECOND_MS / 2;
/** A lock that a foreign writer holds longer than this at the start is somebody's to look at. */
const START_LOCK_LIMIT_MS = 30 * SECOND_MS;

/**
 * Puts the daemon together and starts it: the one place where everything below meets.
 * @throws StartError, with what to do: second daemon, unwritable directory, corrupt or foreign database, wrong key,
 *   newer schema, port taken. No row of anybody's data was changed then.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, version, clock = systemClock, dice = systemDice } = options;
  const log = createLog({
    write: options.writeLogLine,
    clock,
    level: config.logLevel,
    format: config.logFormat,
    color: options.color ?? false,
  });
  const undo: (() => void)[] = [];
  try {
    const directory = openDataDirectory(config.dataDir);
    undo.push(() => directory.release());
    const { db, seal } = openStore(options, directory, log, clock);
    undo.push(() => closeDatabase(db));
    const tracer = await createTracer({
      env: config.otelEnv,
      clock,
      dice,
      version,
      onProblem: (message) => log.warn("telemetry.problem", message),
    });
    let ownAddress = "";
    const links = createLinks(config.publicUrl, () => ownAddress);
    const running = assemble(options, { db, seal, log, tracer, clock, dice, links });
    const runtimeToken = makeToken(randomBytes);
    const listener = openApi(options, running, runtimeToken);
    ownAddress = listener.url;
    undo.push(() => void listener.stopNow());
    // A foreign writer (a backup, a person with a shell) may hold the lock just now: that is waited for.
    const recovered = await patiently(clock, () => takeUp(running.context));
    writeRuntimeFile(directory.runtimePath, { address: listener.url, pid: process.pid, token: runtimeToken });
    // Last of all that may fail: a token that was made and never shown would be lost.
    const madeAdminToken = await patiently(clock, () => makeFirstToken(config, running.context));
    begin(running, log, { url: listener.url, recovered });
    return {
      url: listener.url,
      madeAdminToken,
      runtimeToken,
      stop: once(() => stop(running, { listener, tracer, db, directory, log, clock })),
    };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

type Running = {
  context: SyncContext;
  processor: Processor;
  events: StravaEvents;
  monitor: Monitor;
  ping: Ping | undefined;
  thresholds: ThresholdKeeper;
  alerts: Alerter;
  channels: ChannelKeeper;
  scheduler: Scheduler;
};

/** Opens the database, proves the key, and brings the schema up to date: in this order, so that nothing is lost. */
function openStore(options: DaemonOptions, directory: DataDirectory, log: Log, clock: Clock): { db: Db; seal: Seal } {
  const db = openDatabase(directory.databasePath);
  try {
    const checkWord = readCheckWord(db);
    const { key, warnings } = loadSecretKey({
      ...(options.config.secretKey === undefined ? {} : { configured: options.config.secretKey }),
      keyPath: directory.keyPath,
      whenMissing: checkWord === undefined ? "create" : "refuse",
    });
    for (const warning of warnings) log.warn("key.warning", warning);
    const seal = createSeal({ key, randomBytes });
    if (checkWord !== undefined) openCheckWord(seal, checkWord);
    const { applied, backup } = migrate(db, {
      folder: migrationsFolder(),
      nowMs: clock.nowMs(),
      programVersion: options.version,
    });
    if (applied.length > 0) {
      log.info(
        "schema.migrated",
        `Applied ${applied.join(", ")}${backup === undefined ? "" : `; a copy from before is at ${backup}`}.`,
      );
    }
    if (checkWord === undefined) storeSetting(db, "key_check", sealCheckWord(seal));
    return { db, seal };
  } catch (error) {
    closeDatabase(db);
    throw error;
  }
}

/** undefined in a database that is new, or older than the check. */
function readCheckWord(db: Db): string | undefined {
  const hasTable =
    db.$client.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'settings'").get() !== null;
  return hasTable ? readSetting(db, "key_check") : undefined;
}

function assemble(
  options: DaemonOptions,
  parts: { db: Db; seal: Seal; log: Log; tracer: Tracer; clock: Clock; dice: Dice; links: Links },
): Running {
  const { config, fetch = (request) => globalThis.fetch(request) } = options;
  const { clock, dice, seal } = parts;
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
  const healer = createMonitor(context, processor, thresholds.rules({ healing: config.healing, periodMs }));
  const ping =
    config.pingUrl === undefined ? undefined : createPing({ url: config.pingUrl, fetch, clock, log: parts.log });
  const monitor = watchMonitor(context, healer, { periodMs, ping, schedule: () => scheduler });
  const alerts = createAlerter(context, {
    seal,
    reach: systemReach,
    watched: { monitor, healthPeriodMs: () => periodOf(config.healthCron, config.timezone, clock.nowMs()) },
    traceUrl: traceUrlOf(config),
  });
  const channels = keepChannels(context, { seal, randomBytes });
  const scheduler: Scheduler = createScheduler({
    clock,
    timezone: config.timezone,
    jobs: createJobs({ config, context, processor, monitor, seal, events, alerts }),
    recorder: {
      ran: (run) => {
        if (run.error !== null)
          parts.log.error("job.failed", `The job ${run.job} failed: ${run.error}`, { job: run.job });
        record(context, () => noteJobRun(parts.db, run));
      },
      skipped: (job, what, count) => record(context, () => noteJobSkipped(parts.db, job, what, count)),
    },
  });
  return { context, processor, events, monitor, ping, thresholds, alerts, channels, scheduler };
}

const traceUrlOf = (config: Config) => (traceId: string) => config.traceUrl?.replaceAll("{traceId}", traceId) ?? null;

const quotaRulesOf = (config: Config): QuotaRules => ({ headroom: config.quotaHeadroom, reserve: config.quotaReserve });

/** The schedule's books go with whatever commits next. */
function record(context: SyncContext, write: () => void): void {
  context.commits.soon(write).catch((error: unknown) => {
    context.log.warn("schedule.not_recorded", `A run of a job could not be recorded: ${String(error)}`);
  });
}

function openApi(options: DaemonOptions, running: Running, runtimeToken: string): Listener {
  const { config, version } = options;
  const { context } = running;
  const configured = config.adminToken === undefined ? [] : [{ token: config.adminToken, actor: "admin" as const }];
  const auth = createAuth({ context, fixedTokens: [...configured, { token: runtimeToken, actor: "runtime" }] });
  const quotaRules = quotaRulesOf(config);
  const api = createApi({
    ...running,
    auth,
    traceUrl: traceUrlOf(config),
    version,
    readProcess: readProcessFigures,
    isMetricsPublic: config.metricsPublic,
    randomBytes,
    healthJob: HEALTH_JOB,
    processorJob: PROCESSOR_JOB,
    revokeJob: REVOKE_JOB,
    quotaRules,
    forecast: () => forecastSyncs(context, { quotaRules, requestsInFlight: config.requestsInFlight }),
    incidentConfig: () => incidentConfigOf(config, running),
    connectRules: { mode: config.connect, clubId: config.strava.clubId, athleteCapacity: config.athleteCapacity },
  });
  return listen({ host: config.host, port: config.port, fetch: (request) => api.fetch(request) });
}

/** Thresholds and mode as the monitor goes by them now; the rest is as it was configured. */
function incidentConfigOf(config: Config, { monitor, thresholds, context }: Running): Incident["config"] {
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

/** Without a configured token and without one in the database, nobody could get in. */
function makeFirstToken(config: Config, context: SyncContext): string | undefined {
  const { db, clock, commits } = context;
  if (config.adminToken !== undefined || hasAdminToken(db)) return undefined;
  const token = makeToken(randomBytes);
  const tokenHash = hashToken(token);
  commits.now(() => {
    insertAdminToken(db, { label: "first start", scope: "admin", tokenHash, nowMs: clock.nowMs(), expiresAtMs: null });
  });
  return token;
}

/** Takes up what the former process left, and remembers this start. @returns how many batches were left. */
function takeUp(context: SyncContext): number {
  const recovered = recoverLeftBatches(context);
  context.commits.now(() => noteDaemonStart(context.db, context.clock.nowMs()));
  return recovered;
}

function patiently<T>(clock: Clock, work: () => T extends PromiseLike<unknown> ? never : T): Promise<T> {
  return retryWhenBusy<T>(work, { clock, limitMs: START_LOCK_LIMIT_MS });
}

function begin(running: Running, log: Log, { url, recovered }: { url: string; recovered: number }): void {
  const { context, processor, events, alerts, scheduler } = running;
  if (recovered > 0) log.warn("daemon.recovered", `${recovered} batches of the former process are due again.`);
  if (context.strava === undefined) {
    log.warn(
      "strava.not_configured",
      "STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET are not set: nothing can be synced until they are.",
    );
  }
  scheduler.start();
  processor.wake();
  events.inbox.wake();
  alerts.wake();
  // Only now that it listens: Strava calls back before it answers.
  void scheduler.runNow(SUBSCRIPTION_JOB);
  // The first check does not wait for its minute: whatever happened while the daemon was down is found now.
  void scheduler.runNow(HEALTH_JOB);
  log.info("daemon.started", `Broomwagon listens at ${url}.`);
}

async function stop(
  running: Running,
  parts: { listener: Listener; tracer: Tracer; db: Db; directory: DataDirectory; log: Log; clock: Clock },
): Promise<void> {
  const { listener, tracer, db, directory, log, clock } = parts;
  log.info("daemon.stopping", "Stopping: nothing new is claimed.");
  running.scheduler.stop();
  const drained = listener.drain();
  await Promise.all([
    running.processor.stop(STOP_BATCHES_MS),
    running.events.inbox.stop(STOP_BATCHES_MS),
    running.alerts.stop(STOP_ALERTS_MS),
  ]);
  await within(clock, STOP_ANSWERS_MS, drained);
  await listener.stopNow();
  await tracer.shutdown(FLUSH_TRACES_MS);
  await within(clock, LAST_COMMITS_MS, running.context.commits.drained());
  closeDatabase(db);
  directory.release();
  log.info("daemon.stopped", "Stopped.");
}

function within(clock: Clock, limitMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const callOff = clock.after(limitMs, resolve);
    work.finally(() => {
      callOff();
      resolve();
    });
  });
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => {
    started ??= work();
    return started;
  };
}
