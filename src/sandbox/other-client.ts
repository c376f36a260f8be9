import { seededDice } from "../core/dice.ts";
import { DAY_MS, type EpochMs, epochMs, QUARTER_MS } from "../core/units.ts";

/** Another client of the same application, which reads at random moments. */
export type OtherClientHabits = {
  /** The part of the day's read limit that it uses, on average. */
  readonly share: number;
  /**
   * `even` (unless given): spread over the day. `eager`: the same part of each quarter-hour's limit, until its part of
   * the day's is used up.
   */
  readonly pace?: "even" | "eager";
};

/** The limits that it keeps to its share of. */
type Limits = { readonly quarter: number; readonly day: number };

const QUARTERS_A_DAY = DAY_MS / QUARTER_MS;

/**
 * When another client makes its requests. Nothing runs by itself: whoever wants to know the usage of a moment asks for
 * what came before it. How many fall into a quarter-hour, and when, follows from the seed and that quarter alone, never
 * from who asked when; an hour of silence costs nothing. The number is exponentially distributed: mostly few, now and
 * then many.
 */
export class OtherClient {
  readonly #habits: OtherClientHabits;
  readonly #seed: number;
  readonly #startMs: number;
  /** The first quarter that has not been drawn up. */
  #nextQuarter: number;
  #day = { number: -1, used: 0 };
  /** Moments of the quarter drawn up last, in order, and how many of them are past. */
  #moments: number[] = [];
  #past = 0;

  constructor(habits: OtherClientHabits, { seed, nowMs }: { seed: number; nowMs: EpochMs }) {
    this.#habits = habits;
    this.#seed = seed;
    this.#startMs = nowMs;
    this.#nextQuarter = Math.floor(nowMs / QUARTER_MS);
  }

  /** Calls `spend` for each request until now that was not told yet, in order. */
  catchUp(nowMs: EpochMs, limits: Limits, spend: (atMs: EpochMs) => void): void {
    // Nobody can see any more what was used on days that are over.
    this.#nextQuarter = Math.max(this.#nextQuarter, Math.floor(nowMs / DAY_MS) * QUARTERS_A_DAY);
    for (;;) {
      for (; this.#past < this.#moments.length; this.#past++) {
        const atMs = this.#moments[this.#past] ?? Number.POSITIVE_INFINITY;
        if (atMs > nowMs) return;
        spend(epochMs(atMs));
      }
      if (this.#nextQuarter * QUARTER_MS > nowMs) return;
      this.#drawUp(this.#nextQuarter++, limits);
    }
  }

  #drawUp(quarter: number, limits: Limits): void {
    const dice = seededDice(Math.imul(quarter, 0x9e37_79b1) ^ this.#seed);
    const day = Math.floor(quarter / QUARTERS_A_DAY);
    if (day !== this.#day.number) this.#day = { number: day, used: 0 };
    const { share, pace = "even" } = this.#habits;
    const mean = pace === "even" ? (share * limits.day) / QUARTERS_A_DAY : share * limits.quarter;
    const left = pace === "even" ? Number.POSITIVE_INFINITY : Math.round(share * limits.day) - this.#day.used;
    // Rounded up or down by chance: the mean stays what it is, however small.
    const count = Math.min(Math.floor(-Math.log(1 - dice()) * mean + dice()), limits.quarter, Math.max(0, left));
    this.#day.used += count;
    this.#past = 0;
    this.#moments = Array.from({ length: count }, () => quarter * QUARTER_MS + Math.floor(dice() * QUARTER_MS))
      .filter((atMs) => atMs > this.#startMs)
      .sort((a, b) => a - b);
  }
}
