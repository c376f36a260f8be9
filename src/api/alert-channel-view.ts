import { type TSchema, t } from "elysia";
import type { ChannelInput } from "../alerts/channel-input.ts";
import { CHANNEL_KINDS, SMTP_TLS, showTarget } from "../alerts/channel-settings.ts";
import type { Channel } from "../alerts/keep-channels.ts";
import { OrNull, Time, Whole, Word } from "./operation.ts";

const CHANNEL_FIELDS = {
  id: t.Integer(),
  name: t.String(),
  kind: Word(CHANNEL_KINDS),
  enabled: t.Boolean({ description: "Alerts go to it." }),
  target: OrNull(
    t.String({ description: "Where it leads, without what may be secret; null: its settings have to be given again." }),
  ),
  allow_private: OrNull(t.Boolean({ description: "It may lead to this machine or to a private network." })),
  from: OrNull(t.String({ description: "Mail: who sends." })),
  to: OrNull(t.Array(t.String(), { description: "Mail: who gets it." })),
  tls: OrNull(Word(SMTP_TLS, "Mail: how the connection is encrypted.")),
  has_secret: t.Boolean({ description: "A secret, token or password of it is kept; it is shown nowhere." }),
  created_at: Time("When it was made."),
  created_by: t.String({ description: "Who made it: `admin`, `token:3`." }),
  last_sent_at: OrNull(Time("When a message was last delivered.")),
  last_failed_at: OrNull(Time("When a try to deliver last failed.")),
  last_error: OrNull(t.String({ description: "Why that try failed." })),
};
export const ChannelJson = t.Object(CHANNEL_FIELDS);
export const KeptChannelJson = t.Object({
  ...CHANNEL_FIELDS,
  secret: t.Optional(t.String({ description: "The secret that was made for it: shown this once." })),
});

/** A channel without its secrets. */
export function showChannel({ row, settings }: Channel): typeof ChannelJson.static {
  const mail = settings?.kind === "email" ? settings : undefined;
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    enabled: row.isEnabled === 1,
    target: settings === undefined ? null : showTarget(settings),
    allow_private: settings?.allowPrivate ?? null,
    from: mail?.from ?? null,
    to: mail === undefined ? null : [...mail.to],
    tls: mail?.tls ?? null,
    has_secret: hasSecret(settings),
    created_at: row.createdAtMs,
    created_by: row.createdBy,
    last_sent_at: row.lastSentAtMs,
    last_failed_at: row.lastFailedAtMs,
    last_error: row.lastError,
  };
}

function hasSecret(settings: Channel["settings"]): boolean {
  switch (settings?.kind) {
    case undefined:
      return false;
    case "email":
      return settings.password !== undefined;
    case "ntfy":
      return settings.token !== undefined;
    case "webhook":
    case "slack":
    case "discord":
      return true;
    default:
      return settings satisfies never;
  }
}

const Text = (maxLength: number, description: string) => t.String({ minLength: 1, maxLength, description });
const Removable = <Schema extends TSchema>(schema: Schema) => t.Optional(OrNull(schema));

/** A name that no id is taken for. */
export const ChannelName = t.String({
  pattern: "^(?=.*[^0-9])[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$",
  description: "Up to 60 letters, digits, spaces, dots, dashes; not digits alone.",
});

/** What the kinds of channels take; each takes its own. */
export const SETTINGS_FIELDS = {
  url: t.Optional(
    Text(2_000, "webhook, ntfy (server and topic), slack, discord: where messages are posted. Write-only."),
  ),
  secret: t.Optional(Text(200, "webhook: `whsec_…`; made where it is left out. Write-only.")),
  token: Removable(Text(500, "ntfy: an access token. Write-only.")),
  host: t.Optional(Text(253, "email: the mail server.")),
  port: t.Optional(Whole({ minimum: 1, maximum: 65_535, description: "email: 465, 587 or 25 by `tls` unless given." })),
  tls: t.Optional(Word(SMTP_TLS, "email: `starttls` unless given.")),
  user: Removable(Text(320, "email: who signs in at the server. Write-only.")),
  password: Removable(Text(1_000, "email: with what. Write-only.")),
  from: t.Optional(Text(320, "email: the sender's address.")),
  to: t.Optional(t.Array(Text(320, "An address."), { minItems: 1, maxItems: 20, description: "email: who gets it." })),
  ca: Removable(Text(20_000, "email: certificates (PEM) of whoever vouches for the server. Write-only.")),
  allow_private: t.Optional(
    t.Boolean({
      description: "It may lead to this machine or to a private network. Metadata addresses are never reached.",
    }),
  ),
};

const SettingsBody = t.Object(SETTINGS_FIELDS);

/** The settings in a body. */
export function settingsIn(body: typeof SettingsBody.static): ChannelInput {
  const { url, secret, token, host, port, tls, user, password, from, to, ca, allow_private: allowPrivate } = body;
  return { url, secret, token, host, port, tls, user, password, from, to, ca, allowPrivate };
}
