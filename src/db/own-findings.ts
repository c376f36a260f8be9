import { and, eq, isNull, sql } from "drizzle-orm";
import type { OwnFinding, OwnKind } from "../core/own-findings.ts";
import type { EpochMs, FindingId } from "../core/units.ts";
import { addToCounter } from "./counters.ts";
import type { Db } from "./open.ts";
import { type FindingRow, findings } from "./schema.ts";
import { anyRow, oncePerDb } from "./statement.ts";

/** Stores a finding about the daemon itself. `isProposed`: its remedy waits for a person. */
export function insertOwnFinding(
  db: Db,
  finding: OwnFinding,
  { nowMs, isProposed }: { nowMs: EpochMs; isProposed: boolean },
): FindingId {
  addToCounter(db, `findings_found:${finding.kind}`, 1, nowMs);
  return db
    .insert(findings)
    .values({
      kind: finding.kind,
      detectedAtMs: nowMs,
      beganAtMs: finding.beganAtMs,
      message: finding.message,
      evidence: JSON.stringify(finding.evidence),
      remedy: JSON.stringify(finding.remedy),
      remediedAtMs: finding.remedy === null || isProposed ? null : nowMs,
      outcome: isProposed ? "proposed" : "pending",
    })
    .returning({ id: findings.id })
    .get().id;
}

/** The open finding of that kind; at most one is. */
export function readOpenOwnFinding(db: Db, kind: OwnKind): FindingRow | undefined {
  return anyOpenOfKind(db, kind) ? readOpenOfKind(db).get({ kind }) : undefined;
}

const anyOpenOfKind = anyRow<[string]>(
  "SELECT 1 FROM findings WHERE outcome IN ('proposed', 'pending') AND sync_id IS NULL AND kind = ?1",
);

const readOpenOfKind = oncePerDb((db) =>
  db
    .select()
    .from(findings)
    .where(
      and(
        sql`${findings.outcome} IN ('proposed', 'pending')`,
        isNull(findings.syncId),
        eq(findings.kind, sql.placeholder("kind")),
      ),
    )
    .prepare(),
);
