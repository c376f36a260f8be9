import type { DiagnosisRules } from "../core/diagnose.ts";
import { diagnose } from "../core/diagnose.ts";
import type { Finding, FindingOutcome } from "../core/findings.ts";
import { isOwnKind } from "../core/own-findings.ts";
import type { SyncSnapshot } from "../core/snapshot.ts";
import { describeState, type HealingMode } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import { judgeFinding } from "../core/verdict.ts";
import type { TroubleKey } from "../db/alert-troubles.ts";
import { readOpenFindings, settleFinding } from "../db/findings.ts";
import { countVerdict } from "../db/measures.ts";
import type { FindingRow, SyncRow } from "../db/schema.ts";
import { readSync, readSyncsById } from "../db/syncs.ts";
import { inReadTransaction } from "../db/transaction.ts";
import type { SyncContext } from "../sync/context.ts";
import { recordEvent } from "../sync/record.ts";
import { readSnapshot, readSnapshots } from "../sync/snapshot.ts";
import { tellTrouble, tellTroubleOver } from "../sync/trouble.ts";
import type { Breather } from "./breather.ts";
import { findAfterEndOf } from "./find-after-end.ts";

/** The rules by which a class of sync is diagnosed now. */
export type RulesFor = (syncClass: SyncClass) => DiagnosisRules & { readonly healing: HealingMode };

type Verdict = Exclude<FindingOutcome, "proposed" | "pending">;

/** So many open findings are looked at in one turn of the event loop. */
const PAGE = 50;

/**
 * Judges every finding that is still open by what has happened since its remedy: nothing counts as mended until a
 * batch of the sync, or the sync, has completed.
 * @param breather lets the event loop run in between.
 */
export async function judgeOpenFindings(context: SyncContext, rulesFor: RulesFor, breather: Breather): Promise<void> {
  for (let afterId = 0; ; ) {
    const page = readOpenFindings(context.db, afterId, PAGE);
    for (const finding of findSettled(context, rulesFor, page)) {
      judgeAlone(context, rulesFor, finding);
      await breather.breathe();
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    afterId = last.id;
    await breather.turn();
  }
}

/** Of a page of open findings, those about which there is a verdict by now: a few statements for all of them. */
function findSettled(context: SyncContext, rulesFor: RulesFor, page: readonly FindingRow[]): readonly FindingRow[] {
  const { db } = context;
  if (page.length === 0) return [];
  try {
    return inReadTransaction(db, () => {
      const ids = page.flatMap(({ syncId }) => (syncId === null ? [] : [syncId]));
      const syncs = new Map(readSyncsById(db, ids).map((sync) => [sync.id, sync]));
      const inProgress = [...syncs.values()].filter((sync) => sync.status === "in_progress");
      const snapshots = readSnapshots(db, inProgress);
      return page.filter((finding) => {
        const sync = finding.syncId === null ? undefined : syncs.get(finding.syncId);
        const snapshot = sync === undefined ? undefined : snapshots.get(sync.id);
        return verdictOn(context, rulesFor, finding, { sync, snapshot }) !== undefined;
      });
    });
  } catch {
    // One of them has a row that cannot be read: each is judged alone, and only that one is told of.
    return page;
  }
}

/** One finding that cannot be judged (a lock, a bad row) hides none of the others, and no sync. */
function judgeAlone(context: SyncContext, rulesFor: RulesFor, finding: FindingRow): void {
  const { db } = context;
  try {
    // Once more, in the transaction that settles it: others were settled, and time has passed, since the page was read.
    context.commits.now(() => {
      const sync = finding.syncId === null ? undefined : readSync(db, finding.syncId);
      const snapshot = sync?.status === "in_progress" ? readSnapshot(db, sync) : undefined;
      const verdict = verdictOn(context, rulesFor, finding, { sync, snapshot });
      if (verdict !== undefined) settle(context, finding, verdict);
    });
  } catch (error) {
    context.log.warn(
      "monitor.finding_not_judged",
      `Finding ${finding.id} could not be judged this time: ${String(error)}`,
    );
  }
}

/** `snapshot`: of a sync in progress; undefined: it has ended, or is gone. */
function verdictOn(
  context: SyncContext,
  rulesFor: RulesFor,
  finding: FindingRow,
  { sync, snapshot }: { sync: SyncRow | undefined; snapshot: SyncSnapshot | undefined },
): Verdict | undefined {
  if (finding.outcome !== "proposed" && finding.outcome !== "pending") return undefined;
  // What is wrong with the daemon itself is judged where it was found (`watch.ts`).
  if (isOwnKind(finding.kind)) return undefined;
  const rules = snapshot === undefined ? undefined : rulesFor(snapshot.syncClass);
  const current =
    snapshot === undefined || rules === undefined ? findAfterEndOf(context, finding) : diagnose(snapshot, rules);
  const verdict = judgeFinding(finding.outcome, {
    syncStatus: sync?.status,
    batchesCompletedSince: (sync?.batchesCompleted ?? 0) - finding.batchesCompletedBefore,
    isFoundAgain: current.some((found) => isSameTrouble(found, finding)),
    isWaiting: snapshot !== undefined && rules !== undefined && describeState(snapshot, rules).state === "waiting",
    isQueued: finding.kind === "queued_too_long",
  });
  return verdict === "proposed" || verdict === "pending" ? undefined : verdict;
}

/** Whether a diagnosis found once more what a stored finding is about. */
export function isSameTrouble(found: Finding, stored: Pick<FindingRow, "kind" | "syncId" | "batchId">): boolean {
  return found.kind === stored.kind && found.syncId === stored.syncId && found.batchId === stored.batchId;
}

/** Settles a finding, counts it, and tells it in the sync's log. Inside a transaction. */
export function settle(context: SyncContext, finding: FindingRow, verdict: Verdict): void {
  const { db, clock } = context;
  const nowMs = clock.nowMs();
  if (!settleFinding(db, finding.id, verdict, nowMs)) return;
  // What a restart of the daemon itself made necessary says nothing about healing.
  if (finding.ownRestart === 0) countVerdict(db, finding, verdict, nowMs);
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
