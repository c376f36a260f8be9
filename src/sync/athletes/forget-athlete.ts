import type { AthleteId } from "../../core/units.ts";
import { eraseTroublesOf } from "../../db/alert-troubles.ts";
import { eraseAthlete, readAthlete } from "../../db/athletes.ts";
import { eraseFindingsOf } from "../../db/findings.ts";
import { insertRevocation } from "../../db/revocations.ts";
import { eraseEventsOf } from "../../db/strava-events.ts";
import { readSealedTokens } from "../../db/strava-tokens.ts";
import { readSyncInProgress } from "../../db/syncs.ts";
import { abortRunsAfterCommit } from "../abort-runs.ts";
import { recordByHand } from "../by-hand.ts";
import type { SyncContext } from "../context.ts";
import type { Processor } from "../processor.ts";
import { type RefusedToken, sealContext } from "../requests/token-store.ts";

/**
 * Erases an athlete at once: races, syncs, logs, findings, tokens, and what Strava told of them. All that outlives it is the
 * sealed refresh token, until Strava confirms that the grant is revoked; both in one transaction, so that no grant is ever
 * forgotten.
 * @param why.by whose hand did it; left out: Strava's terms, or the athlete at Strava.
 * @param why.refused where it follows from a token that Strava refused: only while that is still theirs.
 * @returns false when there is no such athlete, or they have connected again since.
 */
export function forgetAthlete(
  context: SyncContext,
  processor: Processor,
  athleteId: AthleteId,
  why: { readonly by?: string; readonly refused?: RefusedToken } = {},
): boolean {
  const { by, refused } = why;
  const { db, commits, clock, log } = context;
  return commits.now(() => {
    if (refused !== undefined && !context.tokens.isCurrent(athleteId, refused)) return false;
    const running = readSyncInProgress(db, athleteId);
    if (running !== undefined) abortRunsAfterCommit(context, processor, running.id);
    const tokens = readSealedTokens(db, athleteId);
    const stravaId = readAthlete(db, athleteId)?.stravaId;
    eraseTroublesOf(db, athleteId);
    if (!eraseAthlete(db, athleteId)) return false;
    eraseFindingsOf(db, athleteId);
    if (stravaId !== undefined) eraseEventsOf(db, stravaId);
    if (tokens !== undefined) {
      const { keyId, refreshTokenSealed } = tokens;
      const context = sealContext(athleteId, "refresh");
      insertRevocation(db, { keyId, sealContext: context, tokenSealed: refreshTokenSealed, nowMs: clock.nowMs() });
    }
    recordByHand(context, by, { action: "athlete.erased", target: `athlete:${athleteId}` });
    commits.afterCommit(() => {
      context.governor.callOff(athleteId);
      log.info("athlete.erased", "An athlete was erased.", { athlete_id: athleteId });
    });
    return true;
  });
}
