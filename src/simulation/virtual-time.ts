import { drainMicrotasks } from "bun:jsc";
import { type Clock, type EpochMs, epochMs } from "../core/units.ts";

/** A timer that is set. Where one of a queue is due at the same moment as another, the one that was set first fires first. */
type Timer = { dueMs: number; sequence: number; work: (() => void) | undefined };

/**
 * Time that passes only when it is told to, and everything that waits for it. One turn is: the next timer fires, and all
 * that can go on without time passing goes on, to its end. So nothing depends on the machine that this runs on.
 */
export class VirtualTime {
  #nowMs: number;
  #sequence = 0;
  readonly #queues: TimerQueue[] = [];
  readonly #onError: (error: unknown) => void;

  /** @param onError hears what a timer's work throws. */
  constructor(startMs: number, onError: (error: unknown) => void) {
    this.#nowMs = startMs;
    this.#onError = onError;
  }

  nowMs(): EpochMs {
    return epochMs(this.#nowMs);
  }

  /** Timers that can be held back together: those of a machine that sleeps. */
  createQueue(): TimerQueue {
    const queue = new TimerQueue(
      () => this.#nowMs,
      () => this.#sequence++,
    );
    this.#queues.push(queue);
    return queue;
  }

  /** Lets time pass inside a turn, as a statement does that takes long: nothing fires meanwhile. */
  skip(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Moves on to `endMs`, turn by turn; ends early when `isOver`. */
  run(endMs: number, isOver: () => boolean = () => false): void {
    drainMicrotasks();
    while (!isOver()) {
      const queue = this.#next();
      const dueMs = queue?.nextDueMs();
      if (queue === undefined || dueMs === undefined || dueMs > endMs) {
        this.#nowMs = Math.max(this.#nowMs, endMs);
        return;
      }
      // What a long statement has delayed fires late.
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      try {
        queue.fireNext();
      } catch (error) {
        this.#onError(error);
      }
      drainMicrotasks();
    }
  }

  #next(): TimerQueue | undefined {
    let next: TimerQueue | undefined;
    for (const queue of this.#queues) {
      if ((queue.nextDueMs() ?? Number.POSITIVE_INFINITY) < (next?.nextDueMs() ?? Number.POSITIVE_INFINITY))
        next = queue;
    }
    return next;
  }
}

/** Timers in the order in which they are due (a binary heap). */
export class TimerQueue {
  readonly #nowMs: () => number;
  readonly #nextSequence: () => number;
  #heap: Timer[] = [];
  /** By how much all timers are later than they were set for. */
  #heldBackMs = 0;

  constructor(nowMs: () => number, nextSequence: () => number) {
    this.#nowMs = nowMs;
    this.#nextSequence = nextSequence;
  }

  /** @returns how to call it off. */
  set(delayMs: number, work: () => void): () => void {
    const dueMs = this.#nowMs() - this.#heldBackMs + Math.ceil(Math.max(0, delayMs));
    const timer: Timer = { dueMs, sequence: this.#nextSequence(), work };
    this.#push(timer);
    return () => {
      timer.work = undefined;
    };
  }

  /** Everything that is set fires so much later. */
  holdBack(durationMs: number): void {
    this.#heldBackMs += durationMs;
  }

  nextDueMs(): number | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].work === undefined) this.#pop();
    const first = this.#heap[0];
    return first === undefined ? undefined : first.dueMs + this.#heldBackMs;
  }

  fireNext(): void {
    this.#pop()?.work?.();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let place = heap.push(timer) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = heap[parent];
      if (other === undefined || !isBefore(timer, other)) break;
      heap[place] = other;
      place = parent;
    }
    heap[place] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const least = heap[child];
      if (least === undefined || !isBefore(least, last)) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.sequence < other.sequence);

/** The clock of whoever is not the machine: Strava, people. */
export function worldClock(time: VirtualTime): Clock {
  const queue = time.createQueue();
  return { nowMs: () => time.nowMs(), after: (delayMs, work) => queue.set(delayMs, work) };
}
