import { backoffMs, withJitter } from "../../core/batch.ts";
import { athleteId, plusMs } from "../../core/units.ts";
import {
  deleteRevocation,
  postponeRevocation,
  type RevocationRow,
  readDueRevocations,
  renewRevocation,
} from "../../db/revocations.ts";
import { BrokenSealError, type Seal, WrongKeyError } from "../../db/seal.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { SyncContext } from "../context.ts";

/** A tick tries at most so many: the rest is due at the next. */
const REVOCATIONS_A_TICK = 20;

/**
 * Tells Strava to revoke the grants of athletes who were erased, or not admitted when they signed in, and goes on until it
 * confirms: only their sealed tokens are left here until then.
 */
export async function revokeGrants(context: SyncContext, seal: Seal): Promise<void> {
  const { strava, db, clock } = context;
  if (strava === undefined) return;
  for (const revocation of readDueRevocations(db, clock.nowMs(), REVOCATIONS_A_TICK)) {
    await revoke({ ...context, strava, seal }, revocation);
  }
}

type Revoking = SyncContext & { readonly strava: StravaClient; readonly seal: Seal };

/** What Strava said, and of which row: a refresh on the way may have given it another token. */
type Told = { readonly row: RevocationRow; readonly refusal: string | undefined };

async function revoke(context: Revoking, revocation: RevocationRow): Promise<void> {
  const { db, clock, dice, commits, log, seal } = context;
  const { id } = revocation;
  const token = openToken(seal, revocation);
  if (token === undefined) {
    // What does not open can revoke nothing, ever: the grant ends when its athlete ends it at Strava.
    await commits.soon(() => deleteRevocation(db, revocation));
    log.error("revocation.impossible", `Revocation ${id} was dropped: its sealed token does not open.`);
    return;
  }
  const { row, refusal } = await tellStrava(context, revocation, token);
  if (refusal === undefined) {
    const isOver = await commits.soon(() => deleteRevocation(db, row));
    if (isOver) log.info("revocation.confirmed", `Strava confirmed revocation ${id}; nothing is left of that grant.`);
    return;
  }
  const attempts = revocation.attempts + 1;
  const runAfterMs = plusMs(clock.nowMs(), withJitter(backoffMs(attempts), dice()));
  await commits.soon(() => postponeRevocation(db, row, { attempts, runAfterMs, error: refusal }));
  log.warn("revocation.retrying", `Strava did not confirm revocation ${id} (attempt ${attempts}): ${refusal}`);
}

const ASKER = { athleteId: athleteId(0), phase: "revoke", syncClass: "manual" } as const;
/** Not to be called off: each request has its own time limit, and what a refresh brings must be stored. */
const NEVER = new AbortController().signal;

async function tellStrava(context: Revoking, row: RevocationRow, token: string): Promise<Told> {
  const { governor, strava } = context;
  const { reply } = await governor.requestUnmetered(ASKER, () => strava.revoke(token, NEVER));
  if (reply.ok) return { row, refusal: undefined };
  const isNotThere = reply.status === 404 || reply.status === 405;
  return isNotThere ? deauthorize(context, row, token) : { row, refusal: reply.fault.message };
}

/** The older way, where the newer is not there: it takes access tokens only, and ours may have expired long ago. */
async function deauthorize(context: Revoking, row: RevocationRow, token: string): Promise<Told> {
  const { db, commits, governor, strava, seal } = context;
  const { reply: refreshed } = await governor.requestUnmetered(ASKER, () => strava.refreshToken(token, NEVER));
  if (!refreshed.ok) {
    // Dead already: the athlete has ended the grant themselves.
    const isOver = refreshed.fault.kind === "access_revoked";
    return { row, refusal: isOver ? undefined : refreshed.fault.message };
  }
  const { accessToken, refreshToken } = refreshed.value;
  const current =
    refreshToken === token
      ? row
      : await commits.soon(() => renewRevocation(db, row, seal.seal(refreshToken, row.sealContext), seal.keyId));
  const outcome = await governor.request({ ...ASKER, phase: "deauthorize" }, NEVER, () =>
    strava.deauthorize(accessToken, NEVER),
  );
  if (outcome.got !== "reply") return { row: current, refusal: "The application has to wait." };
  const { reply } = outcome;
  return { row: current, refusal: reply.ok ? undefined : reply.fault.message };
}

function openToken(seal: Seal, revocation: RevocationRow): string | undefined {
  try {
    return seal.open(revocation.tokenSealed, revocation.sealContext);
  } catch (error) {
    if (error instanceof BrokenSealError || error instanceof WrongKeyError) return undefined;
    throw error;
  }
}
