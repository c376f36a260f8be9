import type { SandboxActivity } from "../sandbox/activity.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** Whether an activity is a race: by Strava's words, and not by the daemon's code. */
export const isRaceAtStrava = (
  { type, sport_type, workout_type }: SandboxActivity,
  { virtualRuns }: { readonly virtualRuns: boolean },
): boolean =>
  workout_type === 1 &&
  (type === "Run" || ["Run", "TrailRun"].includes(sport_type) || (virtualRuns && sport_type === "VirtualRun"));

/** What Strava shows of an athlete to the application, newest first: with a plain `activity:read` nothing that is private. */
export function shownOf(strava: Sandbox, stravaId: number): readonly SandboxActivity[] {
  const scope = strava.athletes().find((athlete) => athlete.stravaId === stravaId)?.scope ?? "";
  const activities = strava.activities(stravaId);
  return scope.includes("activity:read_all")
    ? activities
    : activities.filter(({ visibility }) => visibility !== "only_me");
}
