import { expect, test } from "bun:test";
import fc from "fast-check";
import { seededDice } from "../../src/core/dice.ts";
import { narrowedSkew as narrowed } from "../../src/core/skew.ts";

const narrowedSkew = (knownMs: number, dateAheadMs: number, tookMs: number, bodyMs = 0): number =>
  narrowed(knownMs, { dateAheadMs, tookMs, bodyMs });

test("what agrees with an answer is kept, up to both of its bounds", () => {
  // An answer that took 300 ms: the other clock is between 700 ms behind and 600 ms ahead.
  const known = [-700, -699, 0, 599, 600];
  expect(known.map((knownMs) => narrowedSkew(knownMs, -700, 300))).toEqual(known);
});

test("what disagrees a little goes to the nearest bound, what disagrees by more than a second and a half to the middle", () => {
  const after = (knownMs: number) => narrowedSkew(knownMs, -700, 300);
  expect([-701, -2_200, -2_201].map(after)).toEqual([-700, -700, -50]);
  expect([601, 2_100, 2_101].map(after)).toEqual([600, 600, -50]);
  // In whole milliseconds.
  expect(narrowedSkew(90_000, -700, 301)).toBe(-49);
});

test("a header is on its way for half a second at most, however long the answer took", () => {
  expect([500, 501, 10_000].map((tookMs) => narrowedSkew(1_900, 0, tookMs))).toEqual([1_500, 1_500, 1_500]);
});

test("a body that takes its time says nothing of the clocks: the header was written before it", () => {
  // Written at 400 ms of a second, there 100 ms later, and whole after nine seconds more.
  const [dateMs, arrivedMs, bodyMs] = [100_000, 100_500, 9_000];
  const after = (knownMs: number) => narrowedSkew(knownMs, dateMs - arrivedMs - bodyMs, 100 + bodyMs, bodyMs);
  expect([-501, -500, 0, 600, 601].map(after)).toEqual([-500, -500, 0, 600, 600]);
  // Too slow an answer, its body counted, may have slept in the middle.
  expect(narrowedSkew(0, -10_500, 10_001, 9_900)).toBe(0);
  expect(narrowedSkew(-10_500, -10_500, 10_001, 9_900)).toBe(-10_500);
});

test("a very slow answer proves little: nobody takes the time that it took for a difference of clocks", () => {
  expect(narrowedSkew(0, -30_000, 30_000)).toBe(0);
  expect([10_000, 10_001].map((tookMs) => narrowedSkew(0, -10_000, tookMs))).toEqual([-9_250, 0]);
});

test("whatever the clocks and the answers, what is known comes within a second of the truth, and stays there", () => {
  const property = fc.property(fc.integer({ min: -1e8, max: 1e8 }), fc.nat(1e9), (skewMs, seed) => {
    const dice = seededDice(seed);
    let knownMs = 0;
    let nowMs = 1_763_334_772_370;
    for (let answer = 0; answer < 60; answer++) {
      const tookMs = Math.floor(dice() * 400);
      const writtenMs = nowMs + Math.floor(dice() * tookMs) + skewMs;
      nowMs += tookMs;
      const dateMs = Math.floor(writtenMs / 1_000) * 1_000;
      knownMs = narrowedSkew(knownMs, dateMs - nowMs, tookMs);
      if (answer >= 40) expect(Math.abs(knownMs - skewMs)).toBeLessThan(1_000);
      nowMs += Math.floor(dice() * 5_000);
    }
  });
  fc.assert(property, { numRuns: 300 });
});
