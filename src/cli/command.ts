import { flagName, SETTINGS, type Setting } from "../config-settings.ts";
import type { ArgumentSpec, Flag, GivenArguments } from "./arguments.ts";
import type { ExitCode, World } from "./world.ts";

/** One command of the program. */
export type Command = {
  /** One word, or two where it belongs to a group: `health check`. */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What the help says below the usage: whole sentences, wrapped at about 100 columns. */
  readonly details: string;
  readonly positionals?: readonly string[];
  /** How many positionals may be left out, from the end. */
  readonly optional?: number;
  readonly flags?: Readonly<Record<string, Flag>>;
  /** Whether every setting can be given as a flag, and `--config FILE`. */
  readonly takesSettings: boolean;
  /** Whether its help lists the settings; the others name the one that does. */
  readonly listsSettings?: true;
  run(given: GivenArguments, world: World): Promise<ExitCode>;
};

const EVERY_SETTING: readonly Setting<unknown>[] = Object.values(SETTINGS);

/** The flags of the settings: what stands for a value, and what it means. */
export const SETTING_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries([
  [
    "config",
    { takes: "FILE", description: "The configuration file, instead of broomwagon.toml in the data directory." },
  ],
  ...EVERY_SETTING.flatMap(({ variable, isSecret, description }): [string, Flag][] => {
    const name = flagName(variable);
    const own: [string, Flag] = [name, { takes: "VALUE", description }];
    const twin: [string, Flag] = [`${name}-file`, { takes: "FILE", description: `A file that holds ${variable}.` }];
    return isSecret === true ? [own, twin] : [own];
  }),
]);

/** What the command line of a command may hold. */
export function argumentSpec(command: Command): ArgumentSpec {
  const { takesSettings } = command;
  return {
    flags: command.flags ?? {},
    isSettingFlag: (name) => takesSettings && (Object.hasOwn(SETTING_FLAGS, name) || /^otel-/.test(name)),
    settingFlags: takesSettings ? Object.keys(SETTING_FLAGS) : [],
    positionals: command.positionals ?? [],
    optional: command.optional ?? 0,
  };
}
