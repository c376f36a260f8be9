import { and, asc, eq, lte, sql } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { revocations } from "./schema-athletes.ts";
import { anyRow, oncePerDb, statement } from "./statement.ts";

export type RevocationRow = typeof revocations.$inferSelect;

/** Remembers a grant that Strava must be told to revoke: all that outlives an erased athlete. */
export function insertRevocation(
  db: Db,
  revocation: { keyId: string; sealContext: string; tokenSealed: string; nowMs: EpochMs },
): void {
  const { keyId, sealContext, tokenSealed, nowMs } = revocation;
  db.insert(revocations).values({ keyId, sealContext, tokenSealed, runAfterMs: nowMs, createdAtMs: nowMs }).run();
}

/** Revocations whose next try is due, the oldest first; at most `limit`. */
export function readDueRevocations(db: Db, nowMs: EpochMs, limit: number): readonly RevocationRow[] {
  return anyDue(db, nowMs) ? readDue(db).all({ nowMs, limit }) : [];
}

const anyDue = anyRow<[number]>("SELECT 1 FROM revocations WHERE run_after_ms <= ?1");

const readDue = oncePerDb((db) =>
  db
    .select()
    .from(revocations)
    .where(lte(revocations.runAfterMs, sql.placeholder("nowMs")))
    .orderBy(asc(revocations.runAfterMs))
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** All revocations; there are few, and hardly ever any. At most `limit`. */
export function readRevocations(db: Db, limit: number): readonly RevocationRow[] {
  return db.select().from(revocations).limit(limit).all();
}

/**
 * The grant of a revocation goes by another token now: that one is due at once.
 * @returns false when there is no revocation with that context: it was confirmed, for a token that was dead.
 */
export function replaceRevokedToken(
  db: Db,
  next: { keyId: string; sealContext: string; tokenSealed: string; nowMs: EpochMs },
): boolean {
  const { keyId, sealContext, tokenSealed, nowMs } = next;
  return (
    db
      .update(revocations)
      .set({ keyId, tokenSealed, attempts: 0, runAfterMs: nowMs, error: null })
      .where(eq(revocations.sealContext, sealContext))
      .returning({ id: revocations.id })
      .all().length > 0
  );
}

/** A refresh has killed the token of a revocation: this one is to go instead. @returns the row as it is now. */
export function renewRevocation(db: Db, old: RevocationRow, tokenSealed: string, keyId: string): RevocationRow {
  db.update(revocations).set({ tokenSealed, keyId }).where(isSame(old)).run();
  return { ...old, tokenSealed, keyId };
}

/** Strava did not confirm: tried again at `runAfterMs`; unless the token has been replaced meanwhile. */
export function postponeRevocation(
  db: Db,
  tried: RevocationRow,
  next: { attempts: number; runAfterMs: EpochMs; error: string },
): void {
  db.update(revocations).set(next).where(isSame(tried)).run();
}

/** Strava confirmed: nothing is left of it. False when its token has been replaced meanwhile: that one is still to go. */
export function deleteRevocation(db: Db, confirmed: RevocationRow): boolean {
  return db.delete(revocations).where(isSame(confirmed)).returning({ id: revocations.id }).all().length > 0;
}

/** Whether a revocation waits beyond a moment. */
export const hasRevocationBeyond = anyRow<[number]>("SELECT 1 FROM revocations WHERE run_after_ms > ?1");

const makeDueStatement = statement<unknown, [number, number, number]>(
  `UPDATE revocations SET run_after_ms = ?1 WHERE id IN (SELECT id FROM revocations WHERE run_after_ms > ?2 LIMIT ?3)`,
);

/** Makes revocations that wait beyond a moment due at once; at most `limit`. Returns how many. */
export function makeRevocationsDue(db: Db, nowMs: EpochMs, beyondMs: EpochMs, limit: number): number {
  return makeDueStatement(db).run(nowMs, beyondMs, limit).changes;
}

/** A sealed value is another each time, even for the same token. */
const isSame = ({ id, tokenSealed }: RevocationRow) =>
  and(eq(revocations.id, id), eq(revocations.tokenSealed, tokenSealed));
