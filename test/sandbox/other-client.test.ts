import { describe, expect, test } from "bun:test";
import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { get, json, visit } from "./visit.ts";

const QUARTER_MS = 900_000;
const MIDNIGHT = Date.UTC(2025, 10, 18);

/** A sandbox at midnight, with another client from then on. */
function shared(pace: "even" | "eager", options: Partial<SandboxOptions> = {}) {
  const place = visit([], options);
  place.clock.jumpTo(MIDNIGHT);
  place.sandbox.otherClient({ share: 0.3, pace });
  return place;
}

/** What is used at the end of each quarter of a day: of the quarter, and of the day so far. */
function watchDay({ clock, sandbox }: ReturnType<typeof shared>): { quarter: number; day: number }[] {
  return Array.from({ length: 96 }, (_, quarter) => {
    clock.jumpTo(MIDNIGHT + (quarter + 1) * QUARTER_MS - 1);
    const { read, overall } = sandbox.quota();
    expect(overall.day.used).toBe(read.day.used);
    return { quarter: read.quarter.used, day: read.day.used };
  });
}

describe("another client of the application", () => {
  test("uses about its share of the day, a little in most quarters", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const quarters = watchDay(shared("even", { seed }));
      expect(quarters.at(-1)?.day).toBeWithin(200, 400);
      expect(quarters.filter(({ quarter }) => quarter > 0).length).toBeGreaterThan(48);
      expect(Math.max(...quarters.map(({ quarter }) => quarter))).toBeLessThan(30);
    }
  });

  test("or is eager: its share of each quarter until its share of the day is gone", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const quarters = watchDay(shared("eager", { seed }));
      expect(quarters.at(-1)?.day).toBe(300);
      const busy = quarters.filter(({ quarter }) => quarter > 0);
      expect(busy.length).toBeWithin(4, 22);
      expect(Math.max(...busy.map(({ quarter }) => quarter))).toBeWithin(31, 101);
    }
  });

  test("follows from the seed, and not from who asks when", () => {
    const often = watchDay(shared("even"));
    const once = shared("even");
    once.clock.jumpTo(MIDNIGHT + 96 * QUARTER_MS - 1);
    expect(once.sandbox.quota().read).toMatchObject({
      quarter: { used: often.at(-1)?.quarter },
      day: { used: often.at(-1)?.day },
    });
    expect(watchDay(shared("even", { seed: 2 }))).not.toEqual(often);
  });

  test("spends while time goes on, within a quarter too, and the day starts anew at midnight", () => {
    const { clock, sandbox } = shared("eager");
    const used: number[] = [];
    for (let minute = 0; minute < 15; minute++) {
      clock.jumpTo(MIDNIGHT + minute * 60_000);
      used.push(sandbox.quota().read.quarter.used);
    }
    expect(used[0]).toBe(0);
    expect(new Set(used).size).toBeGreaterThan(4);
    // Two days later there is one day to be made up for, not two.
    clock.jumpTo(MIDNIGHT + 3 * 96 * QUARTER_MS - 1);
    expect(sandbox.quota().read.day.used).toBe(300);
    clock.jumpTo(MIDNIGHT + 3 * 96 * QUARTER_MS);
    expect(sandbox.quota().read.day.used).toBe(0);
  });

  test("asks at any moment of a quarter: half of it is done in the middle", () => {
    const done = { middle: 0, end: 0 };
    for (let seed = 1; seed <= 60; seed++) {
      const { clock, sandbox } = shared("eager", { seed });
      clock.jumpTo(MIDNIGHT + QUARTER_MS / 2);
      done.middle += sandbox.quota().read.quarter.used;
      clock.jumpTo(MIDNIGHT + QUARTER_MS - 1);
      done.end += sandbox.quota().read.quarter.used;
    }
    expect(done.middle / done.end).toBeWithin(0.45, 0.55);
  });

  test("shows in the headers, and takes room from everybody else", async () => {
    const place = shared("eager");
    const { accessToken } = place.sandbox.grantAgain(place.athlete.stravaId);
    place.clock.jumpTo(MIDNIGHT + QUARTER_MS - 1);
    const theirs = place.sandbox.quota().read.quarter.used;
    expect(theirs).toBeGreaterThan(0);
    place.sandbox.setQuota({ read: { quarter: theirs + 2 } });
    const statuses: number[] = [];
    for (let time = 0; time < 3; time++) statuses.push((await get(place, "/athlete", accessToken)).status);
    expect(statuses).toEqual([200, 200, 429]);
    const { headers } = await get(place, "/athlete", accessToken);
    expect(headers.get("x-readratelimit-usage")).toBe(`${theirs + 4},${theirs + 4}`);
  });

  test("what happened before it came is not its doing; a share of 0 ends it, and what it spent stays", () => {
    const place = visit();
    place.clock.jumpTo(MIDNIGHT + QUARTER_MS - 1);
    place.sandbox.otherClient({ share: 1, pace: "eager" });
    expect(place.sandbox.quota().read.day.used).toBe(0);
    place.clock.jumpTo(MIDNIGHT + 2 * QUARTER_MS);
    const { used } = place.sandbox.quota().read.day;
    expect(used).toBeGreaterThan(0);
    place.clock.jumpTo(MIDNIGHT + 3 * QUARTER_MS);
    place.sandbox.otherClient({ share: 0 });
    const atTheEnd = place.sandbox.quota().read.day.used;
    expect(atTheEnd).toBeGreaterThan(used);
    place.clock.jumpTo(MIDNIGHT + 4 * QUARTER_MS);
    expect(place.sandbox.quota().read.day.used).toBe(atTheEnd);
  });

  test("keeps to limits as they become", () => {
    const place = shared("eager");
    place.sandbox.setQuota({ read: { quarter: 200, day: 2_000 } });
    expect(watchDay(place).at(-1)?.day).toBe(600);
  });

  test("is switched by control", async () => {
    const place = visit();
    place.clock.jumpTo(MIDNIGHT);
    const post = (body: unknown) =>
      place.sandbox.fetch(
        new Request("http://localhost/sandbox/other-client", { method: "POST", body: JSON.stringify(body) }),
      );
    expect((await post({ share: 0.5, pace: "eager" })).status).toBe(204);
    place.clock.jumpTo(MIDNIGHT + 95 * QUARTER_MS);
    expect(place.sandbox.quota().read.day.used).toBe(500);
    expect(await json(post({ share: 0.5, pace: "lazy" }))).toMatchObject({ message: expect.stringContaining("pace") });
    expect((await post({})).status).toBe(400);
  });
});
