import type { Clock } from "../core/units.ts";

/** How a piece of work that had so much time ended. */
export type Timed<T> =
  | { outcome: "done"; value: T }
  | { outcome: "failed" } // it threw, or was called off
  | { outcome: "too_late" };

/**
 * Gives `work` so long, by the handed clock. Its signal is aborted when the time is over or `callOff` is; a `work` that
 * takes no notice of that is left to itself.
 */
export function withinTime<T>(
  { clock, limitMs, callOff }: { clock: Clock; limitMs: number; callOff: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Timed<T>> {
  return new Promise((resolve) => {
    const controller = new AbortController();
    const end = (result: Timed<T>) => {
      cancelTimer();
      callOff.removeEventListener("abort", giveUp);
      resolve(result);
      controller.abort();
    };
    const giveUp = () => end({ outcome: "failed" });
    const cancelTimer = clock.after(limitMs, () => end({ outcome: "too_late" }));
    if (callOff.aborted) return giveUp();
    callOff.addEventListener("abort", giveUp, { once: true });
    work(controller.signal).then((value) => end({ outcome: "done", value }), giveUp);
  });
}
