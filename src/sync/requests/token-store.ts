import { type AthleteId, athleteId, type Clock, type EpochMs } from "../../core/units.ts";
import { readAthlete } from "../../db/athletes.ts";
import type { Db } from "../../db/open.ts";
import { deleteRevocation, insertRevocation, readRevocations, replaceRevokedToken } from "../../db/revocations.ts";
import { BrokenSealError, type Seal, WrongKeyError } from "../../db/seal.ts";
import { noteRefreshAsked, readSealedTokens, storeSealedTokens } from "../../db/strava-tokens.ts";
import type { TokenGrant } from "../../strava/reply.ts";

/** Tokens as they are stored: sealed, each for its place. What writes is to be called inside a transaction. */
export type TokenStore = {
  /** Seals and stores a pair in place of the one before. */
  store(athleteId: AthleteId, grant: TokenGrant): void;
  /** Stores what a refresh of `sent` brought. @returns false when the athlete has been erased meanwhile. */
  storeRefreshed(athleteId: AthleteId, sent: string, grant: TokenGrant): boolean;
  /** A refresh of `sent` is about to be asked for (true), or was answered without a new pair (false). */
  noteAsked(athleteId: AthleteId, sent: string, isUnderWay: boolean): void;
  /** An athlete's pair, opened; undefined when there is none that opens. */
  read(athleteId: AthleteId): OpenTokens | undefined;
  /** Whether a token that was refused is still the athlete's: they may have connected again since. */
  isCurrent(athleteId: AthleteId, refused: RefusedToken): boolean;
  /** The grant of somebody who is no athlete here is to be revoked: all that is kept of them until then. */
  revokeLater(grant: TokenGrant): void;
  /** A grant that was to be revoked, and that its owner has given again since with the very same token, is kept. */
  callOffRevocation(grant: TokenGrant): void;
};

/** A token that Strava refused: what follows from that holds only as long as it is the athlete's. */
export type RefusedToken = { readonly refreshToken: string } | { readonly accessToken: string };

export type OpenTokens = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: EpochMs;
  /** A refresh was asked for, and nobody heard the answer: Strava may have replaced the pair. */
  readonly mayBeReplaced: boolean;
};

/** What a token is sealed for: a value copied to another row does not open there. */
export const sealContext = (athleteId: AthleteId, which: "access" | "refresh"): string =>
  `athlete:${athleteId}:${which}`;

/** Somebody who was not admitted has no id here. */
const NOBODY = athleteId(0);
/** Revocations wait only while Strava does not answer: more than this is looked at by nobody. */
const REVOCATIONS_OPENED = 100;

export function createTokenStore({ db, clock, seal }: { db: Db; clock: Clock; seal: Seal }): TokenStore {
  function store(id: AthleteId, grant: TokenGrant): void {
    storeSealedTokens(db, {
      athleteId: id,
      keyId: seal.keyId,
      accessTokenSealed: seal.seal(grant.accessToken, sealContext(id, "access")),
      refreshTokenSealed: seal.seal(grant.refreshToken, sealContext(id, "refresh")),
      expiresAtMs: grant.expiresAtMs,
      updatedAtMs: clock.nowMs(),
      refreshAskedAtMs: null,
    });
  }

  function read(id: AthleteId): OpenTokens | undefined {
    const sealed = readSealedTokens(db, id);
    if (sealed === undefined) return undefined;
    try {
      return {
        accessToken: seal.open(sealed.accessTokenSealed, sealContext(id, "access")),
        refreshToken: seal.open(sealed.refreshTokenSealed, sealContext(id, "refresh")),
        expiresAtMs: sealed.expiresAtMs,
        mayBeReplaced: sealed.refreshAskedAtMs !== null,
      };
    } catch (error) {
      if (error instanceof BrokenSealError) return undefined;
      throw error;
    }
  }

  function sealForRevocation(id: AthleteId, { refreshToken }: TokenGrant) {
    const context = sealContext(id, "refresh");
    const tokenSealed = seal.seal(refreshToken, context);
    return { keyId: seal.keyId, sealContext: context, tokenSealed, nowMs: clock.nowMs() };
  }

  function opens(sealed: string, context: string): string | undefined {
    try {
      return seal.open(sealed, context);
    } catch (error) {
      if (error instanceof BrokenSealError || error instanceof WrongKeyError) return undefined;
      throw error;
    }
  }

  return {
    store,
    read,
    storeRefreshed(id, sent, grant) {
      if (readAthlete(db, id) !== undefined) {
        // A pair that was replaced meanwhile, since the athlete has connected again, stays as it is.
        if (read(id)?.refreshToken === sent) store(id, grant);
        return true;
      }
      // Erased meanwhile. Where Strava rotated, the token that the erasure kept is dead, and revoking it would be confirmed
      // and revoke nothing: the grant now goes by the new one.
      if (grant.refreshToken === sent) return false;
      const revocation = sealForRevocation(id, grant);
      if (!replaceRevokedToken(db, revocation)) insertRevocation(db, revocation);
      return false;
    },
    noteAsked(id, sent, isUnderWay) {
      if (read(id)?.refreshToken === sent) noteRefreshAsked(db, id, isUnderWay ? clock.nowMs() : null);
    },
    isCurrent(id, refused) {
      const stored = read(id);
      if (stored === undefined) return true;
      return "refreshToken" in refused
        ? stored.refreshToken === refused.refreshToken
        : stored.accessToken === refused.accessToken;
    },
    revokeLater: (grant) => insertRevocation(db, sealForRevocation(NOBODY, grant)),
    callOffRevocation(grant) {
      for (const revocation of readRevocations(db, REVOCATIONS_OPENED)) {
        const token = opens(revocation.tokenSealed, revocation.sealContext);
        if (token === grant.refreshToken) deleteRevocation(db, revocation);
      }
    },
  };
}
