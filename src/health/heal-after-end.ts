import type { Finding } from "../core/findings.ts";
import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { findAfterEndOf } from "./find-after-end.ts";
import { type CheckedFinding, examine, type Patient, treat } from "./heal-sync.ts";
import { isSameTrouble } from "./judge-findings.ts";

/** Treats what `findAfterEnd` found, in a transaction, if it is still there; undefined when not, or when it is in hand already. */
export function healAfterEnd(
  context: SyncContext,
  processor: Processor,
  patient: Patient,
  seen: Finding,
): CheckedFinding | undefined {
  return examine(context, patient, () => {
    // Others were treated since the page was read, and the event loop has run.
    const finding = findAfterEndOf(context, seen).find((found) => isSameTrouble(found, seen));
    if (finding === undefined) return undefined;
    const batchesCompleted = readSync(context.db, finding.syncId)?.batchesCompleted ?? 0;
    return treat(context, processor, patient, finding, finding.remedy.do === "start_sync" ? 0 : batchesCompleted);
  });
}
