import { describe, expect, test } from "bun:test";
import { isRace } from "../../src/core/race.ts";
import { epochMs } from "../../src/core/units.ts";
import { parseActivity, parseActivityPage } from "../../src/strava/wire.ts";
import { parseTokenGrant } from "../../src/strava/wire-oauth.ts";
import { rawActivity } from "./payloads.ts";

describe("a listed activity", () => {
  test("keeps every number as Strava wrote it", () => {
    expect(listed({})).toEqual({
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
      startMs: epochMs(Date.UTC(2025, 9, 19, 20)),
      startLocal: "2025-10-19T16:00:00",
      timezone: "(GMT-05:00) America/New_York",
      utcOffsetSeconds: -14400,
      visibility: "everyone",
      summaryPolyline: "ki{eFvqfiV",
      manual: false,
    });
  });

  test.each([0, 1, 2, 3, 10, 11, 30, null, undefined])("is a race with workout_type %p only if that is 1", (value) => {
    const activity = listed({ workout_type: value });
    expect(activity.workoutType).toBe(value ?? null);
    expect(isRace(activity, { virtualRuns: false })).toBe(value === 1);
  });

  test.each([
    ["Run", "Run", true, true],
    ["Run", "TrailRun", true, true],
    [undefined, "TrailRun", true, true],
    ["Run", undefined, true, true],
    ["VirtualRun", "VirtualRun", false, true],
    ["Run", "VirtualRun", false, true],
    [undefined, "VirtualRun", false, true],
    ["Ride", "Ride", false, false],
    ["Workout", "Quidditch", false, false],
    [undefined, "Quidditch", false, false],
  ])("of type %p and sport %p is a race: %p, with virtual runs: %p", (type, sport_type, race, virtualRace) => {
    const activity = listed({ type, sport_type });
    expect(isRace(activity, { virtualRuns: false })).toBe(race);
    expect(isRace(activity, { virtualRuns: true })).toBe(virtualRace);
  });

  test.each([[{ summary_polyline: "" }], [{ summary_polyline: null }], [{ id: "a1" }], [null], [undefined]])(
    "without GPS (map %p) has no polyline and is whole all the same",
    (map) => {
      expect(listed({ map, start_latlng: [], end_latlng: null }).summaryPolyline).toBeNull();
    },
  );

  test("typed in by hand, with no upload, is read", () => {
    const activity = listed({ manual: true, upload_id: null, external_id: null, map: { summary_polyline: "" } });
    expect(activity).toMatchObject({ manual: true, summaryPolyline: null });
  });

  test.each([16195505756, 154504250376823, Number.MAX_SAFE_INTEGER])("keeps the id %p exact", (id) => {
    expect(listed({ id }).stravaActivityId).toBe(id);
  });

  test("is not harmed by numbers elsewhere that a JSON number cannot hold", () => {
    const text = JSON.stringify([rawActivity()]).replace(
      '"upload_id":17279496051',
      '"upload_id":987654321234567891234',
    );
    const page = parseActivityPage(JSON.parse(text));
    expect(text).toContain("987654321234567891234");
    expect(page).toEqual(parseActivityPage([rawActivity()]));
  });

  test.each([
    ["2025-10-19T10:00:00Z", "2025-10-19T00:00:00Z", -36_000], // Honolulu
    ["2025-04-05T16:30:00Z", "2025-04-06T02:30:00Z", 36_000], // Sydney, in the hour that comes twice
    ["2025-03-09T07:30:00Z", "2025-03-09T02:30:00Z", -18_000], // an hour that New York skips
    ["2025-12-31T11:00:00Z", "2026-01-01T00:00:00Z", 46_800], // Auckland, into the next year
  ])("that started at %p keeps its wall time %p, whatever zone this machine is in", (start_date, local, utc_offset) => {
    const activity = listed({ start_date, start_date_local: local, utc_offset });
    expect(activity.startMs).toBe(epochMs(Date.parse(start_date)));
    expect(activity.startLocal).toBe(local.slice(0, -1));
    expect(activity.utcOffsetSeconds).toBe(utc_offset);
  });

  test.each([
    ["everyone", false, "everyone"],
    ["followers_only", false, "followers_only"],
    ["only_me", true, "only_me"],
    ["everyone", true, "only_me"],
    ["everyone", undefined, "everyone"],
    [undefined, false, "everyone"],
    [undefined, true, "only_me"],
    [undefined, undefined, "only_me"],
    ["club_members", false, "only_me"],
    [7, false, "only_me"],
  ])("with visibility %p and private %p is seen by %p", (visibility, isPrivate, expected) => {
    expect(String(listed({ visibility, private: isPrivate }).visibility)).toBe(expected);
  });

  test("takes unknown fields and missing heart rates, and counts a missing distance or time as 0", () => {
    const activity = listed({
      quidditch: { snitch: [1] },
      distance: undefined,
      moving_time: null,
      elapsed_time: undefined,
      total_elevation_gain: null,
      timezone: undefined,
      utc_offset: undefined,
      athlete: undefined,
    });
    expect(activity).toMatchObject({ distanceMeters: 0, movingSeconds: 0, elapsedSeconds: 0 });
    expect(activity).toMatchObject({ elevationGainMeters: null, timezone: null, utcOffsetSeconds: null });
    expect(activity.athleteStravaId).toBeUndefined();
  });
});

