import { eq, sql } from "drizzle-orm";
import type { AthleteId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { stravaTokens } from "./schema.ts";
import { oncePerDb } from "./statement.ts";

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

/** Stores a pair in place of the one before. Always before the new pair is used: the old one may be dead already. */
export function storeSealedTokens(db: Db, tokens: SealedTokens): void {
  const { athleteId: _key, ...replacement } = tokens;
  db.insert(stravaTokens).values(tokens).onConflictDoUpdate({ target: stravaTokens.athleteId, set: replacement }).run();
}
