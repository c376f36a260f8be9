import { isPastLooking, LOOK_WITHIN_MS } from "../../core/look.ts";
import type { Hold } from "../../core/snapshot.ts";
import { plusMs, SECOND_MS } from "../../core/units.ts";
import { postponeEvents } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";
import type { EventGroup, SortedEvents } from "./sort-events.ts";

/**
 * While everybody waits, puts off at once what one look each would put off. A look is left where it asks nothing that the
 * hold holds back (a grant), and where it asks nothing at all: an event that is past looking is judged without Strava.
 * Inside a transaction.
 */
export function holdLooks({ db, clock }: SyncContext, sorted: SortedEvents, hold: Hold): SortedEvents {
  const { moved, groups } = sorted;
  const nowMs = clock.nowMs();
  const isHeld = ({ needs, events }: EventGroup) =>
    needs === "look" && !events.some((event) => isPastLooking(event.receivedAtMs, nowMs));
  const ids = groups.filter(isHeld).flatMap((group) => group.events.map((event) => event.id));
  if (ids.length === 0) return sorted;
  const atMs = plusMs(nowMs, Math.max(SECOND_MS, hold.untilMs - nowMs));
  postponeEvents(db, ids, { atMs, lookWithinMs: LOOK_WITHIN_MS, error: holdError(hold) });
  return { moved: moved + ids.length, groups: groups.filter((group) => !isHeld(group)) };
}

/** Why an event is due again. */
export const holdError = (hold: Hold): string => `Everybody waits (${hold.reason}).`;
