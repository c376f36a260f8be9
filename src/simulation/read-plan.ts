import { flag, listOf, moment, record, text, whole } from "../core/shape.ts";
import { configOf } from "./daemon-process.ts";
import { EDGES } from "./edges.ts";
import { DEED_NAMES } from "./hand.ts";
import type { Happening, Plan } from "./plan.ts";

/** All that can happen. */
const KINDS: Readonly<Record<Happening["what"], true>> = {
  upload: true,
  edit: true,
  delete: true,
  revoke: true,
  sign_in: true,
  strava_fault: true,
  spend_quota: true,
  other_client: true,
  other_limits: true,
  token_dies: true,
  capacity: true,
  events_go_astray: true,
  event_flood: true,
  crash: true,
  stop: true,
  sleep: true,
  wrong_clock: true,
  database_fails: true,
  locked: true,
  slow_statement: true,
  second_process: true,
  start_sync: true,
  pause_sync: true,
  cancel_sync: true,
  retry_failed: true,
  erase_athlete: true,
  edit_race: true,
  change_thresholds: true,
  pause_daemon: true,
  check_health: true,
  hand: true,
};

/** What every plan has. */
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

/** What would be passed over in silence: words that nothing answers to. */
function problemsOf(happening: Happening): string[] {
  const problems: string[] = [];
  const known = (field: string, value: unknown, words: readonly string[]): void => {
    if (typeof value !== "string" || !words.includes(value))
      problems.push(`.${field}: expected one of ${words.join(", ")}, found ${JSON.stringify(value)}`);
  };
  known("what", happening.what, Object.keys(KINDS));
  if (happening.on !== undefined) known("on.edge", happening.on.edge, EDGES);
  if (happening.what === "crash" || happening.what === "database_fails") known("edge", happening.edge, EDGES);
  if (happening.what === "hand") known("deed", happening.deed, DEED_NAMES);
  return problems;
}

/** Reads a plan that a file holds. @returns the plan, or every problem of it as a sentence. */
export function readPlan(value: unknown): { readonly plan: Plan } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const frame = FRAME.read(value, "", problems);
  if (problems.length > 0) return { problems };
  if (frame.club.athletes.length === 0) problems.push("club.athletes is empty: a club has somebody in it.");
  for (const [place, happening] of (value as Plan).happenings.entries())
    problems.push(...problemsOf(happening).map((says) => `happenings.${place}${says}`));
  if (frame.strava.latencyMs.length !== 2) problems.push("strava.latencyMs holds two numbers, the least and the most.");
  const plan = value as Plan;
  try {
    configOf(plan.settings);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return problems.length > 0 ? { problems } : { plan };
}
