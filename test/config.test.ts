import { describe, expect, test } from "bun:test";
import { type Config, type LoadedConfig, loadConfig } from "../src/config.ts";
import { type ConfigProblem, describeProblem } from "../src/config-problem.ts";
import { SETTINGS } from "../src/config-settings.ts";
import type { ConfigSources } from "../src/config-sources.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../src/core/units.ts";

type Given = {
  flags?: Record<string, string>;
  env?: ConfigSources["env"];
  /** Path to text; an Error is thrown when the file is read. */
  files?: Record<string, string | Error>;
  /** The text of `broomwagon.toml` in the default data directory. */
  toml?: string;
  isTerminal?: boolean;
};

function load({ flags = {}, env = {}, files = {}, toml, isTerminal = false }: Given = {}): LoadedConfig {
  const disk: Record<string, string | Error> = {
    ...files,
    ...(toml === undefined ? {} : { "data/broomwagon.toml": toml }),
  };
  const readFile = (path: string) => {
    const text = disk[path];
    if (text instanceof Error) throw text;
    return text;
  };
  return loadConfig({ flags, env, readFile, isTerminal });
}

function configOf(given?: Given): Config {
  const loaded = load(given);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join("\n"));
  return loaded.config;
}

function problemsOf(given: Given): readonly ConfigProblem[] {
  const loaded = load(given);
  return loaded.ok ? [] : loaded.problems;
}

function rowOf(given: Given, key: string) {
  const loaded = load(given);
  return loaded.ok ? loaded.rows.find((row) => row.key === key) : undefined;
}

test("with nothing given, every default holds", () => {
  expect(configOf()).toEqual({
    host: "127.0.0.1",
    port: 8720,
    dataDir: "./data",
    publicUrl: undefined,
    adminToken: undefined,
    secretKey: undefined,
    connect: "open",
    athleteCapacity: undefined,
    strava: {
      clientId: undefined,
      clientSecret: undefined,
      clubId: undefined,
      apiUrl: "https://www.strava.com/api/v3",
      oauthUrl: "https://www.strava.com/oauth",
    },
    processorCron: "* * * * *",
    healthCron: "* * * * *",
    fullSyncCron: "0 2 * * 1",
    incrementalSyncCron: "0 4 * * *",
    timezone: "UTC",
    enrichmentBatchSize: 15,
    concurrency: 4,
    requestsInFlight: 8,
    maxAttempts: 5,
    leaseMs: 60 * SECOND_MS,
    stallAfterDiscoveryMs: 10 * MINUTE_MS,
    stallAfterEnrichmentMs: 10 * MINUTE_MS,
    maxRemedies: 5,
    healing: "automatic",
    requestTimeoutMs: 30 * SECOND_MS,
    quotaHeadroom: 0,
    quotaReserve: { fraction: 0.1 },
    virtualRuns: false,
    retentionMs: 30 * DAY_MS,
    pingUrl: undefined,
    metricsPublic: false,
    rescanMs: 30 * DAY_MS,
    logLevel: "info",
    logFormat: "json",
    traceUrl: undefined,
    otelEnv: {},
  });
  expect(load()).toMatchObject({ warnings: [] });
});

