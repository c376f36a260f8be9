import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { UsageError } from "./failures.ts";
import { loadSettings } from "./settings.ts";

export const healthApply: Command = {
  name: "health apply",
  summary: "applies the remedy that a finding proposes",
  details: `Applies a proposed remedy (BROOMWAGON_HEALING=suggest). It fails when what was found no longer holds: then there is
nothing to repair, or a new finding says what.`,
  positionals: ["finding-id"],
  takesSettings: true,
  async run(given, world) {
    const [id = ""] = given.positionals;
    if (!/^[1-9]\d*$/.test(id)) throw new UsageError([`${JSON.stringify(id)} is no finding's id: it is a number.`]);
    const { config } = loadSettings(given, world);
    await findDaemon(config, world).post(`/api/admin/health/findings/${id}/apply`, {});
    world.terminal.out(`The remedy of finding ${id} is applied; a later health check verifies it.`);
    return 0;
  },
};
