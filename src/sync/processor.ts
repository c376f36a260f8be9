import { rollHex } from "../core/dice.ts";
import { classRank, type SyncClass } from "../core/sync.ts";
import { type BatchId, type EpochMs, type LeaseToken, leaseToken, plusMs, SECOND_MS } from "../core/units.ts";
import { claimBatch, type DueBatch, nextDueAtMs, readNextDueBatch } from "../db/batches.ts";
import { noteServed } from "../db/syncs.ts";
import type { Span } from "../telemetry/tracing.ts";
import type { SyncContext } from "./context.ts";
import type { Run } from "./run.ts";
import { runBatch } from "./run-batch.ts";
import { settleWithin } from "./settle-within.ts";

export type Processor = {
  /** Something may be due: looks in the next turn of the event loop, and never waits for the tick. */
  wake(): void;
  /** The minute's tick: looks, whatever was forgotten. */
  tick(): void;
  /** Aborts the run that holds a batch by this token; false when this process runs none. */
  abortRun(batchId: BatchId, token: LeaseToken): boolean;
  /** Leases of the runs that are alive in this process, and the batch of each. */
  leases(): ReadonlyMap<LeaseToken, BatchId>;
  /** Since when batches of a class could be claimed, or when they will be: neither held back by the quota, nor by a person. */
  claimableSinceMs(syncClass: SyncClass): EpochMs;
  /** Claims nothing any more; running batches finish what is in flight, or are released when `limitMs` is up. */
  stop(limitMs: number): Promise<void>;
  /** Stops and starts claiming, without ending what runs. */
  setClaiming(isClaiming: boolean): void;
  view(): { running: number; lastClaimAtMs: EpochMs; lastTickAtMs: EpochMs; isClaiming: boolean };
};

type Claimed = { due: DueBatch; token: LeaseToken; leaseExpiresAtMs: EpochMs; span: Span };
type Active = {
  run: Run;
  batchId: BatchId;
  abort: (reason: string) => void;
  callOffUnsent: () => void;
  done: Promise<void>;
};

/** Aborted requests need a moment to be written back before the database closes. */
const WRITE_BACK_MS = SECOND_MS;
/** A database that takes no writes (a full disk), or a claim that changed no row, is tried again, but not in a tight loop. */
const RETRY_CLAIM_MS = SECOND_MS;

/**
 * Runs due batches, `concurrency` at once and at most one an athlete. It is woken by what happens (a sync starts, a
 * batch ends, a wait is over) and by the tick, which finds whatever a hand or a crash left due.
 */
