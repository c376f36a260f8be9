import { and, desc, eq, gt, inArray, isNotNull, isNull, lt, min, type SQL, sql } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type AlertMessageKind, type AlertMessageRow, alertMessages } from "./schema-alerts.ts";
import { oncePerDb, statement } from "./statement.ts";

export type MessageOutcome = "delivered" | "given_up";

const OPEN = sql`settled_at_ms IS NULL`;

/** Puts a message into the outbox, due now. Inside the transaction that decides on it. */
export function insertMessage(
  db: Db,
  message: {
    troubleId: number | null;
    channelId: number;
    kind: AlertMessageKind;
    content: string;
    nowMs: EpochMs;
  },
): AlertMessageRow {
  const { nowMs, ...fields } = message;
  return db
    .insert(alertMessages)
    .values({ ...fields, createdAtMs: nowMs, runAfterMs: nowMs })
    .returning()
    .get();
}

/** Of each channel the message that has been due longest: `min` makes SQLite take the other columns from its row. */
const longestDue = statement<{ id: number; atMs: number }, [number]>(
  `SELECT id, min(run_after_ms) AS atMs FROM alert_messages INDEXED BY alert_messages_due
   WHERE settled_at_ms IS NULL AND run_after_ms <= ?1 GROUP BY channel_id ORDER BY atMs, id`,
);

/** The next message of each channel that has one due, the longest due first. */
export function readNextDueMessages(db: Db, nowMs: EpochMs): readonly AlertMessageRow[] {
  const ids = longestDue(db)
    .all(nowMs)
    .map(({ id }) => id);
  if (ids.length === 0) return [];
  const rows = db.select().from(alertMessages).where(inArray(alertMessages.id, ids)).all();
  return rows.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
}

/** When the next message will be due, of those that are not yet. */
export function nextMessageDueAtMs(db: Db, nowMs: EpochMs): EpochMs | undefined {
  return readNextDue(db).get({ nowMs })?.atMs ?? undefined;
}

const readNextDue = oncePerDb((db) =>
  db
    .select({ atMs: min(alertMessages.runAfterMs) })
    .from(alertMessages)
    .where(and(OPEN, gt(alertMessages.runAfterMs, sql.placeholder("nowMs"))))
    .prepare(),
);

/** A try failed: the message is due again at `runAfterMs`. */
export function postponeMessage(
  db: Db,
  id: number,
  next: { attempts: number; runAfterMs: EpochMs; error: string },
): void {
  db.update(alertMessages)
    .set(next)
    .where(and(eq(alertMessages.id, id), OPEN))
    .run();
}

const fromFuture = (nowMs: EpochMs, latestDueMs: EpochMs): SQL =>
  sql`settled_at_ms IS NULL AND (run_after_ms > ${latestDueMs} OR created_at_ms > ${nowMs})`;

/** Whether a message waits that a clock which was ahead has dated. @param latestDueMs so late none is put off to. */
export function hasMessageFromFuture(db: Db, nowMs: EpochMs, latestDueMs: EpochMs): boolean {
  const where = fromFuture(nowMs, latestDueMs);
  return db.select({ id: alertMessages.id }).from(alertMessages).where(where).limit(1).get() !== undefined;
}

/** Makes messages of now of these: due at once where they were put off too far. Inside a transaction. */
export function dateMessagesBack(db: Db, nowMs: EpochMs, latestDueMs: EpochMs): void {
  db.update(alertMessages)
    .set({
      createdAtMs: sql`min(created_at_ms, ${nowMs})`,
      runAfterMs: sql`CASE WHEN run_after_ms > ${latestDueMs} THEN ${nowMs} ELSE run_after_ms END`,
    })
    .where(fromFuture(nowMs, latestDueMs))
    .run();
}

/** It is delivered, or never will be. `error`: why the last try failed. */
export function settleMessage(
  db: Db,
  id: number,
  end: { outcome: MessageOutcome; attempts: number; error: string | null; nowMs: EpochMs },
): void {
  const { outcome, attempts, error, nowMs } = end;
  db.update(alertMessages)
    .set({ outcome, attempts, error, settledAtMs: nowMs })
    .where(and(eq(alertMessages.id, id), OPEN))
    .run();
}

/** A channel has gone: what was still to go there never will. Inside the transaction that removes it. */
export function giveUpMessagesOf(db: Db, channelId: number, error: string, nowMs: EpochMs): void {
  db.update(alertMessages)
    .set({ outcome: "given_up", error, settledAtMs: nowMs })
    .where(and(eq(alertMessages.channelId, channelId), OPEN))
    .run();
}

export type MessageFilter = {
  readonly channelId?: number | undefined;
  readonly outcome?: MessageOutcome | "pending" | undefined;
};

/** A page of messages, the newest first, before id `beforeId`. */
export function readMessages(
  db: Db,
  { channelId, outcome }: MessageFilter,
  beforeId: number,
  limit: number,
): readonly AlertMessageRow[] {
  const conditions: SQL[] = [lt(alertMessages.id, beforeId)];
  if (channelId !== undefined) conditions.push(eq(alertMessages.channelId, channelId));
  if (outcome === "pending") conditions.push(isNull(alertMessages.settledAtMs));
  else if (outcome !== undefined)
    conditions.push(eq(alertMessages.outcome, outcome), isNotNull(alertMessages.settledAtMs));
  return db
    .select()
    .from(alertMessages)
    .where(and(...conditions))
    .orderBy(desc(alertMessages.id))
    .limit(limit)
    .all();
}
