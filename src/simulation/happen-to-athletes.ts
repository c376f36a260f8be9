import type { SandboxActivity } from "../sandbox/activity.ts";
import type { SandboxPerson } from "../sandbox/token-grants.ts";
import { PUBLIC_URL } from "./daemon-process.ts";
import type { Allowed, AthleteDeed } from "./plan.ts";
import type { World } from "./world.ts";

/** What athletes do at Strava, or at the daemon's page. @returns whether it has come about at once. */
export function happenToAthletes(world: World, deed: AthleteDeed): boolean {
  const person = personAt(world, deed.athlete);
  const { strava } = world;
  world.oracle.changedActivities(person.stravaId);
  switch (deed.what) {
    case "upload": {
      const start = new Date(world.time.nowMs() - deed.beganAgoMs).toISOString().replace(/\.\d+Z$/, "Z");
      strava.addActivity(person.stravaId, {
        name: `Run no. ${deed.beganAgoMs % 1_000}`,
        start_date: start,
        start_date_local: start,
        distance: 5_000 + (deed.beganAgoMs % 7_000),
        moving_time: 1_500,
        elapsed_time: 1_600,
        workout_type: deed.isRace ? 1 : 0,
        visibility: deed.isPrivate ? "only_me" : "everyone",
      });
      return true;
    }
    case "edit":
    case "delete": {
      const activity = activityAt(world, person, deed.activity);
      if (activity === undefined) return false;
      const toldBefore = strava.events().length;
      if (deed.what === "delete") strava.deleteActivity(activity.id);
      else strava.updateActivity(activity.id, changeTo(deed.to, activity));
      if (strava.events().length === toldBefore) world.oracle.changedUntold(activity.id);
      return true;
    }
    case "revoke":
      world.mayBeErased = true;
      strava.revokeGrant(person.stravaId);
      return person.isConnected;
    case "sign_in": {
      const { allows = "all" } = deed;
      signIn(world, person, allows).then(
        () => world.noteHappened(allows === "all" ? "sign_in" : `sign_in that allows ${allows}`),
        // Whoever closes the page, or finds nobody there, tries again another day.
        () => {},
      );
      return false;
    }
    default:
      return deed satisfies never;
  }
}

/** The person at a place of the club, wrapped around. */
export function personAt(world: World, place: number): SandboxPerson {
  const people = world.strava.people();
  const person = people[place % people.length];
  if (person === undefined) throw new Error("The club has nobody in it");
  return person;
}

function activityAt(world: World, { stravaId }: SandboxPerson, place: number): SandboxActivity | undefined {
  const activities = world.strava.activities(stravaId);
  return activities.length === 0 ? undefined : activities[place % activities.length];
}

function changeTo(
  to: Extract<AthleteDeed, { what: "edit" }>["to"],
  { name }: SandboxActivity,
): Parameters<World["strava"]["updateActivity"]>[1] {
  switch (to) {
    case "other_name":
      return { name: `${name.slice(0, 40)}!` };
    case "race":
      return { workout_type: 1 };
    case "no_race":
      return { workout_type: 0 };
    case "private":
      return { visibility: "only_me" };
    case "public":
      return { visibility: "everyone" };
    default:
      return to satisfies never;
  }
}

/** Opens the page, ticks what is allowed at Strava, and follows the way back. @throws (rejects) where the daemon is down. */
export async function signIn(world: World, person: SandboxPerson, allows: Allowed = "all"): Promise<void> {
  world.oracle.signsIn(person.stravaId);
  const visit = (address: string): Promise<Response> => {
    const { pathname, search } = new URL(address, PUBLIC_URL);
    const { daemon } = world;
    if (daemon === undefined || world.machine.isAsleep()) return Promise.reject(new Error("The daemon is down"));
    return daemon.call(new Request(`${PUBLIC_URL}${pathname}${search}`));
  };
  const start = await visit("/auth/strava?again");
  const location = start.headers.get("location");
  if (location === null) return;
  const authorize = new URL(location);
  const fields = new URLSearchParams(authorize.search);
  fields.set("athlete", String(person.stravaId));
  fields.set("decision", allows === "nothing" ? "cancel" : "authorize");
  for (const scope of fields.get("scope")?.split(",") ?? []) {
    if (isTicked(scope, allows)) fields.append("granted", scope);
  }
  const page = `${authorize.origin}${authorize.pathname}`;
  const led = await world.strava.fetch(new Request(page, { method: "POST", body: fields }));
  const back = led.headers.get("location");
  if (back !== null) await visit(back);
}

function isTicked(scope: string, allows: Allowed): boolean {
  if (allows === "all") return true;
  return allows === "nothing_private" ? scope !== "activity:read_all" : !scope.startsWith("activity:");
}
