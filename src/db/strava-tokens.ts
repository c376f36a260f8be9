import { eq, sql } from "drizzle-orm";
import type { AthleteId, EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { stravaTokens } from "./schema-athletes.ts";
import { oncePerDb, statement } from "./statement.ts";

export type SealedTokens = typeof stravaTokens.$inferSelect;

/** An athlete's sealed tokens; undefined when there are none. */
export function readSealedTokens(db: Db, athleteId: AthleteId): SealedTokens | undefined {
  return readTokens(db).get({ athleteId });
}

const readTokens = oncePerDb((db) =>
  db
    .select()
    .from(stravaTokens)
    .where(eq(stravaTokens.athleteId, sql.placeholder("athleteId")))
    .prepare(),
);

const noteAsked = statement<unknown, [number | null, number]>(
  "UPDATE strava_tokens SET refresh_asked_at_ms = ?1 WHERE athlete_id = ?2",
);

/** Notes since when an answer to a refresh is missing; null: none is. */
export function noteRefreshAsked(db: Db, athleteId: AthleteId, sinceMs: EpochMs | null): void {
  noteAsked(db).run(sinceMs, athleteId);
}

const noteAnyAskedStatement = statement<unknown, [number]>(
  "UPDATE strava_tokens SET refresh_asked_at_ms = ?1 WHERE refresh_asked_at_ms IS NULL",
);

/** Notes that any pair may have been replaced at Strava, and nobody knows which. */
export function noteAnyReplaced(db: Db, nowMs: EpochMs): void {
  noteAnyAskedStatement(db).run(nowMs);
}

/** Stores a pair in place of the one before. Always before the new pair is used: the old one may be dead already. */
export function storeSealedTokens(db: Db, tokens: SealedTokens): void {
  const { athleteId: _key, ...replacement } = tokens;
  db.insert(stravaTokens).values(tokens).onConflictDoUpdate({ target: stravaTokens.athleteId, set: replacement }).run();
}
