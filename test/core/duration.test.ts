import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/core/duration.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";

describe("a written duration", () => {
  test.each([
    ["500ms", 500],
    ["0s", 0],
    ["90s", 90_000],
    ["10m", 10 * MINUTE_MS],
    ["48h", 48 * HOUR_MS],
    ["7d", 7 * DAY_MS],
    [" 5 m ", 5 * MINUTE_MS],
  ])("%p is %p milliseconds", (text, expectedMs) => {
    expect(parseDuration(text)).toBe(expectedMs);
  });

  test.each(["", "10", "s", "-1s", "1.5h", "1h30m", "1w", "1S", "1 0s", "1e3s", "99999999999999999d"])(
    "%p is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

test("a duration is written in the largest unit that divides it", () => {
  expect([0, 1, 1_500, 90_000, 10 * MINUTE_MS, 36 * HOUR_MS, 48 * HOUR_MS].map(formatDuration)).toEqual([
    "0s",
    "1ms",
    "1500ms",
    "90s",
    "10m",
    "36h",
    "2d",
  ]);
});

test("what is written is read back the same", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (durationMs) => {
      expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
    }),
  );
});