describe("where a value comes from", () => {
  const toml = "port = 3";
  const env = { BROOMWAGON_PORT: "2" };
  const flags = { port: "1" };
  test.each([
    ["a flag over the rest", { flags, env, toml }, 1, "flag --port"],
    ["the environment over file and default", { env, toml }, 2, "environment variable BROOMWAGON_PORT"],
    ["the file over the default", { toml }, 3, "port in data/broomwagon.toml"],
    ["the default", {}, 8720, "default"],
  ])("%s", (_name, given: Given, port, origin) => {
    expect(configOf(given).port).toBe(port);
    expect(rowOf(given, "BROOMWAGON_PORT")).toEqual({ key: "BROOMWAGON_PORT", value: String(port), origin });
  });

  test("every setting can be given in all three ways", () => {
    for (const { variable, default: written } of Object.values(SETTINGS)) {
      const text = written ?? "";
      if (text === "") continue;
      const key = variable.replace("BROOMWAGON_", "").toLowerCase();
      const files = { "some.toml": `${key} = ${JSON.stringify(text)}` };
      expect(rowOf({ env: { [variable]: text } }, variable)?.origin).toBe(`environment variable ${variable}`);
      expect(rowOf({ flags: { [key.replaceAll("_", "-")]: text } }, variable)?.origin).toStartWith("flag --");
      expect(rowOf({ flags: { config: "some.toml" }, files }, variable)?.origin).toBe(`${key} in some.toml`);
    }
  });

  test("the file lies in the data directory, or where --config says", () => {
    const files = { "club/broomwagon.toml": "port = 4", "etc/other.toml": 'port = 5\ndata_dir = "club"' };
    expect(configOf({ flags: { "data-dir": "club" }, files }).port).toBe(4);
    expect(configOf({ env: { BROOMWAGON_DATA_DIR: "club" }, files }).port).toBe(4);
    expect(configOf({ flags: { config: "etc/other.toml" }, files })).toMatchObject({ port: 5, dataDir: "club" });
  });

  test("a file in the data directory cannot name another one, but may name its own", () => {
    expect(problemsOf({ toml: 'data_dir = "elsewhere"' })).toMatchObject([
      { kind: "conflict", key: "BROOMWAGON_DATA_DIR", value: "elsewhere", origin: "data_dir in data/broomwagon.toml" },
    ]);
    expect(configOf({ toml: 'data_dir = "data"' }).dataDir).toBe("data");
  });

  test("the values of the file may be written as numbers, truth values or text", () => {
    const toml = 'port = "1"\nconcurrency = 2\nmetrics_public = true\nlease = "5s"\nquota_reserve = 100';
    expect(configOf({ toml })).toMatchObject({
      port: 1,
      concurrency: 2,
      metricsPublic: true,
      leaseMs: 5_000,
      quotaReserve: { requests: 100 },
    });
  });

  test("an empty variable counts as not given, but switches a sync off; an empty flag is a mistake", () => {
    const env = { BROOMWAGON_PORT: "", BROOMWAGON_PING_URL: "", BROOMWAGON_FULL_SYNC_CRON: "" };
    expect(configOf({ env })).toMatchObject({ port: 8720, pingUrl: undefined, fullSyncCron: undefined });
    expect(configOf({ toml: 'incremental_sync_cron = ""' }).incrementalSyncCron).toBeUndefined();
    expect(configOf({ flags: { "full-sync-cron": "" } }).fullSyncCron).toBeUndefined();
    expect(problemsOf({ flags: { port: "" } })).toMatchObject([{ kind: "invalid", key: "BROOMWAGON_PORT" }]);
  });

  test("log lines are pretty on a terminal and JSON elsewhere, unless something is said", () => {
    expect(configOf({ isTerminal: true }).logFormat).toBe("pretty");
    expect(configOf({ isTerminal: true, env: { BROOMWAGON_LOG_FORMAT: "json" } }).logFormat).toBe("json");
    expect(configOf({ isTerminal: false, env: { BROOMWAGON_LOG_FORMAT: "pretty" } }).logFormat).toBe("pretty");
  });

  test("OTEL_ variables pass as they are; file and flags may hold them too", () => {
    const given: Given = {
      env: { OTEL_SERVICE_NAME: "env", OTEL_BSP_SCHEDULE_DELAY: "", PATH: "/bin" },
      toml: 'otel_service_name = "file"\notel_bsp_schedule_delay = 10',
      flags: { "otel-exporter-otlp-endpoint": "http://localhost:4318" },
    };
    expect(configOf(given).otelEnv).toEqual({
      OTEL_SERVICE_NAME: "env",
      OTEL_BSP_SCHEDULE_DELAY: "10",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318",
    });
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: "authorization=hush" };
    expect(rowOf({ env: headers }, "OTEL_EXPORTER_OTLP_HEADERS")?.value).toBe("********");
  });
});

