import { Elysia, status, t } from "elysia";
import { DAY_MS, plusMs } from "../core/units.ts";
import { sumCounters } from "../db/counters.ts";
import { viewInbox } from "../db/strava-events.ts";
import type { KeepOutcome } from "../sync/events/keep-outcome.ts";
import type { RouteDeps } from "./deps.ts";
import { BODY_REFUSALS, OrNull, operation, Time } from "./operation.ts";
import { refuse } from "./problem.ts";
import { refuseUnconfigured } from "./start-answers.ts";

const WebhookJson = t.Object({
  public_url: OrNull(t.String({ description: "BROOMWAGON_PUBLIC_URL: where Strava reaches this daemon." })),
  enabled: t.Boolean({ description: "The daemon sees to it that it is subscribed." }),
  subscription: OrNull(
    t.Object({
      id: t.Integer({ description: "Strava's." }),
      callback_url: t.String({ description: "Without the part that nobody may guess." }),
      created_at: OrNull(Time("When it was made.")),
    }),
  ),
  checked_at: OrNull(Time("When Strava last said what is subscribed.")),
  problem: OrNull(t.String({ description: "What keeps it from being subscribed, and the cure." })),
  inbox: t.Object({
    open: t.Integer({ description: "Events that wait for a look." }),
    oldest_received_at: OrNull(Time("Since when the oldest of them waits.")),
    received_24h: t.Integer({ description: "Counted by whole days, UTC, from the one in which the 24 hours began." }),
  }),
});
/** The subscription and the inbox as the API shows them. */
export type WebhookJson = typeof WebhookJson.static;

const UNCONFIGURED = "`strava_not_configured`";
const REFUSED = { 502: "`strava_refused`: `detail` says what Strava has against it." };

/** The subscription to Strava's events: shown, made, removed. */
export function subscriptionRoutes({ context, events, actorOf }: RouteDeps) {
  const show = (): WebhookJson => showWebhook({ context, events });

  /** What came of it as an answer; undefined where all is well. */
  function refusalOf(outcome: KeepOutcome) {
    switch (outcome.outcome) {
      case "public_url_missing":
        return refuse(
          409,
          "public_url_missing",
          "Strava has to reach this daemon: set BROOMWAGON_PUBLIC_URL to its address as seen from the internet, and restart it.",
        );
      case "strava_not_configured":
        return refuseUnconfigured();
      case "subscription_taken":
        return refuse(409, "subscription_taken", outcome.message);
      case "strava_refused":
        return refuse(502, "strava_refused", outcome.message);
      case "kept":
      case "created":
      case "removed":
      case "switched_off":
        return undefined;
      default:
        return outcome satisfies never;
    }
  }

  return new Elysia({ prefix: "/api/admin" })
    .get("/webhook", show, {
      detail: operation({
        tag: "Webhook",
        scope: "read",
        summary: "Shows the subscription to Strava's events, and the inbox",
        answers: { 200: { description: "As of now; Strava is not asked.", schema: WebhookJson } },
      }),
    })
    .post(
      "/webhook",
      async ({ body, request }) => {
        const how = { replace: body.replace ?? false, by: actorOf(request) };
        const outcome = await events.subscription.create(how);
        return refusalOf(outcome) ?? status(outcome.outcome === "created" ? 201 : 200, show());
      },
      {
        body: t.Object({
          replace: t.Optional(
            t.Boolean({ description: "Ends somebody else's subscription first: Strava allows one." }),
          ),
        }),
        detail: operation({
          tag: "Webhook",
          scope: "admin",
          summary: "Subscribes to Strava's events, and goes on seeing to it",
          answers: {
            200: { description: "It was there already.", schema: WebhookJson },
            201: { description: "Made; Strava has verified it.", schema: WebhookJson },
          },
          refusals: {
            ...BODY_REFUSALS,
            409: `\`public_url_missing\`, ${UNCONFIGURED} or \`subscription_taken\`.`,
            ...REFUSED,
          },
        }),
      },
    )
    .delete(
      "/webhook",
      async ({ request }) => {
        const outcome = await events.subscription.remove({ by: actorOf(request) });
        return refusalOf(outcome) ?? show();
      },
      {
        detail: operation({
          tag: "Webhook",
          scope: "admin",
          summary: "Ends the subscription to Strava's events, and makes no other by itself",
          description:
            "Somebody else's is left alone. Everything holds without events: lists find what they told of, later.",
          answers: {
            200: {
              description:
                "There is none any more; `problem` says so where Strava could not be asked and none was known.",
              schema: WebhookJson,
            },
          },
          refusals: { 409: `${UNCONFIGURED}.`, ...REFUSED },
        }),
      },
    );
}

function showWebhook({ context, events }: Pick<RouteDeps, "context" | "events">): WebhookJson {
  const { publicUrl, isEnabled, subscription, checkedAtMs, problem } = events.subscription.view();
  const { open, oldestReceivedAtMs } = viewInbox(context.db);
  const received = sumCounters(context.db, plusMs(context.clock.nowMs(), -DAY_MS)).get("events_received") ?? 0;
  return {
    public_url: publicUrl ?? null,
    enabled: isEnabled,
    subscription:
      subscription === undefined
        ? null
        : { id: subscription.id, callback_url: subscription.maskedUrl, created_at: subscription.createdAtMs },
    checked_at: checkedAtMs,
    problem: problem ?? null,
    inbox: { open, oldest_received_at: oldestReceivedAtMs, received_24h: received },
  };
}
