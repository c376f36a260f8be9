import type { Hold } from "../core/snapshot.ts";
import type { SyncClass } from "../core/sync.ts";
import type { AthleteId, BatchId, EpochMs, SyncId } from "../core/units.ts";
import type { DueBatch, Fence } from "../db/batches.ts";
import type { Span } from "../telemetry/tracing.ts";
import type { TokenAnswer } from "./tokens.ts";

/** One execution of a batch, from claim to end. Each is a trace of its own. */
export type Run = {
  readonly batch: DueBatch;
  readonly batchId: BatchId;
  readonly syncId: SyncId;
  readonly athleteId: AthleteId;
  readonly syncClass: SyncClass;
  readonly fence: Fence;
  readonly span: Span;
  /** Aborts what is in flight: the lease is lost, the run was aborted, or the daemon's time to stop is up. */
  readonly signal: AbortSignal;
  /** Calls off what waits for its place: the run is about to end, whatever it would bring. */
  readonly callOffUnsent: () => void;
  /** Requests that were answered and are not yet counted on the batch. */
  unbookedRequests: number;
  /** Called inside the transaction that ends the batch, last of all: the place is free. */
  readonly onEnded: () => void;
  /** Asked for once a run: opening a sealed token for each request costs more than the rest of the request. */
  token: Promise<TokenAnswer> | undefined;
  /** Calls off what is not sent yet: with `signal`, and as soon as the daemon stops. */
  readonly unsent: AbortSignal;
};

/** How a run came out, seen from inside it. */
export type RunResult =
  | { result: "ended" } // its last commit has ended the batch already
  | { result: "wait"; reason: Hold["reason"]; untilMs: EpochMs } // the governor holds everybody back
  | { result: "error"; error: string } // by its own doing: an attempt is spent
  | { result: "reconnect"; reason: string } // nothing of this athlete can be read any more
  | { result: "released"; why: string } // the daemon stops, or others go first; `why` ends a sentence
  | { result: "lease_lost" }; // somebody took the batch; nothing more is written
