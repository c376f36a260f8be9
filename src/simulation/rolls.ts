import type { Dice } from "../core/units.ts";

/** Dice in words. */
export class Rolls {
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#dice() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.#dice() < share;
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError("There is nothing to pick from");
    return choices[this.whole(0, choices.length - 1)] as T;
  }

  /** Mostly small: half of them in the lowest tenth of the range. */
  skewed(least: number, most: number): number {
    return this.whole(least, this.#dice() < 0.5 ? least + Math.ceil((most - least) / 10) : most);
  }
}
