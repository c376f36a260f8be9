import { judgeSubscription, type OurSubscriptions } from "../../core/subscription.ts";
import { type Triage, triageEvent } from "../../core/triage-event.ts";
import type { AthleteId } from "../../core/units.ts";
import { readAthleteByStravaId } from "../../db/athletes.ts";
import { findHeldRace } from "../../db/looked-at-races.ts";
import { withdrawIfHeld } from "../../db/races.ts";
import type { AthleteRow } from "../../db/schema-athletes.ts";
import { forgetEvent, type OpenEvent, postponeEvent, readDueEvents, settleEvent } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";

/** The due events of one object, which one look answers. */
export type EventGroup = {
  /** One look at a time for each. */
  readonly key: string;
  readonly athleteId: AthleteId;
  readonly needs: "look" | "verify";
  readonly events: OpenEvent[];
};

/** What became of the due events that were read: so many were moved out of the way, and the rest needs a look. */
export type SortedEvents = { readonly moved: number; readonly groups: readonly EventGroup[] };

/** Due events that are read at once. */
const EVENTS_AT_ONCE = 100;
const DISCONNECTED = "Strava told of its end, and the athlete has been disconnected for 48 hours since";

/**
 * Takes a number of due events: settles those that mean nothing to us, puts off those whose time has not come, and groups
 * the rest by what a look is to tell. Inside a transaction.
 * @param ours what an event is held against that came while no subscription was known.
 */
export function sortDueEvents(context: SyncContext, ours: OurSubscriptions): SortedEvents {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  const groups = new Map<string, EventGroup>();
  let moved = 0;
  for (const event of readDueEvents(db, nowMs, EVENTS_AT_ONCE)) {
    const athlete = readAthleteByStravaId(db, event.ownerId);
    const triage = triageEvent(event, {
      nowMs,
      receivedAtMs: event.receivedAtMs,
      subscription: event.isOurs ? "ours" : judgeSubscription(event.subscriptionId, ours),
      owner: athlete === undefined ? "unknown" : athlete.status === "connected" ? "connected" : "not_connected",
      isHeld: athlete !== undefined && findHeldRace(db, athlete.id, event.objectId) !== undefined,
    });
    if (athlete !== undefined && (triage.to === "look" || triage.to === "verify")) {
      addToGroup(groups, { event, athlete, needs: triage.to });
    } else {
      moved++;
      move(context, event, athlete, triage);
    }
  }
  return { moved, groups: [...groups.values()] };
}

function addToGroup(
  groups: Map<string, EventGroup>,
  added: { event: OpenEvent; athlete: AthleteRow; needs: EventGroup["needs"] },
): void {
  const { event, athlete, needs } = added;
  const key = `${event.ownerId}/${event.objectType}/${event.objectId}`;
  const group = groups.get(key) ?? { key, athleteId: athlete.id, needs, events: [] };
  group.events.push(event);
  groups.set(key, group);
}

function move(context: SyncContext, event: OpenEvent, athlete: AthleteRow | undefined, triage: Triage): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  switch (triage.to) {
    case "settle":
      settleEvent(db, event.id, triage.outcome, nowMs);
      return;
    case "forget":
      forgetEvent(db, event.id);
      return;
    case "wait":
      postponeEvent(db, event.id, triage.untilMs);
      return;
    case "withdraw":
      if (athlete !== undefined) withdrawIfHeld(db, athlete.id, event.objectId, nowMs, DISCONNECTED);
      settleEvent(db, event.id, "withdrawn", nowMs);
      return;
    case "look":
    case "verify":
      return;
    default:
      triage satisfies never;
  }
}
