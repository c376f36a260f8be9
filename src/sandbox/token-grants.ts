import { rollHex } from "../core/dice.ts";
import { type Dice, HOUR_MS, SECOND_MS } from "../core/units.ts";
import { readScopes } from "./scopes.ts";

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

/** Somebody with an account, whether or not they let the application in. */
export type SandboxPerson = {
  readonly stravaId: number;
  readonly firstName: string;
  readonly lastName: string;
  /** Whether the application holds a grant that is alive. */
  readonly isConnected: boolean;
};

export type RefreshResult = { outcome: "refreshed"; tokens: SandboxAthlete } | { outcome: "invalid" }; // unknown, rotated away, or revoked

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

  readonly #onRevoked: (stravaId: number) => void;

  constructor(dice: Dice, { rotate, onRevoked }: { rotate: boolean; onRevoked: (stravaId: number) => void }) {
    this.#dice = dice;
    this.#isRotating = rotate;
    this.#onRevoked = onRevoked;
  }

  /** Adds somebody who has not let the application in; `scope` is what they are ready to allow. */
  enrol({ stravaId, firstName, lastName, scope }: Enrolment): void {
    const none = { accessToken: "", refreshToken: "", expiresAtMs: 0 };
    const access = { stravaId, scopes: NO_SCOPES };
    this.#grants.set(stravaId, { stravaId, firstName, lastName, scope, access, ...none });
  }

  /** Lets the application in: a new pair of tokens. The old refresh token is dead, old access tokens work on. */
  connect(stravaId: number, scope: string, nowMs: number): SandboxAthlete {
    const grant = this.#grant(stravaId);
    grant.scope = scope;
    grant.access = { stravaId, scopes: new Set(readScopes(scope)) };
    this.#issueRefreshToken(grant);
    this.#issueAccessToken(grant, nowMs);
    return toAthlete(grant);
  }

  /** Those who ever let the application in. */
  athletes(): SandboxAthlete[] {
    return [...this.#grants.values()].filter(({ refreshToken }) => refreshToken !== "").map(toAthlete);
  }

  has(stravaId: number): boolean {
    return this.#grants.has(stravaId);
  }

  people(): SandboxPerson[] {
    return [...this.#grants.keys()].map((stravaId) => this.person(stravaId));
  }

  person(id: number): SandboxPerson {
    const { stravaId, firstName, lastName, refreshToken } = this.#grant(id);
    return { stravaId, firstName, lastName, isConnected: this.#refreshTokens.has(refreshToken) };
  }

  /** Whose grant is alive. */
  connected(): number[] {
    return [...this.#refreshTokens.values()].map(({ stravaId }) => stravaId);
  }

  /** What the athlete allowed, or is ready to allow. */
  scope(stravaId: number): string {
    return this.#grant(stravaId).scope;
  }

  /** The scopes of a grant that is alive; none without one. */
  liveScopes(stravaId: number): ReadonlySet<string> {
    const { refreshToken, access } = this.#grant(stravaId);
    return this.#refreshTokens.has(refreshToken) ? access.scopes : NO_SCOPES;
  }

  /** Whom an access token stands for; undefined when it is unknown, expired or revoked. */
  access(accessToken: string, nowMs: number): Access | undefined {
    const issued = this.#accessTokens.get(accessToken);
    return issued !== undefined && nowMs < issued.expiresAtMs ? issued.grant.access : undefined;
  }

  /** Whose token this is, of either kind. */
  ownerOf(token: string): number | undefined {
    return (this.#refreshTokens.get(token) ?? this.#accessTokens.get(token)?.grant)?.stravaId;
  }

  refresh(refreshToken: string, nowMs: number): RefreshResult {
    const grant = this.#refreshTokens.get(refreshToken);
    if (grant === undefined) return { outcome: "invalid" };
    if (grant.expiresAtMs - nowMs <= HOUR_MS) {
      this.#issueAccessToken(grant, nowMs);
      if (this.#isRotating) this.#issueRefreshToken(grant);
    }
    return { outcome: "refreshed", tokens: toAthlete(grant) };
  }

  /** Kills the whole grant that an access or refresh token belongs to. @returns whose it was. */
  revokeToken(token: string): number | undefined {
    const stravaId = this.ownerOf(token);
    if (stravaId !== undefined) this.revoke(stravaId);
    return stravaId;
  }

  revoke(stravaId: number): void {
    if (this.#kill(stravaId)) this.#onRevoked(stravaId);
  }

  expireAccessTokens(stravaId: number): void {
    const grant = this.#grant(stravaId);
    for (const [token, issued] of this.#accessTokens) if (issued.grant === grant) this.#accessTokens.delete(token);
    // A refresh must make a new one, whatever time this one had left.
    grant.expiresAtMs = 0;
  }

  grantAgain(stravaId: number, scope: string | undefined, nowMs: number): SandboxAthlete {
    this.#kill(stravaId);
    return this.connect(stravaId, scope ?? this.scope(stravaId), nowMs);
  }

  setRotation(isOn: boolean): void {
    this.#isRotating = isOn;
  }

  /** @returns whether there was life in it */
  #kill(stravaId: number): boolean {
    this.expireAccessTokens(stravaId);
    return this.#refreshTokens.delete(this.#grant(stravaId).refreshToken);
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

const NO_SCOPES: ReadonlySet<string> = new Set();

type Enrolment = Pick<SandboxAthlete, "stravaId" | "firstName" | "lastName" | "scope">;

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

function toAthlete(grant: Grant): SandboxAthlete {
  const { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtMs, scope } = grant;
  const expiresAtSeconds = Math.floor(expiresAtMs / SECOND_MS);
  return { stravaId, firstName, lastName, accessToken, refreshToken, expiresAtSeconds, scope };
}
