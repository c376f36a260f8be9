import { expect, test } from "bun:test";
import { join } from "node:path";
import type { ListedActivity } from "../../src/core/activity.ts";
import { isRace } from "../../src/core/race.ts";
import { parseRateHeaders } from "../../src/strava/rate-headers.ts";
import { parseActivity, parseActivityPage } from "../../src/strava/wire.ts";
import { findRecordings } from "../support/recordings.ts";

type Recorded = { response: { headers: Record<string, string>; body: unknown } }[];

/** Real answers hold a person's data: they lie in a folder beside the project where there are any, and never in it. */
const folder = findRecordings();
const why = folder === undefined ? " (skipped: no folder beside the project has recordings/strava)" : "";

test.skipIf(folder === undefined)(
  `every activity of the recorded pages is read, and every race found${why}`,
  async () => {
    const activities: ListedActivity[] = [];
    for (const { response } of await read("activity-pages-of-72.json")) {
      const page = parseActivityPage(response.body);
      if (!page.ok) throw new Error(page.reason);
      expect(page.value.malformed).toBeEmpty();
      activities.push(...page.value.activities);
    }
    const races = activities.filter((activity) => isRace(activity, { virtualRuns: false }));
    expect(activities).toHaveLength(1132);
    expect(races).toHaveLength(84);
    expect(races.filter((race) => race.visibility === "only_me")).toHaveLength(1);
    expect(races.filter((race) => race.summaryPolyline === null)).toHaveLength(1);
    for (const activity of activities) {
      expect(`${activity.startLocal}Z`).toBe(localTime(activity));
    }
  },
);

test.skipIf(folder === undefined)(`the recorded headers show both pairs of counters${why}`, async () => {
  for (const { response } of await read("activity-pages-of-72.json")) {
    const rate = parseRateHeaders(new Headers(response.headers));
    expect(rate?.overall?.limit).toEqual([200, 2000]);
    expect(rate?.read?.limit).toEqual([100, 1000]);
  }
});

test.skipIf(folder === undefined)(`the recorded detail has its full polyline and description${why}`, async () => {
  const parsed = parseActivity((await read("activity-ride.json"))[0]?.response.body);
  if (!parsed.ok) throw new Error(parsed.reason);
  expect(parsed.value.polyline?.length).toBeGreaterThan(parsed.value.summaryPolyline?.length ?? Infinity);
  expect(parsed.value.description).toBeString();
});

const read = (name: string): Promise<Recorded> => Bun.file(join(folder ?? "", name)).json();

/** The start in its own zone, by the offset in force. */
const localTime = (activity: ListedActivity): string =>
  new Date(activity.startMs + (activity.utcOffsetSeconds ?? 0) * 1000).toISOString().replace(".000", "");
