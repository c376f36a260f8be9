import { join, normalize } from "node:path";
import { type ConfigProblem, MASK } from "./config-problem.ts";
import { flagName, SETTINGS, type Setting, tomlKey } from "./config-settings.ts";
import { nearestName } from "./core/nearest.ts";

/** What the configuration is read from. */
export type ConfigSources = {
  /** What the command line gives, by name without the dashes: `port`, `data-dir`; and `config`, the path of the file. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; undefined when there is none. Throws when it is there and cannot be read. */
  readonly readFile: (path: string) => string | undefined;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
};

/** A setting as it was written, and where. */
export type Given = { readonly text: string; readonly origin: string };

/** Flags, environment and file, ready to be asked for one setting after the other. */
export type Layers = ConfigSources & {
  readonly file: { readonly path: string; readonly isTorn: boolean; readonly values: ReadonlyMap<string, string> };
};

const CONFIG_FILE = "broomwagon.toml";
const FILE_TWIN = "_FILE";
/** The one flag that is no setting: the path of the file. */
const CONFIG_FLAG = "config";

const EVERY_SETTING: readonly Setting<unknown>[] = Object.values(SETTINGS);
/** Every name that can be given, the twins of the secrets included. */
const VARIABLES: readonly string[] = EVERY_SETTING.flatMap(({ variable, isSecret }) =>
  isSecret === true ? [variable, `${variable}${FILE_TWIN}`] : [variable],
);

/** Reads the file and looks for names that nothing reads. What is wrong is added to `problems`. */
export function openLayers(sources: ConfigSources, problems: ConfigProblem[]): Layers {
  for (const [name, value] of Object.entries(sources.flags)) {
    if (name === CONFIG_FLAG || VARIABLES.some((variable) => flagName(variable) === name) || isOtel(name)) continue;
    const unknown = {
      kind: "unknown_flag",
      key: `--${name}`,
      expected: "a known flag",
      origin: "command line",
    } as const;
    problems.push({ ...unknown, ...guess(name, value, (variable) => `--${flagName(variable)}`) });
  }
  return { ...sources, file: readConfigFile(sources, problems) };
}

/** The `BROOMWAGON_…` variables that nothing reads: sentences with the likely cure. */
export function unknownVariables(env: ConfigSources["env"]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("BROOMWAGON_") && !VARIABLES.includes(name))
    .map((name) => {
      const { hint } = guess(name, "", (variable) => variable);
      return [`The environment variable ${name} is not known and has no effect.`, hint ?? ""].join(" ").trim();
    });
}

/**
 * What is given for a setting: flag over environment over file over default; the text of its file for a secret's twin.
 * @returns the text; `unset` when there is not even a default; `unreadable` when a problem was added instead.
 */
export function findGiven(
  setting: Setting<unknown>,
  layers: Layers,
  problems: ConfigProblem[],
): ({ kind: "given" } & Given) | { kind: "unset" } | { kind: "unreadable" } {
  const direct = lookUp(setting.variable, layers, setting.isEmptyAllowed === true);
  const twin = setting.isSecret === true ? lookUp(`${setting.variable}${FILE_TWIN}`, layers, false) : undefined;
  if (twin !== undefined) return readSecret(setting.variable, { direct, twin, readFile: layers.readFile, problems });
  if (direct !== undefined) return { kind: "given", ...direct };
  const text = (layers.isTerminal ? setting.defaultOnTerminal : undefined) ?? setting.default;
  return text === undefined ? { kind: "unset" } : { kind: "given", text, origin: "default" };
}

/** The `OTEL_*` variables, whatever they are called: the environment's, then what flags and file say in its manner. */
export function otelVariables({ flags, env, file }: Layers): Record<string, string> {
  const given: Record<string, string> = {};
  const lowestFirst = [...file.values, ...Object.entries(env), ...Object.entries(flags)];
  for (const [name, text] of lowestFirst) {
    // To OpenTelemetry an empty variable is an unset one.
    if (isOtel(name) && text !== undefined && text !== "") given[name.replaceAll("-", "_").toUpperCase()] = text;
  }
  return given;
}

function lookUp(variable: string, { flags, env, file }: Layers, isEmptyAllowed: boolean): Given | undefined {
  const flag = flags[flagName(variable)];
  if (flag !== undefined) return { text: flag.trim(), origin: `flag --${flagName(variable)}` };
  const isGiven = (text: string | undefined): text is string => text !== undefined && (text !== "" || isEmptyAllowed);
  const fromEnv = env[variable]?.trim();
  if (isGiven(fromEnv)) return { text: fromEnv, origin: `environment variable ${variable}` };
  const fromFile = file.values.get(tomlKey(variable))?.trim();
  if (isGiven(fromFile)) return { text: fromFile, origin: `${tomlKey(variable)} in ${file.path}` };
  return undefined;
}

