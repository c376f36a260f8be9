import type { Granted } from "../../core/scope.ts";
import { noteSignedIn, readAthleteByStravaId, upsertAthlete } from "../../db/athletes.ts";
import { noteInvited, takeInvite } from "../../db/invites.ts";
import type { AthleteRow } from "../../db/schema-athletes.ts";
import { readSyncInProgress } from "../../db/syncs.ts";
import type { AuthorizationGrant } from "../../strava/reply.ts";
import { abortRunsAfterCommit } from "../abort-runs.ts";
import type { SyncContext } from "../context.ts";
import { requireReconnect } from "../end-sync.ts";
import { type RunsBatches, startSyncWithin } from "../start-sync.ts";
import { tellTroubleOver } from "../trouble.ts";

/** Somebody who has signed in at Strava, and what they granted. */
export type SignedIn = { readonly grant: AuthorizationGrant; readonly granted: Granted };

/** As whom they come. */
export type Admission =
  | { as: "known" }
  /** `isInviteRequired`: nobody comes in without one. Where it is not, one that was brought is used up all the same. */
  | { as: "newcomer"; inviteId: number | null; isInviteRequired: boolean };

export type Admitted =
  | { outcome: "admitted"; isNew: boolean }
  | { outcome: "invite_gone" } // somebody else was faster, it has expired, or it was taken back
  | { outcome: "erased" }; // known when they came, and erased since

/**
 * Stores an athlete with tokens, uses their invitation up and starts a full sync, all in one transaction: so that two
 * people never share an invitation, and nobody is connected and never synced. Inside a transaction.
 */
export function admitAthlete(
  context: SyncContext,
  { grant, granted }: SignedIn,
  admission: Admission,
  processor: RunsBatches,
): Admitted {
  const { db, clock, commits, tokens, log } = context;
  const nowMs = clock.nowMs();
  const known = readAthleteByStravaId(db, grant.athlete.stravaId);
  if (known === undefined && admission.as === "known") return { outcome: "erased" };
  const invite = known === undefined && admission.as === "newcomer" ? admission : undefined;
  const takenId = invite?.inviteId != null && takeInvite(db, invite.inviteId, nowMs) ? invite.inviteId : undefined;
  if (invite?.isInviteRequired === true && takenId === undefined) return { outcome: "invite_gone" };

  const { stravaId } = grant.athlete;
  const { row, isNew } = upsertAthlete(db, { stravaId, ...namesOf(grant, known), scope: granted.scope, nowMs });
  if (takenId !== undefined) noteInvited(db, takenId, row.id);
  tokens.store(row.id, grant);
  tokens.callOffRevocation(grant);
  tellTroubleOver(context, { rule: "needs_reconnect", subject: `athlete:${row.id}` });
  // Where one is in progress, it goes on with the new tokens.
  startSyncWithin(context, { athleteId: row.id, syncClass: "connect", mode: "full" }, processor);
  const [event, message] = isNew
    ? (["athlete.connected", "An athlete connected."] as const)
    : (["athlete.reconnected", "An athlete connected again."] as const);
  commits.afterCommit(() => log.info(event, message, { athlete_id: row.id }));
  return { outcome: "admitted", isNew };
}

/**
 * A known athlete has granted too little: nothing of theirs can be read, so they must connect again. The pair is stored all
 * the same, since it is the one by which their grant can be revoked. Inside a transaction.
 * @returns false when they are not known: nothing is stored.
 */
export function holdBackAthlete(context: SyncContext, signedIn: SignedIn, processor: RunsBatches): boolean {
  const { db, tokens } = context;
  const { grant, granted } = signedIn;
  const known = readAthleteByStravaId(db, grant.athlete.stravaId);
  if (known === undefined) return false;
  noteSignedIn(db, known.id, { ...namesOf(grant, known), scope: granted.scope });
  tokens.store(known.id, grant);
  const running = readSyncInProgress(db, known.id);
  if (running !== undefined) abortRunsAfterCommit(context, processor, running.id);
  const reason = "The athlete connected again and did not allow that activities are read.";
  requireReconnect(context, known.id, { reason, refused: undefined });
  return true;
}

/** Where Strava tells no name, the one that we know stays. */
function namesOf(
  { athlete }: AuthorizationGrant,
  known: AthleteRow | undefined,
): { firstName: string; lastName: string } {
  return {
    firstName: athlete.firstName || (known?.firstName ?? ""),
    lastName: athlete.lastName || (known?.lastName ?? ""),
  };
}
