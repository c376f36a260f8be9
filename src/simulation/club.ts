import { seededDice } from "../core/dice.ts";
import { DAY_MS } from "../core/units.ts";
import type { ActivityPatch } from "../sandbox/activity.ts";
import type { ClubSpec } from "../sandbox/club.ts";
import type { FaultAction } from "../sandbox/faults.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { AthletePlan, ClubPlan, Plan } from "./plan.ts";

/** The club of a plan, as the sandbox makes it. */
export function clubOf({ club, seed, startMs }: Pick<Plan, "club" | "seed" | "startMs">): ClubSpec {
  return {
    spanDays: club.spanDays,
    athletes: club.athletes.map((athlete, place) => ({
      ...(athlete.scope === undefined ? {} : { scope: athlete.scope }),
      ...(athlete.together === 1
        ? { activities: athlete.activities, races: athlete.races }
        : { activities: inGroups(athlete, club, { seed: seed + place, startMs }) }),
    })),
  };
}

/** Activities of which several began in the same second each time. */
function inGroups(
  { activities, races, together }: AthletePlan,
  { spanDays }: ClubPlan,
  { seed, startMs }: { seed: number; startMs: number },
): ActivityPatch[] {
  const dice = seededDice(seed);
  const stepMs = Math.floor((spanDays * DAY_MS) / activities / 1_000) * 1_000;
  return Array.from({ length: activities }, (_, place) => {
    const beganMs = Math.floor(startMs / 1_000) * 1_000 - DAY_MS - Math.floor(place / together) * together * stepMs;
    const start = new Date(beganMs).toISOString().replace(/\.\d+Z$/, "Z");
    return {
      name: `Session ${place}`,
      start_date: start,
      start_date_local: start,
      distance: 3_000 + place,
      moving_time: 900 + place,
      elapsed_time: 950 + place,
      workout_type: dice() < races / activities ? 1 : 0,
      visibility: "everyone",
    };
  });
}

/** Strava makes pages short in the middle of lists, where the plan says so. */
export function shortenPages(strava: Sandbox, { athletes }: ClubPlan): void {
  const people = strava.people();
  for (const [place, { shortPage }] of athletes.entries()) {
    const person = people[place];
    if (person !== undefined && shortPage > 0) strava.shortenPage(person.stravaId, { page: shortPage, size: 150 });
  }
}

/** Activities whose details are never given, by id, and what is answered instead. */
export type Curses = ReadonlyMap<number, FaultAction>;

export function cursesOf(strava: Sandbox, { athletes }: ClubPlan): Curses {
  const people = strava.people();
  const curses = new Map<number, FaultAction>();
  for (const [place, { cursed }] of athletes.entries()) {
    const person = people[place];
    const activity = cursed && person && strava.activities(person.stravaId)[cursed.activity];
    if (cursed !== undefined && activity !== undefined) curses.set(activity.id, cursed.action);
  }
  return curses;
}

/** Sets the faults of cursed activities: before all others, and for good. */
export function curse(strava: Sandbox, curses: Curses): void {
  for (const [activityId, action] of curses) {
    strava.injectFault({ match: { activityId, kind: "detail" }, times: Number.POSITIVE_INFINITY, action });
  }
}
