import { expect, test } from "bun:test";
import {
  ERASED_AFTER_MS,
  erasureDueMs,
  FORGOTTEN_AFTER_MS,
  isCompleteListDue,
  isStale,
  WIPED_AFTER_MS,
} from "../../src/core/freshness.ts";
import { DAY_MS, epochMs, HOUR_MS, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(Date.UTC(2025, 10, 17, 12));
const ago = (durationMs: number) => plusMs(NOW, -durationMs);

test("what Strava showed within seven days is fresh, and stale a millisecond later", () => {
  expect([7 * DAY_MS - 1, 7 * DAY_MS, 7 * DAY_MS + 1].map((ms) => isStale(ago(ms), NOW))).toEqual([false, false, true]);
});

test("the job that wipes and erases comes each hour, and is in time for what the terms ask", () => {
  expect(WIPED_AFTER_MS + HOUR_MS).toBe(48 * HOUR_MS);
  expect(ERASED_AFTER_MS + HOUR_MS).toBe(30 * DAY_MS);
  expect(FORGOTTEN_AFTER_MS).toBe(30 * DAY_MS);
  expect(erasureDueMs(ago(DAY_MS))).toBe(plusMs(NOW, 29 * DAY_MS - HOUR_MS));
});

test("a whole list is due when with the next turn races would be stale, and where there never was one", () => {
  const due = (listedAgoMs: number) => isCompleteListDue(ago(listedAgoMs), NOW, DAY_MS);
  expect([6 * DAY_MS - 1, 6 * DAY_MS, 6 * DAY_MS + 1].map(due)).toEqual([false, false, true]);
  expect(isCompleteListDue(null, NOW, 0)).toBe(true);
  // Dated by a clock that was ahead and has been set right.
  expect(isCompleteListDue(ago(0), NOW, 0)).toBe(false);
  expect(isCompleteListDue(ago(-1), NOW, 0)).toBe(true);
});
