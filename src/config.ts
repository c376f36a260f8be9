import { type ConfigProblem, MASK } from "./config-problem.ts";
import { SETTINGS, type Setting, type SettingName, type SettingValues } from "./config-settings.ts";
import {
  type ConfigSources,
  findGiven,
  type Layers,
  openLayers,
  otelVariables,
  unknownVariables,
} from "./config-sources.ts";

/** The whole configuration, parsed. Each setting is described, with its default, in `config-settings.ts`. */
export type Config = Omit<SettingValues, StravaSetting> & {
  /** Without `clientId` and `clientSecret` (both or neither) the daemon starts, and says so. */
  readonly strava: {
    readonly clientId: string | undefined;
    readonly clientSecret: string | undefined;
    readonly clubId: number | undefined;
    /** Without a slash at the end, as are `oauthUrl` and `publicUrl`. */
    readonly apiUrl: string;
    readonly oauthUrl: string;
  };
  /** The standard `OTEL_*` variables as they were given: `telemetry/otlp-settings.ts` parses them. */
  readonly otelEnv: Readonly<Record<string, string>>;
};
type StravaSetting = Extract<SettingName, `strava${string}`>;

/** A line of `broomwagon config`; the value is empty where nothing is set, and masked where it is a secret. */
export type ConfigRow = { readonly key: string; readonly value: string; readonly origin: string };

export type LoadedConfig =
  /** `warnings` are sentences: what works and may not be meant. */
  | { ok: true; config: Config; rows: readonly ConfigRow[]; warnings: readonly string[] }
  /** Every problem at once, so that they can be mended at once. */
  | { ok: false; problems: readonly ConfigProblem[]; warnings: readonly string[] };

/** Below this an admin token can be guessed. It is worth a warning and no more: a trial on one machine may not care. */
const ADMIN_TOKEN_LENGTH_MIN = 16;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/i;

/**
 * Reads the configuration: flags over environment over `broomwagon.toml` over defaults. Nothing else reads the
 * environment. Trouble is returned, never thrown; no secret is in a problem, a row or a warning.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const rows: ConfigRow[] = [];
  const layers = openLayers(sources, problems);

  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    values[name] = readSetting(SETTINGS[name], { layers, problems, rows });
  }
  problems.push(...halfStrava(layers, rows));
  const otelEnv = otelVariables(layers);
  // Without a problem, each value is what its own setting parsed.
  const parsed = values as SettingValues;
  const warnings = [...unknownVariables(sources.env), ...doubts(parsed)];
  if (problems.length > 0) return { ok: false, problems, warnings };
  return { ok: true, config: assemble(parsed, otelEnv), rows: [...rows, ...otelRows(otelEnv)], warnings };
}

function readSetting(
  setting: Setting<unknown>,
  { layers, problems, rows }: { layers: Layers; problems: ConfigProblem[]; rows: ConfigRow[] },
): unknown {
  const { variable: key, expected } = setting;
  const given = findGiven(setting, layers, problems);
  switch (given.kind) {
    case "unreadable":
      return undefined;
    case "unset":
      rows.push({ key, value: "", origin: "default" });
      return undefined;
    case "given": {
      const value = setting.isSecret === true ? MASK : given.text;
      rows.push({ key, value, origin: given.origin });
      const parsed = setting.parse(given.text);
      if (parsed === undefined) problems.push({ kind: "invalid", key, value, expected, origin: given.origin });
      return parsed?.value;
    }
    default:
      return given satisfies never;
  }
}

/** The id of the Strava application is of no use without its secret, nor the other way round. */
function halfStrava({ file }: Layers, rows: readonly ConfigRow[]): ConfigProblem[] {
  const [id, secret] = [SETTINGS.stravaClientId, SETTINGS.stravaClientSecret].map(({ variable }) =>
    rows.find(({ key }) => key === variable),
  );
  // A secret that could not be read has no row and its own problem; a torn file may hold the other half.
  if (id === undefined || secret === undefined || file.isTorn || (id.value === "") === (secret.value === "")) return [];
  const [given, missing] = id.value === "" ? [secret, id] : [id, secret];
  const expected = `a value, since ${given.key} is given`;
  return [{ kind: "missing", key: missing.key, value: "", expected, origin: `not set; ${given.key}: ${given.origin}` }];
}

/** What works and may not be meant. Values that were not understood are undefined here, and have their problem. */
function doubts({ host, publicUrl, adminToken }: Partial<SettingValues>): string[] {
  const warnings: string[] = [];
  if (host !== undefined && !LOOPBACK.test(host)) {
    warnings.push(
      `BROOMWAGON_HOST is ${host}: other machines can reach the daemon, over HTTP without encryption. Put a proxy with TLS in front of it.`,
    );
  }
  if (publicUrl?.startsWith("http:") && !LOOPBACK.test(new URL(publicUrl).hostname)) {
    warnings.push(
      `BROOMWAGON_PUBLIC_URL is ${publicUrl}: sessions and sign-ins cross the network unencrypted. Use https.`,
    );
  }
  if (adminToken !== undefined && adminToken.length < ADMIN_TOKEN_LENGTH_MIN) {
    warnings.push(
      `BROOMWAGON_ADMIN_TOKEN is short enough to be guessed: use at least ${ADMIN_TOKEN_LENGTH_MIN} characters.`,
    );
  }
  return warnings;
}

/** Values of `OTEL_*` stay as they are, but headers: those carry credentials of collectors. */
function otelRows(otelEnv: Readonly<Record<string, string>>): ConfigRow[] {
  return Object.entries(otelEnv).map(([key, text]) => ({
    key,
    value: key.endsWith("_HEADERS") ? MASK : text,
    origin: "OpenTelemetry variable",
  }));
}

function assemble(values: SettingValues, otelEnv: Readonly<Record<string, string>>): Config {
  const { stravaClientId, stravaClientSecret, stravaClubId, stravaApiUrl, stravaOauthUrl, ...rest } = values;
  return {
    ...rest,
    strava: {
      clientId: stravaClientId,
      clientSecret: stravaClientSecret,
      clubId: stravaClubId,
      apiUrl: stravaApiUrl,
      oauthUrl: stravaOauthUrl,
    },
    otelEnv,
  };
}
