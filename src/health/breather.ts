import type { Clock } from "../core/units.ts";

/** A check works for so long, and then lets everything else run: answers, heartbeats, commits. */
const WORK_MS = 10;

/** Lets the event loop run in the middle of long work. */
export type Breather = {
  /** After a page of reading: always. */
  turn(): Promise<void>;
  /** After a step that may have cost much or nothing: when it has been too long. */
  breathe(): Promise<void>;
};

/** By the clock and not by counting: a commit costs what the disk takes. */
export function createBreather(clock: Clock): Breather {
  let sinceMs = clock.nowMs();
  async function turn(): Promise<void> {
    await new Promise<void>((resolve) => void clock.after(0, resolve));
    sinceMs = clock.nowMs();
  }
  return {
    turn,
    async breathe() {
      // A clock that was set back has passed as well.
      if (Math.abs(clock.nowMs() - sinceMs) >= WORK_MS) await turn();
    },
  };
}
