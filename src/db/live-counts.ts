import type { BatchType } from "../core/batch.ts";
import type { SyncPhase } from "../core/sync.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

/** What is under way now. Each is counted by the index that holds only that, so that history costs nothing. */
export type LiveCounts = {
  readonly syncs: readonly { readonly phase: SyncPhase; readonly count: number }[];
  readonly batches: readonly {
    readonly type: BatchType;
    readonly status: "pending" | "processing";
    readonly count: number;
  }[];
  readonly racesPending: number;
  readonly findings: readonly { readonly kind: string; readonly count: number }[];
};

const syncsStatement = statement<LiveCounts["syncs"][number], []>(
  `SELECT phase, count(*) AS count FROM syncs INDEXED BY syncs_in_progress WHERE status = 'in_progress' GROUP BY phase`,
);
const batchesStatement = statement<LiveCounts["batches"][number], []>(
  `SELECT type, status, count(*) AS count FROM batches INDEXED BY batches_live WHERE status IN ('pending', 'processing')
   GROUP BY type, status`,
);
const racesStatement = statement<{ count: number }, []>(
  "SELECT count(*) AS count FROM races INDEXED BY races_pending WHERE enrichment = 'pending'",
);
const findingsStatement = statement<LiveCounts["findings"][number], []>(
  `SELECT kind, count(*) AS count FROM findings INDEXED BY findings_one_open_a_trouble WHERE outcome IN ('proposed', 'pending')
   GROUP BY kind`,
);

export function readLiveCounts(db: Db): LiveCounts {
  return {
    syncs: syncsStatement(db).all(),
    batches: batchesStatement(db).all(),
    racesPending: racesStatement(db).get()?.count ?? 0,
    findings: findingsStatement(db).all(),
  };
}
