import { and, desc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import type { AthleteId, EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type InviteRow, invites } from "./schema-connect.ts";

/** Stores an invitation's hash; the invitation itself is shown once and kept nowhere. */
export function insertInvite(
  db: Db,
  invite: { label: string; tokenHash: string; nowMs: EpochMs; by: string; expiresAtMs: EpochMs },
): InviteRow {
  const { label, tokenHash, nowMs, by, expiresAtMs } = invite;
  const row = { label, tokenHash, createdAtMs: nowMs, createdBy: by, expiresAtMs };
  return db.insert(invites).values(row).returning().get();
}

/** The invitation of that hash, used or expired ones too; undefined when there is none. */
export function findInvite(db: Db, tokenHash: string): InviteRow | undefined {
  return db.select().from(invites).where(eq(invites.tokenHash, tokenHash)).get();
}

/** A page of invitations, the newest first, those before `beforeId`. */
export function readInvites(db: Db, beforeId: number, limit: number): readonly InviteRow[] {
  return db.select().from(invites).where(lt(invites.id, beforeId)).orderBy(desc(invites.id)).limit(limit).all();
}

/** Uses an invitation up; false when it is used, has expired or is gone: then it lets nobody in. */
export function takeInvite(db: Db, id: number, nowMs: EpochMs): boolean {
  return (
    db
      .update(invites)
      .set({ usedAtMs: nowMs })
      .where(and(eq(invites.id, id), isNull(invites.usedAtMs), gt(invites.expiresAtMs, nowMs)))
      .returning({ id: invites.id })
      .all().length > 0
  );
}

/** Whom an invitation that was used up brought in. */
export function noteInvited(db: Db, id: number, athleteId: AthleteId): void {
  db.update(invites).set({ usedByAthleteId: athleteId }).where(eq(invites.id, id)).run();
}

/** Takes an invitation back; false when there was none. */
export function deleteInvite(db: Db, id: number): boolean {
  return db.delete(invites).where(eq(invites.id, id)).returning({ id: invites.id }).all().length > 0;
}

/** How many invitations still let somebody in. */
export function countOpenInvites(db: Db, nowMs: EpochMs): number {
  const isOpen = and(isNull(invites.usedAtMs), gt(invites.expiresAtMs, nowMs));
  return db.select({ count: sql<number>`count(*)` }).from(invites).where(isOpen).get()?.count ?? 0;
}
