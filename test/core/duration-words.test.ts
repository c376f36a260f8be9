import { expect, test } from "bun:test";
import { sayDuration } from "../../src/core/duration-words.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";

test.each([
  [0, "0 s"],
  [499, "0 s"],
  [500, "1 s"],
  [60.5 * SECOND_MS, "61 s"],
  [119.5 * SECOND_MS - 1, "119 s"],
  [2 * MINUTE_MS - 1, "120 s"],
  [2 * MINUTE_MS, "2 min"],
  [2.5 * MINUTE_MS - 1, "2 min"],
  [2.5 * MINUTE_MS, "3 min"],
  [90 * MINUTE_MS, "90 min"],
  [2 * HOUR_MS - 1, "120 min"],
  [2 * HOUR_MS, "2 h"],
  [2.5 * HOUR_MS - 1, "2 h"],
  [2.5 * HOUR_MS, "3 h"],
  [1_000_000.5 * HOUR_MS, "1000001 h"],
])("%p ms are said as %p", (durationMs, words) => {
  expect(sayDuration(durationMs)).toBe(words);
});