describe("a value at its boundary", () => {
  const accepted: [variable: string, written: string, field: keyof Config, value: unknown][] = [
    ["BROOMWAGON_PORT", "0", "port", 0],
    ["BROOMWAGON_PORT", "65535", "port", 65_535],
    ["BROOMWAGON_ENRICHMENT_BATCH_SIZE", "1", "enrichmentBatchSize", 1],
    ["BROOMWAGON_ENRICHMENT_BATCH_SIZE", "200", "enrichmentBatchSize", 200],
    ["BROOMWAGON_CONCURRENCY", "1", "concurrency", 1],
    ["BROOMWAGON_MAX_REMEDIES", "0", "maxRemedies", 0],
    ["BROOMWAGON_MAX_REMEDIES", "20", "maxRemedies", 20],
    ["BROOMWAGON_LEASE", "1s", "leaseMs", SECOND_MS],
    ["BROOMWAGON_LEASE", "1000ms", "leaseMs", SECOND_MS],
    ["BROOMWAGON_LEASE", "1h", "leaseMs", HOUR_MS],
    ["BROOMWAGON_STALL_AFTER_DISCOVERY", "1s", "stallAfterDiscoveryMs", SECOND_MS],
    ["BROOMWAGON_STALL_AFTER_ENRICHMENT", "7d", "stallAfterEnrichmentMs", 7 * DAY_MS],
    ["BROOMWAGON_REQUEST_TIMEOUT", "100ms", "requestTimeoutMs", 100],
    ["BROOMWAGON_RETENTION", "48h", "retentionMs", 2 * DAY_MS],
    ["BROOMWAGON_QUOTA_RESERVE", "0%", "quotaReserve", { fraction: 0 }],
    ["BROOMWAGON_QUOTA_RESERVE", "12.5%", "quotaReserve", { fraction: 0.125 }],
    ["BROOMWAGON_QUOTA_RESERVE", "100%", "quotaReserve", { fraction: 1 }],
    ["BROOMWAGON_QUOTA_RESERVE", "0", "quotaReserve", { requests: 0 }],
    ["BROOMWAGON_QUOTA_RESERVE", "100", "quotaReserve", { requests: 100 }],
    ["BROOMWAGON_HEALING", "suggest", "healing", "suggest"],
    ["BROOMWAGON_HOST", "::1", "host", "::1"],
    ["BROOMWAGON_PROCESSOR_CRON", "*/5 * * * * *", "processorCron", "*/5 * * * * *"],
    ["BROOMWAGON_HEALTH_CRON", "0 0 29 2 *", "healthCron", "0 0 29 2 *"],
    ["BROOMWAGON_TIMEZONE", "Australia/Sydney", "timezone", "Australia/Sydney"],
    ["BROOMWAGON_PUBLIC_URL", "https://races.example.org/broom/", "publicUrl", "https://races.example.org/broom"],
    ["BROOMWAGON_PING_URL", "https://ping.example.org/a?b=c", "pingUrl", "https://ping.example.org/a?b=c"],
    ["BROOMWAGON_TRACE_URL", "http://localhost/trace/{traceId}", "traceUrl", "http://localhost/trace/{traceId}"],
    ["BROOMWAGON_SECRET_KEY", "0123456789abcdef", "secretKey", "0123456789abcdef"],
    ["BROOMWAGON_VIRTUAL_RUNS", "TRUE", "virtualRuns", true],
  ];
  test.each(accepted)("%s=%s is taken", (variable, written, field, value) => {
    expect<unknown>(configOf({ env: { [variable]: written } })[field]).toEqual(value);
  });

  const refused: [variable: string, written: string][] = [
    ["BROOMWAGON_PORT", "-1"],
    ["BROOMWAGON_PORT", "65536"],
    ["BROOMWAGON_PORT", "80a"],
    ["BROOMWAGON_PORT", "8720.5"],
    ["BROOMWAGON_ENRICHMENT_BATCH_SIZE", "0"],
    ["BROOMWAGON_ENRICHMENT_BATCH_SIZE", "201"],
    ["BROOMWAGON_CONCURRENCY", "0"],
    ["BROOMWAGON_REQUESTS_IN_FLIGHT", "0"],
    ["BROOMWAGON_MAX_ATTEMPTS", "0"],
    ["BROOMWAGON_MAX_REMEDIES", "21"],
    ["BROOMWAGON_LEASE", "999ms"],
    ["BROOMWAGON_LEASE", "3601s"],
    ["BROOMWAGON_LEASE", "60"],
    ["BROOMWAGON_STALL_AFTER_DISCOVERY", "999ms"],
    ["BROOMWAGON_STALL_AFTER_ENRICHMENT", "169h"],
    ["BROOMWAGON_REQUEST_TIMEOUT", "99ms"],
    ["BROOMWAGON_RETENTION", "59m"],
    ["BROOMWAGON_RESCAN", "soon"],
    ["BROOMWAGON_QUOTA_RESERVE", "101%"],
    ["BROOMWAGON_QUOTA_RESERVE", "-1"],
    ["BROOMWAGON_QUOTA_HEADROOM", "1.5"],
    ["BROOMWAGON_HEALING", "maybe"],
    ["BROOMWAGON_LOG_LEVEL", "verbose"],
    ["BROOMWAGON_LOG_FORMAT", "xml"],
    ["BROOMWAGON_METRICS_PUBLIC", "yes"],
    ["BROOMWAGON_HOST", "http://127.0.0.1"],
    ["BROOMWAGON_HOST", "localhost:8720"],
    ["BROOMWAGON_PROCESSOR_CRON", "61 * * * *"],
    ["BROOMWAGON_PROCESSOR_CRON", "* * * *"],
    ["BROOMWAGON_PROCESSOR_CRON", "* * * * * * *"],
    ["BROOMWAGON_HEALTH_CRON", "0 2 31 2 *"],
    ["BROOMWAGON_FULL_SYNC_CRON", "2030-01-01 00:00:00"],
    ["BROOMWAGON_INCREMENTAL_SYNC_CRON", "never"],
    ["BROOMWAGON_TIMEZONE", "Mars/Base"],
    ["BROOMWAGON_PUBLIC_URL", "races.example.org"],
    ["BROOMWAGON_PUBLIC_URL", "ftp://races.example.org"],
    ["BROOMWAGON_PUBLIC_URL", "https://races.example.org/?a=b"],
    ["BROOMWAGON_STRAVA_API_URL", "/api/v3"],
    ["BROOMWAGON_TRACE_URL", "http://localhost/trace/"],
    ["STRAVA_CLUB_ID", "0"],
    ["STRAVA_CLUB_ID", "my-club"],
  ];
  test.each(refused)("%s=%s is refused, with all that is needed to mend it", (variable, written) => {
    const [problem, ...others] = problemsOf({ env: { [variable]: written } });
    const origin = `environment variable ${variable}`;
    expect(problem).toMatchObject({ kind: "invalid", key: variable, value: written, origin });
    expect(problem?.expected).not.toBe("");
    expect(others).toEqual([]);
  });

  test("the outside address is refused like the others, and what was written is not shown", () => {
    const [problem] = problemsOf({ env: { BROOMWAGON_PING_URL: "ping.example.org/a-key" } });
    expect(problem).toMatchObject({ kind: "invalid", key: "BROOMWAGON_PING_URL", value: "********" });
    expect(
      rowOf({ env: { BROOMWAGON_PING_URL: "https://ping.example.org/a-key" } }, "BROOMWAGON_PING_URL")?.value,
    ).toBe("********");
  });

  test("the processor and the health check cannot be switched off by an empty pattern", () => {
    for (const flag of ["processor-cron", "health-cron"]) {
      expect(problemsOf({ flags: { [flag]: "" } })).toMatchObject([{ kind: "invalid" }]);
    }
  });
});

