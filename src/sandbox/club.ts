import { seededDice } from "../core/dice.ts";
import { DAY_MS, type Dice, HOUR_MS, MINUTE_MS } from "../core/units.ts";
import {
  type ActivityPatch,
  completeActivity,
  type DetailFields,
  type SandboxActivity,
  splitPatch,
} from "./activity.ts";
import { activityIdAt } from "./activity-ids.ts";
import { SANDBOX_CLUB_ID } from "./athlete-clubs.ts";
import { FIRST_NAMES, LAST_NAMES } from "./club-words.ts";
import { inventActivity } from "./invented-activity.ts";
import { drawRoute, type Route } from "./routes.ts";
import { utcOffsetSeconds, ZONES, type Zone } from "./time-zones.ts";

export type NumberOrRange = number | { readonly min: number; readonly max: number };

/** A club to invent: everything follows from the seed. */
export type ClubSpec = {
  /** How many, or each one's own wishes. */
  readonly athletes: number | readonly AthleteSpec[];
  /** 40 to 120 unless given. */
  readonly activitiesEach?: NumberOrRange;
  /** Activities with `type` Run and `workout_type` 1, private ones included: 3 to 12 unless given. */
  readonly racesEach?: NumberOrRange;
  /** How far back a list goes: 1.6 days an activity unless given, as recorded. */
  readonly spanDays?: number;
  /** `read,activity:read_all` unless given. */
  readonly scope?: string;
  /** So many at the end of the list have an account and have not let the application in; none unless given. */
  readonly unconnected?: number;
  /** Which of Strava's clubs they are in: `SANDBOX_CLUB_ID` unless given. */
  readonly clubs?: readonly number[];
};

/** What the club says, for one athlete. */
export type AthleteSpec = {
  readonly stravaId?: number;
  readonly firstName?: string;
  readonly lastName?: string;
  readonly scope?: string;
  /** How many to invent, or these and no others (then `races` says nothing). */
  readonly activities?: NumberOrRange | readonly ActivityPatch[];
  readonly races?: NumberOrRange;
  /** False: has an account and has not let the application in; `scope` is what they are ready to allow. */
  readonly isConnected?: boolean;
  readonly clubs?: readonly number[];
};

/** An athlete of the club with what they recorded. */
export type Member = {
  readonly stravaId: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly scope: string;
  readonly isConnected: boolean;
  readonly clubs: readonly number[];
  readonly activities: readonly { readonly activity: SandboxActivity; readonly detail: DetailFields }[];
};

/** Invents a club whose newest activities lie just before `nowMs`. The same arguments give the same club. */
export function generateClub(spec: ClubSpec, { seed, nowMs }: { seed: number; nowMs: number }): Member[] {
  const athletes = typeof spec.athletes === "number" ? new Array<AthleteSpec>(spec.athletes).fill({}) : spec.athletes;
  const takenIds = new Set<number>();
  return athletes.map((athlete, index) => {
    // Dice of their own: another athlete more or less in the club changes nothing for this one but ids that collide.
    const dice = seededDice(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(index + 1, 0x85eb_ca6b));
    const stravaId = athlete.stravaId ?? 26_500_001 + index * 137;
    const wishes = athlete.activities ?? spec.activitiesEach ?? { min: 40, max: 120 };
    const inventing = { dice, stravaId, takenIds, nowMs };
    return {
      stravaId,
      firstName: athlete.firstName ?? pick(FIRST_NAMES, index),
      lastName: athlete.lastName ?? pick(LAST_NAMES, Math.floor(index / FIRST_NAMES.length) + index),
      scope: athlete.scope ?? spec.scope ?? "read,activity:read_all",
      isConnected: athlete.isConnected ?? index < athletes.length - (spec.unconnected ?? 0),
      clubs: athlete.clubs ?? spec.clubs ?? [SANDBOX_CLUB_ID],
      activities: isCount(wishes)
        ? inventActivities(inventing, {
            count: roll(dice, wishes),
            races: roll(dice, athlete.races ?? spec.racesEach ?? { min: 3, max: 12 }),
            spanDays: spec.spanDays,
          })
        : wishes.map((patch, place) => adopt(inventing, patch, place)),
    };
  });
}

type Inventing = {
  readonly dice: Dice;
  readonly stravaId: number;
  readonly takenIds: Set<number>;
  readonly nowMs: number;
};

