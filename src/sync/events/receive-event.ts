import type { StravaEvent } from "../../core/strava-event.ts";
import { judgeSubscription } from "../../core/subscription.ts";
import { addToCounter } from "../../db/counters.ts";
import { insertEvent } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";
import type { EventProcessor } from "./process-events.ts";
import { readOurSubscriptions } from "./subscription-note.ts";

/**
 * Stores an event durably, and has it worked off once that is committed. One that was delivered before changes nothing.
 * Whose it is, is judged now: our subscription may be another by the time the event is looked at.
 * @returns `foreign` when it is of another subscription: nothing is stored. `full` when the inbox holds too many: nothing is stored, and Strava will deliver it again.
 * @throws (rejects) when it could not be committed.
 */
export function receiveEvent(
  context: SyncContext,
  events: EventProcessor,
  event: StravaEvent,
): Promise<"stored" | "known" | "foreign" | "full"> {
  const { db, commits, clock } = context;
  const whose = judgeSubscription(event.subscriptionId, readOurSubscriptions(db, clock.nowMs()));
  if (whose === "foreign") return Promise.resolve(whose);
  return commits.soon(() => {
    const nowMs = clock.nowMs();
    const received = insertEvent(db, { ...event, isOurs: whose === "ours" }, nowMs);
    if (received === "stored") {
      addToCounter(db, "events_received", 1, nowMs);
      commits.afterCommit(() => events.wake());
    }
    return received;
  });
}
