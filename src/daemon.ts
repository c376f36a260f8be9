import { randomBytes } from "node:crypto";
import { systemReach } from "./alerts/system-reach.ts";
import { hashToken, makeToken } from "./api/auth.ts";
import { type Listener, listen } from "./api/listen.ts";
import { systemClock, systemDice } from "./clock.ts";
import type { Config } from "./config.ts";
import { type Clock, type Dice, type Fetch, SECOND_MS } from "./core/units.ts";
import {
  assembleDaemon,
  beginWork,
  createDaemonApi,
  type DaemonMakings,
  type DaemonParts,
  endWork,
  takeUp,
} from "./daemon-parts.ts";
import { hasAdminToken, insertAdminToken } from "./db/admin-tokens.ts";
import { retryWhenBusy } from "./db/busy.ts";
import { type DataDirectory, openDataDirectory } from "./db/data-directory.ts";
import { migrate, migrationsFolder } from "./db/migrate.ts";
import { closeDatabase, type Db, openDatabase } from "./db/open.ts";
import { writeRuntimeFile } from "./db/runtime-file.ts";
import { createSeal, openCheckWord, type Seal, sealCheckWord } from "./db/seal.ts";
import { loadSecretKey } from "./db/secret-key.ts";
import { readSetting, storeSetting } from "./db/settings.ts";
import type { SyncContext } from "./sync/context.ts";
import { createLinks } from "./sync/links.ts";
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
    const fetch: Fetch = options.fetch ?? ((request) => globalThis.fetch(request));
    const makings = { config, db, seal, log, tracer, clock, dice, randomBytes, fetch, reach: systemReach, links };
    const running = assembleDaemon(makings);
    const runtimeToken = makeToken(randomBytes);
    const listener = openApi(options, makings, running, runtimeToken);
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

function openApi(options: DaemonOptions, makings: DaemonMakings, running: DaemonParts, runtimeToken: string): Listener {
  const { config, version } = options;
  const api = createDaemonApi(makings, running, { runtimeToken, version, readProcess: readProcessFigures });
  return listen({ host: config.host, port: config.port, fetch: (request) => api.fetch(request) });
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

function patiently<T>(clock: Clock, work: () => T extends PromiseLike<unknown> ? never : T): Promise<T> {
  return retryWhenBusy<T>(work, { clock, limitMs: START_LOCK_LIMIT_MS });
}

function begin(parts: DaemonParts, log: Log, { url, recovered }: { url: string; recovered: number }): void {
  if (recovered > 0) log.warn("daemon.recovered", `${recovered} batches of the former process are due again.`);
  if (parts.context.strava === undefined) {
    log.warn(
      "strava.not_configured",
      "STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET are not set: nothing can be synced until they are.",
    );
  }
  beginWork(parts);
  log.info("daemon.started", `Broomwagon listens at ${url}.`);
}

async function stop(
  running: DaemonParts,
  parts: { listener: Listener; tracer: Tracer; db: Db; directory: DataDirectory; log: Log; clock: Clock },
): Promise<void> {
  const { listener, tracer, db, directory, log, clock } = parts;
  log.info("daemon.stopping", "Stopping: nothing new is claimed.");
  const ended = endWork(running);
  const drained = listener.drain();
  await ended;
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