/** An activity that was asked for in so many words; where it names no start, one a day, newest first. */
function adopt(
  { stravaId, takenIds, nowMs }: Inventing,
  patch: ActivityPatch,
  place: number,
): Member["activities"][number] {
  const { listed, detail } = splitPatch(patch);
  const startMs = listed.start_date === undefined ? nowMs - (place + 1) * DAY_MS : Date.parse(listed.start_date);
  const id = listed.id ?? takeId(takenIds, startMs + HOUR_MS);
  takenIds.add(id);
  return { activity: completeActivity(id, stravaId, startMs, listed), detail };
}

function inventActivities(
  { dice, stravaId, takenIds, nowMs }: Inventing,
  wishes: { count: number; races: number; spanDays: number | undefined },
): Member["activities"] {
  const home = dice() < 0.6 ? pick(ZONES, 0) : pick(ZONES, Math.floor(dice() * ZONES.length));
  const homeRoutes = drawRoutes(dice, home);
  const races = chooseRaces(dice, wishes);
  const spanMs = (wishes.spanDays ?? wishes.count * 1.6) * DAY_MS;
  const activities: { activity: SandboxActivity; detail: DetailFields }[] = [];
  for (let place = 0; place < wishes.count; place++) {
    const isAway = dice() < 0.05;
    const zone = isAway ? pick(ZONES, Math.floor(dice() * ZONES.length)) : home;
    const aroundMs = nowMs - ((place + dice()) / wishes.count) * spanMs;
    const startMs = pickStart(dice, zone, Math.min(aroundMs, nowMs - 6 * HOUR_MS));
    const id = takeId(takenIds, Math.min(nowMs, pickUpload(dice, startMs)));
    const routes = isAway ? [drawRoute(dice, zone)] : homeRoutes;
    const activity = inventActivity(dice, { id, stravaId, startMs, zone, routes, isRace: races.has(place) });
    activities.push({ activity, detail: {} });
  }
  return activities;
}

/** Runners keep to a few ways. */
function drawRoutes(dice: Dice, zone: Zone): Route[] {
  return Array.from({ length: 12 }, () => drawRoute(dice, zone));
}

function chooseRaces(dice: Dice, { count, races }: { count: number; races: number }): Set<number> {
  const places = Array.from({ length: count }, (_, place) => place);
  for (let place = 0; place < Math.min(races, count); place++) {
    const other = place + Math.floor(dice() * (count - place));
    [places[place], places[other]] = [places[other] ?? other, places[place] ?? place];
  }
  return new Set(places.slice(0, races));
}

/** A usual hour of that day there; for who hides their start times, midnight and one second. */
function pickStart(dice: Dice, zone: Zone, aroundMs: number): number {
  const localDayMs = Math.floor((aroundMs + utcOffsetSeconds(zone, aroundMs) * 1_000) / DAY_MS) * DAY_MS;
  const isHidden = dice() < 0.04;
  const hour = dice() < 0.7 ? 5.5 + dice() * 3 : 12 + dice() * 8;
  const localMs = localDayMs + (isHidden ? 1_000 : Math.floor(hour * 3_600) * 1_000);
  const guessMs = localMs - utcOffsetSeconds(zone, localMs - zone.standardHours * HOUR_MS) * 1_000;
  // A start later than the moment asked for might lie in the future: then it was the day before.
  return guessMs > aroundMs ? guessMs - DAY_MS : guessMs;
}

/** Most upload within the hour; 2.5 % up to a fortnight later, which puts their ids out of start order. */
function pickUpload(dice: Dice, startMs: number): number {
  return startMs + HOUR_MS + (dice() < 0.025 ? DAY_MS + dice() * 13 * DAY_MS : dice() * 40 * MINUTE_MS);
}

function takeId(takenIds: Set<number>, uploadedAtMs: number): number {
  let id = activityIdAt(uploadedAtMs);
  while (takenIds.has(id)) id++;
  takenIds.add(id);
  return id;
}

function roll(dice: Dice, wish: NumberOrRange): number {
  return typeof wish === "number" ? wish : wish.min + Math.floor(dice() * (wish.max - wish.min + 1));
}

function isCount(wish: NumberOrRange | readonly ActivityPatch[]): wish is NumberOrRange {
  return !Array.isArray(wish);
}

function pick<T>(list: readonly T[], index: number): T {
  const value = list[index % list.length];
  if (value === undefined) throw new RangeError("nothing to pick from an empty list");
  return value;
}
