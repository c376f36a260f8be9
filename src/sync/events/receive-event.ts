import type { StravaEvent } from "../../core/strava-event.ts";
import { addToCounter } from "../../db/counters.ts";
import { insertEvent } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";
import type { EventProcessor } from "./process-events.ts";

/**
 * Stores an event durably, and has it worked off once that is committed. One that was delivered before changes nothing.
 * @returns `full` when the inbox holds too many: nothing is stored, and Strava will deliver it again.
 * @throws (rejects) when it could not be committed.
 */
export function receiveEvent(
  context: SyncContext,
  events: EventProcessor,
  event: StravaEvent,
): Promise<"stored" | "known" | "full"> {
  const { db, commits, clock } = context;
  return commits.soon(() => {
    const nowMs = clock.nowMs();
    const received = insertEvent(db, event, nowMs);
    if (received === "stored") {
      addToCounter(db, "events_received", 1, nowMs);
      commits.afterCommit(() => events.wake());
    }
    return received;
  });
}