export function createProcessor(context: SyncContext): Processor {
  const { db, clock, commits, governor, rules, log } = context;
  // By lease and not by batch: a run that lost its batch may still be busy while the next run of it is.
  const active = new Map<LeaseToken, Active>();
  let isLookingForWork = false;
  let isStopping = false;
  let isClaiming = true;
  let callOffTimer = (): void => {};
  let transactionBooks = { transaction: -1, ended: 0, claimed: 0 };
  let lastClaimAtMs = clock.nowMs();
  let claimingSinceMs = clock.nowMs();
  /** When requests were last let out again, of those for whom somebody waits and of the others. */
  const letOutAtMs = { manual: clock.nowMs(), schedule: clock.nowMs() };
  let lastTickAtMs = clock.nowMs();
  governor.onChange(wake);

  function wake(): void {
    if (isLookingForWork || isStopping) return;
    isLookingForWork = true;
    clock.after(0, () => void look());
  }

  /** Claims what there is room for, then sleeps until the next thing becomes due by itself. */
  async function look(): Promise<void> {
    try {
      const outcome = mayClaim() ? await commits.soon(claimWhatFits) : "claimed";
      isLookingForWork = false;
      // What became due while the claim was being committed woke nobody.
      if (outcome === "refused") lookLater();
      else if (mayClaim()) wake();
      else sleepUntilDue();
    } catch (error) {
      isLookingForWork = false;
      lookLater();
      log.warn(
        "batch.claim_failed",
        `No batch could be claimed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  function lookLater(): void {
    callOffTimer();
    callOffTimer = clock.after(RETRY_CLAIM_MS, wake);
  }

  /** A look without the write lock, so that an idle tick writes nothing. */
  function mayClaim(): boolean {
    if (isStopping || !isClaiming || active.size >= rules.concurrency) return false;
    const maxClassRank = highestRankLetOut();
    return maxClassRank !== undefined && readNextDueBatch(db, clock.nowMs(), maxClassRank) !== null;
  }

  /** Which classes the governor lets out: all, or only those for whom somebody waits, or nobody (undefined). */
  function highestRankLetOut(): number | undefined {
    if (governor.hold("schedule") === undefined) return classRank("schedule");
    return governor.hold("manual") === undefined ? classRank("event") : undefined;
  }

  /**
   * Claims what there is room for; each run starts once its claim is committed. Inside a transaction.
   * @returns `refused` when the batch whose turn it is was not changed by its claim: at once it would not be either.
   */
  function claimWhatFits(): "claimed" | "refused" {
    const maxClassRank = highestRankLetOut();
    if (maxClassRank === undefined) return "claimed";
    const books = booksOfTransaction();
    while (!isStopping && isClaiming && active.size - books.ended + books.claimed < rules.concurrency) {
      const due = readNextDueBatch(db, clock.nowMs(), maxClassRank);
      if (due === null) return "claimed";
      const claimed = claim(due);
      if (claimed === undefined) return "refused";
      books.claimed++;
      commits.ifUndone(() => {
        books.claimed--;
      });
      commits.afterCommit(() => start(claimed));
    }
    return "claimed";
  }

  /** A batch has ended in the open transaction: what is next is claimed with the same commit. */
  function claimAfterEnd(): void {
    const books = booksOfTransaction();
    books.ended++;
    commits.ifUndone(() => {
      books.ended--;
    });
    if (books.ended === 1) commits.atEnd(claimWhatFits);
  }

  /** What ends and is claimed in one transaction is in `active` only after it. */
  function booksOfTransaction(): typeof transactionBooks {
    const transaction = commits.transaction();
    if (transactionBooks.transaction !== transaction) transactionBooks = { transaction, ended: 0, claimed: 0 };
    return transactionBooks;
  }

  function claim(due: DueBatch): Claimed | undefined {
    const nowMs = clock.nowMs();
    const token = leaseToken(rollHex(context.dice, 16));
    const span = startRunSpan(due);
    const { traceId, spanId } = span;
    const leaseExpiresAtMs = plusMs(nowMs, rules.leaseMs);
    const isOurs = claimBatch(db, due.id, {
      leaseToken: token,
      leaseExpiresAtMs,
      owner: context.owner,
      nowMs,
      traceId,
      spanId,
    });
    if (!isOurs) return undefined;
    noteServed(db, { id: due.syncId, athleteId: due.athleteId }, nowMs, traceId);
    // Not before the disk has it: where no claim can be committed, the queue stands still.
    commits.afterCommit(() => {
      lastClaimAtMs = nowMs;
    });
    return { due, token, leaseExpiresAtMs, span };
  }

  /** The root of the run's trace, linked to the root of the run before. */
  function startRunSpan(due: DueBatch): Span {
    const before = due.traceId !== null && due.spanId !== null ? [{ traceId: due.traceId, spanId: due.spanId }] : [];
    return context.tracer.startSpan("batch.run", {
      links: before,
      attributes: {
        "broomwagon.sync.id": String(due.syncId),
        "broomwagon.batch.id": due.id,
        "broomwagon.batch.number": due.number,
        "broomwagon.batch.type": due.type,
        "broomwagon.batch.run": due.runs + 1,
        "broomwagon.athlete.id": due.athleteId,
      },
    });
  }

  function start({ due, token, leaseExpiresAtMs, span }: Claimed): void {
    const controller = new AbortController();
    const unsent = new AbortController();
    const callOffUnsent = () => unsent.abort("stopping");
    const abort = (reason: string) => {
      unsent.abort(reason);
      controller.abort(reason);
    };
    if (isStopping) callOffUnsent();
    const run: Run = {
      batch: due,
      batchId: due.id,
      syncId: due.syncId,
      athleteId: due.athleteId,
      syncClass: due.syncClass,
      fence: { batchId: due.id, leaseToken: token },
      leaseExpiresAtMs,
      span,
      signal: controller.signal,
      token: undefined,
      unsent: unsent.signal,
      callOffUnsent,
      unbookedRequests: 0,
      onEnded: claimAfterEnd,
    };
    const done = runBatch(context, run, abort).then(() => {
      active.delete(token);
      wake();
    });
    active.set(token, { run, batchId: due.id, abort, callOffUnsent, done });
  }

  /** Looks whether requests are held back, and remembers until when. */
  function noteHold(who: keyof typeof letOutAtMs): EpochMs | undefined {
    const untilMs = governor.hold(who)?.untilMs;
    letOutAtMs[who] = untilMs ?? earlier(letOutAtMs[who], clock.nowMs());
    return untilMs;
  }

  function sleepUntilDue(): void {
    callOffTimer();
    if (isStopping) return;
    const nowMs = clock.nowMs();
    const dueMs = nextDueAtMs(db, nowMs);
    noteHold("manual");
    const holdEndMs = noteHold("schedule");
    const wakeAtMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, holdEndMs ?? Number.POSITIVE_INFINITY);
    callOffTimer = Number.isFinite(wakeAtMs) ? clock.after(Math.max(1, wakeAtMs - nowMs), wake) : () => {};
  }

  return {
    wake,
    tick() {
      lastTickAtMs = clock.nowMs();
      wake();
    },
    abortRun(batchId, token) {
      const run = active.get(token);
      if (run === undefined || run.batchId !== batchId) return false;
      run.abort("aborted");
      return true;
    },
    leases: () => new Map([...active].map(([token, { batchId }]) => [token, batchId])),
    claimableSinceMs(syncClass) {
      const who = classRank(syncClass) <= classRank("event") ? "manual" : "schedule";
      noteHold(who);
      return later(claimingSinceMs, letOutAtMs[who]);
    },
    async stop(limitMs) {
      isStopping = true;
      callOffTimer();
      for (const run of active.values()) run.callOffUnsent();
      const allDone = Promise.all([...active.values()].map((run) => run.done));
      await settleWithin(clock, limitMs, allDone);
      for (const run of active.values()) run.abort("stopping");
      await settleWithin(clock, WRITE_BACK_MS, allDone);
      // A foreign writer may hold the lock for longer than a stop may take: what is lost then is taken up at the start.
      await settleWithin(clock, WRITE_BACK_MS, commits.drained());
    },
    setClaiming(claims) {
      if (claims && !isClaiming) claimingSinceMs = clock.nowMs();
      isClaiming = claims;
      wake();
    },
    view: () => ({ running: active.size, lastClaimAtMs, lastTickAtMs, isClaiming }),
  };
}

const earlier = (one: EpochMs, other: EpochMs): EpochMs => (one < other ? one : other);
const later = (one: EpochMs, other: EpochMs): EpochMs => (one > other ? one : other);