describe("secrets", () => {
  const SECRETS = ["BROOMWAGON_ADMIN_TOKEN", "BROOMWAGON_SECRET_KEY", "STRAVA_CLIENT_SECRET"] as const;
  const hush = "hush-hush-hush-hush";
  /** The id that the Strava secret does not stand without; the other secrets need nothing. */
  const companionOf = (variable: string) => (variable.startsWith("STRAVA_") ? { STRAVA_CLIENT_ID: "12345" } : {});
  const secretsIn = ({ adminToken, secretKey, strava }: Config) => [adminToken, secretKey, strava.clientSecret];

  test.each(SECRETS)("%s may come from a file, its line end cut off", (variable) => {
    const files = { "/run/secret": `${hush}\n` };
    const id = companionOf(variable);
    const key = variable.replace("BROOMWAGON_", "").toLowerCase();
    for (const given of [
      { env: { ...id, [`${variable}_FILE`]: "/run/secret" }, files },
      { env: id, toml: `${key}_file = "/run/secret"`, files },
      { env: id, flags: { [`${key.replaceAll("_", "-")}-file`]: "/run/secret" }, files },
    ]) {
      expect(secretsIn(configOf(given))).toContain(hush);
      expect(rowOf(given, variable)?.value).toBe("********");
      expect(rowOf(given, variable)?.origin).toStartWith("the file /run/secret (");
    }
  });

  test.each(SECRETS)("%s and its file together are a conflict, wherever each was given", (variable) => {
    const files = { "/run/secret": hush };
    const id = companionOf(variable);
    const key = variable.replace("BROOMWAGON_", "").toLowerCase();
    for (const given of [
      { env: { ...id, [variable]: hush, [`${variable}_FILE`]: "/run/secret" }, files },
      { env: { ...id, [variable]: hush }, toml: `${key}_file = "/run/secret"`, files },
    ]) {
      expect(problemsOf(given)).toMatchObject([{ kind: "conflict", key: variable, value: "********" }]);
    }
  });

  test.each([
    ["is missing", {}, "There is no such file."],
    ["is empty", { "/run/secret": "\n" }, "The file is empty."],
    ["cannot be read", { "/run/secret": new Error("EACCES: permission denied") }, "EACCES: permission denied"],
  ])("a file that %s is told of, with its path", (_name, files, hint) => {
    expect(problemsOf({ env: { BROOMWAGON_ADMIN_TOKEN_FILE: "/run/secret" }, files })).toMatchObject([
      {
        kind: "unreadable_file",
        key: "BROOMWAGON_ADMIN_TOKEN_FILE",
        value: "/run/secret",
        hint: expect.stringContaining(hint),
      },
    ]);
  });

  test("I10: none is shown, neither when all is well nor when something is wrong", () => {
    const env = {
      BROOMWAGON_ADMIN_TOKEN: "hush hush",
      BROOMWAGON_SECRET_KEY: "hush",
      STRAVA_CLIENT_SECRET: "hush",
      BROOMWAGON_ADMIN_TOKENN: "hush",
    };
    const toml = 'strava_client_secrt = "hush"\nx_key = "hush"\nadmin_token = ["hush"]';
    const broken = load({ env, toml, flags: { "admin-tokn": "hush" } });
    expect(broken.ok).toBe(false);
    expect(JSON.stringify(broken)).not.toContain("hush");
    const loaded = load({
      env: { ...env, STRAVA_CLIENT_ID: "1", BROOMWAGON_ADMIN_TOKEN: hush, BROOMWAGON_SECRET_KEY: hush },
    });
    expect(loaded.ok && JSON.stringify([loaded.rows, loaded.warnings])).not.toContain("hush");
  });
});

