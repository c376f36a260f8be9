import { type Config, type ConfigRow, loadConfig } from "../config.ts";
import type { GivenArguments } from "./arguments.ts";
import { BadConfigurationError } from "./failures.ts";
import type { World } from "./world.ts";

/** The configuration as the command line, the environment and the file give it. @throws BadConfigurationError */
export function loadSettings(
  given: GivenArguments,
  world: World,
): { config: Config; rows: readonly ConfigRow[]; warnings: readonly string[] } {
  const { env, readFile, terminal } = world;
  const loaded = loadConfig({ flags: given.settings, env, readFile, isTerminal: terminal.isTerminal });
  if (!loaded.ok) throw new BadConfigurationError(loaded.problems);
  return loaded;
}
