import type { Finding } from "../core/findings.ts";
import { readOpenFindingsOfSync } from "../db/findings.ts";
import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { type CheckedFinding, type Patient, treat } from "./heal-sync.ts";

/** Treats what `findAfterEnd` found, in a transaction; undefined when it is in hand already. */
export function healAfterEnd(
  context: SyncContext,
  processor: Processor,
  patient: Patient,
  finding: Finding,
): CheckedFinding | undefined {
  return context.commits.now(() => {
    const open = readOpenFindingsOfSync(context.db, finding.syncId).find(
      (other) => other.kind === finding.kind && other.batchId === finding.batchId,
    );
    if (open !== undefined)
      return open.outcome === "proposed" ? { id: open.id, finding, outcome: "proposed" } : undefined;
    const batchesCompleted = readSync(context.db, finding.syncId)?.batchesCompleted ?? 0;
    return treat(context, processor, patient, finding, finding.remedy.do === "start_sync" ? 0 : batchesCompleted);
  });
}
