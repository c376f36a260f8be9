import type { Clock, EpochMs } from "../core/units.ts";
import { isBusy } from "./busy.ts";
import type { Db } from "./open.ts";
import { inSavepoint, inWriteTransaction, NotUndoneError } from "./transaction.ts";

/**
 * Results that arrive in the same turn of the event loop share one transaction, and so one fsync: a savepoint and a
 * fence for each, so that one that fails takes no other with it. Nothing waits for company: what is queued is committed
 * at the end of the turn.
 */
export type Commits = {
  /** Runs `work` in a transaction of its own, at once. @throws what `work` throws; a foreign writer's lock. */
  now<T>(work: Work<T>): T;
  /** Runs `work` in the next shared transaction. @throws (rejects) what `work` throws, or why nothing could be committed. */
  soon<T>(work: Work<T>): Promise<T>;
  /** Inside `work`: does something once it is committed, and never when it is not. For log lines, wake-ups, requests. */
  afterCommit(done: () => void): void;
  /**
   * Inside `work`: takes back what it has changed in memory, where what it wrote is undone: alone, or with the transaction,
   * which may be tried again. The newest change is taken back first.
   */
  ifUndone(takeBack: () => void): void;
  /** Inside `work`: writes something once at the end of the transaction, for all the work that shares it. */
  atEnd(write: () => void): void;
  /** The moment of the open transaction: all that it writes happened at once. undefined outside of one. */
  momentMs(): EpochMs | undefined;
  /** The number of the open transaction, or of the last one: what was checked in the same one still holds. */
  transaction(): number;
  /** Resolves when everything queued so far is committed or refused. */
  drained(): Promise<void>;
};
type Work<T> = () => T extends PromiseLike<unknown> ? never : T;

type Queued = { run: () => void; settle: () => void; refuse: (error: unknown) => void };

/**
 * A commit takes at most so many results: of a larger burst, the first would wait longer than 5 ms for the last to be
 * parsed. Smaller groups wait less and cost more: half of what a small commit writes is the books that go with each.
 * Measured with `bun run bench`.
 */
export const RESULTS_A_COMMIT = 32;
/** Foreign writers' locks are waited for asynchronously, this long in all. */
const LOCK_LIMIT_MS = 30_000;
const LOCK_FIRST_WAIT_MS = 10;
const LOCK_LONGEST_WAIT_MS = 500;

/**
 * Makes the one place through which the daemon writes.
 * @param options.beforeCommit writes what is to go with every commit (the quota's ledger), and returns what to do once it
 *   is committed.
 * @param options.onProblem hears what kept a write of `atEnd` from being written.
 */
export function createCommits(options: {
  db: Db;
  clock: Clock;
  beforeCommit: () => () => void;
  onProblem?: (error: unknown) => void;
}): Commits {
  const { db, clock, beforeCommit, onProblem = () => {} } = options;
  let queue: Queued[] = [];
  let isScheduled = false;
  let callOffFlush = (): void => {};
  let waitedMs = 0;
  let callbacks: (() => void)[] = [];
  let idle: (() => void)[] = [];
  let number = 0;
  let momentMs: EpochMs | undefined;
  let endings: (() => void)[] = [];
  let takeBacks: (() => void)[] = [];

  function schedule(delayMs: number): void {
    isScheduled = true;
    callOffFlush = clock.after(delayMs, flush);
  }

  function flush(): void {
    // A full group does not wait for its turn: what was scheduled would commit nothing, or count a lock's wait twice.
    callOffFlush();
    const group = queue;
    queue = [];
    isScheduled = false;
    try {
      transact(() => {
        for (const item of group) item.run();
      });
    } catch (error) {
      if (isBusy(error) && waitedMs < LOCK_LIMIT_MS) {
        const waitMs = Math.min(LOCK_LONGEST_WAIT_MS, Math.max(LOCK_FIRST_WAIT_MS, waitedMs));
        waitedMs += waitMs;
        queue = [...group, ...queue];
        schedule(waitMs);
        return;
      }
      waitedMs = 0;
      for (const item of group) item.refuse(error);
      announceIdle();
      return;
    }
    waitedMs = 0;
    for (const item of group) item.settle();
    announceIdle();
  }

  function transact<T>(work: Work<T>): T {
    // A transaction inside another would commit nothing, and call back before the outer one had.
    if (db.$client.inTransaction) throw new Error("A commit was begun inside another one: a bug in the caller");
    callbacks = [];
    endings = [];
    takeBacks = [];
    number++;
    const result = within(() =>
      undoneWith(() =>
        inWriteTransaction<T>(db, () => {
          const value = work();
          for (const write of endings) writeEnding(write);
          callbacks.push(beforeCommit());
          return value;
        }),
      ),
    );
    const committed = callbacks;
    callbacks = [];
    for (const done of committed) callBack(done);
    return result;
  }

  function within<T>(transaction: () => T): T {
    momentMs = clock.nowMs();
    try {
      return transaction();
    } finally {
      momentMs = undefined;
    }
  }

  /** What is written at the end is nobody's result: when it fails it is undone alone, and told of. */
  function writeEnding(write: () => void): void {
    try {
      undoneWith(() => inSavepoint(db, write));
    } catch (error) {
      if (isAllGone(error)) throw error;
      onProblem(error);
    }
  }

  /** Whether what failed took the whole transaction with it: SQLite has given it up (a full disk), or has to. */
  const isAllGone = (error: unknown): boolean => !db.$client.inTransaction || error instanceof NotUndoneError;

  /** What was undone leaves nothing behind: nothing is called or written for it, and what it changed in memory is taken back. */
  function undoneWith<T>(undoable: () => T): T {
    const [calledBefore, writtenBefore, changedBefore] = [callbacks.length, endings.length, takeBacks.length];
    try {
      return undoable();
    } catch (error) {
      callbacks.length = calledBefore;
      endings.length = writtenBefore;
      for (const takeBack of takeBacks.splice(changedBefore).reverse()) takeBack();
      throw error;
    }
  }

  /**
   * What is committed stays committed, whatever is done about it: a callback that throws must not look like a commit that
   * failed (it would be refused, or tried again), nor keep the others from being called. Its error, a bug, rises alone.
   */
  function callBack(done: () => void): void {
    try {
      done();
    } catch (error) {
      clock.after(0, () => {
        throw error;
      });
    }
  }

  function announceIdle(): void {
    if (queue.length > 0) return;
    const waiting = idle;
    idle = [];
    for (const resolve of waiting) resolve();
  }

  return {
    now: transact,
    soon<T>(work: Work<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let settle: () => void = () => {};
        queue.push({
          run() {
            try {
              const value = undoneWith(() => inSavepoint<T>(db, work));
              settle = () => resolve(value);
            } catch (error) {
              // Nobody's work can be committed, so all hear of it.
              if (isAllGone(error)) throw error;
              settle = () => reject(error);
            }
          },
          settle: () => settle(),
          refuse: reject,
        });
        if (queue.length >= RESULTS_A_COMMIT && waitedMs === 0 && !db.$client.inTransaction) flush();
        else if (!isScheduled) schedule(0);
      });
    },
    afterCommit: (done) => callbacks.push(done),
    ifUndone: (takeBack) => takeBacks.push(takeBack),
    atEnd: (write) => endings.push(write),
    momentMs: () => momentMs,
    transaction: () => number,
    drained: () => (queue.length === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
  };
}
