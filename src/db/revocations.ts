import { asc, eq, lte } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { revocations } from "./schema.ts";

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
  return db
    .select()
    .from(revocations)
    .where(lte(revocations.runAfterMs, nowMs))
    .orderBy(asc(revocations.runAfterMs))
    .limit(limit)
    .all();
}

/** Strava did not confirm: tried again at `runAfterMs`. */
export function postponeRevocation(
  db: Db,
  id: number,
  next: { attempts: number; runAfterMs: EpochMs; error: string },
): void {
  db.update(revocations).set(next).where(eq(revocations.id, id)).run();
}

/** Strava confirmed: nothing is left of it. */
export function deleteRevocation(db: Db, id: number): void {
  db.delete(revocations).where(eq(revocations.id, id)).run();
}
