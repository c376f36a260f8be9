import type { ActivityPatch, SandboxActivity } from "../../src/sandbox/activity.ts";
import type { ClubSpec } from "../../src/sandbox/club.ts";
import { createSandbox, type Sandbox, type SandboxOptions } from "../../src/sandbox/sandbox.ts";
import type { SandboxAthlete } from "../../src/sandbox/token-grants.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A Monday, seven minutes into a quarter. */
export const NOW = Date.UTC(2025, 10, 17, 9, 7, 0);
/** The same in seconds, as Strava's filters count. */
export const NOW_SECONDS = NOW / 1_000;
export const CLIENT = { client_id: "12345", client_secret: "sandbox-secret" };

export type Visit = { sandbox: Sandbox; clock: FakeClock; athlete: SandboxAthlete };

/** A sandbox whose first athlete has just these activities (none unless given), and a second one with a plain run. */
export function visit(activities: readonly ActivityPatch[] = [], options: Partial<SandboxOptions> = {}): Visit {
  const clock = new FakeClock(NOW);
  const club: ClubSpec = { athletes: [{ activities }, { activities: [{ name: "Somebody else's" }] }] };
  const sandbox = createSandbox({ clock, seed: 1, club, ...options });
  const [athlete] = sandbox.athletes();
  if (athlete === undefined) throw new Error("the club is empty");
  return { sandbox, clock, athlete };
}

/** An activity that started so many seconds after (or before) NOW. */
export const startingAt = (seconds: number, patch: ActivityPatch = {}): ActivityPatch => ({
  start_date: `${new Date((NOW_SECONDS + seconds) * 1_000).toISOString().slice(0, 19)}Z`,
  ...patch,
});

/** So many activities, a minute apart, the newest a minute before NOW. */
export const aMinuteApart = (count: number): ActivityPatch[] =>
  Array.from({ length: count }, (_, place) => startingAt(-60 * (place + 1), { name: `Run ${place + 1}` }));

/** GET under /api/v3 with the athlete's token as it was at the start, unless another is given. */
export function get({ sandbox, athlete }: Visit, path: string, accessToken = athlete.accessToken): Promise<Response> {
  const headers = { authorization: `Bearer ${accessToken}` };
  return sandbox.fetch(new Request(`https://www.strava.example/api/v3${path}`, { headers }));
}

/** A page of the list that must be answered with 200. */
export async function list(place: Visit, query = ""): Promise<SandboxActivity[]> {
  const response = await get(place, `/athlete/activities${query}`);
  if (response.status !== 200) throw new Error(`the list was answered with ${response.status}`);
  return (await response.json()) as SandboxActivity[];
}

export const names = (activities: readonly SandboxActivity[]): string[] => activities.map(({ name }) => name);

/** POST under /oauth, form-encoded. */
export function post(
  { sandbox }: Visit,
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const body = new URLSearchParams(form);
  return sandbox.fetch(new Request(`https://www.strava.example${path}`, { method: "POST", body, headers }));
}

export function refresh(place: Visit, refreshToken = place.athlete.refreshToken): Promise<Response> {
  return post(place, "/oauth/token", { ...CLIENT, grant_type: "refresh_token", refresh_token: refreshToken });
}

/** A JSON body, loosely typed: tests say what they expect of it. */
export async function json(response: Response | Promise<Response>): Promise<Record<string, unknown>> {
  return (await (await response).json()) as Record<string, unknown>;
}
