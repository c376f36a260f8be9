import type { AlertChannelKind, AlertChannelRow } from "../db/schema-alerts.ts";
import { BrokenSealError, type Seal, WrongKeyError } from "../db/seal.ts";
import { readStoredJson } from "../db/stored-json.ts";

/** How the connection to a mail server is encrypted. */
export const SMTP_TLS = ["tls", "starttls", "none"] as const;

/** Where a channel leads and with what it proves itself. Sealed as a whole: an address may be a secret itself. */
export type ChannelSettings =
  /** `secret`: `whsec_` and base64, by which the receiver tells our messages from others'. */
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string; readonly allowPrivate: boolean }
  /** `url` ends in the topic; `token` is an access token of the ntfy server's. */
  | { readonly kind: "ntfy"; readonly url: string; readonly token: string | undefined; readonly allowPrivate: boolean }
  | { readonly kind: "slack"; readonly url: string; readonly allowPrivate: boolean }
  | { readonly kind: "discord"; readonly url: string; readonly allowPrivate: boolean }
  | EmailSettings;

export type EmailSettings = {
  readonly kind: "email";
  readonly host: string;
  readonly port: number;
  readonly tls: (typeof SMTP_TLS)[number];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly from: string;
  readonly to: readonly string[];
  /** Certificates (PEM) of whoever vouches for the server, where that is nobody whom this machine trusts already. */
  readonly ca: string | undefined;
  readonly allowPrivate: boolean;
};

/** What settings are sealed for: copied to another row they do not open. */
const sealContext = (channelId: number): string => `alert_channel:${channelId}`;

export function sealSettings(seal: Seal, channelId: number, settings: ChannelSettings): string {
  return seal.seal(JSON.stringify(settings), sealContext(channelId));
}

/** A channel's settings, opened; undefined when they do not open, or are not of its kind: they have to be given again. */
export function openSettings(
  seal: Seal,
  channel: Pick<AlertChannelRow, "id" | "settingsSealed" | "kind">,
): ChannelSettings | undefined {
  try {
    // Whatever opens was sealed by `sealSettings`, so its shape is known.
    const settings = readStoredJson(seal.open(channel.settingsSealed, sealContext(channel.id))) as ChannelSettings;
    return settings?.kind === channel.kind ? settings : undefined;
  } catch (error) {
    if (error instanceof BrokenSealError || error instanceof WrongKeyError) return undefined;
    throw error;
  }
}

/** Where a channel leads, fit to be shown: a path may be as secret as a password. */
export function showTarget(settings: ChannelSettings): string {
  if (settings.kind === "email") return `${settings.host}:${settings.port}`;
  const { origin, pathname, search } = new URL(settings.url);
  return pathname === "/" && search === "" ? origin : `${origin}/***`;
}

/** Every kind, in the order in which the documentation lists them. */
export const CHANNEL_KINDS: readonly AlertChannelKind[] = ["webhook", "ntfy", "slack", "discord", "email"];
