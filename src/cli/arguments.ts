import { nearestName } from "../core/nearest.ts";

/** A flag as a command declares it; its name, without the dashes, is its key. */
export type Flag = {
  /** What stands for its value in the help (`N`, `FILE`); undefined: a switch, which takes none. */
  readonly takes?: string;
  readonly description: string;
};

/** What a command takes. */
export type ArgumentSpec = {
  readonly flags: Readonly<Record<string, Flag>>;
  /** Further flags that take a value, by name: those of the settings. */
  readonly isSettingFlag: (name: string) => boolean;
  /** Their names, to guess from. */
  readonly settingFlags: readonly string[];
  /** In order, as the help names them. */
  readonly positionals: readonly string[];
  /** How many of them may be left out, from the end. */
  readonly optional: number;
};

/** A command line, taken apart. */
export type GivenArguments = {
  /** By name without the dashes; only those of the command itself. */
  readonly values: Readonly<Record<string, string>>;
  readonly switches: ReadonlySet<string>;
  /** Flags of settings, as `loadConfig` takes them. */
  readonly settings: Readonly<Record<string, string>>;
  readonly positionals: readonly string[];
};

/**
 * Takes the arguments after the command's name apart: `--port 1` and `--port=1` are the same, the last of two wins, and
 * after `--` all is positional. A value that begins with a dash is given as `--name=-value`.
 * @returns the arguments, or every problem as a sentence.
 */
export function parseArguments(
  args: readonly string[],
  spec: ArgumentSpec,
): { ok: true; given: GivenArguments } | { ok: false; problems: readonly string[] } {
  const values: Record<string, string> = {};
  const settings: Record<string, string> = {};
  const switches = new Set<string>();
  const positionals: string[] = [];
  const problems: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    if (word === "--") {
      positionals.push(...args.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const { name, attached } = splitFlag(word);
    const own = Object.hasOwn(spec.flags, name) ? spec.flags[name] : undefined;
    if (own === undefined && !spec.isSettingFlag(name)) {
      problems.push(unknownFlag(word, name, spec));
      // What follows an unknown flag is most likely its value: it would only be a second complaint.
      if (attached === undefined && isValue(args[index + 1])) index++;
      continue;
    }
    if (own !== undefined && own.takes === undefined) {
      if (attached === undefined) switches.add(name);
      else problems.push(`--${name} takes no value, and was given ${JSON.stringify(attached)}.`);
      continue;
    }
    const value = attached ?? (isValue(args[index + 1]) ? args[++index] : undefined);
    if (value === undefined) problems.push(`--${name} needs a value: --${name}=${own?.takes ?? "VALUE"}.`);
    else if (own !== undefined) values[name] = value;
    else settings[name] = value;
  }
  // A positional that is there because a flag was not understood would be a complaint about a complaint.
  if (problems.length === 0) problems.push(...countPositionals(positionals, spec));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, given: { values, switches, settings, positionals } };
}

function splitFlag(word: string): { name: string; attached: string | undefined } {
  const bare = word.replace(/^--?/, "");
  const equals = bare.indexOf("=");
  return equals === -1
    ? { name: bare, attached: undefined }
    : { name: bare.slice(0, equals), attached: bare.slice(equals + 1) };
}

function isValue(word: string | undefined): word is string {
  return word !== undefined && (!word.startsWith("-") || word === "-");
}

/** Names the flag and never its value, which may be a secret under a name that was mistyped. */
function unknownFlag(word: string, name: string, spec: ArgumentSpec): string {
  const nearest = nearestName(name, [...Object.keys(spec.flags), ...spec.settingFlags, "help"]);
  const hint = nearest === undefined ? "" : ` Did you mean --${nearest}?`;
  return `There is no flag ${word.split("=")[0]}.${hint}`;
}

function countPositionals(given: readonly string[], { positionals, optional }: ArgumentSpec): string[] {
  const missing = positionals.slice(given.length, positionals.length - optional);
  if (missing.length > 0) return [`${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing.`];
  const extra = given.slice(positionals.length);
  return extra.length > 0 ? [`${extra.map((word) => JSON.stringify(word)).join(", ")}: one argument too many.`] : [];
}
