import { Elysia, t } from "elysia";
import { parseEvent } from "../strava/wire-webhooks.ts";
import { receiveEvent } from "../sync/events/receive-event.ts";
import { WEBHOOK_PATH } from "../sync/events/webhook-secrets.ts";
import type { RouteDeps } from "./deps.ts";
import { operation, Word } from "./operation.ts";
import { refuse } from "./problem.ts";
import { within } from "./within.ts";

/**
 * An event is acknowledged within 100 ms, or not at all: Strava waits for two seconds, and then delivers it again. The
 * timer may be late by what a statement blocks on a foreign lock (`BUSY_TIMEOUT_MS`), so it is set for less.
 */
const ACKNOWLEDGE_WITHIN_MS = 70;
const LONGEST_CHALLENGE = 1_000;

const SecretParam = t.Object({ secret: t.String({ description: "Made by the daemon; only Strava is told." }) });
const Text = t.Optional(t.String({ maxLength: LONGEST_CHALLENGE }));
const UNKNOWN = { 404: "The secret is another: there is nothing here." };

const EventBody = t.Object({
  object_type: Word(["activity", "athlete"]),
  object_id: t.Integer(),
  aspect_type: Word(["create", "update", "delete"]),
  owner_id: t.Integer(),
  subscription_id: t.Integer(),
  event_time: t.Integer({ description: "Seconds since the epoch." }),
  updates: t.Optional(t.Object({}, { description: "Nothing in it is believed." })),
});

/**
 * Where Strava's events come in. Open to all who know the path; the gate keeps out whoever does not, before anything of
 * what they send is read.
 */
export function webhookRoutes({ context, events }: RouteDeps) {
  return new Elysia({ prefix: WEBHOOK_PATH })
    .get(
      "/:secret",
      ({ query }) => {
        const { "hub.mode": mode, "hub.challenge": challenge, "hub.verify_token": token } = query;
        const isStrava = token !== undefined && events.secrets.isVerifyToken(token);
        if (mode !== "subscribe" || challenge === undefined || !isStrava) {
          return refuse(
            403,
            "not_verified",
            "This is where Strava asks whether its events are wanted. Nobody else is answered.",
          );
        }
        return { "hub.challenge": challenge };
      },
      {
        params: SecretParam,
        query: t.Object({ "hub.mode": Text, "hub.challenge": Text, "hub.verify_token": Text }),
        detail: operation({
          tag: "Webhook",
          scope: "public",
          summary: "Answers Strava's handshake",
          answers: { 200: { description: "The challenge.", schema: t.Object({ "hub.challenge": t.String() }) } },
          refusals: { ...UNKNOWN, 403: "No handshake of this daemon's own asking." },
        }),
      },
    )
    .post(
      "/:secret",
      async ({ request }) => {
        const body = parseJson(await request.text());
        if (body === undefined) return refuse(400, "malformed_json", "The body is not JSON.");
        const event = parseEvent(body.value);
        if (!event.ok) return refuse(422, "invalid_request", `This is no event of Strava's: ${event.reason}.`);
        const received = await within(
          context.clock,
          ACKNOWLEDGE_WITHIN_MS,
          receiveEvent(context, events.inbox, event.value),
        );
        // What comes later changes nothing for who asked: it is stored all the same, and known when it is delivered again.
        if (received === "late") return refuse(503, "not_stored", "It could not be stored in time. Deliver it again.");
        if (received === "full")
          return refuse(503, "inbox_full", "Too many events are waiting. Deliver it again later.");
        return { received };
      },
      {
        params: SecretParam,
        // Read by hand: what is no event is told in words of its own.
        parse: "none",
        detail: operation({
          tag: "Webhook",
          scope: "public",
          summary: "Takes one of Strava's events",
          description:
            "Acknowledged once it is stored, and looked at then: an event is a hint, and nothing in it is taken for the truth.",
          body: EventBody,
          answers: {
            200: {
              description: "It is stored, or was already; or it is of another subscription, and nobody's here.",
              schema: t.Object({ received: Word(["stored", "known", "foreign"]) }),
            },
          },
          refusals: {
            ...UNKNOWN,
            400: "The body is not JSON.",
            408: "The body did not come in time.",
            413: "The body is too large.",
            422: "It is no event; nothing is stored.",
            503: "It could not be stored: `not_stored` or `inbox_full`. Strava delivers it again.",
          },
        }),
      },
    );
}

/** undefined for what is no JSON. */
function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
