import { type Clock, type EpochMs, epochMs } from "../../src/core/units.ts";

/** A clock that moves only when a test moves it. Timers fire in order, each at its own moment. */
export class FakeClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #timers: { dueMs: number; sequence: number; work: () => void }[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): EpochMs {
    return epochMs(this.#nowMs);
  }

  after(delayMs: number, work: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.ceil(Math.max(0, delayMs)), sequence: this.#sequence++, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Sets the clock without firing what lies between: a jump, as after a suspended machine. */
  jumpTo(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** The machine sleeps: the clock goes on, and every timer waits as long as it would have, once it is awake again. */
  sleep(durationMs: number): void {
    this.#shift(durationMs);
  }

  /** Somebody sets the clock back: timers, which count what passes, are not touched by it. */
  setBack(byMs: number): void {
    this.#shift(-byMs);
  }

  #shift(byMs: number): void {
    this.#nowMs += byMs;
    for (const timer of this.#timers) timer.dueMs += byMs;
  }

  /** When the next timer is due; undefined when none is. */
  nextDueMs(): number | undefined {
    return this.#timers.reduce<number | undefined>(
      (least, timer) => (least === undefined || timer.dueMs < least ? timer.dueMs : least),
      undefined,
    );
  }

  /** Fires only the timer that is due next, however many are due with it: the smallest step that time can take. */
  async fireNext(): Promise<void> {
    await settle();
    this.#fireFirst(Number.POSITIVE_INFINITY);
    await settle();
  }

  /** Moves on by `durationMs`, firing each timer at its moment and letting promises settle in between. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    while (this.#fireFirst(endMs)) await settle();
    this.#nowMs = Math.max(this.#nowMs, endMs);
    await settle();
  }

  /** False when no timer is due until then. */
  #fireFirst(endMs: number): boolean {
    const due = this.#timers
      .filter((timer) => timer.dueMs <= endMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence)[0];
    if (due === undefined) return false;
    this.#timers = this.#timers.filter((timer) => timer !== due);
    this.#nowMs = Math.max(this.#nowMs, due.dueMs);
    due.work();
    return true;
  }
}

/** Lets everything that can go on without time passing go on: a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
