import {
  choice,
  cron,
  cronOrNever,
  duration,
  exactHttpUrl,
  type Format,
  host,
  httpUrl,
  quotaShare,
  text,
  timeZone,
  traceUrl,
  wholeNumber,
  yesOrNo,
} from "./config-formats.ts";
import { THRESHOLD_BOUNDS } from "./core/thresholds.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "./core/units.ts";

/** One setting: everything that the reader of the configuration, `broomwagon config` and the documentation know of it. */
export type Setting<Value> = Format<Value> & {
  /** The environment variable. The key in the file and the flag follow from it: `tomlKey`, `flagName`. */
  readonly variable: string;
  /** As a person would write it; undefined: there is none, and the value is undefined where nothing is given. */
  readonly default: string | undefined;
  /** The default where standard output is a terminal, if it differs. */
  readonly defaultOnTerminal?: string;
  /** Never shown; may also come from a file, named by the twin `…_FILE`. */
  readonly isSecret?: true;
  /** An empty text is a value. Everywhere else it counts as not given, as container tools pass on what is unset. */
  readonly isEmptyAllowed?: true;
  readonly description: string;
};

/** `BROOMWAGON_STRAVA_API_URL` → `strava_api_url`; `STRAVA_CLIENT_ID` → `strava_client_id`. */
export function tomlKey(variable: string): string {
  return variable.replace(/^BROOMWAGON_/, "").toLowerCase();
}

/** `BROOMWAGON_DATA_DIR` → `data-dir`, as in `--data-dir`. */
export function flagName(variable: string): string {
  return tomlKey(variable).replaceAll("_", "-");
}

const SECRET_TEXT = /^[\x21-\x7e]+$/;
const STALL = duration({
  minMs: THRESHOLD_BOUNDS.stallAfterDiscoveryMs.min,
  maxMs: THRESHOLD_BOUNDS.stallAfterDiscoveryMs.max,
});
const HISTORY = duration({ minMs: HOUR_MS, maxMs: 3_650 * DAY_MS });

