import { epochMs, SECOND_MS } from "../../core/units.ts";
import { upsertAthlete } from "../../db/athletes.ts";
import type { AthleteRow } from "../../db/schema-athletes.ts";
import { recordByHand } from "../by-hand.ts";
import type { SyncContext } from "../context.ts";
import { tellTroubleOver } from "../trouble.ts";

export type AthleteImport = {
  readonly stravaId: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** In seconds since the epoch, as Strava gives it. */
  readonly expiresAtSeconds: number;
  /** As Strava writes it: `read,activity:read_all`; empty where it is not known. */
  readonly scope: string;
};

/**
 * Adds an athlete with tokens, or connects a known one again with new tokens in place of the old: the athlete and the
 * sealed tokens in one transaction. Starts nothing. `by`: whose hand did it.
 */
export function importAthlete(
  context: SyncContext,
  athlete: AthleteImport,
  by?: string,
): { row: AthleteRow; isNew: boolean } {
  const { db, commits, clock, tokens, log } = context;
  const { stravaId, firstName, lastName, scope, accessToken, refreshToken, expiresAtSeconds } = athlete;
  return commits.now(() => {
    const { row, isNew } = upsertAthlete(db, { stravaId, firstName, lastName, scope, nowMs: clock.nowMs() });
    const grant = { accessToken, refreshToken, expiresAtMs: epochMs(expiresAtSeconds * SECOND_MS) };
    tokens.store(row.id, grant);
    // They may have been deleted a moment ago, and Strava not have confirmed it yet.
    tokens.callOffRevocation(grant);
    recordByHand(context, by, { action: "athlete.imported", target: `athlete:${row.id}`, detail: { is_new: isNew } });
    tellTroubleOver(context, { rule: "needs_reconnect", subject: `athlete:${row.id}` });
    commits.afterCommit(() => log.info("athlete.imported", "An athlete was imported.", { athlete_id: row.id }));
    return { row, isNew };
  });
}
