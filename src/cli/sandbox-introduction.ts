import type { QuotaUsage } from "../sandbox/quota-windows.ts";
import type { SandboxAthlete } from "../sandbox/token-grants.ts";

/** What somebody who wants to sync against a sandbox has to know of it. */
export type SandboxFacts = {
  /** Without a slash at the end. */
  readonly url: string;
  readonly seed: number;
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

/** How to start a daemon against the sandbox and import its athletes: every block can be pasted into a shell. */
export function sandboxIntroduction({ url, seed, athletes, quota }: SandboxFacts): string {
  const { read, overall } = quota;
  return [
    `A Strava sandbox listens at ${url} (seed ${seed}, ${athletes.length} athletes).`,
    `Quota: ${read.quarter.limit} read requests a quarter-hour and ${read.day.limit} a day; ${overall.quarter.limit} and ${overall.day.limit} in all.`,
    "",
    "Start a daemon against it:",
    "",
    `  STRAVA_CLIENT_ID=${SANDBOX_CLIENT.id} STRAVA_CLIENT_SECRET=${SANDBOX_CLIENT.secret} \\`,
    `  BROOMWAGON_STRAVA_API_URL=${url}/api/v3 BROOMWAGON_STRAVA_OAUTH_URL=${url}/oauth \\`,
    "  BROOMWAGON_ADMIN_TOKEN=a-token-for-trying broomwagon serve",
    "",
    "Import its athletes (their current tokens are also at GET /sandbox/athletes):",
    "",
    ...athletes.map((athlete) => `  ${importLine(athlete)}`),
    "",
    'Then "broomwagon sync --all --wait". Ctrl-C ends the sandbox, and all that it holds.',
  ].join("\n");
}

function importLine(athlete: SandboxAthlete): string {
  const body = JSON.stringify(importBody(athlete)).replaceAll("'", "'\\''");
  return `curl -sS http://127.0.0.1:8720/api/admin/athletes -H 'Authorization: Bearer a-token-for-trying' -d '${body}'`;
}
