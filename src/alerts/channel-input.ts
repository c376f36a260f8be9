import type { AlertChannelKind } from "../db/schema-alerts.ts";
import { refuseHost } from "./address-guard.ts";
import type { ChannelSettings, EmailSettings, SMTP_TLS } from "./channel-settings.ts";
import { readUrl } from "./post.ts";
import { isWebhookSecret } from "./webhook-signature.ts";

/** Settings as a person gives them; null takes away what there was. What is left out stays, or is as usual. */
export type ChannelInput = {
  readonly url?: string | undefined;
  readonly secret?: string | undefined;
  readonly token?: string | null | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly tls?: (typeof SMTP_TLS)[number] | undefined;
  readonly user?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly from?: string | undefined;
  readonly to?: readonly string[] | undefined;
  readonly ca?: string | null | undefined;
  readonly allowPrivate?: boolean | undefined;
};

export type InputProblem = { readonly field: string; readonly message: string };
export type ReadInput =
  | { readonly ok: true; readonly settings: ChannelSettings }
  | { readonly ok: false; readonly problems: readonly InputProblem[] };

const FIELDS: Readonly<Record<AlertChannelKind, readonly (keyof ChannelInput)[]>> = {
  webhook: ["url", "secret", "allowPrivate"],
  ntfy: ["url", "token", "allowPrivate"],
  slack: ["url", "allowPrivate"],
  discord: ["url", "allowPrivate"],
  email: ["host", "port", "tls", "user", "password", "from", "to", "ca", "allowPrivate"],
};
/** The usual port of each way of encryption. @see https://www.rfc-editor.org/rfc/rfc8314 */
const USUAL_PORTS = { tls: 465, starttls: 587, none: 25 } as const;

/**
 * Makes settings of what a person gave, over what there was. A secret is sent nowhere but where it was given for: who moves
 * a channel to another server gives its password or token again.
 * @param before the settings so far; undefined for a new channel. @param makeSecret for a webhook that brings none.
 */
export function readChannelInput(
  kind: AlertChannelKind,
  input: ChannelInput,
  { before, makeSecret }: { before: ChannelSettings | undefined; makeSecret: () => string },
): ReadInput {
  const problems: InputProblem[] = Object.entries(input)
    .filter(([name, value]) => value !== undefined && !FIELDS[kind].includes(name as keyof ChannelInput))
    .map(([name]) => ({ field: nameOutside(name), message: `is not of a channel of kind ${kind}` }));
  const settings =
    kind === "email"
      ? readEmail(input, before?.kind === "email" ? before : undefined, problems)
      : readPosted(kind, input, before?.kind === kind ? before : undefined, { problems, makeSecret });
  return problems.length > 0 || settings === undefined ? { ok: false, problems } : { ok: true, settings };
}

const nameOutside = (name: string): string => (name === "allowPrivate" ? "allow_private" : name);

type Posted = Exclude<ChannelSettings, EmailSettings>;

function readPosted(
  kind: Posted["kind"],
  input: ChannelInput,
  before: Posted | undefined,
  { problems, makeSecret }: { problems: InputProblem[]; makeSecret: () => string },
): Posted | undefined {
  const url = input.url ?? before?.url;
  const allowPrivate = input.allowPrivate ?? before?.allowPrivate ?? false;
  const message = url === undefined ? "is missing" : refuseUrl(url, kind, allowPrivate);
  if (message !== undefined) problems.push({ field: "url", message });
  if (url === undefined || message !== undefined) return undefined;
  switch (kind) {
    case "webhook": {
      const isSecret = input.secret === undefined || isWebhookSecret(input.secret);
      if (!isSecret) problems.push({ field: "secret", message: 'expected "whsec_" and base64 of 24 to 64 bytes' });
      return {
        kind,
        url,
        allowPrivate,
        secret: input.secret ?? (before?.kind === kind ? before.secret : makeSecret()),
      };
    }
    case "ntfy": {
      const held = before?.kind === kind ? before : undefined;
      const isMoved = held?.token !== undefined && new URL(held.url).origin !== new URL(url).origin;
      if (isMoved && input.token === undefined) problems.push({ field: "token", message: AGAIN });
      return { kind, url, allowPrivate, token: input.token === null ? undefined : (input.token ?? held?.token) };
    }
    case "slack":
    case "discord":
      return { kind, url, allowPrivate };
    default:
      return kind satisfies never;
  }
}

const AGAIN = "is for another server: give it again, or null";

/** Why a message may not be posted there; what only the name's addresses tell is told when it is tried. */
function refuseUrl(text: string, kind: Posted["kind"], allowPrivate: boolean): string | undefined {
  const url = readUrl(text);
  if (url === undefined) return "expected an http or https address";
  if (url.username !== "" || url.password !== "") return "expected an address without user and password in it";
  if (kind === "ntfy" && !/^\/[\w-]{1,64}$/.test(url.pathname))
    return "expected the server and the topic: https://ntfy.sh/TOPIC";
  return refuseHost(url.hostname, allowPrivate);
}

function readEmail(
  input: ChannelInput,
  before: EmailSettings | undefined,
  problems: InputProblem[],
): EmailSettings | undefined {
  const host = input.host ?? before?.host;
  const tls = input.tls ?? before?.tls ?? "starttls";
  const port = input.port ?? (input.tls === undefined ? before?.port : undefined) ?? USUAL_PORTS[tls];
  const from = input.from ?? before?.from;
  const to = input.to ?? before?.to;
  const allowPrivate = input.allowPrivate ?? before?.allowPrivate ?? false;
  const user = input.user === null ? undefined : (input.user ?? before?.user);
  const password = input.password === null ? undefined : (input.password ?? before?.password);
  const ca = input.ca === null ? undefined : (input.ca ?? before?.ca);
  const complain = (field: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ field, message });
  };
  complain("host", host === undefined ? "is missing" : refuseHost(host, allowPrivate));
  complain("from", from === undefined ? "is missing" : refuseMailbox(from));
  complain("to", to === undefined || to.length === 0 ? "is missing" : to.map(refuseMailbox).find(Boolean));
  if ((user === undefined) !== (password === undefined)) complain("password", "user and password go together");
  const isMoved =
    before?.password !== undefined && (before.host !== host || before.port !== port || before.tls !== tls);
  if (isMoved && input.password === undefined) complain("password", AGAIN);
  if (tls === "none" && password !== undefined && !allowPrivate)
    complain("tls", "a password is not sent in the clear, but to a private address (allow_private)");
  if (host === undefined || from === undefined || to === undefined) return undefined;
  return { kind: "email", host, port, tls, user, password, from, to, ca, allowPrivate };
}

/** One address, with nothing beside it that a header or a command could be made of. */
const refuseMailbox = (text: string): string | undefined =>
  /^[^\s@<>,;:"\\()[\]]+@[^\s@<>,;:"\\()[\]]+$/.test(text) ? undefined : "expected mail addresses: name@host";
