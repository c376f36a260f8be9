import type { DeliveryResult } from "../core/delivery.ts";
import type { EpochMs } from "../core/units.ts";
import type { ChannelSettings } from "./channel-settings.ts";
import type { AlertContent } from "./content.ts";
import { discordBody, ntfyRequest, slackBody, webhookBody } from "./payloads.ts";
import { type Posted, post, type Reach } from "./post.ts";
import { sendEmail } from "./send-email.ts";
import { signWebhook } from "./webhook-signature.ts";

/** Sends one message to one channel, once. Never rejects for what the other side does. */
export async function send(
  reach: Reach,
  settings: ChannelSettings,
  content: AlertContent,
  { nowMs, signal }: { nowMs: EpochMs; signal: AbortSignal },
): Promise<DeliveryResult> {
  if (settings.kind === "email") return sendEmail(reach.resolve, settings, content, signal);
  return post(reach, requestOf(settings, content, nowMs), { nowMs, signal });
}

const JSON_TYPE = { "content-type": "application/json" };

function requestOf(
  settings: Exclude<ChannelSettings, { kind: "email" }>,
  content: AlertContent,
  nowMs: EpochMs,
): Posted {
  const { url, allowPrivate } = settings;
  switch (settings.kind) {
    case "webhook": {
      const body = webhookBody(content);
      const signature = signWebhook(settings.secret, { id: content.id, body, nowMs });
      return { url, allowPrivate, body, headers: { ...JSON_TYPE, ...signature } };
    }
    case "ntfy": {
      const { token } = settings;
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return { ...ntfyRequest(content, url), allowPrivate, headers: { ...JSON_TYPE, ...authorization } };
    }
    case "slack":
      return { url, allowPrivate, body: slackBody(content), headers: JSON_TYPE };
    case "discord":
      return { url, allowPrivate, body: discordBody(content), headers: JSON_TYPE };
    default:
      return settings satisfies never;
  }
}
