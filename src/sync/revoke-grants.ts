import { backoffMs, withJitter } from "../core/batch.ts";
import { athleteId, plusMs } from "../core/units.ts";
import { deleteRevocation, postponeRevocation, type RevocationRow, readDueRevocations } from "../db/revocations.ts";
import { BrokenSealError, type Seal, WrongKeyError } from "../db/seal.ts";
import type { SyncContext } from "./context.ts";

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
    await revoke({ ...context, strava }, seal, revocation);
  }
}

async function revoke(
  context: SyncContext & { strava: NonNullable<SyncContext["strava"]> },
  seal: Seal,
  revocation: RevocationRow,
): Promise<void> {
  const { db, clock, dice, commits, governor, strava, log } = context;
  const token = openToken(seal, revocation);
  if (token === undefined) {
    // What does not open can revoke nothing, ever: the grant ends when its athlete ends it at Strava.
    await commits.soon(() => deleteRevocation(db, revocation));
    log.error("revocation.impossible", `Revocation ${revocation.id} was dropped: its sealed token does not open.`);
    return;
  }
  const asker = { athleteId: athleteId(0), phase: "revoke", syncClass: "manual" } as const;
  const { reply } = await governor.requestUnmetered(asker, () => strava.revoke(token, new AbortController().signal));
  if (reply.ok) {
    const isOver = await commits.soon(() => deleteRevocation(db, revocation));
    if (isOver)
      log.info("revocation.confirmed", `Strava confirmed revocation ${revocation.id}; nothing is left of it.`);
    return;
  }
  const attempts = revocation.attempts + 1;
  const runAfterMs = plusMs(clock.nowMs(), withJitter(backoffMs(attempts), dice()));
  await commits.soon(() => postponeRevocation(db, revocation, { attempts, runAfterMs, error: reply.fault.message }));
  log.warn(
    "revocation.retrying",
    `Strava did not confirm revocation ${revocation.id} (attempt ${attempts}): ${reply.fault.message}`,
  );
}

function openToken(seal: Seal, revocation: RevocationRow): string | undefined {
  try {
    return seal.open(revocation.tokenSealed, revocation.sealContext);
  } catch (error) {
    if (error instanceof BrokenSealError || error instanceof WrongKeyError) return undefined;
    throw error;
  }
}
