/**
 * Signatures by the Standard Webhooks scheme, so that a receiver can tell our messages from anybody else's with a library
 * that it may have already.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from "node:crypto";
import { type EpochMs, toEpochSeconds } from "../core/units.ts";
import type { RandomBytes } from "../db/seal.ts";

const PREFIX = "whsec_";
/** Between 24 and 64 by the scheme. */
const SECRET_BYTES = 32;
const SHORTEST_BYTES = 24;
const LONGEST_BYTES = 64;

/** A new secret. @param randomBytes the machine's own, never dice. */
export const makeWebhookSecret = (randomBytes: RandomBytes): string =>
  `${PREFIX}${Buffer.from(randomBytes(SECRET_BYTES)).toString("base64")}`;

/** Whether a secret that somebody gives is one of the scheme's. */
export function isWebhookSecret(text: string): boolean {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : "";
  const bytes = Buffer.from(encoded, "base64");
  return bytes.toString("base64") === encoded && bytes.length >= SHORTEST_BYTES && bytes.length <= LONGEST_BYTES;
}

/** The three headers of a message; `id` is the same at every try, the time is the try's. */
export function signWebhook(
  secret: string,
  message: { readonly id: string; readonly body: string; readonly nowMs: EpochMs },
): Readonly<Record<string, string>> {
  const { id, body, nowMs } = message;
  const timestamp = String(toEpochSeconds(nowMs));
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
