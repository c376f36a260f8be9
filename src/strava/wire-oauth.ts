import { type EpochMs, epochMs, SECOND_MS } from "../core/units.ts";
import {
  attempt,
  type Json,
  Malformed,
  nameType,
  type Parsed,
  readId,
  readObject,
  readOptional,
  readRequired,
} from "./raw-json.ts";
import type { AuthorizationGrant, ClubPage, TokenGrant } from "./reply.ts";

/**
 * Parses the body of POST /oauth/token for a refresh. Where it names no refresh token, the one that was sent stays good.
 * @see https://developers.strava.com/docs/authentication/#refreshing-expired-access-tokens
 */
export function parseTokenGrant(body: unknown, sent: { refreshToken: string; nowMs: EpochMs }): Parsed<TokenGrant> {
  return attempt(() => readTokenGrant(readObject(body, "body"), sent));
}

/**
 * Parses the body of POST /oauth/token for a code: the pair, and whose it is. Names may be missing, the id may not.
 * @see https://developers.strava.com/docs/authentication/#token-exchange
 */
export function parseAuthorization(body: unknown, nowMs: EpochMs): Parsed<AuthorizationGrant> {
  return attempt(() => {
    const raw = readObject(body, "body");
    const tokens = readTokenGrant(raw, { refreshToken: "", nowMs });
    if (tokens.refreshToken === "") throw new Malformed("refresh_token: missing");
    const athlete = readRequired(raw, "athlete", "object");
    return {
      ...tokens,
      athlete: {
        stravaId: readId(athlete, "id", "athlete.id"),
        firstName: readName(athlete, "firstname"),
        lastName: readName(athlete, "lastname"),
      },
    };
  });
}

/**
 * Parses the body of GET /athlete/clubs. One club that cannot be read spoils the page: it might be the one looked for.
 * @see https://developers.strava.com/docs/reference/#api-Clubs-getLoggedInAthleteClubs
 */
export function parseClubPage(body: unknown): Parsed<ClubPage> {
  if (!Array.isArray(body)) return { ok: false, reason: `expected an array, got ${nameType(body)}` };
  return attempt(() => ({ clubIds: body.map((item: unknown) => readId(readObject(item, "item"), "id")) }));
}

function readTokenGrant(raw: Json, sent: { refreshToken: string; nowMs: EpochMs }): TokenGrant {
  const accessToken = readRequired(raw, "access_token", "string");
  if (accessToken === "") throw new Malformed("access_token: empty");
  const expiresAtSeconds = readOptional(raw, "expires_at", "number");
  const expiresAtMs =
    expiresAtSeconds === null
      ? sent.nowMs + readRequired(raw, "expires_in", "number") * SECOND_MS
      : expiresAtSeconds * SECOND_MS;
  const scope = readOptional(raw, "scope", "string");
  return {
    accessToken,
    refreshToken: readOptional(raw, "refresh_token", "string") || sent.refreshToken,
    expiresAtMs: epochMs(expiresAtMs),
    ...(scope === null ? {} : { scope }),
  };
}

/** No name is worth losing a grant for: one that is no text is taken for missing. */
function readName(athlete: Json, field: string): string {
  const name = athlete[field];
  return typeof name === "string" ? name.trim().slice(0, LONGEST_NAME) : "";
}

/** As the import of an athlete takes it. */
const LONGEST_NAME = 200;
