import { basename } from "node:path";
import { type Config, loadConfig } from "../config.ts";
import { flagName } from "../config-settings.ts";
import type { GivenArguments } from "./arguments.ts";
import { BadConfigurationError } from "./failures.ts";
import { SANDBOX_CLIENT } from "./sandbox-introduction.ts";
import type { World } from "./world.ts";

/** What somebody chose for a demo, and the rest of its configuration: only data directory and sandbox are missing. */
export type DemoSettings = {
  readonly config: Config;
  /** The directory that somebody named. */
  readonly dataDir: string | undefined;
  readonly isPortChosen: boolean;
};

/** Seconds, so that a person sees within a minute what takes a daemon some minutes. */
export const DEMO_HEALTH_PERIOD_MS = 10_000;
const SCHEDULES = {
  BROOMWAGON_PROCESSOR_CRON: "*/5 * * * * *",
  BROOMWAGON_HEALTH_CRON: "*/10 * * * * *",
  BROOMWAGON_FULL_SYNC_CRON: "",
  BROOMWAGON_INCREMENTAL_SYNC_CRON: "",
};
/** These are honoured; a demo asks for no other configuration, and whoever has one for a real daemon meets none of it. */
const HONOURED = ["BROOMWAGON_PORT", "BROOMWAGON_ADMIN_TOKEN", "BROOMWAGON_ADMIN_TOKEN_FILE", "BROOMWAGON_TRACE_URL"];
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i;

/** @throws BadConfigurationError when one of those that are honoured is wrong. */
export function loadDemoSettings({ values }: GivenArguments, world: World): DemoSettings {
  const { env, readFile, terminal } = world;
  const loaded = loadConfig({
    flags: {
      ...fixed({
        ...SCHEDULES,
        BROOMWAGON_HOST: "127.0.0.1",
        STRAVA_CLIENT_ID: SANDBOX_CLIENT.id,
        STRAVA_CLIENT_SECRET: SANDBOX_CLIENT.secret,
      }),
      ...pick(values, ["port", "admin-token"]),
      // Replaced once the directory is taken; named here so that the file of no other directory is looked for.
      "data-dir": world.tempDirectory,
    },
    env: { ...pick(env, HONOURED), ...loopbackTracing(env) },
    readFile: (path) => (basename(path) === "broomwagon.toml" ? undefined : readFile(path)),
    isTerminal: terminal.isTerminal,
  });
  if (!loaded.ok) throw new BadConfigurationError(loaded.problems);
  return {
    config: loaded.config,
    dataDir: values["data-dir"] ?? (env.BROOMWAGON_DATA_DIR?.trim() || undefined),
    isPortChosen: values.port !== undefined || (env.BROOMWAGON_PORT?.trim() ?? "") !== "",
  };
}

function fixed(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([variable, text]) => [flagName(variable), text]));
}

function pick(from: Readonly<Record<string, string | undefined>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = from[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Tracing to a collector on this machine is shown; one elsewhere gets nothing, since a demo opens only loopback. */
function loopbackTracing(env: World["env"]): Record<string, string | undefined> {
  const variables = Object.entries(env).filter(([name]) => name.startsWith("OTEL_"));
  const isLocal = variables
    .filter(([name, value]) => name.endsWith("_ENDPOINT") && value !== undefined && value !== "")
    .every(([, value]) => LOOPBACK.test(URL.parse(value ?? "")?.hostname ?? ""));
  return isLocal ? Object.fromEntries(variables) : {};
}
