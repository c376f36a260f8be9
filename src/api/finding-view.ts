import { t } from "elysia";
import { FINDING_KINDS, type FindingOutcome, type Remedy, remedyInWords } from "../core/findings.ts";
import type { FindingRow } from "../db/schema.ts";
import { readObject, readStoredJson } from "../db/stored-json.ts";
import type { CheckedFinding } from "../health/monitor.ts";
import { OrNull, Time, Word } from "./operation.ts";

const OUTCOMES: Readonly<Record<FindingOutcome, true>> = {
  proposed: true,
  pending: true,
  verified: true,
  failed: true,
  superseded: true,
};
export const FINDING_OUTCOMES = Object.keys(OUTCOMES) as FindingOutcome[];

/** A finding as every answer shows it. */
export const FindingJson = t.Object({
  id: OrNull(t.Integer({ description: "null in a dry run: nothing is stored." })),
  kind: t.String({ description: `One of ${FINDING_KINDS.join(", ")}.` }),
  sync_id: OrNull(t.String()),
  athlete_id: OrNull(t.Integer()),
  batch_id: OrNull(t.Integer()),
  detected_at: Time("When it was found."),
  began_at: OrNull(Time("Since when, as far as the rows tell.")),
  message: t.String({ description: "What is wrong, with the numbers." }),
  evidence: t.Record(t.String(), t.Unknown(), { description: "The numbers that crossed which threshold." }),
  remedy: OrNull(t.String({ description: "What was done, or is proposed." })),
  remedied_at: OrNull(Time("When the remedy was applied.")),
  outcome: Word(FINDING_OUTCOMES, "`verified` only when a batch, or the sync, completed after the remedy."),
  settled_at: OrNull(Time("When the outcome was known.")),
  trace_id: OrNull(t.String()),
});
export type FindingJson = typeof FindingJson.static;

/** Shows a stored finding. */
export function showFinding(finding: FindingRow): FindingJson {
  return {
    id: finding.id,
    kind: finding.kind,
    sync_id: finding.syncId === null ? null : String(finding.syncId),
    athlete_id: finding.athleteId,
    batch_id: finding.batchId,
    detected_at: finding.detectedAtMs,
    began_at: finding.beganAtMs,
    message: finding.message,
    evidence: readObject(finding.evidence),
    remedy: remedyOf(finding.remedy),
    remedied_at: finding.remediedAtMs,
    outcome: finding.outcome,
    settled_at: finding.settledAtMs,
    trace_id: finding.traceId,
  };
}

/** Shows what a health check has just found, stored or not. */
export function showCheckedFinding({ id, finding, outcome }: CheckedFinding, nowMs: number): FindingJson {
  return {
    id,
    kind: finding.kind,
    sync_id: String(finding.syncId),
    athlete_id: finding.athleteId,
    batch_id: finding.batchId,
    detected_at: nowMs,
    began_at: finding.beganAtMs,
    message: finding.message,
    evidence: { ...finding.evidence, why_not_waiting: finding.whyNotWaiting },
    remedy: remedyInWords(finding.remedy),
    remedied_at: id !== null && outcome === "pending" ? nowMs : null,
    outcome,
    settled_at: outcome === "superseded" ? nowMs : null,
    trace_id: null,
  };
}

/** The stored remedy in words; null where a hand left none. */
function remedyOf(stored: string): string | null {
  const remedy = readStoredJson(stored);
  const isRemedy = typeof remedy === "object" && remedy !== null && "do" in remedy;
  return isRemedy ? remedyInWords(remedy as Remedy) : null;
}
