import { readNumber, readNumbers, readOneOf } from "./control-input.ts";
import type { Control, ControlRoutes } from "./control-route.ts";
import type { SandboxAthlete, SandboxPerson } from "./token-grants.ts";

/** Who there is, and what they let the application do. */
export const ATHLETE_ROUTES: ControlRoutes = {
  "GET athletes": ({ sandbox }) => sandbox.athletes().map(showAthlete),
  "GET people": ({ sandbox }) => sandbox.people().map((person) => showPerson(person, sandbox.clubs(person.stravaId))),
  "POST athletes/:id/expire": ({ sandbox, id }) => sandbox.expireAccessToken(readAthleteId(id)),
  "POST athletes/:id/revoke": ({ sandbox, id }) => sandbox.revokeGrant(readAthleteId(id)),
  "POST athletes/:id/grant": ({ sandbox, id, body }) =>
    showAthlete(sandbox.grantAgain(readAthleteId(id), readScope(body).scope)),
  "POST athletes/:id/authorize": ({ sandbox, id, body }) => ({
    code: sandbox.authorize(readAthleteId(id), readScope(body)),
  }),
  "POST athletes/:id/clubs": ({ sandbox, id, body }) =>
    sandbox.setClubs(readAthleteId(id), readNumbers(body.clubs, "clubs")),
  "POST capacity": ({ sandbox, body }) =>
    sandbox.setCapacity(
      body.athletes === "any" ? Number.POSITIVE_INFINITY : readNumber(body.athletes, "athletes"),
      readOneOf(body.refuse_at ?? "authorization", ["authorization", "exchange"], "refuse_at"),
    ),
  "POST rotation": ({ sandbox, body }) => sandbox.setRotation(body.on === true),
};

function readAthleteId(id: string): number {
  return readNumber(id, "the athlete's id");
}

function readScope({ scope }: Control["body"]): { scope?: string } {
  return typeof scope === "string" ? { scope } : {};
}

function showAthlete(athlete: SandboxAthlete): unknown {
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

function showPerson(person: SandboxPerson, clubs: readonly number[]): unknown {
  const { stravaId, firstName, lastName, isConnected } = person;
  return { strava_id: stravaId, first_name: firstName, last_name: lastName, is_connected: isConnected, clubs };
}
