import { createTransport } from "nodemailer";
import type { DeliveryResult } from "../core/delivery.ts";
import { reachOf } from "../core/network-address.ts";
import { SECOND_MS } from "../core/units.ts";
import { admitHost, type Resolve } from "./address-guard.ts";
import type { EmailSettings } from "./channel-settings.ts";
import { type AlertContent, asPlainText } from "./content.ts";

/** Of each step of the conversation; the whole of it has the limit of any delivery. */
const STEP_LIMIT_MS = 10 * SECOND_MS;

/** Sends a message by mail, once. Nothing of what the server said is told but its code. */
export async function sendEmail(
  resolve: Resolve,
  settings: EmailSettings,
  content: AlertContent,
  signal: AbortSignal,
): Promise<DeliveryResult> {
  const { host, port, tls, user, password, from, to, ca, allowPrivate } = settings;
  const admitted = await admitHost(host, allowPrivate, resolve);
  if (admitted.is === "refused") return { delivered: false, reason: admitted.reason };
  if (signal.aborted) return { delivered: false, reason: "It did not answer in time." };
  const transport = createTransport({
    host: admitted.address,
    port,
    secure: tls === "tls",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    ...(user === undefined ? {} : { auth: { user, pass: password ?? "" } }),
    // An address has no name to be asked for; the certificate is held to the address then.
    tls: { ...(reachOf(host) === undefined ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) },
    connectionTimeout: STEP_LIMIT_MS,
    greetingTimeout: STEP_LIMIT_MS,
    socketTimeout: STEP_LIMIT_MS,
    // A message is text of ours: nothing in it is a file or an address to be fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const callOff = () => transport.close();
  signal.addEventListener("abort", callOff, { once: true });
  try {
    const sent = transport.sendMail({
      from,
      to: [...to],
      subject: content.title,
      text: asPlainText(content),
      // The same at every try: a mailbox shows a copy once.
      messageId: `<${content.id}@broomwagon>`,
      headers: { "Auto-Submitted": "auto-generated" },
    });
    const { rejected, rejectedErrors } = await unlessAborted(sent, signal);
    return { delivered: true, ...shortfallOf(rejected.length, to.length, rejectedErrors ?? []) };
  } catch (error) {
    return { delivered: false, reason: signal.aborted ? "It did not answer in time." : inWords(error, host) };
  } finally {
    signal.removeEventListener("abort", callOff);
    transport.close();
  }
}

/** A server that takes the message for some takes it: who was refused is not tried again, and must be told of. */
function shortfallOf(
  rejected: number,
  recipients: number,
  errors: readonly { readonly responseCode?: number | undefined }[],
): { shortfall?: string } {
  if (rejected === 0) return {};
  const codes = [...new Set(errors.flatMap(({ responseCode }) => responseCode ?? []))].join(", ");
  const were = rejected === 1 ? "was" : "were";
  return {
    shortfall: `${rejected} of ${recipients} recipients ${were} refused by the mail server (${codes || "no code"}).`,
  };
}

function unlessAborted<T>(sent: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(new Error("called off"));
    signal.addEventListener("abort", leave, { once: true });
    sent.finally(() => signal.removeEventListener("abort", leave)).then(resolve, reject);
  });
}

/** The codes alone: what a server says may hold addresses of people. */
function inWords(error: unknown, host: string): string {
  const { code, command, responseCode } = { code: "", command: "", responseCode: 0, ...asObject(error) };
  if (code === "EAUTH") return `The mail server takes no such user and password (${responseCode || "no code"}).`;
  if (code === "ETLS" && command === "STARTTLS")
    return "The mail server does not offer STARTTLS. Set tls of the channel to what it offers.";
  if (Number(responseCode) > 0) return `The mail server answered ${responseCode} to ${command || "a command"}.`;
  if (isCertificateProblem(error))
    return `The mail server's certificate is not one for ${host} that this machine trusts.`;
  return `The mail server could not be reached (${code || "no code"}).`;
}

const isCertificateProblem = (error: unknown): boolean =>
  error instanceof Error && /certificate|altnames|self[- ]signed/i.test(error.message);

const asObject = (error: unknown): { code?: string; command?: string; responseCode?: number } =>
  typeof error === "object" && error !== null ? error : {};
