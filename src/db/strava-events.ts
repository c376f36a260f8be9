import type { EventOutcome, StravaAspect, StravaEvent, StravaObject } from "../core/strava-event.ts";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { anyRow, statement } from "./statement.ts";

/** So many may wait to be looked at. Beyond it Strava is asked to deliver again: the inbox of a flood must end somewhere. */
export const OPEN_EVENTS_LIMIT = 10_000;
/** Of those that are settled so many of the newest are kept at most, to know them again. */
export const EVENTS_KEPT = 100_000;

const insertStatement = statement<
  unknown,
  [number, number, string, number, string, number, number, number, string, number, number]
>(
  `INSERT OR IGNORE INTO strava_events
     (received_at_ms, run_after_ms, subscription_id, object_type, object_id, aspect, owner_id, event_time_s, deauthorized,
      updates_hash, ours)
   SELECT ?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
   WHERE (SELECT count(*) FROM (SELECT 1 FROM strava_events WHERE settled_at_ms IS NULL LIMIT ?11)) < ?11`,
);
const knownStatement = statement<unknown, [number, string, number, string, number, number, number, string]>(
  `SELECT 1 FROM strava_events WHERE object_type = ?2 AND object_id = ?3 AND aspect = ?4 AND owner_id = ?5
     AND event_time_s = ?6 AND subscription_id = ?1 AND deauthorized = ?7 AND updates_hash = ?8`,
);

/**
 * Stores an event, due at once. One that was delivered before is known, also after it was settled.
 * @param event.isOurs its subscription is ours; left out where nobody can say yet.
 * @returns `full` when too many are waiting; then nothing is stored.
 */
export function insertEvent(
  db: Db,
  event: StravaEvent & { readonly isOurs?: boolean },
  nowMs: EpochMs,
): "stored" | "known" | "full" {
  const fields = [
    event.subscriptionId,
    event.objectType,
    event.objectId,
    event.aspect,
    event.ownerId,
    event.eventTimeSeconds,
    event.isDeauthorized ? 1 : 0,
    event.updatesHash,
  ] as const;
  if (insertStatement(db).run(nowMs, ...fields, event.isOurs === true ? 1 : 0, OPEN_EVENTS_LIMIT).changes > 0)
    return "stored";
  return knownStatement(db).get(...fields) === null ? "full" : "known";
}

/** An event that waits for its turn. */
export type OpenEvent = StravaEvent & {
  readonly id: number;
  /** Its subscription was ours when it came; false while nobody could say. */
  readonly isOurs: boolean;
  readonly receivedAtMs: EpochMs;
  /** Looks that did not find what it is about. */
  readonly misses: number;
};

type EventColumns = {
  id: number;
  subscriptionId: number;
  ours: number;
  objectType: StravaObject;
  objectId: number;
  aspect: StravaAspect;
  ownerId: number;
  eventTimeSeconds: number;
  deauthorized: number;
  updatesHash: string;
  receivedAtMs: EpochMs;
  misses: number;
};

const dueStatement = statement<EventColumns, [number, number]>(
  `SELECT id, subscription_id AS subscriptionId, ours, object_type AS objectType, object_id AS objectId, aspect, owner_id AS ownerId,
     event_time_s AS eventTimeSeconds, deauthorized, updates_hash AS updatesHash, received_at_ms AS receivedAtMs, attempts AS misses
   FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL AND run_after_ms <= ?1 ORDER BY run_after_ms, id LIMIT ?2`,
);

const anyDue = anyRow<[number]>(
  "SELECT 1 FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL AND run_after_ms <= ?1",
);

/** Events whose turn has come, in its order; at most `limit`. */
export function readDueEvents(db: Db, nowMs: EpochMs, limit: number): readonly OpenEvent[] {
  if (!anyDue(db, nowMs)) return [];
  return dueStatement(db)
    .all(nowMs, limit)
    .map(({ deauthorized, ours, ...event }) => ({ ...event, isDeauthorized: deauthorized === 1, isOurs: ours === 1 }));
}

const newestStatement = statement<{ id: number | null }, []>("SELECT max(id) AS id FROM strava_events");

