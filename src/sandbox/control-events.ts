import { ControlRefusal, readDelivery, readOneOf } from "./control-input.ts";
import type { ControlRoutes } from "./control-route.ts";
import type { DeliveryAttempt, SentEvent } from "./event-delivery.ts";

/** What the application is told, and how badly. */
export const EVENT_ROUTES: ControlRoutes = {
  "GET subscription": ({ sandbox }) => {
    const subscription = sandbox.subscription();
    return subscription === undefined
      ? null
      : { id: subscription.id, callback_url: subscription.callbackUrl, created_at: subscription.createdAtMs };
  },
  "GET events": ({ sandbox }) => sandbox.events().map(showEvent),
  "POST events": async ({ sandbox, body: { raw, ...event } }) =>
    showAttempt(await sandbox.sendEvent(raw === undefined ? event : readText(raw))),
  "POST events/release": ({ sandbox, body }) => ({
    released: sandbox.releaseEvents(readOneOf(body.order ?? "in_order", ["in_order", "reversed", "shuffled"], "order")),
  }),
  "POST delivery": ({ sandbox, body }) => sandbox.setDelivery(readDelivery(body)),
};

function readText(value: unknown): string {
  if (typeof value !== "string") throw new ControlRefusal(400, "raw must be a text");
  return value;
}

function showEvent({ body, attempts, outcome }: SentEvent): unknown {
  return { body, attempts: attempts.map(showAttempt), outcome };
}

function showAttempt({ atMs, status }: DeliveryAttempt): unknown {
  return { at: atMs, status: status ?? null };
}
