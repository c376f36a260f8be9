import type { Hold } from "../core/snapshot.ts";
import type { BatchId, EpochMs, SyncId } from "../core/units.ts";
import type { DueBatch, Fence } from "../db/batches.ts";
import type { Asking } from "./requests/ask-strava.ts";
import type { RefusedToken } from "./requests/token-store.ts";

/**
 * One execution of a batch, from claim to end. Each is a trace of its own. `signal`: the lease is lost, the run was
 * aborted, or the daemon's time to stop is up. `unbookedRequests` are not yet counted on the batch.
 */
export type Run = Asking & {
  readonly batch: DueBatch;
  readonly batchId: BatchId;
  readonly syncId: SyncId;
  readonly fence: Fence;
  /** Until when this process last gave itself the lease. */
  leaseExpiresAtMs: EpochMs;
  /** Calls off what waits for its place: the run is about to end, whatever it would bring. */
  readonly callOffUnsent: () => void;
  /** Called inside the transaction that ends the batch, last of all: the place is free. */
  readonly onEnded: () => void;
};

/** How a run came out, seen from inside it. */
export type RunResult =
  | { result: "ended" } // its last commit has ended the batch already
  | { result: "wait"; reason: Hold["reason"]; untilMs: EpochMs } // the governor holds everybody back
  | { result: "error"; error: string } // by its own doing: an attempt is spent
  /** Nothing of this athlete can be read any more; `refused` is the token that Strava refused. */
  | { result: "reconnect"; reason: string; refused: RefusedToken | undefined }
  | { result: "released"; why: string } // the daemon stops, or others go first; `why` ends a sentence
  | { result: "lease_lost" }; // somebody took the batch; nothing more is written
