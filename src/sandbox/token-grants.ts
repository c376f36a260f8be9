import { rollHex } from "../core/dice.ts";
import { type Dice, HOUR_MS, SECOND_MS } from "../core/units.ts";

/** An athlete with the tokens that an admin would import. */
export type SandboxAthlete = {
  readonly stravaId: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Epoch seconds, as Strava gives it. */
  readonly expiresAtSeconds: number;
  /** As Strava writes it: `read,activity:read_all`. */
  readonly scope: string;
};

/** What a good access token stands for. */
export type Access = { readonly stravaId: number; readonly scopes: ReadonlySet<string> };

export type RefreshResult =
  | { outcome: "refreshed"; accessToken: string; refreshToken: string; expiresAtMs: number; scope: string }
  | { outcome: "invalid" }; // unknown, rotated away, or revoked

/** Access tokens live so long. */
const TOKEN_LIFE_MS = 6 * HOUR_MS;

/**
 * The grants that athletes gave the application. A refresh gives the same access token while that has more than an hour
 * left, else a new one, and the old one works until it expires; with rotation, a new access token comes with a new
 * refresh token, and the old refresh token is dead at once.
 * @see https://developers.strava.com/docs/authentication
 */
export class TokenGrants {
  readonly #dice: Dice;
  #isRotating: boolean;
  readonly #grants = new Map<number, Grant>();
  readonly #accessTokens = new Map<string, { grant: Grant; expiresAtMs: number }>();
  readonly #refreshTokens = new Map<string, Grant>();

  constructor(dice: Dice, { rotate }: { rotate: boolean }) {
    this.#dice = dice;
    this.#isRotating = rotate;
  }

  enrol(person: { stravaId: number; firstName: string; lastName: string; scope: string }, nowMs: number): void {
    const grant: Grant = { ...person, access: readAccess(person), accessToken: "", refreshToken: "", expiresAtMs: 0 };
    this.#grants.set(person.stravaId, grant);
    this.#issueRefreshToken(grant);
    this.#issueAccessToken(grant, nowMs);
  }

  athletes(): SandboxAthlete[] {
    return [...this.#grants.values()].map(toAthlete);
  }

  athlete(stravaId: number): SandboxAthlete | undefined {
    const grant = this.#grants.get(stravaId);
    return grant && toAthlete(grant);
  }

  /** Whom an access token stands for; undefined when it is unknown, expired or revoked. */
  access(accessToken: string, nowMs: number): Access | undefined {
    const issued = this.#accessTokens.get(accessToken);
    return issued !== undefined && nowMs < issued.expiresAtMs ? issued.grant.access : undefined;
  }

  /** Whose refresh token this is. */
  ownerOf(refreshToken: string): number | undefined {
    return this.#refreshTokens.get(refreshToken)?.stravaId;
  }

  refresh(refreshToken: string, nowMs: number): RefreshResult {
    const grant = this.#refreshTokens.get(refreshToken);
    if (grant === undefined) return { outcome: "invalid" };
    if (grant.expiresAtMs - nowMs <= HOUR_MS) {
      this.#issueAccessToken(grant, nowMs);
      if (this.#isRotating) this.#issueRefreshToken(grant);
    }
    const { accessToken, expiresAtMs, scope } = grant;
    return { outcome: "refreshed", accessToken, refreshToken: grant.refreshToken, expiresAtMs, scope };
  }

  /** Kills the whole grant that an access or refresh token belongs to. @returns whose it was. */
  revokeToken(token: string): number | undefined {
    const grant = this.#refreshTokens.get(token) ?? this.#accessTokens.get(token)?.grant;
    if (grant !== undefined) this.revoke(grant.stravaId);
    return grant?.stravaId;
  }

  revoke(stravaId: number): void {
    this.expireAccessTokens(stravaId);
    this.#refreshTokens.delete(this.#grant(stravaId).refreshToken);
  }

  expireAccessTokens(stravaId: number): void {
    const grant = this.#grant(stravaId);
    for (const [token, issued] of this.#accessTokens) if (issued.grant === grant) this.#accessTokens.delete(token);
    // A refresh must make a new one, whatever time this one had left.
    grant.expiresAtMs = 0;
  }

  grantAgain(stravaId: number, scope: string | undefined, nowMs: number): SandboxAthlete {
    const grant = this.#grant(stravaId);
    this.revoke(stravaId);
    grant.scope = scope ?? grant.scope;
    grant.access = readAccess(grant);
    this.#issueRefreshToken(grant);
    this.#issueAccessToken(grant, nowMs);
    return toAthlete(grant);
  }

  setRotation(isOn: boolean): void {
    this.#isRotating = isOn;
  }

  #grant(stravaId: number): Grant {
    const grant = this.#grants.get(stravaId);
    if (grant === undefined) throw new RangeError(`the sandbox has no athlete ${stravaId}; see athletes()`);
    return grant;
  }

  #issueAccessToken(grant: Grant, nowMs: number): void {
    for (const [token, issued] of this.#accessTokens) {
      if (issued.grant !== grant) continue;
      if (issued.expiresAtMs <= nowMs) this.#accessTokens.delete(token);
    }
    grant.accessToken = rollHex(this.#dice, TOKEN_BYTES);
    grant.expiresAtMs = Math.floor((nowMs + TOKEN_LIFE_MS) / SECOND_MS) * SECOND_MS;
    this.#accessTokens.set(grant.accessToken, { grant, expiresAtMs: grant.expiresAtMs });
  }

  #issueRefreshToken(grant: Grant): void {
    this.#refreshTokens.delete(grant.refreshToken);
    grant.refreshToken = rollHex(this.#dice, TOKEN_BYTES);
    this.#refreshTokens.set(grant.refreshToken, grant);
  }
}

/** Strava's tokens are 40 hexadecimal digits. */
const TOKEN_BYTES = 20;

type Grant = {
  readonly stravaId: number;
  readonly firstName: string;
  readonly lastName: string;
  scope: string;
  access: Access;
  accessToken: string;
  refreshToken: string;
  expiresAtMs: number;
};

function readAccess({ stravaId, scope }: { stravaId: number; scope: string }): Access {
  return { stravaId, scopes: new Set(scope.split(/[ ,]+/)) };
}

function toAthlete(grant: Grant): SandboxAthlete {
  const { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtMs, scope } = grant;
  const expiresAtSeconds = Math.floor(expiresAtMs / SECOND_MS);
  return { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtSeconds, scope };
}