/** The id of the event that came last; 0 when none has. */
export function newestEventId(db: Db): number {
  return newestStatement(db).get()?.id ?? 0;
}

const nextDueStatement = statement<{ atMs: EpochMs | null }, [number]>(
  `SELECT min(run_after_ms) AS atMs FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL AND run_after_ms > ?1`,
);

/** When the next event becomes due that is not due yet; undefined when there is none. */
export function nextEventDueAtMs(db: Db, nowMs: EpochMs): EpochMs | undefined {
  return nextDueStatement(db).get(nowMs)?.atMs ?? undefined;
}

const settleOneStatement = statement<unknown, [number, number, string]>(
  "UPDATE strava_events SET settled_at_ms = ?2, outcome = ?3 WHERE id = ?1 AND settled_at_ms IS NULL",
);

/** Settles one event. */
export function settleEvent(db: Db, id: number, outcome: EventOutcome, nowMs: EpochMs): void {
  settleOneStatement(db).run(id, nowMs, outcome);
}

const forgetStatement = statement<unknown, [number]>("DELETE FROM strava_events WHERE id = ?1");

/** Forgets one event: delivered again, it is a new one. */
export function forgetEvent(db: Db, id: number): void {
  forgetStatement(db).run(id);
}

const postponeOneStatement = statement<unknown, [number, number]>(
  "UPDATE strava_events SET run_after_ms = ?2 WHERE id = ?1 AND settled_at_ms IS NULL",
);

/** Puts one event off. */
export function postponeEvent(db: Db, id: number, untilMs: EpochMs): void {
  postponeOneStatement(db).run(id, untilMs);
}

/** Whether an event waits beyond a moment. */
export const hasEventBeyond = anyRow<[number]>(
  "SELECT 1 FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL AND run_after_ms > ?1",
);

const makeDueStatement = statement<unknown, [number, number, number]>(
  `UPDATE strava_events SET run_after_ms = ?1 WHERE id IN (
     SELECT id FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL AND run_after_ms > ?2 LIMIT ?3)`,
);

/** Makes events that wait beyond a moment due at once; at most `limit`. Returns how many. */
export function makeEventsDue(db: Db, nowMs: EpochMs, beyondMs: EpochMs, limit: number): number {
  return makeDueStatement(db).run(nowMs, beyondMs, limit).changes;
}

const claimStatement = statement<unknown, [number, number]>(
  `UPDATE strava_events INDEXED BY strava_events_due SET ours = 1, run_after_ms = ?2
   WHERE settled_at_ms IS NULL AND ours = 0 AND subscription_id = ?1`,
);

/** Knows the open events of a subscription for ours, which nobody could say before, and makes them due. */
export function claimEventsOf(db: Db, subscriptionId: number, nowMs: EpochMs): void {
  claimStatement(db).run(subscriptionId, nowMs);
}

const postponeManyStatement = statement<unknown, [string, number, number, string]>(
  `UPDATE strava_events SET run_after_ms = min(?2, received_at_ms + ?3), error = ?4
   WHERE id IN (SELECT value FROM json_each(?1)) AND settled_at_ms IS NULL`,
);

/** Puts a number of events off, each until `atMs` or so long after it came, whichever is first. */
export function postponeEvents(
  db: Db,
  ids: readonly number[],
  next: { atMs: EpochMs; lookWithinMs: number; error: string },
): void {
  postponeManyStatement(db).run(JSON.stringify(ids), next.atMs, next.lookWithinMs, next.error);
}

/** Open events that one look is about: of one object and of some aspects, those that were there when it began. */
export type LookedAtEvents = {
  readonly ownerId: number;
  readonly objectType: StravaObject;
  readonly objectId: number;
  readonly throughId: number;
  readonly aspects: "delete" | "change" | "all";
};

const OF_LOOK = `owner_id = ?1 AND object_id = ?2 AND settled_at_ms IS NULL AND object_type = ?3 AND id <= ?4
   AND (?5 = 'all' OR (aspect = 'delete') = (?5 = 'delete'))`;
