import type { Clock, Dice, Fetch } from "../core/units.ts";

/** Where a command writes. Each call is one line (or several, joined by line breaks), without the last line break. */
export type Terminal = {
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: what went wrong, and what must not get between the lines of a log. */
  error(text: string): void;
  /** Whether standard output is a terminal, where a line can be written over. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Whether ANSI colours are wanted. */
  readonly color: boolean;
};

/** All that a command may know of the machine: `main.ts` gives the real one, tests their own. */
export type World = {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; undefined when there is none. Throws when it is there and cannot be read. */
  readonly readFile: (path: string) => string | undefined;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly fetch: Fetch;
  /** Of this program, from `package.json`. */
  readonly version: string;
  /** How this program was called, for commands that a person can copy: `broomwagon`, `bun src/main.ts`. */
  readonly program: string;
  /** The system's directory for what may vanish. */
  readonly tempDirectory: string;
  /** IANA name; times are shown in it. */
  readonly timeZone: string;
  /**
   * Aborted by the first SIGINT or SIGTERM. Whoever asks for it promises to end soon after; a command that never asks
   * is ended by the signal itself.
   */
  interruption(): AbortSignal;
};

/** 0: done. 1: failed. 2: wrong usage. 78: bad configuration (EX_CONFIG of sysexits.h). */
export type ExitCode = 0 | 1 | 2 | 78;

/** Waits so long, or until `signal` is aborted, whichever comes first. */
export function pause(clock: Clock, durationMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      callOff();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const callOff = clock.after(durationMs, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Resolves when `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
