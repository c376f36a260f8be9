import type { Clock } from "../core/units.ts";

/** Resolves after so long. @throws the signal's reason when the client gives up before */
export function waitOut(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    });
    signal.addEventListener("abort", giveUp, { once: true });
  });
}

/** The requests that hang until they are let go. */
export class Hangs {
  readonly #releases = new Set<() => void>();

  /** @throws the signal's reason when the client gives up before */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const release = () => {
        this.#releases.delete(release);
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#releases.delete(release);
        reject(signal.reason);
      };
      this.#releases.add(release);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** @returns how many */
  release(): number {
    const releases = [...this.#releases];
    for (const release of releases) release();
    return releases.length;
  }
}