describe("names that nothing reads", () => {
  test("a key in the file is a problem that names the nearest", () => {
    expect(problemsOf({ toml: "prot = 1\ncolour = 2\nbroomwagon_port = 3" })).toMatchObject([
      {
        kind: "unknown_key",
        key: "prot",
        value: "1",
        origin: "prot in data/broomwagon.toml",
        hint: "Did you mean port?",
      },
      { kind: "unknown_key", key: "colour" },
      { kind: "unknown_key", key: "broomwagon_port", hint: "Did you mean port?" },
    ]);
    expect(problemsOf({ toml: "colour = 2" })[0]).not.toHaveProperty("hint");
  });

  test("a flag is wrong usage", () => {
    expect(problemsOf({ flags: { prot: "1" } })).toMatchObject([
      { kind: "unknown_flag", key: "--prot", hint: "Did you mean --port?" },
    ]);
  });

  test("a BROOMWAGON_ variable is only a warning; others are nobody's business", () => {
    const env = { BROOMWAGON_PROT: "1", BROOMWAGON_STRAVA_CLIENT_ID: "1", BROOMWAGON_COLOUR: "1", STRAVA_X: "1" };
    const loaded = load({ env });
    expect(loaded.ok).toBe(true);
    expect(loaded.warnings).toEqual([
      "The environment variable BROOMWAGON_PROT is not known and has no effect. Did you mean BROOMWAGON_PORT?",
      "The environment variable BROOMWAGON_STRAVA_CLIENT_ID is not known and has no effect. Did you mean STRAVA_CLIENT_ID?",
      "The environment variable BROOMWAGON_COLOUR is not known and has no effect.",
    ]);
  });
});

