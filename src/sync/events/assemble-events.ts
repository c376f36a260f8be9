import type { RandomBytes, Seal } from "../../db/seal.ts";
import type { SyncContext } from "../context.ts";
import type { Processor } from "../processor.ts";
import { createSubscriptionKeeper, type SubscriptionKeeper } from "./keep-subscription.ts";
import { createEventProcessor, type EventProcessor } from "./process-events.ts";
import { readOurSubscriptions } from "./subscription-note.ts";
import { createWebhookSecrets, type WebhookSecrets } from "./webhook-secrets.ts";

/** All that has to do with Strava's events. */
export type StravaEvents = {
  readonly secrets: WebhookSecrets;
  readonly subscription: SubscriptionKeeper;
  readonly inbox: EventProcessor;
};

/** @param parts.randomBytes for secrets: the machine's own, never dice. */
export function assembleEvents(
  context: SyncContext,
  parts: { processor: Processor; seal: Seal; randomBytes: RandomBytes },
): StravaEvents {
  const { processor, seal, randomBytes } = parts;
  const { db, clock } = context;
  const secrets = createWebhookSecrets({ db, seal, randomBytes });
  const ourSubscriptions = () => readOurSubscriptions(db, clock.nowMs());
  const inbox = createEventProcessor(context, { processor, ourSubscriptions });
  const subscription = createSubscriptionKeeper(context, { secrets, inbox });
  return { secrets, subscription, inbox };
}
