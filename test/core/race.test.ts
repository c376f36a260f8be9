import { expect, test } from "bun:test";
import type { ListedActivity } from "../../src/core/activity.ts";
import { listFingerprint } from "../../src/core/race.ts";
import { epochMs } from "../../src/core/units.ts";

const activity: ListedActivity = {
  stravaActivityId: 16195505756,
  athleteStravaId: 4711,
  name: "Harbour Ten",
  type: "Run",
  sportType: "Run",
  workoutType: 1,
  distanceMeters: 10012.3,
  movingSeconds: 2580,
  elapsedSeconds: 2591,
  elevationGainMeters: 41.5,
  startMs: epochMs(1760904000000),
  startLocal: "2025-10-19T16:00:00",
  timezone: "(GMT-05:00) America/New_York",
  utcOffsetSeconds: -14400,
  visibility: "everyone",
  summaryPolyline: "ki{eFvqfiV",
  manual: false,
};

test("the fingerprint stays what it is from version to version: a change would fetch every detail again", () => {
  expect(listFingerprint(activity)).toBe("ad4fe69578dba52f");
});

test.each<Partial<ListedActivity>>([
  { name: "Harbour Ten " },
  { type: "Walk" },
  { sportType: "TrailRun" },
  { distanceMeters: 10012.4 },
  { movingSeconds: 2581 },
  { elapsedSeconds: 2590 },
  { startMs: epochMs(1760904001000) },
  { startLocal: "2025-10-19T16:00:01" },
  { manual: true },
  { summaryPolyline: null },
  { summaryPolyline: "ki{eFvqfiW" },
])("an edit that the detail may share changes the fingerprint: %p", (edit) => {
  expect(listFingerprint({ ...activity, ...edit })).not.toBe(listFingerprint(activity));
});

test.each<Partial<ListedActivity>>([
  { visibility: "only_me" },
  { workoutType: 0 },
  { elevationGainMeters: 42 },
  { timezone: null },
])("what the list alone tells costs no detail: %p", (edit) => {
  expect(listFingerprint({ ...activity, ...edit })).toBe(listFingerprint(activity));
});

test("a thousand small edits give a thousand fingerprints", () => {
  const seen = new Set<string>();
  for (let seconds = 0; seconds < 1000; seconds++) seen.add(listFingerprint({ ...activity, movingSeconds: seconds }));
  expect(seen.size).toBe(1000);
});
