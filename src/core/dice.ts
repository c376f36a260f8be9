import type { Dice } from "./units.ts";

/** Dice that always fall the same way for the same seed (mulberry32): for tests, generated clubs and simulations. */
export function seededDice(seed: number): Dice {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `byteCount` random bytes as lowercase hex: ids, lease tokens, trace ids. Not for secrets. */
export function rollHex(dice: Dice, byteCount: number): string {
  let hex = "";
  // Four bytes a roll: ids are rolled for every span, and half of their cost was rolling.
  while (hex.length < byteCount * 2) hex += rollEightDigits(dice);
  return hex.slice(0, byteCount * 2);
}

/** Eight hex digits: adding 2^32 and dropping the leading 1 pads with zeros. */
const rollEightDigits = (dice: Dice): string => (Math.floor(dice() * 2 ** 32) + 2 ** 32).toString(16).slice(1);
