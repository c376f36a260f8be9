import { expect } from "bun:test";
import { SECOND_MS } from "../../src/core/units.ts";
import { readAthleteByStravaId } from "../../src/db/athletes.ts";
import type { AthleteRow } from "../../src/db/schema-athletes.ts";
import type { SandboxPerson } from "../../src/sandbox/token-grants.ts";
import { type Answer, createTestApi, type TestApi } from "./api.ts";

/** A club whose first athlete is connected (and imported), and whose others have an account at Strava only. */
export const ONE_CONNECTED = {
  athletes: [
    { activities: 30, races: 4 },
    { activities: 30, races: 4, isConnected: false },
    { activities: 30, races: 4, isConnected: false },
  ],
} as const;

/** The API, with that club at Strava. */
export function apiOfClub(options: Parameters<typeof createTestApi>[0] = {}): TestApi {
  const { sandbox, ...rest } = options;
  return createTestApi({ ...rest, sandbox: { club: ONE_CONNECTED, ...sandbox } });
}

export type SignIn = {
  /** The link that is opened: `/auth/strava` unless given. */
  readonly link?: string;
  /** Boxes that stay ticked on Strava's page, beyond `read`; all that is asked for unless given. */
  readonly ticked?: readonly string[];
  readonly decision?: "authorize" | "cancel";
};

/** Signs in as a person does: opens the link, fills in Strava's form, and follows it back. Ends at the first page. */
export async function signIn(api: TestApi, who: number, how: SignIn = {}): Promise<Answer> {
  const callback = await untilCallback(api, who, how);
  return typeof callback === "string" ? api.visit(callback) : callback;
}

/** The same, up to where Strava sends the browser back to; or the page at which it ends before. */
export async function untilCallback(api: TestApi, who: number, how: SignIn = {}): Promise<string | Answer> {
  const start = await api.visit(how.link ?? "/auth/strava");
  const location = start.headers.get("location");
  if (location === null) return start;
  const fields = new URLSearchParams(new URL(location).search);
  fields.set("athlete", String(personAt(api, who).stravaId));
  fields.set("decision", how.decision ?? "authorize");
  for (const scope of how.ticked ?? fields.get("scope")?.split(",") ?? []) fields.append("granted", scope);
  const posted = new Request(authorizeUrl(location), { method: "POST", body: fields });
  const led = await api.passing(api.engine.sandbox.fetch(posted));
  return led.headers.get("location") ?? readPage(led);
}

/** The who-th person of the club, connected or not. */
export function personAt(api: Pick<TestApi, "engine">, who: number): SandboxPerson {
  const person = api.engine.sandbox.people()[who];
  if (person === undefined) throw new Error(`The club has nobody at place ${who}`);
  return person;
}

/** The who-th person of the club, where they are an athlete here. */
export const athleteAt = (api: Pick<TestApi, "engine">, who: number): AthleteRow | undefined =>
  readAthleteByStravaId(api.engine.db, personAt(api, who).stravaId);

/** Nothing is left of somebody who was turned away: no row here, and no grant at Strava. */
export async function expectNothingLeft(api: TestApi, who: number): Promise<void> {
  await api.engine.clock.advance(SECOND_MS);
  expect(athleteAt(api, who)).toBeUndefined();
  expect(personAt(api, who).isConnected).toBe(false);
  expect([countRows(api, "revocations"), countRows(api, "sign_ins")]).toEqual([0, 0]);
}

/** How many rows a table has. */
export const countRows = (api: Pick<TestApi, "engine">, table: string): number =>
  api.engine.db.$client.query(`SELECT 1 FROM ${table}`).all().length;

/** Makes an invitation. @returns the link to send. */
export async function makeInvite(api: TestApi, body: object = {}): Promise<string> {
  return (await api.post("/api/admin/invites", body)).body.url;
}

/** The state that a browser is sent to Strava with. */
export async function beginState(api: TestApi, link = "/auth/strava"): Promise<string> {
  const { headers, status } = await api.visit(link);
  const state = new URL(headers.get("location") ?? "none:").searchParams.get("state");
  if (state === null) throw new Error(`${link} answered ${status} and no state`);
  return state;
}

/** Where Strava sends a browser back to. */
export const callbackOf = (query: Readonly<Record<string, string>>): string =>
  `/auth/strava/callback?${new URLSearchParams(query)}`;

function authorizeUrl(location: string): string {
  const { origin, pathname } = new URL(location);
  return origin + pathname;
}

async function readPage(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text(), body: undefined };
}
