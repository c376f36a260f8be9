import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { drawPlan } from "../../src/simulation/draw-plan.ts";
import type { Plan } from "../../src/simulation/plan.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = createTestWorld({ clock: systemClock });
});
afterEach(() => world.discard());

const told = () => world.lines.join("\n");
const complained = () => world.errors.join("\n");

/** A plan in a file: an hour of a seed's week, with changes. */
function planFile(changes: Partial<Plan> = {}): string {
  const plan = drawPlan(3);
  const path = join(world.directory, "plan.json");
  const happenings = plan.happenings.slice(0, 2).map((one) => ({ ...one, afterMs: 600_000 }));
  writeFileSync(path, JSON.stringify({ ...plan, durationMs: 3_600_000, happenings, ...changes }));
  return path;
}
/** Strava lets nobody ask for anything, and the first request finds that out. */
const withoutQuota = (): Partial<Plan> => ({ strava: { ...drawPlan(3).strava, quarterLimit: 0, dayLimit: 0 } });

test("runs seeds one after the other, and says what each came to; real time is told on standard error alone", async () => {
  expect(await world.run("simulate", "--seeds", "2", "--from", "8")).toBe(0);
  expect(world.lines[0]).toMatch(/^seed 8: 7\.\d days, \d+ lines, [0-9a-f]{16}$/);
  expect(world.lines[1]).toMatch(/^seed 9: /);
  expect(told()).toContain("2 seeds, 14 days of clubs' lives: nothing broke");
  expect(told()).not.toMatch(/\btook\b/);
  expect(complained()).toMatch(/^It took .* times as fast as life\.$/);
});

test("a plan from a file is run with its diary, the same each time, also as JSON", async () => {
  const path = planFile();
  expect(await world.run("simulate", "--plan", path)).toBe(0);
  const first = told();
  expect(first).toContain("process 0 begins");
  expect(first).toContain("happening {");
  world.lines.length = 0;
  expect(await world.run("simulate", "--plan", path)).toBe(0);
  expect(told()).toBe(first);
  world.lines.length = 0;
  expect(await world.run("simulate", "--plan", path, "--json")).toBe(0);
  const { seed, broken, diary, digest } = JSON.parse(told());
  expect([seed, broken]).toEqual([3, null]);
  expect(diary.join("\n")).toBe(first.split("\n").slice(0, -1).join("\n"));
  expect(first).toEndWith(digest);
});

test("what breaks is told with its invariant, and the exit code says so", async () => {
  expect(await world.run("simulate", "--plan", planFile(withoutQuota()))).toBe(1);
  expect(told()).toContain("seed 3: BROKEN I5 at ");
});

test("a file without a plan, or with settings that the daemon refuses, is told with what is wrong", async () => {
  const path = join(world.directory, "bad.json");
  const plan = drawPlan(3);
  const stop = { afterMs: 1, what: "stop", downMs: 1 };
  for (const [content, reason] of [
    ["{", "is not JSON"],
    ["{}", "club"],
    [JSON.stringify({ ...plan, club: { athletes: [], spanDays: 1 } }), "a club has somebody in it"],
    [JSON.stringify({ ...plan, club: { athletes: [{}], spanDays: 1 } }), "activities"],
    [JSON.stringify({ ...plan, happenings: [{ what: "stop" }] }), "afterMs"],
    [
      JSON.stringify({ ...plan, happenings: [{ afterMs: 1, what: "rain" }] }),
      "happenings.0.what: expected one of upload,",
    ],
    [
      JSON.stringify({ ...plan, happenings: [{ ...stop, on: { edge: "comit", nth: 1 } }] }),
      "happenings.0.on.edge: expected",
    ],
    [
      JSON.stringify({ ...plan, happenings: [{ ...stop, what: "crash", edge: "comit" }] }),
      "happenings.0.edge: expected",
    ],
    [
      JSON.stringify({ ...plan, happenings: [{ ...stop, what: "hand", deed: "x" }] }),
      "happenings.0.deed: expected one of",
    ],
    [JSON.stringify({ ...plan, settings: { BROOMWAGON_LEASE: "soon" } }), "BROOMWAGON_LEASE"],
    [JSON.stringify({ ...plan, settings: null }), "holds no plan"],
  ] as const) {
    writeFileSync(path, content);
    expect(await world.run("simulate", "--plan", path)).toBe(1);
    expect(complained()).toContain(reason);
    world.errors.length = 0;
  }
  expect(await world.run("simulate", "--plan", join(world.directory, "nowhere.json"))).toBe(1);
  expect(complained()).toContain("There is no file");
});

test("numbers that are none are refused, all at once, before anything runs", async () => {
  const flags = ["--seeds", "0", "--from=-1", "--weeks", "x", "--replay", "1.5"];
  expect(await world.run("simulate", ...flags)).toBe(2);
  for (const flag of ["--seeds", "--from", "--weeks", "--replay"])
    expect(complained()).toContain(`${flag} takes a whole number`);
  expect(world.lines).toEqual([]);
});
