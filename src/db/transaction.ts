import type { Database, Statement } from "bun:sqlite";
import type { Db, Tx } from "./open.ts";

/**
 * Runs `work` in one transaction that holds the write lock from the start, so that what it read still holds when it
 * writes. Commits when `work` returns, rolls back when it throws. Inside another write transaction it is a savepoint of
 * that one. Name the caller by intent (`storePageAndAdvanceCursor`) and keep it to a few statements.
 *
 * `work` must be synchronous: Bun commits at the first `await`; the rest would run, and fail, outside. The type refuses
 * a promise; where the type was lost on the way, the value is refused and everything rolled back.
 * @throws what `work` throws; SQLiteError, for which `isBusy` holds, when a foreign writer has the lock.
 */
export function inWriteTransaction<T>(db: Db, work: (tx: Tx) => T extends PromiseLike<unknown> ? never : T): T {
  return db.transaction((tx) => refusePromise(work(tx) as T), { behavior: "immediate" });
}

/**
 * Runs `work`, which only reads, on one state of the database: what another connection commits meanwhile is not seen.
 * Takes no write lock. Never inside another transaction.
 */
export function inReadTransaction<T>(db: Db, work: () => T extends PromiseLike<unknown> ? never : T): T {
  return db.transaction(() => refusePromise(work() as T), { behavior: "deferred" });
}

/**
 * Runs `work` inside the open transaction so that it alone is undone when it throws; the error rises, and whoever
 * catches it goes on with the transaction. For work that shares a transaction: one that fails takes no other with it.
 * The statements are prepared once a connection: through Drizzle a savepoint costs three times as much.
 * @throws what `work` throws. When SQLite itself gave up the whole transaction (a full disk), nothing is left to go on
 *   with, and the next statement says so. NotUndoneError when what was written could not be undone.
 */
export function inSavepoint<T>(db: Db, work: () => T extends PromiseLike<unknown> ? never : T): T {
  const client = db.$client;
  // Outside a transaction a savepoint would be a transaction of its own, without the write lock.
  if (!client.inTransaction) throw new Error("inSavepoint was called outside of a transaction: a bug in the caller");
  const savepoint = savepointStatements(client);
  savepoint.begin.run();
  try {
    const result = refusePromise(work() as T);
    savepoint.release.run();
    return result;
  } catch (error) {
    if (client.inTransaction) undo(savepoint);
    throw error;
  }
}

/** A savepoint could not be rolled back. What half its work wrote would be committed: the transaction has to be given up. */
export class NotUndoneError extends Error {
  override readonly name = "NotUndoneError";
}

function undo(savepoint: SavepointStatements): void {
  try {
    savepoint.rollBack.run();
    savepoint.release.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NotUndoneError(`What failed could not be undone alone, so all is undone: ${reason}`, { cause: error });
  }
}

function refusePromise<T>(result: T): T {
  if (typeof result === "object" && result !== null && "then" in result && typeof result.then === "function") {
    throw new TypeError(
      "The work of a transaction returned a promise; it must be synchronous. All of it is rolled back.",
    );
  }
  return result;
}

type SavepointStatements = { begin: Statement; release: Statement; rollBack: Statement };
const statementsByClient = new WeakMap<Database, SavepointStatements>();

/** One name serves every depth: SQLite takes the innermost savepoint of a name. */
function savepointStatements(client: Database): SavepointStatements {
  let statements = statementsByClient.get(client);
  if (statements === undefined) {
    statements = {
      begin: client.prepare("SAVEPOINT shared_work"),
      release: client.prepare("RELEASE shared_work"),
      rollBack: client.prepare("ROLLBACK TO shared_work"),
    };
    statementsByClient.set(client, statements);
  }
  return statements;
}
