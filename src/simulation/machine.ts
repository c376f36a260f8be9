import { type Clock, plusMs } from "../core/units.ts";
import type { TimerQueue, VirtualTime } from "./virtual-time.ts";

/**
 * The box on which the daemon lives. Its clock can be set wrong, which timers do not feel, and it can sleep: then its
 * clock goes on, its timers wait for as long as it slept, and what reaches it from outside arrives when it wakes.
 */
export class Machine {
  readonly #time: VirtualTime;
  readonly #timers: TimerQueue;
  readonly #outside: Clock;
  #wrongByMs = 0;
  #isAsleep = false;
  #arrivals: (() => void)[] = [];
  readonly clock: Clock;

  constructor(time: VirtualTime, outside: Clock) {
    this.#time = time;
    this.#timers = time.createQueue();
    this.#outside = outside;
    this.clock = {
      nowMs: () => plusMs(this.#time.nowMs(), this.#wrongByMs),
      after: (delayMs, work) => this.#timers.set(delayMs, work),
    };
  }

  isAsleep(): boolean {
    return this.#isAsleep;
  }

  sleep(durationMs: number): void {
    if (this.#isAsleep) return;
    this.#isAsleep = true;
    this.#timers.holdBack(durationMs);
    this.#outside.after(durationMs, () => {
      this.#isAsleep = false;
      const arrived = this.#arrivals;
      this.#arrivals = [];
      for (const arrive of arrived) arrive();
    });
  }

  /** Somebody sets the clock, or puts it right (0). */
  setWrong(byMs: number): void {
    this.#wrongByMs = byMs;
  }

  /** By how much its clock is ahead; negative: behind. */
  wrongByMs(): number {
    return this.#wrongByMs;
  }

  /** Something comes from outside. */
  deliver(arrive: () => void): void {
    if (this.#isAsleep) this.#arrivals.push(arrive);
    else arrive();
  }
}
