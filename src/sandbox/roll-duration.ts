import type { Dice } from "../core/units.ts";

/** Milliseconds: always so many, or any number between two. */
export type DurationWish = number | { readonly min: number; readonly max: number };

export function rollDurationMs(dice: Dice, wish: DurationWish): number {
  return typeof wish === "number" ? wish : wish.min + dice() * (wish.max - wish.min);
}