describe("the file", () => {
  test.each(["port = ", 'port = "1', "[t", "port = 1\nport = 2", "\u0000\u0000"])("torn (%p) is a problem", (toml) => {
    expect(problemsOf({ toml })).toMatchObject([
      { kind: "unreadable_file", key: "broomwagon.toml", value: "data/broomwagon.toml", origin: "data directory" },
    ]);
  });

  test("that cannot be read is a problem; that is empty or absent is none; but one that was named must be there", () => {
    const files = { "data/broomwagon.toml": new Error("EACCES") };
    expect(problemsOf({ files })).toMatchObject([{ kind: "unreadable_file", hint: expect.stringContaining("EACCES") }]);
    expect(load({ toml: "" }).ok).toBe(true);
    expect(load().ok).toBe(true);
    expect(problemsOf({ flags: { config: "gone.toml" } })).toMatchObject([
      { kind: "unreadable_file", value: "gone.toml", origin: "flag --config", hint: "There is no such file." },
    ]);
  });

  test("holds one value a key, no lists and no tables", () => {
    expect(problemsOf({ toml: "port = [1]\n[host]\na = 1" })).toMatchObject([
      { kind: "invalid", key: "port", value: "[1]" },
      { kind: "invalid", key: "host" },
    ]);
  });
});

describe("settings that belong together", () => {
  test.each([
    [{ STRAVA_CLIENT_ID: "1" }, "STRAVA_CLIENT_SECRET"],
    [{ STRAVA_CLIENT_SECRET: "s" }, "STRAVA_CLIENT_ID"],
  ])("%p lacks %s", (env, missing) => {
    expect(problemsOf({ env })).toMatchObject([{ kind: "missing", key: missing }]);
  });

  test("both make a Strava application, and neither is allowed", () => {
    expect(
      configOf({ env: { STRAVA_CLIENT_ID: "1", STRAVA_CLIENT_SECRET: "s", STRAVA_CLUB_ID: "7" } }).strava,
    ).toMatchObject({ clientId: "1", clientSecret: "s", clubId: 7 });
  });

  test("a half that may stand in the torn part of the file is not missed as well", () => {
    expect(problemsOf({ env: { STRAVA_CLIENT_ID: "1" }, toml: "x = " })).toHaveLength(1);
    expect(problemsOf({ env: { STRAVA_CLIENT_ID: "1", STRAVA_CLIENT_SECRET_FILE: "gone" } })).toHaveLength(1);
  });
});

