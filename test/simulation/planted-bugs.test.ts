import { expect, test } from "bun:test";
import caught from "../../scripts/planted-bugs-caught.json";
import { PLANTED_BUGS, type PlantedBug } from "../../scripts/planted-bugs-list.ts";
import { changed, inLanes, simulateWithBug } from "../../scripts/planted-bugs-runs.ts";

/** Each is simulated in a process of its own: more at once than there are processors would only wait for each other. */
const LANES = 2;
/** For all of them together, on a machine that is busy. */
const LIMIT_MS = 300_000;
const RENEW = "run `bun run planted-bugs --renew`, which looks for the first seed that finds each bug";

const seedOf = new Map<string, number>(Object.entries(caught));

test("there are at least ten bugs, each with a seed among the first 200 that finds it", () => {
  const names = PLANTED_BUGS.map(({ name }) => name);
  expect(names.length).toBeGreaterThanOrEqual(10);
  expect(new Set(names).size).toBe(names.length);
  expect([...seedOf.keys()].sort(), RENEW).toEqual(names.toSorted());
  for (const seed of seedOf.values()) expect(seed).toBeLessThanOrEqual(200);
});

test(
  "a simulation finds each of them",
  async () => {
    const shown = await inLanes(PLANTED_BUGS, LANES, async (bug) => [bug.name, await showing(bug)] as const);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(PLANTED_BUGS.map(({ name }) => [name, "found"])));
  },
  LIMIT_MS,
);

test("a bug is planted where its text is found once, and nowhere else", () => {
  const change = { file: "src/a.ts", find: "a < b", replace: "a <= b" };
  expect(changed("bug", change, "if (a < b) $& done")).toBe("if (a <= b) $& done");
  expect(() => changed("bug", change, "if (b > a)")).toThrow("src/a.ts holds the text that it changes 0 times");
  expect(() => changed("bug", change, "a < b || a < b")).toThrow("src/a.ts holds the text that it changes 2 times");
});

/** What the seed of a bug shows: "found", or why not. */
async function showing(bug: PlantedBug): Promise<string> {
  const seed = seedOf.get(bug.name);
  if (seed === undefined) return `no seed is known that finds it: ${RENEW}`;
  const { caught: breach } = await simulateWithBug(bug, { from: seed, seeds: 1 });
  if (breach === undefined) return `seed ${seed} finds it no more: ${RENEW}`;
  if (bug.breaks.includes(breach.invariant)) return "found";
  return `seed ${seed} breaks ${breach.invariant} (${breach.says}), and none of ${bug.breaks.join(", ")}: ${RENEW}`;
}
