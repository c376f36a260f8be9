import { expect, test } from "bun:test";
import type { ListedActivity } from "../../src/core/activity.ts";
import { isRace, listFingerprint } from "../../src/core/race.ts";
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

test("the digits of a fingerprint are always sixteen, those that begin with zeros too", () => {
  const digits = new Set<number>();
  const leading = new Set<string>();
  for (let seconds = 0; seconds < 2_000; seconds++) {
    const fingerprint = listFingerprint({ ...activity, movingSeconds: seconds });
    digits.add(fingerprint.length);
    leading.add(fingerprint.slice(0, 1));
    leading.add(fingerprint.slice(8, 9));
  }
  expect([...digits]).toEqual([16]);
  expect(leading.has("0")).toBe(true);
});

const counts = (edit: Partial<ListedActivity>, virtualRuns = false) =>
  isRace({ ...activity, ...edit }, { virtualRuns });

test("a race is a run that its athlete tagged as one, on a trail too", () => {
  expect([counts({}), counts({ sportType: "TrailRun" })]).toEqual([true, true]);
  expect([null, 0, 2, 3, 11].some((workoutType) => counts({ workoutType }))).toBe(false);
  expect(["Ride", "Walk", ""].some((type) => counts({ type, sportType: type }))).toBe(false);
});

test("a virtual run, by either of its two types, is a race only where the operator says so", () => {
  const virtual: readonly Partial<ListedActivity>[] = [
    { type: "VirtualRun", sportType: "VirtualRun" },
    { type: "VirtualRun", sportType: "Run" },
    { type: "Run", sportType: "VirtualRun" },
  ];
  for (const edit of virtual) {
    expect([counts(edit, false), counts(edit, true)]).toEqual([false, true]);
    expect(counts({ ...edit, workoutType: 0 }, true)).toBe(false);
  }
  expect([counts({}, true), counts({ type: "Ride", sportType: "Ride" }, true)]).toEqual([true, false]);
});
