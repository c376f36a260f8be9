import { asc, eq, gt } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type AlertChannelKind, type AlertChannelRow, alertChannels } from "./schema-alerts.ts";

/** Adds a channel; its settings are sealed for its id, which is known only then. Inside a transaction. */
export function insertChannel(
  db: Db,
  channel: {
    name: string;
    kind: AlertChannelKind;
    isEnabled?: boolean;
    keyId: string;
    seal: (id: number) => string;
    nowMs: EpochMs;
    by: string;
  },
): AlertChannelRow {
  const { name, kind, isEnabled = true, keyId, seal, nowMs, by } = channel;
  const { id } = db
    .insert(alertChannels)
    .values({ name, kind, keyId, isEnabled: isEnabled ? 1 : 0, settingsSealed: "", createdAtMs: nowMs, createdBy: by })
    .returning({ id: alertChannels.id })
    .get();
  return db
    .update(alertChannels)
    .set({ settingsSealed: seal(id) })
    .where(eq(alertChannels.id, id))
    .returning()
    .get();
}

export function readChannel(db: Db, id: number): AlertChannelRow | undefined {
  return db.select().from(alertChannels).where(eq(alertChannels.id, id)).get();
}

export function findChannelByName(db: Db, name: string): AlertChannelRow | undefined {
  return db.select().from(alertChannels).where(eq(alertChannels.name, name)).get();
}

/** A page of channels by id, after `afterId`; there are few. */
export function readChannels(db: Db, afterId: number, limit: number): readonly AlertChannelRow[] {
  return db
    .select()
    .from(alertChannels)
    .where(gt(alertChannels.id, afterId))
    .orderBy(asc(alertChannels.id))
    .limit(limit)
    .all();
}

/** The channels that alerts go to. */
export function readEnabledChannels(db: Db): readonly AlertChannelRow[] {
  return db.select().from(alertChannels).where(eq(alertChannels.isEnabled, 1)).orderBy(asc(alertChannels.id)).all();
}

/** Changes what is given. Inside a transaction. */
export function updateChannel(
  db: Db,
  id: number,
  change: { name?: string; isEnabled?: boolean; sealed?: { keyId: string; settingsSealed: string } },
): AlertChannelRow | undefined {
  const { name, isEnabled, sealed } = change;
  const fields = {
    ...(name === undefined ? {} : { name }),
    ...(isEnabled === undefined ? {} : { isEnabled: isEnabled ? 1 : 0 }),
    ...(sealed ?? {}),
  };
  if (Object.keys(fields).length === 0) return readChannel(db, id);
  return db.update(alertChannels).set(fields).where(eq(alertChannels.id, id)).returning().get();
}

/** False when there was none. */
export function deleteChannel(db: Db, id: number): boolean {
  return db.delete(alertChannels).where(eq(alertChannels.id, id)).returning({ id: alertChannels.id }).all().length > 0;
}

/** A try to deliver succeeded. */
export function noteChannelSent(db: Db, id: number, nowMs: EpochMs): void {
  db.update(alertChannels).set({ lastSentAtMs: nowMs }).where(eq(alertChannels.id, id)).run();
}

/** A try to deliver failed; the reason of the last one stays. */
export function noteChannelFailed(db: Db, id: number, reason: string, nowMs: EpochMs): void {
  db.update(alertChannels).set({ lastFailedAtMs: nowMs, lastError: reason }).where(eq(alertChannels.id, id)).run();
}
