import type { WebhookJson } from "../api/webhook-subscription.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { createPaint } from "./paint.ts";
import { loadSettings } from "./settings.ts";
import { renderWebhook } from "./webhook-lines.ts";

export const webhookCreate: Command = {
  name: "webhook create",
  summary: "subscribes to Strava's events, and goes on seeing to it",
  details: `Has the running daemon subscribe, which it does by itself where BROOMWAGON_PUBLIC_URL is set, unless it was told to stop with
"webhook delete". Strava allows an application one subscription: with --replace, one that leads elsewhere is ended first.`,
  flags: { replace: { description: "Ends a subscription of the same application that leads elsewhere." } },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const { config } = loadSettings(given, world);
    const replace = given.switches.has("replace");
    const answer = await findDaemon(config, world).post<WebhookJson>("/api/admin/webhook", { replace });
    terminal.out(renderWebhook(answer, { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) }));
    return 0;
  },
};