describe("a malformed item", () => {
  test.each([
    [{ id: undefined }, "id: missing"],
    [{ id: 0 }, "id: not a positive integer below 2^53"],
    [{ id: 2 ** 53 }, "id: not a positive integer below 2^53"],
    [{ id: "16195505756" }, "id: expected a finite number, got a string"],
    [{ distance: "10 km" }, "distance: expected a finite number, got a string"],
    [{ distance: Number.POSITIVE_INFINITY }, "distance: expected a finite number, got an infinite number"],
    [{ name: ["x"] }, "name: expected a string, got an array"],
    [{ map: [] }, "map: expected an object, got an array"],
    [{ map: { summary_polyline: 5 } }, "map.summary_polyline: expected a string, got a number"],
    [{ athlete: { id: 1.5 } }, "athlete.id: not a positive integer below 2^53"],
    [{ start_date: "2025-10-19T20:00:00" }, "start_date: not a time in UTC"],
    [{ start_date: "2025-13-19T20:00:00Z" }, "start_date: not a time in UTC"],
    [{ start_date: undefined }, "start_date: missing"],
    [{ start_date_local: "yesterday" }, "start_date_local: not a local time"],
    [{ type: undefined, sport_type: null }, "sport_type: missing, and type too"],
  ])("%p is reported with its path, and hides no other item", (changes, reason) => {
    const parsed = parseActivityPage([rawActivity({ id: 1 }), rawActivity(changes), null, rawActivity({ id: 3 })]);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.value.activities.map((activity) => activity.stravaActivityId)).toEqual([1, 3]);
    expect(parsed.value.malformed).toMatchObject([
      { index: 1, reason },
      { index: 2, reason: "item: expected an object, got null" },
    ]);
    expect(parsed.value.rawCount).toBe(4);
  });

  test("tells its id where that can be read", () => {
    const parsed = parseActivityPage([rawActivity({ id: 12, distance: true }), rawActivity({ id: "x" })]);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.value.malformed).toEqual([
      { index: 0, reason: "distance: expected a finite number, got a boolean", stravaActivityId: 12 },
      { index: 1, reason: "id: expected a finite number, got a string" },
    ]);
  });

  test("that is the page itself is no page", () => {
    expect(parseActivityPage({ message: "hello" })).toEqual({ ok: false, reason: "expected an array, got an object" });
    expect(parseActivityPage(null)).toEqual({ ok: false, reason: "expected an array, got null" });
  });
});

describe("a detailed activity", () => {
  test.each(["", "line one\r\nline two 🏃‍♀️ <b>\"&amp;'</b>", "x".repeat(10_240), null, undefined])(
    "keeps its description",
    (description) => {
      expect(detail({ description }).description).toBe(description ?? null);
    },
  );

  test("has both polylines, and neither with a hidden map", () => {
    expect(detail({ map: { polyline: "full", summary_polyline: "coarse" } })).toMatchObject({
      polyline: "full",
      summaryPolyline: "coarse",
    });
    for (const map of [undefined, null, {}, { polyline: "", summary_polyline: null }]) {
      expect(detail({ map })).toMatchObject({ polyline: null, summaryPolyline: null });
    }
  });

  test("does not care about segments, there or not, whatever their ids", () => {
    expect(detail({ segment_efforts: [{ id: 3132354599150812700 }], photos: null, laps: [] })).toEqual(detail({}));
  });
});

describe("a pair of tokens", () => {
  const sent = { refreshToken: "old-refresh", nowMs: epochMs(1_000_000) };

  test("comes with its expiry in milliseconds and the scope where it is told", () => {
    const body = { access_token: "a", refresh_token: "r", expires_at: 1760918400, expires_in: 21600, scope: "read" };
    expect(parseTokenGrant(body, sent)).toEqual({
      ok: true,
      value: { accessToken: "a", refreshToken: "r", expiresAtMs: epochMs(1760918400000), scope: "read" },
    });
  });

  test("keeps the refresh token that was sent where none comes back, and can count from expires_in", () => {
    expect(parseTokenGrant({ access_token: "a", expires_in: 60 }, sent)).toEqual({
      ok: true,
      value: { accessToken: "a", refreshToken: "old-refresh", expiresAtMs: epochMs(1_060_000) },
    });
  });

  test("without a token or an expiry is none", () => {
    expect(parseTokenGrant({ expires_at: 1 }, sent)).toEqual({ ok: false, reason: "access_token: missing" });
    expect(parseTokenGrant({ access_token: "", expires_at: 1 }, sent)).toEqual({
      ok: false,
      reason: "access_token: empty",
    });
    expect(parseTokenGrant({ access_token: "a" }, sent)).toEqual({ ok: false, reason: "expires_in: missing" });
    expect(parseTokenGrant("a", sent)).toEqual({ ok: false, reason: "body: expected an object, got a string" });
  });
});

function listed(changes: Record<string, unknown>) {
  const parsed = parseActivityPage([rawActivity(changes)]);
  const activity = parsed.ok ? parsed.value.activities[0] : undefined;
  if (activity === undefined) throw new Error(`not read: ${JSON.stringify(parsed)}`);
  return activity;
}

function detail(changes: Record<string, unknown>) {
  const parsed = parseActivity(rawActivity({ map: { polyline: "full", summary_polyline: "coarse" }, ...changes }));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}
