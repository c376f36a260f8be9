import type { QuotaUsage } from "../sandbox/quota-windows.ts";
import type { SandboxAthlete, SandboxPerson } from "../sandbox/token-grants.ts";

/** What somebody who wants to sync against a sandbox has to know of it. */
export type SandboxFacts = {
  /** Without a slash at the end. */
  readonly url: string;
  readonly seed: number;
  /** Everybody with an account. */
  readonly people: readonly SandboxPerson[];
  /** Those of them who are connected. */
  readonly athletes: readonly SandboxAthlete[];
  readonly quota: QuotaUsage;
};

/** The application that every sandbox knows unless told otherwise (`sandbox-contract.ts`). */
export const SANDBOX_CLIENT = { id: "12345", secret: "sandbox-secret" };

/** The body of `POST /api/admin/athletes` that imports an athlete of a sandbox. */
export function importBody(athlete: SandboxAthlete) {
  return {
    strava_id: athlete.stravaId,
    first_name: athlete.firstName,
    last_name: athlete.lastName,
    access_token: athlete.accessToken,
    refresh_token: athlete.refreshToken,
    expires_at: athlete.expiresAtSeconds,
    scope: athlete.scope,
  };
}

/** How to start a daemon against the sandbox, and what then can be done: every block can be pasted into a shell. */
export function sandboxIntroduction({ url, seed, people, athletes, quota }: SandboxFacts): string {
  const { read, overall } = quota;
  const strangers = people.length - athletes.length;
  const imports = athletes.map((athlete) => `  ${importLine(athlete)}`);
  return [
    `A Strava sandbox listens at ${url} (seed ${seed}, ${people.length} athletes${strangers === 0 ? "" : `, ${strangers} of them not connected`}).`,
    `Quota: ${read.quarter.limit} read requests a quarter-hour and ${read.day.limit} a day; ${overall.quarter.limit} and ${overall.day.limit} in all.`,
    "",
    "Start a daemon against it:",
    "",
    `  STRAVA_CLIENT_ID=${SANDBOX_CLIENT.id} STRAVA_CLIENT_SECRET=${SANDBOX_CLIENT.secret} \\`,
    `  BROOMWAGON_STRAVA_API_URL=${url}/api/v3 BROOMWAGON_STRAVA_OAUTH_URL=${url}/oauth \\`,
    `  BROOMWAGON_PUBLIC_URL=${DAEMON_URL} BROOMWAGON_ADMIN_TOKEN=a-token-for-trying broomwagon serve`,
    "",
    `Sign in as an athlete: open ${DAEMON_URL}/auth/strava in a browser; the sandbox's page asks who you are.`,
    ...(imports.length === 0
      ? [""]
      : ["Or import athletes (their current tokens are also at GET /sandbox/athletes):", "", ...imports, ""]),
    'Then "broomwagon sync --all --wait". Once the daemon has subscribed to events, an upload sends one (GET',
    "/sandbox/events shows them):",
    "",
    `  curl -sS ${url}/sandbox/activities -d '{"athlete":${people[0]?.stravaId ?? 0},"name":"City 10k","workout_type":1}'`,
    "",
    "Ctrl-C ends the sandbox, and all that it holds.",
  ].join("\n");
}

/** Where a daemon listens that nobody told otherwise. */
const DAEMON_URL = "http://127.0.0.1:8720";

function importLine(athlete: SandboxAthlete): string {
  const body = JSON.stringify(importBody(athlete)).replaceAll("'", "'\\''");
  return `curl -sS ${DAEMON_URL}/api/admin/athletes -H 'Authorization: Bearer a-token-for-trying' -d '${body}'`;
}
