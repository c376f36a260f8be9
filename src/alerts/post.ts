import type { DeliveryResult } from "../core/delivery.ts";
import { reachOf } from "../core/network-address.ts";
import { type EpochMs, SECOND_MS } from "../core/units.ts";
import { admitHost, type Resolve } from "./address-guard.ts";

/** `fetch`, to an address in place of a name: the certificate is held against the name, and no connection is kept. */
export type PinnedFetch = (
  request: Request,
  options: { readonly tls: { readonly serverName?: string }; readonly keepalive: false },
) => Promise<Response>;

/** How messages leave this machine; a test hands in its own. */
export type Reach = { readonly fetch: PinnedFetch; readonly resolve: Resolve };

export type Posted = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly allowPrivate: boolean;
};

const failed = (reason: string, more: { retryAfterMs?: number | undefined } = {}): DeliveryResult => ({
  delivered: false,
  reason,
  ...more,
});

/**
 * Posts a message, once. Redirects are not followed: where they lead was not looked at. Nothing of the answer is read or
 * told but its status.
 */
export async function post(
  reach: Reach,
  posted: Posted,
  { nowMs, signal }: { nowMs: EpochMs; signal: AbortSignal },
): Promise<DeliveryResult> {
  const url = readUrl(posted.url);
  if (url === undefined) return failed("Its address is no http or https address.");
  const admitted = await admitHost(url.hostname, posted.allowPrivate, reach.resolve);
  if (admitted.is === "refused") return failed(admitted.reason);
  const pinned = new URL(url);
  pinned.hostname = admitted.address.includes(":") ? `[${admitted.address}]` : admitted.address;
  const request = new Request(pinned, {
    method: "POST",
    redirect: "manual",
    headers: { ...posted.headers, host: url.host, "user-agent": "broomwagon" },
    body: posted.body,
    signal,
  });
  try {
    // An address has no name to be asked for; the certificate is held to the address then.
    const isName = reachOf(url.hostname.replace(/^\[|\]$/g, "")) === undefined;
    const options = { tls: isName ? { serverName: url.hostname } : {}, keepalive: false } as const;
    const response = await reach.fetch(request, options);
    await response.body?.cancel().catch(() => {}); // Nothing of it is read; a receiver that hangs up first has answered all the same.
    return judge(response, nowMs);
  } catch (error) {
    if (signal.aborted) return failed("It did not answer in time.");
    return failed(`It could not be reached (${codeOf(error)}).`);
  }
}

function judge({ ok, status, headers }: Response, nowMs: EpochMs): DeliveryResult {
  if (ok) return { delivered: true };
  if (status >= 300 && status < 400)
    return failed(`It answered ${status}: redirects are not followed. Give the address that it leads to.`);
  return failed(`It answered ${status}.`, { retryAfterMs: retryAfterMsOf(headers.get("retry-after"), nowMs) });
}

/** Seconds, or a date. @see https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
function retryAfterMsOf(asked: string | null, nowMs: EpochMs): number | undefined {
  if (asked === null) return undefined;
  const seconds = Number(asked);
  const waitMs = Number.isNaN(seconds) ? Date.parse(asked) - nowMs : seconds * SECOND_MS;
  return waitMs > 0 ? waitMs : undefined;
}

/** An address that a message may be posted to; undefined for anything else. */
export function readUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" || url?.protocol === "http:" ? url : undefined;
}

/** The code alone: messages of errors name addresses. */
function codeOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "no code";
}
