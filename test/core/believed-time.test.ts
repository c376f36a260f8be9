import { expect, test } from "bun:test";
import { believedTime } from "../../src/core/believed-time.ts";
import { DAY_MS, type EpochMs, epochMs, HOUR_MS, plusMs } from "../../src/core/units.ts";

const NOW = epochMs(Date.UTC(2025, 10, 17, 12));
const ahead = (durationMs: number): EpochMs => plusMs(NOW, durationMs);

/** What is believed of a clock that is so far ahead, looked at hour by hour while nobody else tells the time. */
function hourly(aheadMs: number, hours: number): EpochMs {
  let believedMs = NOW;
  for (let hour = 1; hour <= hours; hour++) {
    believedMs = believedTime(ahead(aheadMs + hour * HOUR_MS), { believedMs, toldMs: undefined });
  }
  return believedMs;
}

test("a clock that goes on as clocks do is believed, also where a night lies between two looks", () => {
  expect(believedTime(NOW, { believedMs: undefined, toldMs: undefined })).toBe(NOW);
  expect(hourly(0, 100)).toBe(ahead(100 * HOUR_MS));
  const afterNight = (nightMs: number) => believedTime(ahead(nightMs), { believedMs: NOW, toldMs: undefined });
  expect(afterNight(25 * HOUR_MS)).toBe(ahead(25 * HOUR_MS));
  expect(afterNight(25 * HOUR_MS + 1)).toBe(ahead(25 * HOUR_MS));
});

test("one that was set forty days ahead is believed a day more with each hour, and whole after those forty", () => {
  expect(hourly(40 * DAY_MS, 1)).toBe(ahead(25 * HOUR_MS));
  expect(believedTime(NOW, { believedMs: epochMs(0), toldMs: undefined })).toBe(epochMs(25 * HOUR_MS));
  expect(hourly(40 * DAY_MS, 39)).toBe(ahead(39 * 25 * HOUR_MS));
  expect(hourly(40 * DAY_MS, 40)).toBe(ahead(40 * DAY_MS + 40 * HOUR_MS));
});

test("another clock that agrees is enough at once, and one that does not adds nothing", () => {
  const late = ahead(40 * DAY_MS);
  expect(believedTime(late, { believedMs: NOW, toldMs: late })).toBe(late);
  expect(believedTime(late, { believedMs: NOW, toldMs: ahead(DAY_MS) })).toBe(ahead(DAY_MS + 25 * HOUR_MS));
  expect(believedTime(late, { believedMs: NOW, toldMs: ahead(-DAY_MS) })).toBe(ahead(25 * HOUR_MS));
});

test("a clock is never believed to show more than it shows, so one that was set back is followed back", () => {
  expect(believedTime(ahead(-DAY_MS), { believedMs: NOW, toldMs: NOW })).toBe(ahead(-DAY_MS));
});
