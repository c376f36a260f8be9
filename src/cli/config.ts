import { MASK } from "../config-problem.ts";
import type { Command } from "./command.ts";
import { createPaint } from "./paint.ts";
import { loadSettings } from "./settings.ts";
import { renderTable } from "./table.ts";

export const config: Command = {
  name: "config",
  summary: "prints each setting, its value and where it came from",
  details: `Prints each setting with its value and where that came from: a flag, the environment, broomwagon.toml or the
default. Secrets are masked (${MASK}). Every problem is listed at once, and ends it with 78.`,
  takesSettings: true,
  listsSettings: true,
  async run(given, world) {
    const { terminal } = world;
    const { rows, warnings } = loadSettings(given, world);
    const paint = createPaint(terminal.color);
    const cells = rows.map(({ key, value, origin }) => [paint.bold(key), value, paint.dim(origin)]);
    terminal.out(renderTable(cells));
    for (const warning of warnings) terminal.error(`Warning: ${warning}`);
    return 0;
  },
};
