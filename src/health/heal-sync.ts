import { type DiagnosisRules, diagnose } from "../core/diagnose.ts";
import { type Finding, remedyInWords } from "../core/findings.ts";
import type { HealingMode } from "../core/status.ts";
import { DAY_MS, type FindingId, plusMs, type SyncId } from "../core/units.ts";
import { readBatch, readNewestBatchOfSync } from "../db/batches.ts";
import {
  countRemedies,
  countStartedOver,
  insertFinding,
  readOpenFindingsOfSync,
  settleFinding,
  wasGivenUp,
} from "../db/findings.ts";
import { countApplied, countStall } from "../db/measures.ts";
import { readSync, readSyncInProgress } from "../db/syncs.ts";
import { inReadTransaction } from "../db/transaction.ts";
import type { SyncContext } from "../sync/context.ts";
import { failSync } from "../sync/end-sync.ts";
import type { Processor } from "../sync/processor.ts";
import { recordEvent } from "../sync/record.ts";
import { readSnapshot } from "../sync/snapshot.ts";
import type { Span, TraceContext } from "../telemetry/tracing.ts";
import { isSameTrouble, settle } from "./judge-findings.ts";
import { applyRemedy } from "./remedy.ts";

/** However long a sync lives, it is mended at most so often (I8). */
const REMEDIES_IN_ALL = 20;

/** What a check found wrong with one sync, and what came of it. */
export type CheckedFinding = {
  /** null in a dry run, but for what is proposed already; and for what was stale. */
  readonly id: FindingId | null;
  readonly finding: Finding;
  readonly outcome: "proposed" | "pending" | "failed" | "superseded";
};
export type Patient = {
  readonly syncId: SyncId;
  readonly rules: DiagnosisRules & { readonly healing: HealingMode };
  readonly maxRemedies: number;
  /** Decides everything, and does nothing of it. */
  readonly isDryRun: boolean;
  /** The check's span: the remedy is a child of it. */
  readonly span: Span;
};

/**
 * Diagnoses one sync and applies at most one remedy, in one transaction: what is seen is what is changed. Past the
 * bound of remedies the sync fails, with the reason.
 * @returns undefined when nothing is wrong, or what is wrong is in hand already.
 */
export function healSync(context: SyncContext, processor: Processor, patient: Patient): CheckedFinding | undefined {
  return examine(context, patient, () => {
    const sync = readSync(context.db, patient.syncId);
    if (sync === undefined || sync.status !== "in_progress") return undefined;
    const snapshot = readSnapshot(context.db, sync);
    const finding = diagnose(snapshot, patient.rules)[0];
    if (finding === undefined) return undefined;
    return treat(context, processor, patient, finding, snapshot.batchesCompleted);
  });
}

/** A dry run takes the same way, but for the write lock. */
export function examine<T extends CheckedFinding | undefined>(
  { db, commits }: SyncContext,
  { isDryRun }: Patient,
  work: () => T,
): CheckedFinding | undefined {
  return isDryRun
    ? inReadTransaction<CheckedFinding | undefined>(db, work)
    : commits.now<CheckedFinding | undefined>(work);
}

/**
 * Decides what to do about a finding, and, unless it is a dry run, does it: proposes or applies its remedy, or gives the sync up.
 * Inside a transaction.
 * @returns undefined when it is in hand already.
 */
export function treat(
  context: SyncContext,
  processor: Processor,
  patient: Patient,
  finding: Finding,
  batchesCompletedBefore: number,
): CheckedFinding | undefined {
  const open = readOpenFindingsOfSync(context.db, finding.syncId).find((other) => isSameTrouble(finding, other));
  const isProposed = open?.outcome === "proposed";
  if (isProposed && patient.rules.healing === "suggest") return { id: open.id, finding, outcome: "proposed" };
  // The same queue still stands: one finding for as long as it does, and another push.
  if (open?.outcome === "pending" && finding.remedy.do === "wake_processor") {
    if (!patient.isDryRun) processor.wake();
    return { id: open.id, finding, outcome: "pending" };
  }
  const outcome = decide(context, finding, patient);
  if (outcome === undefined) return undefined;
  if (patient.isDryRun) return { id: null, finding, outcome };
  // Judged too early to be a failure (the sync waits), and the trouble is there: it is a new one. Or it was proposed
  // before the mode became automatic: nobody has to apply it any more.
  if (open !== undefined) settle(context, open, "superseded");
  const isCounted = open?.outcome !== "proposed";
  return act(context, processor, { patient, finding, outcome, batchesCompletedBefore, isCounted });
}

/** Whether the remedy waits for a person, is applied, or would be one too many; undefined: that was said before. */
function decide(
  context: SyncContext,
  finding: Finding,
  patient: Patient,
): Exclude<CheckedFinding["outcome"], "superseded"> | undefined {
  if (patient.rules.healing === "suggest") return "proposed";
  if (!isPastBound(context, finding, patient)) return "pending";
  const isTold = finding.remedy.do === "start_sync" && wasGivenUp(context.db, finding);
  return isTold ? undefined : "failed";
}

