import type { WebhookJson } from "../api/webhook-subscription.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { loadSettings } from "./settings.ts";

export const webhookDelete: Command = {
  name: "webhook delete",
  summary: "ends the subscription to Strava's events",
  details: `Has the running daemon end its subscription, and make no other by itself until "webhook create". Nothing is lost by it: lists
find what events would have told, later.`,
  takesSettings: true,
  async run(given, world) {
    const { config } = loadSettings(given, world);
    const { problem } = await findDaemon(config, world).delete<WebhookJson>("/api/admin/webhook");
    world.terminal.out(problem ?? "Strava tells this daemon of nothing any more; lists find what changes.");
    return 0;
  },
};