describe("what works and may not be meant is a warning", () => {
  test.each([
    [{ BROOMWAGON_HOST: "0.0.0.0" }, "BROOMWAGON_HOST is 0.0.0.0"],
    [{ BROOMWAGON_PUBLIC_URL: "http://races.example.org" }, "Use https"],
    [{ BROOMWAGON_ADMIN_TOKEN: "fifteen-letters" }, "BROOMWAGON_ADMIN_TOKEN is short"],
  ])("%p", (env, warning) => {
    const loaded = load({ env });
    expect(loaded.ok).toBe(true);
    expect(loaded.warnings).toEqual([expect.stringContaining(warning)]);
  });

  test.each([
    { BROOMWAGON_HOST: "127.0.0.2" },
    { BROOMWAGON_HOST: "::1" },
    { BROOMWAGON_HOST: "localhost" },
    { BROOMWAGON_PUBLIC_URL: "http://localhost:8720" },
    { BROOMWAGON_ADMIN_TOKEN: "sixteen-letters!" },
  ])("%p is none", (env) => {
    expect(load({ env })).toMatchObject({ ok: true, warnings: [] });
  });
});

test("all problems come at once, whatever their kind and origin, and warnings with them", () => {
  const loaded = load({
    flags: { port: "70000", prot: "1" },
    env: {
      BROOMWAGON_LEASE: "soon",
      BROOMWAGON_HOST: "0.0.0.0",
      BROOMWAGON_ADMIN_TOKEN: "a",
      BROOMWAGON_ADMIN_TOKEN_FILE: "b",
      BROOMWAGON_TYPO: "1",
      STRAVA_CLIENT_ID: "1",
    },
    toml: 'healing = "perhaps"\nhealling = "suggest"',
  });
  const problems = loaded.ok ? [] : loaded.problems;
  expect(problems.map(({ kind, key }) => `${kind} ${key}`).sort()).toEqual([
    "conflict BROOMWAGON_ADMIN_TOKEN",
    "invalid BROOMWAGON_HEALING",
    "invalid BROOMWAGON_LEASE",
    "invalid BROOMWAGON_PORT",
    "missing STRAVA_CLIENT_SECRET",
    "unknown_flag --prot",
    "unknown_key healling",
  ]);
  expect(loaded.warnings).toHaveLength(2);
});

test("a problem reads as one line: key, value, origin, expectation, cure", () => {
  const [problem] = problemsOf({ flags: { port: "70000" } });
  expect(problem && describeProblem(problem)).toBe(
    "BROOMWAGON_PORT = 70000 (flag --port): expected a port: a whole number from 0 to 65535",
  );
  const [unknown] = problemsOf({ toml: "prot = 1" });
  expect(unknown && describeProblem(unknown)).toBe(
    "prot = 1 (prot in data/broomwagon.toml): expected a known key. Did you mean port?",
  );
});

test("the rows list every setting once, in the order of the table, with what it is and where it came from", () => {
  const loaded = load({ env: { BROOMWAGON_LEASE: "3s" } });
  const rows = loaded.ok ? loaded.rows : [];
  expect(rows.map(({ key }) => key)).toEqual(Object.values(SETTINGS).map(({ variable }) => variable));
  expect(rows).toContainEqual({
    key: "BROOMWAGON_LEASE",
    value: "3s",
    origin: "environment variable BROOMWAGON_LEASE",
  });
  expect(rows).toContainEqual({ key: "BROOMWAGON_PUBLIC_URL", value: "", origin: "default" });
});
