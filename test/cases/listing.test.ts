import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What Strava does, by number: `case 17: …` is the title of each test that holds one, several where it says several things. */
const LAST_CASE = 73;

test("every case of what Strava does is held by a test that names it", () => {
  const held = new Set<number>();
  for (const file of new Bun.Glob("*.test.ts").scanSync(import.meta.dir)) {
    const text = readFileSync(join(import.meta.dir, file), "utf8");
    for (const [, number] of text.matchAll(/\btest\(\s*["'`]case (\d+): /g)) held.add(Number(number));
  }
  const all = Array.from({ length: LAST_CASE }, (_, at) => at + 1);
  expect(all.filter((number) => !held.has(number))).toEqual([]);
  expect([...held].filter((number) => !all.includes(number))).toEqual([]);
});
