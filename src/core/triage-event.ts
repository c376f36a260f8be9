import { LONGEST_BACKOFF_MS } from "./batch.ts";
import { LOOK_WITHIN_MS, soonest } from "./look.ts";
import type { EventOutcome, StravaEvent } from "./strava-event.ts";
import type { Whose } from "./subscription.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS, plusMs } from "./units.ts";

/**
 * Events come before the answer to the request that subscribed to them, and that answer may be lost: then the next turn of the
 * hourly job finds the subscription, and what waits for it is claimed.
 */
const UNKNOWN_SUBSCRIPTION_WAIT_MS = HOUR_MS + 5 * MINUTE_MS;

/** What is known before anybody asks Strava. */
export type EventFacts = {
  readonly nowMs: EpochMs;
  readonly receivedAtMs: EpochMs;
  /** Whose the event's subscription is. */
  readonly subscription: Whose;
  readonly owner: "unknown" | "not_connected" | "connected";
  /** We hold a race of this activity, and have not withdrawn it. */
  readonly isHeld: boolean;
};

export type Triage =
  | { readonly to: "settle"; readonly outcome: EventOutcome }
  | { readonly to: "forget" } // of somebody whom we do not know (any more): nothing of theirs is kept
  | { readonly to: "wait"; readonly untilMs: EpochMs }
  | { readonly to: "withdraw" } // Strava told of its end, and cannot be asked any more
  | { readonly to: "look" } // one request tells what is true of the activity
  | { readonly to: "verify" }; // whether the athlete has taken the access back

/** Whether an event is worth a request. Most that mean nothing to us are settled here. */
export function triageEvent(event: StravaEvent, facts: EventFacts): Triage {
  const { nowMs, receivedAtMs, subscription, owner, isHeld } = facts;
  if (subscription !== "ours") {
    const judgedAtMs = plusMs(receivedAtMs, UNKNOWN_SUBSCRIPTION_WAIT_MS);
    const mayBecomeOurs = subscription === "unknown" && nowMs < judgedAtMs;
    return mayBecomeOurs ? { to: "wait", untilMs: judgedAtMs } : settle("foreign_subscription");
  }
  if (owner === "unknown") return { to: "forget" };
  if (event.objectType === "athlete" && !event.isDeauthorized) return settle("no_matter");
  // Also of one who is not connected: whether a sync found the access gone before this came must not matter.
  if (event.objectType === "athlete") return { to: "verify" };
  const isEnd = event.aspect === "delete";
  if (isEnd && !isHeld) return settle("nothing_held");
  if (owner === "connected") return { to: "look" };
  if (!isEnd) return settle("not_connected");
  const deadlineMs = plusMs(receivedAtMs, LOOK_WITHIN_MS);
  return nowMs >= deadlineMs
    ? { to: "withdraw" }
    : { to: "wait", untilMs: soonest(nowMs, LONGEST_BACKOFF_MS, deadlineMs) };
}

const settle = (outcome: EventOutcome): Triage => ({ to: "settle", outcome });
