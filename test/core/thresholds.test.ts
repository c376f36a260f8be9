import { expect, test } from "bun:test";
import { isThreshold, THRESHOLD_BOUNDS, THRESHOLD_NAMES } from "../../src/core/thresholds.ts";
import { DAY_MS, SECOND_MS } from "../../src/core/units.ts";

test("each threshold has its bounds, both of them allowed", () => {
  expect(THRESHOLD_NAMES).toEqual(["stallAfterDiscoveryMs", "stallAfterEnrichmentMs", "maxRemedies"]);
  expect(THRESHOLD_BOUNDS.stallAfterDiscoveryMs).toEqual({ min: SECOND_MS, max: 7 * DAY_MS });
  expect(THRESHOLD_BOUNDS.stallAfterEnrichmentMs).toEqual({ min: SECOND_MS, max: 7 * DAY_MS });
  expect(THRESHOLD_BOUNDS.maxRemedies).toEqual({ min: 0, max: 20 });
  for (const name of THRESHOLD_NAMES) {
    const { min, max } = THRESHOLD_BOUNDS[name];
    const allowed = [min - 1, min, min + 1, max - 1, max, max + 1].map((value) => isThreshold(name, value));
    expect(allowed).toEqual([false, true, true, true, true, false]);
  }
});

test.each([undefined, null, "5", 1.5, Number.NaN, Number.POSITIVE_INFINITY])("%p is no threshold", (value) => {
  expect(isThreshold("maxRemedies", value)).toBe(false);
});
