import { personAt } from "./happen-to-athletes.ts";
import type { StravaTrouble } from "./plan.ts";
import type { World } from "./world.ts";

const NO_TROUBLE = { drop: 0, double: 0, delayMs: 0, hold: false } as const;
const GARBAGE = ["", "{", "[]", '{"object_type":"activity"}', `{"a":"${"x".repeat(3_000)}"}`, "null"];

/** What goes wrong at Strava, or on the way to it. */
export function happenAtStrava(world: World, trouble: StravaTrouble): void {
  const { strava, outside } = world;
  switch (trouble.what) {
    case "strava_fault":
      strava.injectFault(trouble.rule);
      return;
    case "spend_quota":
      strava.spendQuota({ overall: trouble.requests, read: trouble.requests });
      return;
    case "other_client":
      strava.otherClient({ share: trouble.share });
      outside.after(trouble.forMs, () => strava.otherClient({ share: 0 }));
      return;
    case "other_limits":
      setLimits(world, trouble.quarterLimit, trouble.dayLimit);
      outside.after(trouble.forMs, () => restoreLimits(world));
      return;
    case "token_dies":
      strava.expireAccessToken(personAt(world, trouble.athlete).stravaId);
      return;
    case "capacity":
      strava.setCapacity(trouble.athletes);
      outside.after(trouble.forMs, () => strava.setCapacity(Number.POSITIVE_INFINITY));
      return;
    case "events_go_astray":
      strava.setDelivery(trouble.levers);
      outside.after(trouble.forMs, () => restoreDelivery(world));
      return;
    case "event_flood":
      flood(world, trouble);
      return;
    default:
      trouble satisfies never;
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

/** Events that nobody asked for: about things that are there and things that are not, or nothing that can be read. */
function flood(world: World, { events, isGarbage }: Extract<StravaTrouble, { what: "event_flood" }>): void {
  if (world.strava.subscription() === undefined) return;
  const people = world.strava.people();
  for (let n = 0; n < events; n++) {
    const person = people[n % people.length];
    const body = isGarbage
      ? (GARBAGE[n % GARBAGE.length] ?? "")
      : ({
          object_type: "activity",
          aspect_type: n % 3 === 0 ? "create" : "update",
          object_id: 88_000_000 + (n % 7),
          owner_id: person?.stravaId ?? 1,
          event_time: Math.floor(world.time.nowMs() / 1_000) - (n % 50),
        } as const);
    // Nobody answers while the daemon is down: then it is lost.
    void world.strava.sendEvent(body).catch(() => {});
  }
}
