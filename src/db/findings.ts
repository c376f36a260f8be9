import { and, desc, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import { type Finding, type FindingOutcome, knownKind } from "../core/findings.ts";
import type { AthleteId, EpochMs, FindingId, SyncId } from "../core/units.ts";
import type { Fence } from "./batches.ts";
import { addToCounter } from "./counters.ts";
import type { Db } from "./open.ts";
import { type FindingRow, findings } from "./schema.ts";
import { anyRow, oncePerDb, statement } from "./statement.ts";

/** Stores a finding; `remediedAtMs` null when its remedy is only proposed. Returns its id. */
export function insertFinding(
  db: Db,
  finding: Finding,
  found: {
    nowMs: EpochMs;
    outcome: "proposed" | "pending";
    batchesCompletedBefore: number;
    isOwnRestart: boolean;
    traceId: string | null;
  },
): FindingId {
  addToCounter(db, `findings_found:${knownKind(finding.kind)}`, 1, found.nowMs);
  return db
    .insert(findings)
    .values({
      kind: finding.kind,
      syncId: finding.syncId,
      athleteId: finding.athleteId,
      batchId: finding.batchId,
      detectedAtMs: found.nowMs,
      beganAtMs: finding.beganAtMs,
      message: finding.message,
      evidence: JSON.stringify({ ...finding.evidence, why_not_waiting: finding.whyNotWaiting }),
      remedy: JSON.stringify(finding.remedy),
      remediedAtMs: found.outcome === "pending" ? found.nowMs : null,
      batchesCompletedBefore: found.batchesCompletedBefore,
      ownRestart: found.isOwnRestart ? 1 : 0,
      outcome: found.outcome,
      traceId: found.traceId,
    })
    .returning({ id: findings.id })
    .get().id;
}

const OPEN = sql`${findings.outcome} IN ('proposed', 'pending')`;

/** Settled findings outnumber the open ones a thousand to one; by its name, the partial index is read and they are not. */
const OPEN_IDS = sql`${findings.id} IN (SELECT id FROM findings INDEXED BY findings_open WHERE outcome IN ('proposed', 'pending'))`;

/** Findings that are not settled, by id after `afterId`; at most `limit`. */
export function readOpenFindings(db: Db, afterId: number, limit: number): readonly FindingRow[] {
  return anyOpen(db, afterId) ? readOpenPage(db).all({ afterId, limit }) : [];
}

const anyOpen = anyRow<[number]>(
  "SELECT 1 FROM findings INDEXED BY findings_open WHERE outcome IN ('proposed', 'pending') AND id > ?1",
);

const readOpenPage = oncePerDb((db) =>
  db
    .select()
    .from(findings)
    .where(and(OPEN_IDS, sql`${findings.id} > ${sql.placeholder("afterId")}`))
    .orderBy(findings.id)
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** The open findings of one sync. */
export function readOpenFindingsOfSync(db: Db, syncId: SyncId): readonly FindingRow[] {
  return db
    .select()
    .from(findings)
    .where(and(OPEN, eq(findings.syncId, syncId)))
    .orderBy(findings.id)
    .all();
}

/** Settles a finding that is still open; false when it was settled already. */
export function settleFinding(
  db: Db,
  id: FindingId,
  outcome: Exclude<FindingOutcome, "proposed" | "pending">,
  nowMs: EpochMs,
): boolean {
  const changed = db
    .update(findings)
    .set({ outcome, settledAtMs: nowMs })
    .where(and(eq(findings.id, id), OPEN))
    .returning({ id: findings.id })
    .all();
  return changed.length > 0;
}

/** A proposed remedy was applied: from now on a later check judges it. */
export function noteRemedyApplied(db: Db, id: FindingId, nowMs: EpochMs, batchesCompletedBefore: number): void {
  db.update(findings)
    .set({ outcome: "pending", remediedAtMs: nowMs, batchesCompletedBefore })
    .where(and(eq(findings.id, id), eq(findings.outcome, "proposed")))
    .run();
}

/** A remedy took this batch from a worker that was alive: marks the finding whose remedy named its lease.
 *  @returns its kind; undefined when no remedy did. */
export function markFalseRemedy(db: Db, fence: Fence): string | undefined {
  const { batchId, leaseToken } = fence;
  const changed = db
    .update(findings)
    .set({ falseRemedy: 1 })
    .where(
      sql`${findings.kind} IN ('orphaned_batch', 'impossible_lease') AND ${findings.falseRemedy} = 0
        AND ${findings.remediedAtMs} IS NOT NULL AND instr(${findings.remedy}, ${leaseToken}) > 0
        AND ${findings.syncId} = (SELECT sync_id FROM batches WHERE id = ${batchId})`,
    )
    .returning({ kind: findings.kind })
    .all();
  return changed[0]?.kind;
}

/** Remedies spent on a sync: since `sinceMs`, and in all. Those that a restart of the daemon made
 *  necessary don't count, nor does waking the processor, which is no trouble of the sync's. */
export function countRemedies(db: Db, syncId: SyncId, sinceMs: EpochMs): { recent: number; total: number } {
  return (
    db
      .select({
        recent: sql<number>`ifnull(sum(${findings.remediedAtMs} >= ${sinceMs}), 0)`,
        total: sql<number>`count(*)`,
      })
      .from(findings)
      .where(
        sql`${findings.syncId} = ${syncId} AND ${findings.ownRestart} = 0 AND ${findings.remediedAtMs} IS NOT NULL
        AND ${findings.kind} <> 'queued_too_long'`,
      )
      .get() ?? { recent: 0, total: 0 }
  );
}

const startedOverStatement = statement<{ count: number }, [number, number]>(
  `SELECT count(*) AS count FROM syncs s JOIN findings f ON f.sync_id = s.id
   WHERE s.athlete_id = ?1 AND f.kind = 'unfinished_races' AND f.remedied_at_ms >= ?2 AND f.outcome <> 'proposed'`,
);

/** How many syncs were started since over races that an athlete's completed sync had left. */
export function countStartedOver(db: Db, athleteId: AthleteId, sinceMs: EpochMs): number {
  return startedOverStatement(db).get(athleteId, sinceMs)?.count ?? 0;
}

const givenUpStatement = statement<{ found: 0 | 1 }, [string, number]>(
  "SELECT EXISTS (SELECT 1 FROM findings WHERE sync_id = ?2 AND kind = ?1 AND outcome = 'failed') AS found",
);

/** Whether this trouble of the sync was given up before, so that there is nothing new to say. */
export function wasGivenUp(db: Db, finding: Pick<Finding, "kind" | "syncId">): boolean {
  return givenUpStatement(db).get(finding.kind, finding.syncId)?.found === 1;
}

/** One finding; undefined when there is none of that id. */
export function readFinding(db: Db, id: FindingId): FindingRow | undefined {
  return db.select().from(findings).where(eq(findings.id, id)).get();
}

/** A page of findings, the newest first, before id `beforeId`. */
export function readFindings(
  db: Db,
  filter: { syncId?: SyncId | undefined; kind?: string | undefined; outcome?: FindingOutcome | undefined },
  beforeId: number,
  limit: number,
): readonly FindingRow[] {
  const conditions: SQL[] = [lt(findings.id, beforeId as FindingId)];
  if (filter.syncId !== undefined) conditions.push(eq(findings.syncId, filter.syncId));
  if (filter.kind !== undefined) conditions.push(eq(findings.kind, filter.kind));
  if (filter.outcome !== undefined) conditions.push(eq(findings.outcome, filter.outcome));
  return db
    .select()
    .from(findings)
    .where(and(...conditions))
    .orderBy(desc(findings.id))
    .limit(limit)
    .all();
}

const countOpenStatement = statement<{ count: number }, []>(
  "SELECT count(*) AS count FROM findings WHERE outcome IN ('proposed', 'pending')",
);

/** Findings that are not settled. Reads the index of those only. */
export function countOpenFindings(db: Db): number {
  return countOpenStatement(db).get()?.count ?? 0;
}

/** Erases what findings say of an athlete who is erased: ids only, but theirs. */
export function eraseFindingsOf(db: Db, athleteId: AthleteId): void {
  db.delete(findings)
    .where(inArray(findings.athleteId, [athleteId]))
    .run();
}
