import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSandbox } from "../../src/sandbox/sandbox.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { findRecordings } from "../support/recordings.ts";
import { list, NOW, type Visit } from "./visit.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with these files. */
function folderOf(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "recording-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}

function visitRecording(folder: string): Visit {
  const clock = new FakeClock(NOW);
  const sandbox = createSandbox({ clock, seed: 1, club: { folder } });
  const [athlete] = sandbox.athletes();
  if (athlete === undefined) throw new Error("nobody was recorded");
  return { sandbox, clock, athlete };
}

const activity = (id: number, start: string) => ({
  id,
  athlete: { id: 9, resource_state: 1 },
  start_date: start,
  odd: 1,
});
const page = (query: string, body: unknown, status = 200) => ({
  request: { method: "GET", path: `/api/v3/athlete/activities${query}` },
  response: { status, headers: {}, body },
});

describe("a folder of recordings", () => {
  test("is read whatever its page size, each activity once, as it was recorded", async () => {
    const a = activity(1, "2025-01-01T00:00:00Z");
    const b = activity(2, "2025-01-02T00:00:00Z");
    const c = activity(3, "2025-01-03T00:00:00Z");
    const place = visitRecording(
      folderOf({ "1.json": [page("?page=1", [c, b]), page("?page=2", [])], "2.json": [page("", [b, a])] }),
    );
    expect(place.athlete).toMatchObject({ stravaId: 9, scope: "read,activity:read_all" });
    expect(await list(place)).toEqual([c, b, a] as unknown[] as never);
  });

  test("passes over other requests, errors, other formats and what is no activity", () => {
    const one = activity(1, "2025-01-01T00:00:00Z");
    const detail = {
      request: { method: "GET", path: "/api/v3/activities/2" },
      response: { status: 200, body: [{ ...one, id: 2 }] },
    };
    const refused = page("", [activity(3, "2025-01-01T00:00:00Z")], 429);
    const garbage = page("", [{ id: "4" }, null, { ...one, id: 5, start_date: "never" }]);
    const files = { "a.json": [detail, refused, garbage, null, page("", [one])], "b.json": { not: "a list" } };
    const { sandbox } = visitRecording(folderOf(files));
    expect(sandbox.activities(9).map(({ id }) => id)).toEqual([1]);
  });

  test.each([
    ["without a list", () => folderOf({ "a.json": [] })],
    ["that is not there", () => join(tmpdir(), "no-such-recording")],
  ])("%s is refused by name", (_, make) => {
    const folder = make();
    expect(() => visitRecording(folder)).toThrow(folder);
  });
});

const RECORDED = findRecordings() ?? "";
const reason = RECORDED !== "" ? "" : " (skipped: no folder beside the project has recordings/strava)";

describe.skipIf(reason !== "")(`the recorded athlete${reason}`, () => {
  test("has 1,132 activities and 84 races, in pages of 200 and an empty one", async () => {
    const place = visitRecording(RECORDED);
    const sizes: number[] = [];
    let races = 0;
    for (let number = 1; number <= 7; number++) {
      const listed = await list(place, `?per_page=200&page=${number}`);
      sizes.push(listed.length);
      races += listed.filter(({ type, workout_type }) => type === "Run" && workout_type === 1).length;
    }
    expect([place.athlete.stravaId, sizes, races]).toEqual([26_462_176, [200, 200, 200, 200, 200, 132, 0], 84]);
  });

  test("has details made from what was listed", () => {
    const { sandbox, athlete } = visitRecording(RECORDED);
    for (const listed of sandbox.activities(athlete.stravaId)) {
      const detail = sandbox.detail(listed.id);
      const { summary_polyline } = listed.map ?? {};
      expect(detail).toMatchObject({
        id: listed.id,
        name: listed.name,
        map: { polyline: summary_polyline, summary_polyline },
      });
    }
  });
});
