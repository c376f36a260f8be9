import type { WebhookJson } from "../api/webhook-subscription.ts";
import type { Paint } from "./paint.ts";
import { clockTime, spellAgo } from "./time-words.ts";

/** The subscription and the inbox, a line each, and what is wrong with them. */
export function renderWebhook(
  webhook: WebhookJson,
  drawing: { readonly nowMs: number; readonly timeZone: string; readonly paint: Paint },
): string {
  const { nowMs, paint } = drawing;
  const { inbox, problem, checked_at: checkedAt } = webhook;
  const oldest =
    inbox.oldest_received_at === null ? "" : `, the oldest came ${spellAgo(inbox.oldest_received_at, nowMs)}`;
  return [
    `Strava's events: ${subscriptionLine(webhook, drawing)}`,
    `  looked at ${spellAgo(checkedAt, nowMs)}`,
    `  inbox: ${inbox.open} open${oldest}; ${inbox.received_24h} received since yesterday`,
    ...(problem === null ? [] : [paint.red(`  ${problem}`)]),
  ].join("\n");
}

function subscriptionLine(
  { public_url: publicUrl, enabled, subscription }: WebhookJson,
  { nowMs, timeZone }: { nowMs: number; timeZone: string },
): string {
  if (subscription !== null) {
    const since =
      subscription.created_at === null ? "" : ` since ${clockTime(subscription.created_at, { nowMs, timeZone })}`;
    return `subscription ${subscription.id} to ${subscription.callback_url}${since}`;
  }
  if (enabled) return "not subscribed yet; the daemon sees to it";
  if (publicUrl === null) return "not subscribed: BROOMWAGON_PUBLIC_URL is not set, so Strava could reach nobody";
  return "not subscribed, and switched off";
}
