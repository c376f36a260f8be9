import { seededDice } from "../core/dice.ts";
import { DAY_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import type { FaultAction } from "../sandbox/faults.ts";
import { NOT_FOUND_WORDINGS, TOO_MANY_WORDINGS } from "../sandbox/wording.ts";
import { drawHappenings } from "./draw-happenings.ts";
import type { Plan, StravaPlan } from "./plan.ts";
import { Rolls } from "./rolls.ts";

/** A Monday, 00:00 UTC. */
const FIRST_MONDAY_MS = Date.UTC(2025, 10, 17);
const ZONES = ["UTC", "Australia/Sydney", "Europe/Berlin", "America/New_York", "Asia/Kolkata"] as const;

/** How long an answer takes, and a request before it: together less than the daemon waits. */
const WAYS: readonly Pick<StravaPlan, "latencyMs" | "travelMs">[] = [
  { latencyMs: [0, 0] },
  { latencyMs: [50, 400] },
  { latencyMs: [50, 400], travelMs: [0, 50] },
  { latencyMs: [200, 3_000], travelMs: [0, 2_000] },
  { latencyMs: [0, 1_500], travelMs: [500, 8_000] },
  { latencyMs: [500, 9_000] },
];

/** What Strava may answer for good to the detail of one activity. */
const CURSES: readonly FaultAction[] = [
  { type: "status", status: 404 },
  { type: "status", status: 500 },
  { type: "truncated" },
  { type: "wrong_athlete" },
  { type: "hang" },
];

/** Makes the plan of a seed: a club, its settings, what it does, and what befalls it. The same seed gives the same plan. */
export function drawPlan(seed: number, weeks = 1): Plan {
  const rolls = new Rolls(seededDice(Math.imul(seed, 0x9e37_79b1) ^ 0x2545_f491));
  const athletes = Array.from({ length: rolls.whole(1, 5) }, () => {
    const activities = rolls.chance(0.2) ? rolls.whole(180, 450) : rolls.whole(8, 70);
    const races = Math.min(activities, rolls.whole(0, Math.max(2, Math.floor(activities / 3))));
    const together = activities > 200 && rolls.chance(0.5) ? rolls.whole(2, 6) : 1;
    const shortPage = activities > 200 && rolls.chance(0.4) ? 1 : 0;
    const scope = rolls.chance(0.15) ? { scope: "read,activity:read" } : {};
    const cursed = { activity: rolls.whole(0, activities - 1), action: rolls.pick(CURSES) };
    return { activities, races, together, shortPage, ...scope, ...(rolls.chance(0.15) ? { cursed } : {}) };
  });
  const isTight = rolls.chance(0.35);
  const quarterLimit = isTight ? rolls.whole(12, 40) : 100;
  const plan = {
    seed,
    startMs:
      FIRST_MONDAY_MS +
      rolls.whole(0, 365) * DAY_MS +
      rolls.whole(0, 24 * 60) * MINUTE_MS +
      rolls.whole(0, 59) * SECOND_MS,
    durationMs: weeks * 7 * DAY_MS,
    club: { athletes, spanDays: rolls.whole(60, 900) },
    settings: drawSettings(rolls),
    strava: {
      quarterLimit,
      dayLimit: isTight ? quarterLimit * rolls.whole(8, 20) : 1_000,
      rotatesTokens: rolls.chance(0.5),
      ...rolls.pick(WAYS),
      wording: { notFound: rolls.pick(NOT_FOUND_WORDINGS), tooMany: rolls.pick(TOO_MANY_WORDINGS) },
      skewMs: rolls.chance(0.8) ? 0 : rolls.whole(-90, 90) * SECOND_MS,
      beforeInclusive: rolls.chance(0.5),
      refusesFutureBefore: rolls.chance(0.5),
    },
  };
  return { ...plan, happenings: drawHappenings(rolls, plan, weeks) };
}

function drawSettings(rolls: Rolls): Record<string, string> {
  const stallMinutes = rolls.pick([3, 5, 10, 10, 20]);
  return {
    BROOMWAGON_ENRICHMENT_BATCH_SIZE: String(rolls.pick([1, 3, 8, 15, 15, 30])),
    BROOMWAGON_CONCURRENCY: String(rolls.whole(1, 5)),
    BROOMWAGON_REQUESTS_IN_FLIGHT: String(rolls.whole(1, 10)),
    BROOMWAGON_MAX_ATTEMPTS: String(rolls.whole(2, 6)),
    BROOMWAGON_LEASE: `${rolls.pick([30, 60, 60, 180])}s`,
    BROOMWAGON_STALL_AFTER_DISCOVERY: `${stallMinutes}m`,
    BROOMWAGON_STALL_AFTER_ENRICHMENT: `${stallMinutes}m`,
    BROOMWAGON_MAX_REMEDIES: String(rolls.whole(3, 8)),
    BROOMWAGON_HEALING: rolls.chance(0.1) ? "suggest" : "automatic",
    BROOMWAGON_QUOTA_HEADROOM: String(rolls.pick([0, 0, 2])),
    BROOMWAGON_QUOTA_RESERVE: rolls.pick(["0", "5%", "10%"]),
    BROOMWAGON_RESCAN: `${rolls.pick([7, 30, 30, 60])}d`,
    BROOMWAGON_VIRTUAL_RUNS: rolls.pick(["true", "false"]),
    BROOMWAGON_TIMEZONE: rolls.pick(ZONES),
    BROOMWAGON_REQUEST_TIMEOUT: `${rolls.pick([10, 30])}s`,
  };
}
