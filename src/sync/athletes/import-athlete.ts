import { epochMs, SECOND_MS } from "../../core/units.ts";
import { upsertAthlete } from "../../db/athletes.ts";
import type { AthleteRow } from "../../db/schema.ts";
import type { SyncContext } from "../context.ts";

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
 * sealed tokens in one transaction. Starts nothing.
 */
export function importAthlete(context: SyncContext, athlete: AthleteImport): { row: AthleteRow; isNew: boolean } {
  const { db, commits, clock, tokens, log } = context;
  const { stravaId, firstName, lastName, scope, accessToken, refreshToken, expiresAtSeconds } = athlete;
  return commits.now(() => {
    const { row, isNew } = upsertAthlete(db, { stravaId, firstName, lastName, scope, nowMs: clock.nowMs() });
    const grant = { accessToken, refreshToken, expiresAtMs: epochMs(expiresAtSeconds * SECOND_MS) };
    tokens.store(row.id, grant);
    // They may have been deleted a moment ago, and Strava not have confirmed it yet.
    tokens.callOffRevocation(grant);
    commits.afterCommit(() => log.info("athlete.imported", "An athlete was imported.", { athlete_id: row.id }));
    return { row, isNew };
  });
}
