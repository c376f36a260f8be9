import { expect, test } from "bun:test";
import fc from "fast-check";
import { BUCKETS, bucketOf, DURATION_BOUNDS_MS, percentile } from "../../src/core/histogram.ts";
import { DAY_MS, MINUTE_MS } from "../../src/core/units.ts";

const countsOf = (...durations: number[]): number[] =>
  BUCKETS.map((bucket) => durations.filter((ms) => bucketOf(ms) === bucket).length);

test("a bound is within its bucket, and what is longer than all is in the last", () => {
  expect([0, 9_999, 10_000, 10_001, MINUTE_MS, MINUTE_MS + 1].map(bucketOf)).toEqual([
    10_000,
    10_000,
    10_000,
    30_000,
    MINUTE_MS,
    2 * MINUTE_MS,
  ]);
  expect([DAY_MS, DAY_MS + 1].map(bucketOf)).toEqual([DAY_MS, "inf"]);
});

test("percentiles lie where the durations are, spread evenly within a bucket", () => {
  expect(percentile(countsOf(), 0.5)).toBeNull();
  // Ten between one minute and two: half of them are below 90 s.
  expect(percentile(countsOf(...Array(10).fill(70_000)), 0.5)).toBe(90_000);
  expect(percentile(countsOf(...Array(10).fill(70_000)), 0.9)).toBe(114_000);
  // Nine at once and one after half a day: the ninetieth is still at once, the ninety-ninth is not.
  const rare = countsOf(...Array(9).fill(0), 12 * 60 * MINUTE_MS);
  expect(percentile(rare, 0.9)).toBe(10_000);
  expect(percentile(rare, 0.99)).toBeGreaterThan(6 * 60 * MINUTE_MS);
  expect(percentile(countsOf(DAY_MS * 3), 0.5)).toBe(DAY_MS);
  expect(percentile(countsOf(0, 0), 0)).toBe(0);
  expect(percentile(countsOf(20_000), 0)).toBe(10_000);
});

test("a percentile is never outside the bucket of the true one, and grows with its fraction", () => {
  const duration = fc.integer({ min: 0, max: 2 * DAY_MS });
  const fraction = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), fraction, fraction, (durations, one, other) => {
      const counts = countsOf(...durations);
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      expect(percentile(counts, low)).toBeLessThanOrEqual(percentile(counts, high) ?? -1);
      const sorted = durations.toSorted((a, b) => a - b);
      // The rank is a whole number but for what floating point makes of it.
      const rank = Math.ceil(Number((low * sorted.length).toFixed(9)));
      const truth = bucketOf(sorted[Math.max(0, rank - 1)] ?? -1);
      const place = BUCKETS.indexOf(truth);
      const estimate = percentile(counts, low) ?? -1;
      expect(estimate).toBeGreaterThanOrEqual(DURATION_BOUNDS_MS[place - 1] ?? 0);
      expect(estimate).toBeLessThanOrEqual(truth === "inf" ? DAY_MS : truth);
    }),
  );
});
