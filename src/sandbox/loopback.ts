import type { Fetch } from "../core/units.ts";

/** A sandbox that runs on a machine of its own tells no other machine of its events. */
export function toLoopbackOnly(fetch: Fetch): Fetch {
  return async (request) => {
    const { hostname } = new URL(request.url);
    if (!isLoopback(hostname)) throw new TypeError(`the sandbox calls loopback addresses only, not ${hostname}`);
    return fetch(request);
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
