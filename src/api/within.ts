import type { Clock } from "../core/units.ts";

/** What `work` comes to, or `late` when it takes longer. It goes on all the same, and what it comes to is nobody's then. */
export function within<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | "late"> {
  return new Promise((resolve, reject) => {
    const callOff = clock.after(limitMs, () => resolve("late"));
    work.finally(callOff).then(resolve, reject);
  });
}
