import { type Answer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import type { Call } from "./call.ts";
import type { CallbackProof } from "./callback-check.ts";
import type { Application } from "./oauth-world.ts";
import {
  badRequest,
  clientInvalid,
  SUBSCRIPTION_EXISTS,
  SUBSCRIPTION_NOT_FOUND,
  subscriptionRefused,
} from "./strava-errors.ts";
import { type Subscriptions, showSubscription } from "./subscriptions.ts";

export type SubscriptionWorld = {
  readonly application: Application;
  readonly subscriptions: Subscriptions;
  /** Asks an address whether it wants the events. */
  readonly checkCallback: (callback: { url: string; verifyToken: string }) => Promise<CallbackProof>;
  readonly nowMs: () => number;
};

const CALLBACK_URL_MAX = 255;

/** Answers a call to /api/v3/push_subscriptions. @see https://developers.strava.com/docs/webhooks */
export async function answerSubscription(call: Call, world: SubscriptionWorld): Promise<Answer> {
  const { application, subscriptions } = world;
  const { clientId, clientSecret, wrongClientStatus } = application;
  if (call.form.client_id !== clientId || call.form.client_secret !== clientSecret) {
    return jsonAnswer(wrongClientStatus, clientInvalid(wrongClientStatus));
  }
  switch (call.method) {
    case "GET": {
      const current = subscriptions.current();
      return jsonAnswer(200, current === undefined ? [] : [showSubscription(current, clientId)]);
    }
    case "POST":
      return subscribe(call.form, world);
    default:
      // DELETE: no other method is routed here.
      return subscriptions.remove(call.subscriptionId ?? 0)
        ? jsonTextAnswer(204, "")
        : jsonAnswer(404, SUBSCRIPTION_NOT_FOUND);
  }
}

async function subscribe(form: Call["form"], { application, subscriptions, checkCallback, nowMs }: SubscriptionWorld) {
  const { callback_url: url = "", verify_token: verifyToken = "" } = form;
  if (url === "") return jsonAnswer(400, badRequest("PushSubscription", "callback_url", "missing"));
  const isUsable = url.length <= CALLBACK_URL_MAX && /^https?:$/.test(URL.parse(url)?.protocol ?? "");
  if (!isUsable) return jsonAnswer(400, badRequest("PushSubscription", "callback_url", "invalid"));
  if (verifyToken === "") return jsonAnswer(400, badRequest("PushSubscription", "verify_token", "missing"));
  if (subscriptions.current() !== undefined) return jsonAnswer(400, SUBSCRIPTION_EXISTS);
  const proof = await checkCallback({ url, verifyToken });
  if (proof !== "verified") return jsonAnswer(400, subscriptionRefused(proof));
  // Another request may have been quicker while this one was being checked.
  if (subscriptions.current() !== undefined) return jsonAnswer(400, SUBSCRIPTION_EXISTS);
  return jsonAnswer(201, showSubscription(subscriptions.create(url, nowMs()), application.clientId));
}