type Treatment = {
  readonly patient: Patient;
  readonly finding: Finding;
  readonly outcome: Exclude<CheckedFinding["outcome"], "superseded">;
  readonly batchesCompletedBefore: number;
  /** A stall that was proposed before was counted then. */
  readonly isCounted: boolean;
};

function act(
  context: SyncContext,
  processor: Processor,
  { patient, finding, outcome, batchesCompletedBefore, isCounted }: Treatment,
): CheckedFinding {
  const { db, clock, tracer } = context;
  const nowMs = clock.nowMs();
  const linked = spanOfTrouble(context, finding);
  const span = tracer.startSpan("health.remedy", {
    parent: patient.span,
    links: linked === undefined ? [] : [linked],
    attributes: { "broomwagon.sync.id": String(finding.syncId), "broomwagon.finding.kind": finding.kind },
  });
  try {
    const found = { nowMs, batchesCompletedBefore, isOwnRestart: false, traceId: span.traceId };
    if (isCounted) countStall(db, finding, nowMs);
    if (outcome === "proposed") {
      const id = insertFinding(db, finding, { ...found, outcome });
      tell(context, finding, span, `${finding.message} Proposed: ${remedyInWords(finding.remedy)}.`);
      return { id, finding, outcome };
    }
    if (outcome === "failed") return giveUp(context, finding, found, span);
    if (!applyRemedy(context, processor, finding.syncId, finding.remedy)) {
      tell(context, finding, span, `${finding.message} It was stale: nothing changed.`);
      return { id: null, finding, outcome: "superseded" };
    }
    const id = insertFinding(db, treatedFinding(context, finding), { ...found, outcome });
    countApplied(db, finding.kind, nowMs);
    tell(context, finding, span, `${finding.message} Remedy: ${remedyInWords(finding.remedy)}.`);
    return { id, finding, outcome };
  } finally {
    span.end();
  }
}

/** What a new sync mends is judged by that sync. */
function treatedFinding(context: SyncContext, finding: Finding): Finding {
  if (finding.remedy.do !== "start_sync") return finding;
  const started = readSyncInProgress(context.db, finding.athleteId);
  return started === undefined ? finding : { ...finding, syncId: started.id };
}

function isPastBound(context: SyncContext, finding: Finding, patient: Patient): boolean {
  // Nothing runs that could flap, each remedy cancels what it names, and there is no sync left to give up.
  if (finding.remedy.do === "cancel_batches" && readSync(context.db, finding.syncId)?.status !== "in_progress")
    return false;
  const sinceMs = plusMs(context.clock.nowMs(), -DAY_MS);
  // Each sync that is started over left races has a budget of its own, so that these are counted by athlete.
  if (finding.remedy.do === "start_sync")
    return countStartedOver(context.db, finding.athleteId, sinceMs) >= patient.maxRemedies;
  const { recent, total } = countRemedies(context.db, finding.syncId, sinceMs);
  return recent >= patient.maxRemedies || total >= REMEDIES_IN_ALL;
}

/** Healing ends (I8): the sync fails and says why, and a person can try again. */
function giveUp(
  context: SyncContext,
  finding: Finding,
  found: {
    nowMs: Parameters<typeof insertFinding>[2]["nowMs"];
    batchesCompletedBefore: number;
    isOwnRestart: boolean;
    traceId: string;
  },
  span: Span,
): CheckedFinding {
  const { db } = context;
  const id = insertFinding(db, finding, { ...found, outcome: "pending" });
  // No remedy was applied, so none has failed: the finding is settled and not counted as one.
  settleFinding(db, id, "failed", found.nowMs);
  const sync = readSync(db, finding.syncId);
  const reason = `It stalled again after every remedy that it may have. The last finding (${finding.kind}): ${finding.message} Start a new sync to try again.`;
  if (sync?.status === "in_progress") failSync(context, sync, reason);
  span.fail(reason);
  return { id, finding, outcome: "failed" };
}

/** The span that the trouble hangs on: the run of the batch, or of the sync's newest one. */
function spanOfTrouble(context: SyncContext, finding: Finding): TraceContext | undefined {
  const batch =
    finding.batchId === null
      ? readNewestBatchOfSync(context.db, finding.syncId)
      : readBatch(context.db, finding.batchId);
  if (batch === undefined || batch.traceId === null || batch.spanId === null) return undefined;
  return { traceId: batch.traceId, spanId: batch.spanId };
}

function tell(context: SyncContext, finding: Finding, span: Span, message: string): void {
  // The log of a sync goes with the sync; of one that is gone only the finding tells.
  if (readSync(context.db, finding.syncId) === undefined) return;
  recordEvent(context, {
    syncId: finding.syncId,
    batchId: finding.batchId ?? undefined,
    level: "warn",
    event: `finding.${finding.kind}`,
    message,
    traceId: span.traceId,
    spanId: span.spanId,
  });
}
