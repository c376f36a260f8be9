import type { WebhookJson } from "../api/webhook-subscription.ts";
import type { Command } from "./command.ts";
import { findDaemon } from "./daemon-client.ts";
import { createPaint } from "./paint.ts";
import { loadSettings } from "./settings.ts";
import { renderWebhook } from "./webhook-lines.ts";

export const webhookShow: Command = {
  name: "webhook show",
  summary: "shows the subscription to Strava's events",
  details: `Shows whether Strava tells the running daemon of what changes, since when, what keeps it from that, and how many events wait
to be looked at. The unguessable part of the address is never shown.`,
  flags: { json: { description: "The API's answer, as it is." } },
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, timeZone } = world;
    const { config } = loadSettings(given, world);
    const answer = await findDaemon(config, world).get<WebhookJson>("/api/admin/webhook");
    const drawing = { nowMs: clock.nowMs(), timeZone, paint: createPaint(terminal.color) };
    terminal.out(given.switches.has("json") ? JSON.stringify(answer, null, 2) : renderWebhook(answer, drawing));
    return 0;
  },
};
