import { expect, test } from "bun:test";
import { rollHex, seededDice } from "../../src/core/dice.ts";

test.each([
  [0, [1_144_304_738, 1_416_247, 958_946_056]],
  [1, [2_693_262_067, 11_749_833, 2_265_367_787]],
  [42, [2_581_720_956, 1_925_393_290, 3_661_312_704]],
  [2 ** 32 - 1, [3_850_105_811, 813_802_916, 3_073_704_848]],
])("seed %p falls as mulberry32 does, from version to version", (seed, rolls) => {
  const dice = seededDice(seed);
  expect(rolls.map(() => dice() * 2 ** 32)).toEqual(rolls);
});

test("a seed counts by its lowest 32 bits, whatever its sign", () => {
  expect(seededDice(-1)()).toBe(seededDice(2 ** 32 - 1)());
  expect(seededDice(2 ** 32 + 42)()).toBe(seededDice(42)());
});

test("random bytes are as many as were asked for, each from the roll that it belongs to", () => {
  const dice = seededDice(7);
  expect([rollHex(dice, 8), rollHex(dice, 3), rollHex(dice, 0)]).toEqual(["02ff152c0fdc7f12", "fa169e", ""]);
});

test("the lowest and the highest roll are eight digits too", () => {
  expect(rollHex(() => 0, 4)).toBe("00000000");
  expect(rollHex(() => 1 - 2 ** -32, 5)).toBe("ffffffffff");
  expect(rollHex(() => 0.1, 4)).toBe("19999999");
});

test("no more is rolled than the bytes need", () => {
  let rolls = 0;
  const dice = () => {
    rolls++;
    return 0.5;
  };
  const after = (byteCount: number) => {
    rolls = 0;
    rollHex(dice, byteCount);
    return rolls;
  };
  expect([0, 1, 4, 5, 8, 9].map(after)).toEqual([0, 1, 1, 2, 2, 3]);
});
