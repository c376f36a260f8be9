import { diagnose } from "../core/diagnose.ts";
import type { FindingId } from "../core/units.ts";
import { noteRemedyApplied, readFinding } from "../db/findings.ts";
import { countApplied } from "../db/measures.ts";
import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { readSnapshot } from "../sync/snapshot.ts";
import { findAfterEndOf } from "./find-after-end.ts";
import { isSameTrouble, type RulesFor, settle } from "./judge-findings.ts";
import { applyRemedy } from "./remedy.ts";

export type AppliedProposal = "applied" | "stale" | "not_proposed" | "unknown";

/** Applies the remedy that a finding proposes, if the trouble is still there. Inside a transaction. */
export function applyProposed(
  context: SyncContext,
  processor: Processor,
  id: FindingId,
  rulesFor: RulesFor,
): AppliedProposal {
  const { db, clock } = context;
  const finding = readFinding(db, id);
  if (finding === undefined) return "unknown";
  if (finding.outcome !== "proposed") return "not_proposed";
  const sync = finding.syncId === null ? undefined : readSync(db, finding.syncId);
  // What was true when it was proposed may not be now: a worker may have renewed its lease since.
  const current =
    sync?.status === "in_progress"
      ? diagnose(readSnapshot(db, sync), rulesFor(sync.class))
      : findAfterEndOf(context, finding);
  const again = current.find((found) => isSameTrouble(found, finding));
  if (again === undefined || !applyRemedy(context, processor, again.syncId, again.remedy)) {
    settle(context, finding, "superseded");
    return "stale";
  }
  noteRemedyApplied(db, id, clock.nowMs(), sync?.batchesCompleted ?? 0);
  countApplied(db, finding.kind, clock.nowMs());
  return "applied";
}
