import { and, asc, desc, eq, inArray, isNotNull, isNull, lt, type SQL, sql } from "drizzle-orm";
import type { AlertRuleName, TroubleSubject } from "../core/alert-rules.ts";
import type { AthleteId, EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { type AlertTroubleRow, alertTroubles } from "./schema-alerts.ts";
import { anyRow, oncePerDb } from "./statement.ts";

/** Which trouble: there is one at a time that is not settled. */
export type TroubleKey = { readonly rule: AlertRuleName; readonly subject: TroubleSubject };
export type OpenTrouble = TroubleKey & {
  /** A sentence: what is wrong and what to do. No names, no secrets. */
  readonly message: string;
  readonly nowMs: EpochMs;
  readonly traceId?: string | null | undefined;
  /** Since when it has been there; now, unless given. */
  readonly sinceMs?: EpochMs | undefined;
};

const UNSETTLED = sql`settled_at_ms IS NULL`;
/** Settled ones outnumber the others; by its name, the partial index is read and they are not. */
const UNSETTLED_IDS = sql`${alertTroubles.id} IN (
  SELECT id FROM alert_troubles INDEXED BY alert_troubles_unsettled WHERE settled_at_ms IS NULL)`;

/**
 * Something has gone wrong, once more perhaps: opens a trouble, or counts an occurrence of the one that is there; one that
 * was over and is not settled is open again. Inside the transaction that makes the trouble.
 */
export function openTrouble(db: Db, trouble: OpenTrouble): void {
  const { rule, subject, message, nowMs, traceId = null, sinceMs = nowMs } = trouble;
  db.insert(alertTroubles)
    .values({ rule, subject, message, openedAtMs: sinceMs, lastSeenAtMs: nowMs, traceId })
    .onConflictDoUpdate({
      target: [alertTroubles.rule, alertTroubles.subject],
      targetWhere: UNSETTLED,
      set: { message, lastSeenAtMs: nowMs, occurrences: sql`occurrences + 1`, closedAtMs: null, traceId },
    })
    .run();
}

/**
 * A state that lasts is there: opens a trouble where none is open, and leaves an open one as it is, so that whoever looks
 * every minute neither counts it again nor writes. Inside a transaction.
 * @returns false when it was open already.
 */
export function holdTroubleOpen(db: Db, trouble: OpenTrouble): boolean {
  if (isTroubleOpen(db, trouble)) return false;
  openTrouble(db, trouble);
  return true;
}

/** Whether a trouble is there. */
export function isTroubleOpen(db: Db, { rule, subject }: TroubleKey): boolean {
  return anyOpen(db, rule, subject);
}

const anyOpen = anyRow<[AlertRuleName, TroubleSubject]>(
  "SELECT 1 FROM alert_troubles WHERE rule = ?1 AND subject = ?2 AND closed_at_ms IS NULL AND settled_at_ms IS NULL",
);

/** It is over: whoever was told of it is told so, unless it comes back. Inside a transaction. False when none was open. */
export function closeTrouble(db: Db, key: TroubleKey, nowMs: EpochMs): boolean {
  return (
    db
      .update(alertTroubles)
      .set({ closedAtMs: nowMs })
      .where(and(isOf(key), isNull(alertTroubles.closedAtMs), UNSETTLED))
      .returning({ id: alertTroubles.id })
      .all().length > 0
  );
}

/** Something else has taken its place: it is over, and nobody is told so. Inside a transaction. */
export function dropTrouble(db: Db, key: TroubleKey, nowMs: EpochMs): void {
  db.update(alertTroubles)
    .set({ closedAtMs: sql`ifnull(closed_at_ms, ${nowMs})`, settledAtMs: nowMs })
    .where(and(isOf(key), UNSETTLED))
    .run();
}

const isOf = ({ rule, subject }: TroubleKey): SQL | undefined =>
  and(eq(alertTroubles.rule, rule), eq(alertTroubles.subject, subject));

/** Troubles of which something may still be told, by id after `afterId`; at most `limit`. */
export function readUnsettledTroubles(db: Db, afterId: number, limit: number): readonly AlertTroubleRow[] {
  return anyUnsettled(db, afterId) ? readUnsettledPage(db).all({ afterId, limit }) : [];
}

const anyUnsettled = anyRow<[number]>(
  "SELECT 1 FROM alert_troubles INDEXED BY alert_troubles_unsettled WHERE settled_at_ms IS NULL AND +id > ?1",
);

const readUnsettledPage = oncePerDb((db) =>
  db
    .select()
    .from(alertTroubles)
    .where(and(UNSETTLED_IDS, sql`+${alertTroubles.id} > ${sql.placeholder("afterId")}`))
    .orderBy(asc(alertTroubles.id))
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** What is open under one rule; at most `limit`. */
export function readOpenTroublesOfRule(db: Db, rule: AlertRuleName, limit: number): readonly AlertTroubleRow[] {
  return anyOpenOfRule(db, rule) ? readOpenOfRule(db).all({ rule, limit }) : [];
}

const anyOpenOfRule = anyRow<[string]>(
  "SELECT 1 FROM alert_troubles WHERE rule = ?1 AND closed_at_ms IS NULL AND settled_at_ms IS NULL",
);

const readOpenOfRule = oncePerDb((db) =>
  db
    .select()
    .from(alertTroubles)
    .where(and(eq(alertTroubles.rule, sql.placeholder("rule")), isNull(alertTroubles.closedAtMs), UNSETTLED))
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** Somebody is told of these, by what goes into the outbox with it. Inside a transaction. */
export function noteTroublesTold(db: Db, ids: readonly number[], nowMs: EpochMs): void {
  db.update(alertTroubles)
    .set({ notifiedAtMs: nowMs })
    .where(inArray(alertTroubles.id, [...ids]))
    .run();
}

/** Nothing more is told of these. Inside a transaction. */
export function settleTroubles(db: Db, ids: readonly number[], nowMs: EpochMs): void {
  db.update(alertTroubles)
    .set({ settledAtMs: nowMs })
    .where(and(inArray(alertTroubles.id, [...ids]), isNotNull(alertTroubles.closedAtMs)))
    .run();
}

/** A page of troubles, the newest first, before id `beforeId`. */
export function readTroubles(
  db: Db,
  filter: { rule?: AlertRuleName | undefined; state?: "open" | "closed" | undefined },
  beforeId: number,
  limit: number,
): readonly AlertTroubleRow[] {
  const conditions: SQL[] = [lt(alertTroubles.id, beforeId)];
  if (filter.rule !== undefined) conditions.push(eq(alertTroubles.rule, filter.rule));
  if (filter.state === "open") conditions.push(isNull(alertTroubles.closedAtMs), UNSETTLED);
  if (filter.state === "closed") conditions.push(isNotNull(alertTroubles.closedAtMs));
  return db
    .select()
    .from(alertTroubles)
    .where(and(...conditions))
    .orderBy(desc(alertTroubles.id))
    .limit(limit)
    .all();
}

/** Erases what troubles say of an athlete who is erased: ids only, but theirs. Before their syncs go. */
export function eraseTroublesOf(db: Db, athleteId: AthleteId): void {
  db.delete(alertTroubles)
    .where(
      sql`${alertTroubles.subject} = ${`athlete:${athleteId}`}
        OR ${alertTroubles.subject} IN (SELECT 'sync:' || id FROM syncs WHERE athlete_id = ${athleteId})`,
    )
    .run();
}
