import type { Subscription } from "../core/strava-event.ts";
import { ask, type Line } from "./exchange.ts";
import { type Parsed, parseJsonAs } from "./raw-json.ts";
import type { Reply } from "./reply.ts";
import { parseNewSubscription, parseSubscriptions } from "./wire-webhooks.ts";

/**
 * The part of the client that subscribes to events; documented and bounded as the client is. The application asks for
 * itself, with its id and secret and no athlete's token. Strava allows one subscription an application.
 */
export function createSubscriptionCalls(
  line: Line,
  options: {
    /** Without a slash at the end. */
    readonly apiUrl: string;
    readonly clientId: string;
    readonly clientSecret: string;
  },
) {
  const url = `${options.apiUrl}/push_subscriptions`;
  const client = { client_id: options.clientId, client_secret: options.clientSecret };
  // Strava takes them in the query where there is no form; no message ever quotes an address.
  const query = new URLSearchParams(client).toString();
  const question = { asked: "subscription", headers: { accept: "application/json" }, maxBytes: MAX_BYTES } as const;

  return {
    /**
     * Lists the application's subscriptions: none or one.
     * @see https://developers.strava.com/docs/webhooks/ "View a Subscription"
     */
    listSubscriptions(signal: AbortSignal): Promise<Reply<readonly Subscription[]>> {
      const read = (text: string) => parseJsonAs(text, parseSubscriptions);
      return ask(line, { ...question, method: "GET", url: `${url}?${query}`, read }, signal);
    },

    /**
     * Subscribes to the events of all athletes. Before it answers, Strava asks `callbackUrl` for a challenge and shows it
     * `verifyToken`: whoever answers there must know the token by then. The faults `subscription_exists` and
     * `callback_unverifiable` are told apart as far as Strava tells them apart.
     * @see https://developers.strava.com/docs/webhooks/ "Create a Subscription"
     */
    createSubscription(callbackUrl: string, verifyToken: string, signal: AbortSignal): Promise<Reply<Subscription>> {
      const body = new URLSearchParams({ ...client, callback_url: callbackUrl, verify_token: verifyToken });
      const read = (text: string) => parseJsonAs(text, (parsed) => parseNewSubscription(parsed, callbackUrl));
      return ask(line, { ...question, method: "POST", url, body, read }, signal);
    },

    /** Ends a subscription. The fault `not_found`: there is none of that id (any more). */
    deleteSubscription(id: number, signal: AbortSignal): Promise<Reply<"deleted">> {
      return ask(line, { ...question, method: "DELETE", url: `${url}/${id}?${query}`, read: readDeleted }, signal);
    },
  };
}

const MAX_BYTES = 1_000_000;

/** The status is the confirmation; the body is empty. */
const readDeleted = (): Parsed<"deleted"> => ({ ok: true, value: "deleted" });
