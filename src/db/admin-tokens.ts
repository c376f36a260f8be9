import { asc, eq, gt } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { adminTokens, type Scope } from "./schema-books.ts";

export type AdminTokenRow = typeof adminTokens.$inferSelect;

/** Stores a token's hash; the token itself is shown once and kept nowhere. */
export function insertAdminToken(
  db: Db,
  token: { label: string; scope: Scope; tokenHash: string; nowMs: EpochMs; expiresAtMs: EpochMs | null },
): AdminTokenRow {
  const { label, scope, tokenHash, nowMs, expiresAtMs } = token;
  return db.insert(adminTokens).values({ label, scope, tokenHash, createdAtMs: nowMs, expiresAtMs }).returning().get();
}

/** The token of that hash, unless it has expired. */
export function findAdminToken(db: Db, tokenHash: string, nowMs: EpochMs): AdminTokenRow | undefined {
  const row = db.select().from(adminTokens).where(eq(adminTokens.tokenHash, tokenHash)).get();
  return row === undefined || (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) ? undefined : row;
}

/** A page of tokens by id, after `afterId`. */
export function readAdminTokens(db: Db, afterId: number, limit: number): readonly AdminTokenRow[] {
  return db
    .select()
    .from(adminTokens)
    .where(gt(adminTokens.id, afterId))
    .orderBy(asc(adminTokens.id))
    .limit(limit)
    .all();
}

/** A token let somebody in. */
export function noteTokenUsed(db: Db, id: number, nowMs: EpochMs): void {
  db.update(adminTokens).set({ lastUsedAtMs: nowMs }).where(eq(adminTokens.id, id)).run();
}

/** Revokes a token; false when there was none. */
export function deleteAdminToken(db: Db, id: number): boolean {
  return db.delete(adminTokens).where(eq(adminTokens.id, id)).returning({ id: adminTokens.id }).all().length > 0;
}

/** Whether any token was ever made here. */
export function hasAdminToken(db: Db): boolean {
  return db.select({ id: adminTokens.id }).from(adminTokens).limit(1).get() !== undefined;
}
