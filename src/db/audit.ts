import { and, desc, eq, lt, type SQL } from "drizzle-orm";
import type { EpochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { audit } from "./schema-books.ts";
import { statement } from "./statement.ts";

export type AuditRow = typeof audit.$inferSelect;

/** What can be changed by hand: a thing and what was done to it. */
export type AuditAction =
  | "athlete.imported"
  | "athlete.consent_given"
  | "athlete.consent_withdrawn"
  | "athlete.hidden"
  | "athlete.shown"
  | "athlete.erased"
  | "race.edited"
  | "token.made"
  | "token.revoked"
  | "invite.made"
  | "invite.revoked"
  | "webhook.switched_on"
  | "webhook.switched_off"
  | "daemon.paused"
  | "daemon.resumed"
  | "job.run"
  | "sync.started"
  | "syncs.started"
  | "sync.cancelled"
  | "sync.paused"
  | "sync.resumed"
  | "sync.failed_races_retried"
  | "finding.applied"
  | "health.checked"
  | "alert_channel.made"
  | "alert_channel.changed"
  | "alert_channel.removed"
  | "alert_channel.tested"
  | "alert_rules.changed"
  | "thresholds.changed";

export type AuditEntry = {
  readonly atMs: EpochMs;
  /** `admin`, `token:3`, `runtime`, `command line`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to: `athlete:3`; left out: the daemon. */
  readonly target?: string;
  /** From what to what: ids, numbers, words of ours. No names, no secrets, no race contents. */
  readonly detail?: Readonly<Record<string, unknown>>;
};

/** Records a change by hand, in the transaction that makes it. */
export function addAudit(db: Db, { atMs, actor, action, target = "", detail = {} }: AuditEntry): void {
  db.insert(audit)
    .values({ atMs, actor, action, target, detail: JSON.stringify(detail) })
    .run();
}

export type AuditFilter = {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
};

/** A page of the audit, the newest first, before id `beforeId`. */
export function readAudit(db: Db, filter: AuditFilter, beforeId: number, limit: number): readonly AuditRow[] {
  const conditions: SQL[] = [lt(audit.id, beforeId)];
  if (filter.actor !== undefined) conditions.push(eq(audit.actor, filter.actor));
  if (filter.action !== undefined) conditions.push(eq(audit.action, filter.action));
  if (filter.target !== undefined) conditions.push(eq(audit.target, filter.target));
  return db
    .select()
    .from(audit)
    .where(and(...conditions))
    .orderBy(desc(audit.id))
    .limit(limit)
    .all();
}

const pruneStatement = statement<unknown, [number, number]>(
  "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)",
);

/** Deletes at most `limit` entries that are older. @returns how many. */
export function pruneAudit(db: Db, beforeMs: EpochMs, limit: number): number {
  return pruneStatement(db).run(beforeMs, limit).changes;
}