function readSecret(
  variable: string,
  options: { direct: Given | undefined; twin: Given; readFile: ConfigSources["readFile"]; problems: ConfigProblem[] },
): ({ kind: "given" } & Given) | { kind: "unreadable" } {
  const { direct, twin, readFile, problems } = options;
  if (direct !== undefined) {
    const expected = `either ${variable} or ${variable}${FILE_TWIN}, not both`;
    problems.push({
      kind: "conflict",
      key: variable,
      value: MASK,
      expected,
      origin: `${direct.origin}; ${twin.origin}`,
    });
    return { kind: "unreadable" };
  }
  const file = readText(twin.text, readFile);
  const text = file.kind === "read" ? file.text.trim() : "";
  if (text !== "") return { kind: "given", text, origin: `the file ${twin.text} (${twin.origin})` };
  const hint = file.kind === "read" ? "The file is empty." : file.reason;
  const expected = "a file that holds the secret";
  const key = `${variable}${FILE_TWIN}`;
  problems.push({ kind: "unreadable_file", key, value: twin.text, expected, origin: twin.origin, hint });
  return { kind: "unreadable" };
}

function readConfigFile(sources: ConfigSources, problems: ConfigProblem[]): Layers["file"] {
  const { flags, env, readFile } = sources;
  const dataDir =
    flags[flagName("BROOMWAGON_DATA_DIR")] ?? (env.BROOMWAGON_DATA_DIR?.trim() || SETTINGS.dataDir.default);
  const path = flags[CONFIG_FLAG] ?? join(dataDir ?? "", CONFIG_FILE);
  const nothing = { path, isTorn: false, values: new Map<string, string>() };
  const found = readText(path, readFile);
  if (found.kind === "absent" && flags[CONFIG_FLAG] === undefined) return nothing;
  const table = found.kind === "read" ? parseToml(found.text) : found;
  if (table.kind !== "table") {
    const origin = flags[CONFIG_FLAG] === undefined ? "data directory" : "flag --config";
    const expected = "a configuration file in TOML";
    problems.push({ kind: "unreadable_file", key: CONFIG_FILE, value: path, expected, origin, hint: table.reason });
    return { ...nothing, isTorn: true };
  }
  const values = knownValues(table.entries, path, problems);
  const moved = values.get("data_dir");
  // The file was found by the data directory: it cannot send the daemon to another one.
  if (flags[CONFIG_FLAG] === undefined && moved !== undefined && normalize(moved) !== normalize(dataDir ?? "")) {
    const origin = `data_dir in ${path}`;
    const expected = `${dataDir}, the directory that holds the file`;
    const hint = "Give it as --data-dir or BROOMWAGON_DATA_DIR, or name the file with --config.";
    problems.push({ kind: "conflict", key: "BROOMWAGON_DATA_DIR", value: moved, expected, origin, hint });
  }
  return { path, isTorn: false, values };
}

function knownValues(entries: [string, unknown][], path: string, problems: ConfigProblem[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of entries) {
    const isScalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    const written = isScalar ? String(value) : JSON.stringify(value);
    const origin = `${key} in ${path}`;
    if (!VARIABLES.some((variable) => tomlKey(variable) === key) && !isOtel(key)) {
      const unknown = { kind: "unknown_key", key, expected: "a known key", origin } as const;
      problems.push({ ...unknown, ...guess(key, written, tomlKey) });
    } else if (isScalar) {
      values.set(key, written);
    } else {
      const expected = "one value: a text, a number, true or false";
      problems.push({
        kind: "invalid",
        key,
        ...guess(key, written, tomlKey),
        hint: "Write no list and no table.",
        expected,
        origin,
      });
    }
  }
  return values;
}

function parseToml(text: string): { kind: "table"; entries: [string, unknown][] } | { kind: "torn"; reason: string } {
  try {
    return { kind: "table", entries: Object.entries(Bun.TOML.parse(text)) };
  } catch (error) {
    return { kind: "torn", reason: `${error instanceof Error ? error.message : "It cannot be parsed"}.` };
  }
}

type FileText = { kind: "read"; text: string } | { kind: "absent" | "unreadable"; reason: string };

function readText(path: string, readFile: ConfigSources["readFile"]): FileText {
  try {
    const text = readFile(path);
    return text === undefined ? { kind: "absent", reason: "There is no such file." } : { kind: "read", text };
  } catch (error) {
    return {
      kind: "unreadable",
      reason: `It cannot be read: ${error instanceof Error ? error.message : "no reason given"}.`,
    };
  }
}

/**
 * What somebody who wrote an unknown name most likely meant, and the value as it may be shown: nobody knows what an
 * unknown name holds, so only where a setting is meant that is no secret.
 */
function guess(name: string, value: string, spell: (variable: string) => string): { value: string; hint?: string } {
  const byKey = new Map(VARIABLES.map((variable) => [tomlKey(variable), variable]));
  const nearest = byKey.get(nearestName(tomlKey(name.replaceAll("-", "_").toUpperCase()), [...byKey.keys()]) ?? "");
  if (nearest === undefined) return { value: value === "" ? "" : MASK };
  const isSecret = EVERY_SETTING.some(({ variable, isSecret }) => variable === nearest && isSecret === true);
  return { value: isSecret && value !== "" ? MASK : value, hint: `Did you mean ${spell(nearest)}?` };
}

function isOtel(name: string): boolean {
  return /^otel[_-]/i.test(name);
}
