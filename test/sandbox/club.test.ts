import { describe, expect, test } from "bun:test";
import type { SandboxActivity } from "../../src/sandbox/activity.ts";
import { type ClubSpec, generateClub } from "../../src/sandbox/club.ts";
import { createSandbox } from "../../src/sandbox/sandbox.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { NOW, startingAt } from "./visit.ts";

const sandboxOf = (club: ClubSpec, seed = 1) => createSandbox({ clock: new FakeClock(NOW), seed, club });
const isRace = ({ type, workout_type }: SandboxActivity) => type === "Run" && workout_type === 1;

/** One club for all that is asked of its variety: four athletes with as many activities as a keen one has. */
const keen = sandboxOf({ athletes: 4, activitiesEach: 1_000, racesEach: 80 });
const all = keen.athletes().flatMap(({ stravaId }) => keen.activities(stravaId));
const some = (holds: (activity: SandboxActivity) => boolean) => all.filter(holds).length;

describe("a generated club", () => {
  test("follows from its seed, tokens included", () => {
    const spec: ClubSpec = { athletes: 3 };
    const tell = (seed: number) => {
      const sandbox = sandboxOf(spec, seed);
      const athletes = sandbox.athletes();
      return Bun.inspect([athletes, athletes.map(({ stravaId }) => sandbox.activities(stravaId))], { depth: 9 });
    };
    expect(tell(7)).toBe(tell(7));
    expect(tell(7)).not.toBe(tell(8));
  });

  test("has as many activities and races as asked, in exact numbers and in ranges", () => {
    const counts = (club: ClubSpec) => {
      const sandbox = sandboxOf(club);
      return sandbox.athletes().map(({ stravaId }) => {
        const activities = sandbox.activities(stravaId);
        return [activities.length, activities.filter(isRace).length];
      });
    };
    expect(counts({ athletes: 2, activitiesEach: 65, racesEach: 45 })).toEqual([
      [65, 45],
      [65, 45],
    ]);
    expect(counts({ athletes: [{ activities: 3, races: 9 }, { activities: 4, races: 0 }, { activities: 0 }] })).toEqual(
      [
        [3, 3],
        [4, 0],
        [0, 0],
      ],
    );
    for (const [activities, races] of counts({
      athletes: 30,
      activitiesEach: { min: 5, max: 7 },
      racesEach: { min: 1, max: 2 },
    })) {
      expect([5, 6, 7]).toContain(activities ?? -1);
      expect([1, 2]).toContain(races ?? -1);
    }
  });

  test("gives athletes ids, names and scope as asked", () => {
    const athlete = { stravaId: 77, firstName: "Wren", lastName: "Sedge", scope: "read,activity:read", activities: 1 };
    expect(sandboxOf({ athletes: [athlete, {}] }).athletes()).toMatchObject([
      { stravaId: 77, firstName: "Wren", lastName: "Sedge", scope: "read,activity:read" },
      { scope: "read,activity:read_all" },
    ]);
  });

  test("has each kind of workout type, run races of both sport types, and races that are no runs", () => {
    for (const workoutType of [0, 1, 2, 3, 10, 11, 12, 30, null]) {
      expect(some(({ workout_type }) => workout_type === workoutType)).toBeGreaterThan(0);
    }
    expect(some((activity) => !("workout_type" in activity))).toBeGreaterThan(0);
    expect(some((activity) => isRace(activity) && activity.sport_type === "TrailRun")).toBeGreaterThan(0);
    expect(some(({ type, workout_type }) => type === "VirtualRun" && workout_type === 1)).toBeGreaterThan(0);
    expect(some(({ type, sport_type }) => type === "Run" && sport_type === "TrailRun")).toBeGreaterThan(0);
  });

  test("has what may be missing, null or empty", () => {
    expect(some(({ map }) => map === undefined)).toBeGreaterThan(0);
    expect(some(({ map }) => map === null)).toBeGreaterThan(0);
    expect(some(({ map }) => map?.summary_polyline === null)).toBeGreaterThan(0);
    expect(some(({ map }) => map?.summary_polyline === "")).toBeGreaterThan(0);
    expect(some(({ start_latlng }) => start_latlng === null)).toBeGreaterThan(0);
    expect(some(({ start_latlng }) => start_latlng?.length === 0)).toBeGreaterThan(0);
    for (const key of ["average_heartrate", "elev_high", "average_cadence", "upload_id_str", "device_name"]) {
      expect(some((activity) => key in activity)).toBeGreaterThan(0);
      expect(some((activity) => !(key in activity))).toBeGreaterThan(0);
    }
    expect(some(({ gear_id }) => gear_id === null)).toBeGreaterThan(0);
    expect(some(({ flagged }) => flagged)).toBeGreaterThan(0);
    expect(some(({ upload_id }) => typeof upload_id === "bigint")).toBeGreaterThan(0);
    for (const manual of all.filter((activity) => activity.manual)) {
      expect([manual.upload_id, manual.external_id, manual.map?.summary_polyline ?? ""]).toEqual([null, null, ""]);
    }
  });

  test("has races with a line and without, and private ones, of the usual distances", () => {
    const races = all.filter(isRace);
    const withLine = races.filter(({ map }) => (map?.summary_polyline ?? "") !== "");
    expect(withLine.length).toBeGreaterThan(races.length * 0.9);
    expect(withLine.length).toBeLessThan(races.length);
    const lengths = withLine.map(({ map }) => map?.summary_polyline?.length ?? 0);
    expect(Math.min(...lengths)).toBeGreaterThan(30);
    expect(Math.max(...lengths)).toBeLessThan(1_300);
    expect(Math.min(...races.map(({ distance }) => distance))).toBeGreaterThan(2_900);
  });

  test("keeps `private` for `only_me` alone", () => {
    for (const visibility of ["everyone", "followers_only", "only_me"]) {
      expect(some((activity) => activity.visibility === visibility)).toBeGreaterThan(0);
    }
    expect(some((activity) => activity.private !== (activity.visibility === "only_me"))).toBe(0);
  });

  test("has ids beyond 32 bits, all different, in upload order and so not always in start order", () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(some(({ id }) => id > 2 ** 32)).toBeGreaterThan(all.length * 0.9);
    let late = 0;
    for (const { stravaId } of keen.athletes()) {
      const ids = keen.activities(stravaId).map(({ id }) => id);
      late += ids.filter((id, place) => ids.slice(0, place).some((newer) => newer < id)).length;
    }
    expect(late / all.length).toBeGreaterThan(0.01);
    expect(late / all.length).toBeLessThan(0.06);
  });

  test("starts nothing in the future, hides some start times, and calls local time UTC", () => {
    for (const { start_date, start_date_local, utc_offset } of all) {
      expect(Date.parse(start_date)).toBeLessThan(NOW);
      expect(Date.parse(start_date_local) - Date.parse(start_date)).toBe(utc_offset * 1_000);
    }
    expect(some(({ start_date_local }) => start_date_local.endsWith("T00:00:01Z"))).toBeGreaterThan(0);
    expect(new Set(all.map(({ timezone }) => timezone)).size).toBeGreaterThan(5);
  });

  test("describes activities with nothing, an empty text, line ends, emoji, HTML and an essay", () => {
    const descriptions = all.map(({ id }) => keen.detail(id)?.description);
    expect(descriptions).toContain(null);
    expect(descriptions).toContain("");
    const texts = descriptions.filter((text) => typeof text === "string");
    for (const part of ["\r\n", "🙌🏽", "<b>"]) expect(texts.some((text) => text.includes(part))).toBe(true);
    expect(Math.max(...texts.map((text) => Buffer.byteLength(text)))).toBeGreaterThan(10_000);
  });
});

