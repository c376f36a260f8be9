import type { Clock } from "../core/units.ts";

/** Waits for a promise, however it settles, but not longer than `limitMs`. */
export function settleWithin(clock: Clock, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const callOff = clock.after(limitMs, resolve);
    const settle = () => {
      callOff();
      resolve();
    };
    promise.then(settle, settle);
  });
}
