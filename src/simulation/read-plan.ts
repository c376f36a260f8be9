import { flag, listOf, moment, record, text, whole } from "../core/shape.ts";
import { configOf } from "./daemon-process.ts";
import type { Plan } from "./plan.ts";

/** What every plan has; what a happening needs besides, it says itself when its time has come. */
const FRAME = record({
  seed: whole(),
  startMs: moment("The first moment."),
  durationMs: whole(undefined, 1),
  club: record({
    athletes: listOf(
      record({
        activities: whole(undefined, 0),
        races: whole(undefined, 0),
        together: whole(undefined, 1),
        shortPage: whole(undefined, 0),
      }),
    ),
    spanDays: whole(undefined, 1),
  }),
  settings: record({}),
  strava: record({
    quarterLimit: whole(undefined, 0),
    dayLimit: whole(undefined, 0),
    rotatesTokens: flag(),
    latencyMs: listOf(whole(undefined, 0)),
    skewMs: whole(),
    beforeInclusive: flag(),
    refusesFutureBefore: flag(),
  }),
  happenings: listOf(record({ afterMs: whole(undefined, 0), what: text() })),
});

/** Reads a plan that a file holds. @returns the plan, or every problem of it as a sentence. */
export function readPlan(value: unknown): { readonly plan: Plan } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const frame = FRAME.read(value, "", problems);
  if (problems.length > 0) return { problems };
  if (frame.club.athletes.length === 0) problems.push("club.athletes is empty: a club has somebody in it.");
  if (frame.strava.latencyMs.length !== 2) problems.push("strava.latencyMs holds two numbers, the least and the most.");
  const plan = value as Plan;
  try {
    configOf(plan.settings);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return problems.length > 0 ? { problems } : { plan };
}
