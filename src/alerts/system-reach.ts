import { lookup } from "node:dns/promises";
import type { Reach } from "./post.ts";

/** The machine's own network: its `fetch`, and its resolver, hosts file and all. */
export const systemReach: Reach = {
  fetch: (request, options) => fetch(request, options),
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
};
