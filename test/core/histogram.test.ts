import { expect, test } from "bun:test";
import fc from "fast-check";
import { BUCKETS, bucketOf, DURATION_BOUNDS_MS, percentile } from "../../src/core/histogram.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";

const countsOf = (...durations: number[]): number[] =>
  BUCKETS.map((bucket) => durations.filter((ms) => bucketOf(ms) === bucket).length);

test("a bound is within its bucket, and what is longer than all is in the last", () => {
  expect([0, 1_000, 1_001, 5_001, 9_999, 10_000, 10_001, MINUTE_MS, MINUTE_MS + 1].map(bucketOf)).toEqual([
    1_000,
    1_000,
    5_000,
    10_000,
    10_000,
    10_000,
    30_000,
    MINUTE_MS,
    2 * MINUTE_MS,
  ]);
  expect([DAY_MS, DAY_MS + 1].map(bucketOf)).toEqual([DAY_MS, "inf"]);
});

test("a percentile is the end of the bucket in which it lies, and none where it lies beyond them all", () => {
  expect(percentile(countsOf(), 0.5)).toBeNull();
  expect(percentile(countsOf(9_998), 0.5)).toBe(10_000);
  expect(percentile(countsOf(...Array(10).fill(70_000)), 0.5)).toBe(2 * MINUTE_MS);
  // Nine at once and one after half a day: the ninetieth is still at once, the ninety-ninth is not.
  const rare = countsOf(...Array(9).fill(0), 12 * 60 * MINUTE_MS);
  expect(percentile(rare, 0.9)).toBe(1_000);
  expect(percentile(rare, 0.99)).toBe(DAY_MS);
  expect(percentile(countsOf(DAY_MS * 3), 0.5)).toBeNull();
  expect(percentile(countsOf(20_000), 0)).toBe(30_000);
});

test("at least the fraction of the durations is within a percentile, and it grows with its fraction", () => {
  const duration = fc.integer({ min: 0, max: 2 * DAY_MS });
  const fraction = fc.double({ min: 0.01, max: 1, noNaN: true });
  const within = (counts: readonly number[], of: number) => percentile(counts, of) ?? Number.POSITIVE_INFINITY;
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), fraction, fraction, (durations, one, other) => {
      const counts = countsOf(...durations);
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      expect(within(counts, low)).toBeLessThanOrEqual(within(counts, high));
      const limitMs = within(counts, low);
      const share = durations.filter((ms) => ms <= limitMs).length / durations.length;
      expect(share).toBeGreaterThanOrEqual(low - 1e-9);
      // And it is not larger than need be: fewer are within the bound before.
      const beforeMs = DURATION_BOUNDS_MS.findLast((boundMs) => boundMs < limitMs) ?? -1;
      const before = durations.filter((ms) => ms <= beforeMs).length / durations.length;
      expect(before).toBeLessThan(low);
    }),
  );
});

test("the bounds of the buckets stay what they are: counts of earlier days were made by them", () => {
  const minutes = [1, 2, 5, 10, 15, 30].map((count) => count * MINUTE_MS);
  expect([...DURATION_BOUNDS_MS]).toEqual([
    1_000,
    5_000,
    10_000,
    30_000,
    ...minutes,
    HOUR_MS,
    6 * HOUR_MS,
    24 * HOUR_MS,
  ]);
  expect(BUCKETS).toEqual([...DURATION_BOUNDS_MS, "inf"]);
});

test("a percentile lies in the bucket that holds its very rank, and counts that end early mean nothing was in the rest", () => {
  // Ranks 1 to 99 are in the first bucket, the hundredth in the second.
  const counts = countsOf(...Array(99).fill(500), 2_000);
  expect([percentile(counts, 0.99), percentile(counts, 0.991)]).toEqual([1_000, 5_000]);
  expect(percentile([0, 0, 4], 1)).toBe(10_000);
  expect(percentile([], 0.5)).toBeNull();
  expect(percentile([0, 0, 0], 0.5)).toBeNull();
});