const settleStatement = statement<unknown, [number, number, string, number, string, number, string, number]>(
  `UPDATE strava_events SET settled_at_ms = ?6, outcome = ?7 WHERE ${OF_LOOK} AND received_at_ms <= ?8`,
);

/**
 * Settles the open events of one object, due or not: what was seen answers them all.
 * @param receivedUntilMs those that came later stay open; all, unless given.
 * @returns how many.
 */
export function settleEventsOf(
  db: Db,
  events: LookedAtEvents,
  settled: { outcome: EventOutcome; nowMs: EpochMs; receivedUntilMs?: EpochMs | undefined },
): number {
  const { ownerId, objectId, objectType, throughId, aspects } = events;
  const { outcome, nowMs, receivedUntilMs = Number.MAX_SAFE_INTEGER } = settled;
  return settleStatement(db).run(ownerId, objectId, objectType, throughId, aspects, nowMs, outcome, receivedUntilMs)
    .changes;
}

const postponeStatement = statement<
  unknown,
  [number, number, string, number, string, number, number, string | null, number]
>(`UPDATE strava_events SET run_after_ms = ?6, attempts = ?7, error = ?8 WHERE ${OF_LOOK} AND run_after_ms <= ?9`);

/** Puts off those open events of one object that were due; the others keep their own time. */
export function postponeEventsOf(
  db: Db,
  events: LookedAtEvents,
  next: { atMs: EpochMs; misses: number; error: string | null; nowMs: EpochMs },
): void {
  const { ownerId, objectId, objectType, throughId, aspects } = events;
  const { atMs, misses, error, nowMs } = next;
  postponeStatement(db).run(ownerId, objectId, objectType, throughId, aspects, atMs, misses, error, nowMs);
}

const inboxStatement = statement<{ open: number; oldestReceivedAtMs: EpochMs | null }, []>(
  `SELECT count(*) AS open, min(received_at_ms) AS oldestReceivedAtMs
   FROM strava_events INDEXED BY strava_events_due WHERE settled_at_ms IS NULL`,
);

/** How many events are open, and since when the oldest is. Reads those only. */
export function viewInbox(db: Db): { readonly open: number; readonly oldestReceivedAtMs: EpochMs | null } {
  return inboxStatement(db).get() ?? { open: 0, oldestReceivedAtMs: null };
}

const pruneStatement = statement<unknown, [number, number]>(
  `DELETE FROM strava_events WHERE id IN (
     SELECT id FROM strava_events WHERE settled_at_ms IS NOT NULL AND settled_at_ms < ?1 ORDER BY settled_at_ms LIMIT ?2)`,
);

/** Forgets events that were settled before `beforeMs`, at most `limit`; returns how many. */
export function pruneEvents(db: Db, beforeMs: EpochMs, limit: number): number {
  return pruneStatement(db).run(beforeMs, limit).changes;
}

const spanStatement = statement<{ span: number | null }, []>(
  "SELECT (SELECT max(id) FROM strava_events) - (SELECT min(id) FROM strava_events) AS span",
);

/** Whether there may be more events than are kept. Reads two keys. */
export const areEventsCrowded = (db: Db): boolean => (spanStatement(db).get()?.span ?? 0) >= EVENTS_KEPT;

const pruneCrowdStatement = statement<unknown, [number, number]>(
  `DELETE FROM strava_events WHERE id IN (
     SELECT id FROM strava_events WHERE id <= (SELECT max(id) FROM strava_events) - ?1 AND settled_at_ms IS NOT NULL ORDER BY id LIMIT ?2)`,
);

/** Forgets settled events beyond the newest `kept`, at most `limit`; returns how many. */
export function pruneCrowd(db: Db, kept: number, limit: number): number {
  return pruneCrowdStatement(db).run(kept, limit).changes;
}

const eraseStatement = statement<unknown, [number]>("DELETE FROM strava_events WHERE owner_id = ?1");

/** Erases what Strava told of an athlete, by Strava's id. Reads the table through: an erasure is rare, the table bounded. */
export function eraseEventsOf(db: Db, ownerId: number): void {
  eraseStatement(db).run(ownerId);
}