/** Every setting, in the order in which `broomwagon config` and the documentation list them. */
export const SETTINGS = {
  host: setting("BROOMWAGON_HOST", {
    ...host,
    default: "127.0.0.1",
    description: "Where the daemon listens.",
  }),
  port: setting("BROOMWAGON_PORT", {
    ...wholeNumber({ min: 0, max: 65_535, of: "a port" }),
    default: "8720",
    description: "Where the daemon listens; 0 picks a free port and prints it.",
  }),
  dataDir: setting("BROOMWAGON_DATA_DIR", {
    ...text({ expected: "a directory", pattern: /./ }),
    default: "./data",
    description: "Holds the database, the key file and copies from before migrations; one daemon at a time.",
  }),
  publicUrl: optional("BROOMWAGON_PUBLIC_URL", {
    ...httpUrl,
    description:
      "The daemon as people reach it; may hold a path. Needed for connecting athletes from elsewhere, and for Strava's events.",
  }),
  adminToken: optional("BROOMWAGON_ADMIN_TOKEN", {
    ...text({ expected: "a token without spaces, in ASCII", pattern: SECRET_TEXT }),
    isSecret: true,
    description: "A bearer token with every right; without one, the first start makes a token and prints it, once.",
  }),
  secretKey: optional("BROOMWAGON_SECRET_KEY", {
    // The bound is that of the key store, which stretches what is no key of 32 bytes (`db/secret-key.ts`).
    ...text({ expected: "32 bytes in hex or base64, or a passphrase of at least 16 characters", pattern: /^.{16,}$/ }),
    isSecret: true,
    description: "Encrypts Strava tokens at rest; without one, a key file is made at the first start.",
  }),
  stravaClientId: optional("STRAVA_CLIENT_ID", {
    ...text({ expected: "the client id of a Strava application, such as 12345", pattern: /^[\w.-]+$/ }),
    description: "The Strava application.",
  }),
  stravaClientSecret: optional("STRAVA_CLIENT_SECRET", {
    ...text({ expected: "the client secret of the Strava application", pattern: SECRET_TEXT }),
    isSecret: true,
    description: "Proves to Strava that it is the application that asks.",
  }),
  stravaClubId: optional("STRAVA_CLUB_ID", {
    ...wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER, of: "the id of a Strava club" }),
    description: "Only members of this club may connect.",
  }),
  connect: setting("BROOMWAGON_CONNECT", {
    ...choice("open", "invite"),
    default: "open",
    description: "Who may connect: whoever has the link, or only whoever has an unused invitation.",
  }),
  athleteCapacity: optional("BROOMWAGON_ATHLETE_CAPACITY", {
    ...wholeNumber({ min: 1, max: 1_000_000, of: "athletes" }),
    description: "How many athletes Strava lets this application connect; past it nobody new is sent there.",
  }),
  stravaApiUrl: setting("BROOMWAGON_STRAVA_API_URL", {
    ...httpUrl,
    default: "https://www.strava.com/api/v3",
    description: "Where Strava's API is.",
  }),
  stravaOauthUrl: setting("BROOMWAGON_STRAVA_OAUTH_URL", {
    ...httpUrl,
    default: "https://www.strava.com/oauth",
    description: "Where Strava's authorize, token and revoke are.",
  }),
  processorCron: setting("BROOMWAGON_PROCESSOR_CRON", {
    ...cron,
    default: "* * * * *",
    description: "When batches that are due are looked for.",
  }),
  healthCron: setting("BROOMWAGON_HEALTH_CRON", {
    ...cron,
    default: "* * * * *",
    description: "When the health check runs.",
  }),
  fullSyncCron: setting("BROOMWAGON_FULL_SYNC_CRON", {
    ...cronOrNever,
    default: "0 2 * * 1",
    isEmptyAllowed: true,
    description: "When every athlete is synced in full; empty: never.",
  }),
  incrementalSyncCron: setting("BROOMWAGON_INCREMENTAL_SYNC_CRON", {
    ...cronOrNever,
    default: "0 4 * * *",
    isEmptyAllowed: true,
    description: "When every athlete is synced incrementally; empty: never.",
  }),
  timezone: setting("BROOMWAGON_TIMEZONE", {
    ...timeZone,
    default: "UTC",
    description: "Of the cron patterns.",
  }),
  enrichmentBatchSize: setting("BROOMWAGON_ENRICHMENT_BATCH_SIZE", {
    ...wholeNumber({ min: 1, max: 200, of: "races per batch" }),
    default: "15",
    description: "Races per batch of enrichment.",
  }),
  concurrency: setting("BROOMWAGON_CONCURRENCY", {
    ...wholeNumber({ min: 1, max: 64, of: "batches at once" }),
    default: "4",
    description: "Batches at once, at most one per athlete.",
  }),
  requestsInFlight: setting("BROOMWAGON_REQUESTS_IN_FLIGHT", {
    ...wholeNumber({ min: 1, max: 64, of: "requests at once" }),
    default: "8",
    description: "Strava requests at once.",
  }),
  maxAttempts: setting("BROOMWAGON_MAX_ATTEMPTS", {
    ...wholeNumber({ min: 1, max: 100, of: "attempts" }),
    default: "5",
    description: "Failed runs after which a batch is given up.",
  }),
  leaseMs: setting("BROOMWAGON_LEASE", {
    ...duration({ minMs: SECOND_MS, maxMs: HOUR_MS }),
    default: "60s",
    description: "Lease of a batch; its heartbeat comes every third of it.",
  }),
  stallAfterDiscoveryMs: setting("BROOMWAGON_STALL_AFTER_DISCOVERY", {
    ...STALL,
    default: "10m",
    description: "A discovery without progress for so long is stalled.",
  }),
  stallAfterEnrichmentMs: setting("BROOMWAGON_STALL_AFTER_ENRICHMENT", {
    ...STALL,
    default: "10m",
    description: "An enrichment without progress for so long is stalled.",
  }),
  maxRemedies: setting("BROOMWAGON_MAX_REMEDIES", {
    ...wholeNumber({ ...THRESHOLD_BOUNDS.maxRemedies, of: "remedies per sync in 24 hours" }),
    default: "5",
    description: "Remedies per sync in 24 hours; past it the sync fails with the reason.",
  }),
  healing: setting("BROOMWAGON_HEALING", {
    ...choice("automatic", "suggest"),
    default: "automatic",
    description: "Whether remedies are applied at once, or proposed and applied by a person.",
  }),
  requestTimeoutMs: setting("BROOMWAGON_REQUEST_TIMEOUT", {
    ...duration({ minMs: 100, maxMs: 10 * MINUTE_MS }),
    default: "30s",
    description: "Time limit of one Strava request.",
  }),
  quotaHeadroom: setting("BROOMWAGON_QUOTA_HEADROOM", {
    ...wholeNumber({ min: 0, max: 1_000_000, of: "requests" }),
    default: "0",
    description: "Requests left unused in each quota window.",
  }),
  quotaReserve: setting("BROOMWAGON_QUOTA_RESERVE", {
    ...quotaShare,
    default: "10%",
    description: "Of the day's read requests, kept for syncs that a person or an event asked for.",
  }),
  virtualRuns: setting("BROOMWAGON_VIRTUAL_RUNS", {
    ...yesOrNo,
    default: "false",
    description: "Whether a VirtualRun counts as a run.",
  }),
  retentionMs: setting("BROOMWAGON_RETENTION", {
    ...HISTORY,
    default: "30d",
    description: "How long history, logs and settled findings are kept.",
  }),
  pingUrl: optional("BROOMWAGON_PING_URL", {
    ...exactHttpUrl,
    // Whoever knows it can silence the alarm.
    isSecret: true,
    description:
      "Asked after each health check (and /start before, /fail after one that failed), so that somebody outside notices when they stop.",
  }),
  metricsPublic: setting("BROOMWAGON_METRICS_PUBLIC", {
    ...yesOrNo,
    default: "false",
    description: "Whether /metrics answers without a token.",
  }),
  rescanMs: setting("BROOMWAGON_RESCAN", {
    ...HISTORY,
    default: "30d",
    description: "How far an incremental sync looks back, for late uploads and late race tags.",
  }),
  logLevel: setting("BROOMWAGON_LOG_LEVEL", {
    ...choice("debug", "info", "warn", "error"),
    default: "info",
    description: "Log lines below this level are dropped.",
  }),
  logFormat: setting("BROOMWAGON_LOG_FORMAT", {
    ...choice("json", "pretty"),
    default: "json",
    defaultOnTerminal: "pretty",
    description: "Log lines for machines or for people; pretty is the default on a terminal.",
  }),
  traceUrl: optional("BROOMWAGON_TRACE_URL", {
    ...traceUrl,
    description: "Template of a link to a trace.",
  }),
};

export type SettingName = keyof typeof SETTINGS;
/** The parsed values, by name. */
export type SettingValues = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer Value> ? Value : never;
};

function setting<Value>(
  variable: string,
  row: Omit<Setting<Value>, "variable" | "default"> & { default: string },
): Setting<Value> {
  return { variable, ...row };
}

function optional<Value>(
  variable: string,
  row: Omit<Setting<Value>, "variable" | "default">,
): Setting<Value | undefined> {
  return { variable, default: undefined, ...row };
}
