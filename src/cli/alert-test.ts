import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { loadSettings } from "./settings.ts";

export const alertTest: Command = {
  name: "alert test",
  summary: "sends a test to a channel of the alerts, and says whether it arrived",
  details: `Has the running daemon send a test to a channel, by its name or id, once. Where it is not delivered, the reason is told
and the exit code is 1. Channels are made with POST /api/admin/alerts/channels.`,
  positionals: ["channel"],
  takesSettings: true,
  async run(given, world) {
    const { config } = loadSettings(given, world);
    const [channel = ""] = given.positionals;
    const sent = await findDaemon(config, world).post<{ channel: string }>("/api/admin/alerts/test", { channel });
    world.terminal.out(`The test was delivered to ${sent.channel}.`);
    return 0;
  },
};
