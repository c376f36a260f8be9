import { reachOf } from "../core/network-address.ts";

/** The addresses that a name leads to. @throws (rejects) when it leads to none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export type Admitted =
  | { readonly is: "admitted"; readonly address: string } // to be connected to as it stands: the name is asked once
  | { readonly is: "refused"; readonly reason: string };

const refused = (reason: string): Admitted => ({ is: "refused", reason });

/**
 * Decides whether a message may go to a host. Every address that its name leads to has to be fit to be reached: public, or,
 * where the channel says so, private. Metadata services, link-local addresses and the like never are. What is connected to
 * is the address that was looked at, so that a name that leads elsewhere a moment later leads nowhere.
 */
export async function admitHost(host: string, allowPrivate: boolean, resolve: Resolve): Promise<Admitted> {
  const name = plainHost(host);
  if (name === undefined) return refused(NO_HOST);
  const literal = reachOf(name) === undefined ? undefined : [name];
  const addresses = literal ?? (await resolve(name).catch(() => []));
  if (addresses.length === 0) return refused("Its host's name leads to no address.");
  for (const address of addresses) {
    const refusal = refuseAddress(address, allowPrivate);
    if (refusal !== undefined) return refused(refusal);
  }
  // Many a small network has no way out by IPv6.
  const address = addresses.find((one) => !one.includes(":")) ?? addresses[0];
  return address === undefined ? refused("Its host's name leads to no address.") : { is: "admitted", address };
}

const NO_HOST = "Its host is none.";

/** Why a host is refused before its name is asked for anything; undefined where only the name's addresses will tell. */
export function refuseHost(host: string, allowPrivate: boolean): string | undefined {
  const name = plainHost(host);
  if (name === undefined) return NO_HOST;
  return reachOf(name) === undefined ? undefined : refuseAddress(name, allowPrivate);
}

function refuseAddress(address: string, allowPrivate: boolean): string | undefined {
  const reach = reachOf(address);
  if (reach === "public" || (reach === "private" && allowPrivate)) return undefined;
  return reach === "private"
    ? "Its host leads to a private address. Where that is meant, set allow_private of the channel."
    : "Its host leads to an address that no message may go to (link-local, metadata, reserved).";
}

/** A host as everybody reads it: `2130706433`, `0x7f.1` and `127.0.0.1` are one; undefined for what is no host. */
function plainHost(host: string): string | undefined {
  if (/[/?#@\\\s]/.test(host)) return undefined;
  try {
    const { hostname } = new URL(`http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}/`);
    return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "") || undefined;
  } catch {
    return undefined; // The parser is what decides whether it is one.
  }
}