describe("explicit activities", () => {
  test("are those and no others, filled up with a plain run", () => {
    const sandbox = sandboxOf({
      athletes: [{ stravaId: 5, activities: [startingAt(-9, { id: 3, name: "One" }), {}] }],
    });
    const [one, other] = sandbox.activities(5);
    expect(sandbox.activities(5)).toHaveLength(2);
    expect(one).toMatchObject({
      id: 3,
      name: "One",
      athlete: { id: 5, resource_state: 1 },
      type: "Run",
      workout_type: 0,
    });
    expect(Date.parse(other?.start_date ?? "")).toBe(NOW - 2 * 86_400_000);
  });

  test("an activity added later is the newest by id and starts now unless it says otherwise", () => {
    const sandbox = sandboxOf({ athletes: 1, activitiesEach: 20 });
    const stravaId = sandbox.athletes()[0]?.stravaId ?? 0;
    const before = sandbox.activities(stravaId).map(({ id }) => id);
    const added = sandbox.addActivity(stravaId, { workout_type: 1 });
    expect(added.id).toBeGreaterThan(Math.max(...before));
    expect(added).toMatchObject({ start_date: "2025-11-17T09:07:00Z", workout_type: 1 });
    expect(sandbox.activities(stravaId)[0]).toBe(added);
    expect(() => sandbox.addActivity(1, {})).toThrow("no athlete 1");
  });
});

test("a club also exists before Strava's first id", () => {
  const [member] = generateClub({ athletes: 1, activitiesEach: 50 }, { seed: 1, nowMs: 1_000_000_000_000 });
  for (const { activity } of member?.activities ?? []) expect(activity.id).toBeGreaterThan(0);
});
