import type { Clock } from "../core/units.ts";

/** What happened, line by line, with the moment of each: the same plan gives the same bytes. */
export class Diary {
  readonly #clock: Clock;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #listen: ((line: string) => void) | undefined;
  #unhashed: string[] = [];
  #lines = 0;

  /** @param listen is given each line; left out, they are only counted and hashed. */
  constructor(clock: Clock, listen?: (line: string) => void) {
    this.#clock = clock;
    this.#listen = listen;
  }

  note(text: string): void {
    // Where a stack lies on the disk is the machine's, and no part of what happened.
    const told = text.includes("    at ") ? text.replace(STACK_FRAMES, "") : text;
    const line = `${new Date(this.#clock.nowMs()).toISOString()} ${told}`;
    this.#lines++;
    this.#listen?.(line);
    this.#unhashed.push(line);
    if (this.#unhashed.length >= LINES_A_STEP) this.#hash();
  }

  get lines(): number {
    return this.#lines;
  }

  /** SHA-256 of all lines, the first 16 digits. Ends the diary. */
  digest(): string {
    this.#hash();
    return this.#hasher.digest("hex").slice(0, 16);
  }

  #hash(): void {
    for (const line of this.#unhashed) this.#hasher.update(`${line}\n`);
    this.#unhashed = [];
  }
}

const LINES_A_STEP = 200;
/** As an error has them, and as JSON has them in a log line. */
const STACK_FRAMES = /(?:\\n|\n) +at (?:(?!\\n)[^\n"])*/g;
