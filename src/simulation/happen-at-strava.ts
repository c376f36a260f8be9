import type { StravaEvent } from "../sandbox/event-delivery.ts";
import { personAt } from "./happen-to-athletes.ts";
import type { FloodOf, StravaTrouble } from "./plan.ts";
import type { World } from "./world.ts";

const NO_TROUBLE = { drop: 0, double: 0, delayMs: 0, hold: false } as const;
const GARBAGE = ["", "{", "[]", '{"object_type":"activity"}', `{"a":"${"x".repeat(3_000)}"}`, "null"];

/** What goes wrong at Strava, or on the way to it. @returns whether it has come about at once. */
export function happenAtStrava(world: World, trouble: StravaTrouble): boolean {
  const { strava, outside } = world;
  switch (trouble.what) {
    case "strava_fault": {
      const { rule, athlete } = trouble;
      const of = athlete === undefined ? {} : { athlete: personAt(world, athlete).stravaId };
      world.faults.set({ ...rule, match: { ...rule.match, ...of } });
      return false;
    }
    case "spend_quota":
      strava.spendQuota({ overall: trouble.requests, read: trouble.requests });
      return true;
    case "other_client":
      strava.otherClient({ share: trouble.share });
      outside.after(trouble.forMs, () => strava.otherClient({ share: 0 }));
      return true;
    case "other_limits":
      setLimits(world, trouble.quarterLimit, trouble.dayLimit);
      outside.after(trouble.forMs, () => restoreLimits(world));
      return true;
    case "token_dies":
      strava.expireAccessToken(personAt(world, trouble.athlete).stravaId);
      return true;
    case "capacity":
      strava.setCapacity(trouble.athletes, trouble.refusesAt);
      outside.after(trouble.forMs, () => strava.setCapacity(Number.POSITIVE_INFINITY));
      return true;
    case "events_go_astray":
      strava.setDelivery(trouble.levers);
      outside.after(trouble.forMs, () => restoreDelivery(world));
      return true;
    case "event_flood":
      return flood(world, trouble);
    default:
      return trouble satisfies never;
  }
}

export function restoreLimits(world: World): void {
  setLimits(world, world.plan.strava.quarterLimit, world.plan.strava.dayLimit);
}

function setLimits({ strava }: World, quarter: number, day: number): void {
  strava.setQuota({ overall: { quarter: 2 * quarter, day: 2 * day }, read: { quarter, day } });
}

export function restoreDelivery({ strava }: World): void {
  strava.setDelivery(NO_TROUBLE);
  strava.releaseEvents("shuffled");
}

/** Events that nobody asked for. @returns whether somebody had subscribed. */
function flood(world: World, { events, of }: Extract<StravaTrouble, { what: "event_flood" }>): boolean {
  if (world.strava.subscription() === undefined) return false;
  for (let n = 0; n < events; n++) {
    // Nobody answers while the daemon is down: then it is lost.
    void world.strava.sendEvent(eventOf(world, of, n)).catch(() => {});
  }
  return true;
}

/** The nth event of a flood. */
function eventOf({ strava, time }: World, of: FloodOf, n: number): string | Partial<StravaEvent> {
  const people = strava.people();
  const owner = people[n % people.length]?.stravaId ?? 1;
  const event_time = Math.floor(time.nowMs() / 1_000) - (n % 50);
  const told = { object_type: "activity", owner_id: owner, event_time } as const;
  const activities = strava.activities(owner);
  const real = activities[n % Math.max(1, activities.length)]?.id ?? 1;
  switch (of) {
    case "activities": {
      const object_id = n % 2 === 0 ? real : 88_000_000 + (n % 7);
      return { ...told, aspect_type: n % 3 === 0 ? "create" : "update", object_id };
    }
    case "deletions":
      return { ...told, aspect_type: "delete", object_id: real };
    case "deauthorizations":
      return {
        ...told,
        object_type: "athlete",
        aspect_type: "update",
        object_id: owner,
        updates: { authorized: "false" },
      };
    case "foreign":
      return { ...told, aspect_type: "update", object_id: real, subscription_id: 999_000 + (n % 3) };
    case "garbage":
      return GARBAGE[n % GARBAGE.length] ?? "";
    case "megabytes":
      return `{"object_type":"activity","filler":"${"x".repeat(1_000_000)}"}`;
    default:
      return of satisfies never;
  }
}
