import type { DiagnosisRules } from "../core/diagnose.ts";
import { diagnose } from "../core/diagnose.ts";
import type { Finding, FindingOutcome } from "../core/findings.ts";
import { describeState, type HealingMode } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import { judgeFinding } from "../core/verdict.ts";
import type { TroubleKey } from "../db/alert-troubles.ts";
import { addToCounter, type CounterName } from "../db/counters.ts";
import { readOpenFindings, settleFinding } from "../db/findings.ts";
import type { FindingRow } from "../db/schema.ts";
import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import { recordEvent } from "../sync/record.ts";
import { readSnapshot } from "../sync/snapshot.ts";
import { tellTrouble, tellTroubleOver } from "../sync/trouble.ts";
import { findAfterEnd } from "./find-after-end.ts";

/** The rules by which a class of sync is diagnosed now. */
export type RulesFor = (syncClass: SyncClass) => DiagnosisRules & { readonly healing: HealingMode };

/** One page of open findings is judged at a time. */
const PAGE = 100;

/**
 * Judges every finding that is still open by what has happened since its remedy: nothing counts as mended until a
 * batch of the sync, or the sync, has completed.
 */
export function judgeOpenFindings(context: SyncContext, rulesFor: RulesFor): void {
  let afterId = 0;
  for (;;) {
    const page = readOpenFindings(context.db, afterId, PAGE);
    for (const finding of page) judgeAlone(context, rulesFor, finding);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    afterId = last.id;
  }
}

/** One finding that cannot be judged (a lock, a bad row) hides none of the others, and no sync. */
function judgeAlone(context: SyncContext, rulesFor: RulesFor, finding: FindingRow): void {
  try {
    judge(context, rulesFor, finding);
  } catch (error) {
    context.log.warn(
      "monitor.finding_not_judged",
      `Finding ${finding.id} could not be judged this time: ${String(error)}`,
    );
  }
}

function judge(context: SyncContext, rulesFor: RulesFor, finding: FindingRow): void {
  if (finding.outcome !== "proposed" && finding.outcome !== "pending") return;
  const sync = finding.syncId === null ? undefined : readSync(context.db, finding.syncId);
  const isInProgress = sync?.status === "in_progress";
  const snapshot = isInProgress ? readSnapshot(context.db, sync) : undefined;
  const rules = snapshot === undefined ? undefined : rulesFor(snapshot.syncClass);
  const current = snapshot === undefined || rules === undefined ? findAfterEnd(context) : diagnose(snapshot, rules);
  const isFoundAgain = current.some((found) => isSameTrouble(found, finding));
  const isWaiting = snapshot !== undefined && rules !== undefined && describeState(snapshot, rules).state === "waiting";
  const verdict = judgeFinding(finding.outcome, {
    syncStatus: sync?.status,
    batchesCompletedSince: (sync?.batchesCompleted ?? 0) - finding.batchesCompletedBefore,
    isFoundAgain,
    isWaiting,
  });
  if (verdict === undefined || verdict === "proposed" || verdict === "pending") return;
  context.commits.now(() => settle(context, finding, verdict));
}

/** Whether a diagnosis found once more what a stored finding is about. */
export function isSameTrouble(found: Finding, stored: Pick<FindingRow, "kind" | "syncId" | "batchId">): boolean {
  return found.kind === stored.kind && found.syncId === stored.syncId && found.batchId === stored.batchId;
}

const COUNTER_OF: Readonly<Record<Exclude<FindingOutcome, "proposed" | "pending">, CounterName>> = {
  verified: "remedies_verified",
  failed: "remedies_failed",
  superseded: "remedies_superseded",
};

/** Settles a finding, counts it, and tells it in the sync's log. Inside a transaction. */
export function settle(
  context: SyncContext,
  finding: FindingRow,
  verdict: Exclude<FindingOutcome, "proposed" | "pending">,
): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  if (!settleFinding(db, finding.id, verdict, nowMs)) return;
  // What a restart of the daemon itself made necessary says nothing about healing.
  if (finding.ownRestart === 0) {
    addToCounter(db, COUNTER_OF[verdict], 1, nowMs);
    if (verdict === "verified") addToCounter(db, "repair_ms", Math.max(0, nowMs - finding.detectedAtMs), nowMs);
  }
  const sync = finding.syncId === null ? undefined : readSync(db, finding.syncId);
  if (finding.syncId === null || sync === undefined) return;
  if (sync.status === "in_progress") tellWhetherRepaired(context, finding, verdict);
  recordEvent(context, {
    syncId: finding.syncId,
    batchId: finding.batchId ?? undefined,
    level: verdict === "failed" ? "warn" : "info",
    event: `finding.${verdict}`,
    message: `Finding ${finding.id} (${finding.kind}) is ${verdict}.`,
    traceId: finding.traceId ?? undefined,
  });
}

function tellWhetherRepaired(
  context: SyncContext,
  { id, kind, syncId, ownRestart, message, traceId }: FindingRow,
  verdict: FindingOutcome,
): void {
  const stall = { rule: "stall_not_repaired", subject: `sync:${syncId}` } as TroubleKey;
  if (verdict === "verified") tellTroubleOver(context, stall);
  if (verdict !== "failed" || ownRestart !== 0) return;
  const told = `Sync ${syncId} stalls, and its remedy did not help (finding ${id}, ${kind}): ${message}`;
  tellTrouble(context, { ...stall, message: told, traceId });
}
