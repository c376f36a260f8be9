import { type Clock, type Dice, epochMs } from "./core/units.ts";

/** The machine's own clock and timers. The only place that reads them. */
export const systemClock: Clock = {
  nowMs: () => epochMs(Date.now()),
  after(delayMs, work) {
    if (delayMs <= 0) {
      const immediate = setImmediate(work);
      return () => clearImmediate(immediate);
    }
    // Timers of over 2^31 ms fire at once: a longer wait is cut, and whoever waits looks again.
    const timer = setTimeout(work, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** The machine's own dice. */
export const systemDice: Dice = Math.random;
