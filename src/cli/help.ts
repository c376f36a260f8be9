import type { Flag } from "./arguments.ts";
import { type Command, SETTING_FLAGS } from "./command.ts";

/** The help of the whole program. */
export function programHelp(commands: readonly Command[], program: string): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "Broomwagon keeps a running club's race results in step with Strava, and sweeps up every sync that falls behind.",
    "",
    `Usage: ${program} [command] [arguments] [flags]`,
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    `More about one of them: ${program} help <command>. Without a command, it is "serve".`,
    `Settings come from flags, the environment and broomwagon.toml; "${program} config" lists them.`,
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 78 bad configuration.",
  ].join("\n");
}

/** The help of one command. */
export function commandHelp(command: Command, program: string): string {
  const { name, details, flags = {} } = command;
  return [
    `Usage: ${program} ${name}${usageTail(command)}`,
    "",
    details,
    ...(Object.keys(flags).length === 0 ? [] : ["", "Flags:", ...listFlags(flags)]),
    ...helpOnSettings(command, program),
  ].join("\n");
}

/** The help of a group of commands: what it can be followed by. */
export function groupHelp(group: string, commands: readonly Command[], program: string): string {
  const members = commands.filter(({ name }) => name.startsWith(`${group} `));
  const usages = members.map((command) => `${program} ${command.name}${usageTail(command)}`);
  const width = Math.max(...usages.map((usage) => usage.length));
  return [
    `Usage of "${group}":`,
    ...members.map(({ summary }, index) => `  ${(usages[index] ?? "").padEnd(width)}  ${summary}`),
  ].join("\n");
}

function helpOnSettings({ takesSettings, listsSettings }: Command, program: string): string[] {
  if (listsSettings) {
    return ["", "Settings, each also in the environment and in broomwagon.toml:", ...listFlags(SETTING_FLAGS)];
  }
  if (!takesSettings) return [];
  return ["", `Every setting can be given as a flag too (--data-dir DIR): "${program} serve --help" lists them.`];
}

function usageTail({ positionals = [], optional = 0, flags = {}, takesSettings }: Command): string {
  const places = positionals.map((place, index) => (index < positionals.length - optional ? place : `[${place}]`));
  const own = Object.entries(flags).map(([name, { takes }]) => `[--${name}${takes === undefined ? "" : ` ${takes}`}]`);
  const words = [...places, ...own, ...(takesSettings ? ["[settings]"] : [])];
  return words.length === 0 ? "" : ` ${words.join(" ")}`;
}

function listFlags(flags: Readonly<Record<string, Flag>>): string[] {
  const rows = Object.entries(flags).map(([name, { takes, description }]) => ({
    usage: `--${name}${takes === undefined ? "" : ` ${takes}`}`,
    description,
  }));
  const width = Math.max(...rows.map(({ usage }) => usage.length));
  return rows.map(({ usage, description }) => `  ${usage.padEnd(width)}  ${description}`);
}
