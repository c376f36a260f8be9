import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { loadSettings } from "./settings.ts";

type Sent = { readonly channel: string; readonly shortfall?: string | null };

export const alertTest: Command = {
  name: "alert test",
  summary: "sends a test to a channel of the alerts, and says whether it arrived",
  details: `Has the running daemon send a test to a channel, by its name or id, once. Where it is not delivered, the reason is told
and the exit code is 1, also when only some of a mail's recipients got it. Channels are made with POST /api/admin/alerts/channels.`,
  positionals: ["channel"],
  takesSettings: true,
  async run(given, world) {
    const { config } = loadSettings(given, world);
    const [channel = ""] = given.positionals;
    const sent = await findDaemon(config, world).post<Sent>("/api/admin/alerts/test", { channel });
    world.terminal.out(`The test was delivered to ${sent.channel}.`);
    if ((sent.shortfall ?? null) === null) return 0;
    world.terminal.error(`Not everybody got it: ${sent.shortfall}`);
    return 1;
  },
};
