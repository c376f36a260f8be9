import { nearestName } from "../core/nearest.ts";
import { StartError } from "../db/start-error.ts";
import { parseArguments } from "./arguments.ts";
import { argumentSpec, type Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { CommandFailure, UsageError } from "./failures.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import type { ExitCode, World } from "./world.ts";

/**
 * Runs the command that `args` (without the program's own name) ask for. Whatever keeps a command from its work is
 * told on standard error, without a stack.
 * @returns the exit code. @throws what nobody foresaw: a bug.
 */
export async function dispatch(args: readonly string[], world: World): Promise<ExitCode> {
  const { terminal } = world;
  try {
    return await run(args, world);
  } catch (error) {
    if (error instanceof CommandFailure) {
      terminal.error(error.message);
      return error.exitCode;
    }
    if (error instanceof StartError) {
      terminal.error(error.message);
      return 1;
    }
    throw error;
  }
}

async function run(args: readonly string[], world: World): Promise<ExitCode> {
  const { terminal, program } = world;
  const [first = "serve", ...rest] = args;
  if (first === "help" || first === "--help" || first === "-h") {
    terminal.out(helpFor(first === "help" ? rest : [], program));
    return 0;
  }
  if (first === "--version" || first === "-v") return run(["version"], world);
  // Flags without a command are those of the default one.
  const words = first.startsWith("-") ? ["serve", ...args] : [first, ...rest];
  if (isGroup(first) && (rest[0] === "--help" || rest[0] === "-h")) {
    terminal.out(groupHelp(first, COMMANDS, program));
    return 0;
  }
  const { command, left } = findCommand(words, program);
  const end = left.indexOf("--");
  const flags = end === -1 ? left : left.slice(0, end);
  if (flags.includes("--help") || flags.includes("-h")) {
    terminal.out(commandHelp(command, program));
    return 0;
  }
  const parsed = parseArguments(left, argumentSpec(command));
  if (!parsed.ok) throw new UsageError([...parsed.problems, `See "${program} ${command.name} --help".`]);
  return command.run(parsed.given, world);
}

function helpFor(words: readonly string[], program: string): string {
  if (words.length === 0) return programHelp(COMMANDS, program);
  const [group = ""] = words;
  if (words.length === 1 && isGroup(group)) return groupHelp(group, COMMANDS, program);
  return commandHelp(findCommand(words, program).command, program);
}

/** @throws UsageError naming the nearest command */
function findCommand(words: readonly string[], program: string): { command: Command; left: readonly string[] } {
  const [first = "", second] = words;
  const command = COMMANDS.find(({ name }) => name === first);
  if (command !== undefined) return { command, left: words.slice(1) };
  if (!isGroup(first)) throw new UsageError([unknown(first, topWords(), "command"), `See "${program} help".`]);
  const member = COMMANDS.find(({ name }) => name === `${first} ${second}`);
  if (member !== undefined) return { command: member, left: words.slice(2) };
  const complaint =
    second === undefined || second.startsWith("-")
      ? `"${first}" wants a further word.`
      : unknown(second, membersOf(first), `command of "${first}"`);
  throw new UsageError([complaint, groupHelp(first, COMMANDS, program)]);
}

function unknown(word: string, known: readonly string[], what: string): string {
  const nearest = nearestName(word, known);
  return `There is no ${what} ${JSON.stringify(word)}.${nearest === undefined ? "" : ` Did you mean "${nearest}"?`}`;
}

function isGroup(word: string): boolean {
  return membersOf(word).length > 0;
}

function membersOf(group: string): string[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${group} `)).map(({ name }) => name.slice(group.length + 1));
}

function topWords(): string[] {
  return [...new Set(COMMANDS.map(({ name }) => name.split(" ")[0] ?? name)), "help"];
}
