/**
 * SQLite lets one connection write at a time. Within the daemon that is never felt (one connection, synchronous
 * statements); a foreign writer (a backup tool, a person with a shell) is. SQLite's own wait blocks the event loop, so
 * it is short, and the long wait is asynchronous.
 */
import type { Clock } from "../core/units.ts";

/**
 * How long a statement of the daemon may block on a foreign lock before it gives up. Nothing else runs in that time, no
 * timer either: an event of Strava's is to be answered within 100 ms all the same (`ACKNOWLEDGE_WITHIN_MS`).
 */
export const BUSY_TIMEOUT_MS = 25;
/** The same while a file is opened: nothing else is waiting yet. */
export const OPENING_BUSY_TIMEOUT_MS = 100;

/** The waits between two tries double from the first to the longest. */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 500;

/** Whether `error`, or what caused it, is another connection's lock: the same work may go through a moment later. */
export function isBusy(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause ? cause.code : undefined;
    // Prefixes, because the extended codes (SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED_SHAREDCACHE) mean the same here.
    if (typeof code === "string" && (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"))) return true;
  }
  return false;
}

/**
 * Does `work` now, and again after growing waits for as long as it meets a foreign lock, until it has waited `limitMs`
 * in all; the last try comes exactly then. `work` is synchronous, and must be whole: a transaction that rolled back.
 * The limit counts the waits, not the clock's time, so that a clock that jumps neither cuts nor stretches it.
 * @throws the lock's error when the limit is spent; any other error of `work` at once; the signal's reason on abort.
 */
export async function retryWhenBusy<T>(
  work: () => T extends PromiseLike<unknown> ? never : T,
  options: { clock: Clock; signal?: AbortSignal; limitMs: number },
): Promise<T> {
  let waitedMs = 0;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    options.signal?.throwIfAborted();
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || waitedMs >= options.limitMs) throw error;
    }
    const nextWaitMs = Math.min(waitMs, options.limitMs - waitedMs);
    await wait(nextWaitMs, options.clock, options.signal);
    waitedMs += nextWaitMs;
  }
}

function wait(durationMs: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const callOff = clock.after(durationMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = () => {
      callOff();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}
