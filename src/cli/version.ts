import type { Command } from "./command.ts";

export const version: Command = {
  name: "version",
  summary: "prints the version",
  details: "Prints the version of this program and of the runtime in it.",
  takesSettings: false,
  async run(_given, { terminal, version }) {
    terminal.out(`broomwagon ${version} (bun ${Bun.version})`);
    return 0;
  },
};
