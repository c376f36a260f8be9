import { athleteId } from "../../core/units.ts";
import { readAthleteByStravaId } from "../../db/athletes.ts";
import type { AuthorizationGrant } from "../../strava/reply.ts";
import type { SyncContext } from "../context.ts";
import type { Exchanging } from "./exchange-code.ts";

/**
 * The grant of somebody who does not become an athlete here would stay at Strava, for nothing: it is revoked, at once and
 * until that is confirmed.
 */
export async function turnAway(
  { db, commits, tokens, revokeNow }: SyncContext & { readonly revokeNow: () => void },
  grant: AuthorizationGrant,
): Promise<void> {
  await commits.soon(() => {
    // Who was admitted meanwhile, by another link in another window, keeps the grant: there is one an athlete.
    if (readAthleteByStravaId(db, grant.athlete.stravaId) !== undefined) return;
    tokens.revokeLater(grant);
    commits.afterCommit(revokeNow);
  });
}

/** The same where nothing can be written: one try, since nobody would remember another. */
export async function revokeWithoutRecord(
  { governor, strava, log }: Exchanging,
  { refreshToken }: AuthorizationGrant,
): Promise<void> {
  const asker = { athleteId: athleteId(0), phase: "revoke", syncClass: "connect" } as const;
  const { signal } = new AbortController();
  const { reply } = await governor.requestUnmetered(asker, () => strava.revoke(refreshToken, signal));
  if (reply.ok) return;
  log.error(
    "revocation.lost",
    `Somebody signed in, nothing could be stored, and their grant could not be revoked (${reply.fault.message}): it stays until they end it at Strava, or sign in again.`,
  );
}
