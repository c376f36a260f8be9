import type { SandboxActivity } from "../sandbox/activity.ts";

/** Whether an activity is a race: by Strava's words, and not by the daemon's code. */
export const isRaceAtStrava = (
  { type, sport_type, workout_type }: SandboxActivity,
  { virtualRuns }: { readonly virtualRuns: boolean },
): boolean =>
  workout_type === 1 &&
  (type === "Run" || ["Run", "TrailRun"].includes(sport_type) || (virtualRuns && sport_type === "VirtualRun"));
