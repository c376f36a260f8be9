/**
 * Whether a simulation can find things: plants bugs in copies of the sources, one at a time, and runs seeds until one breaks.
 *
 *     bun run planted-bugs [--only NAME]… [--from 1] [--seeds 200] [--workers 2] [--renew]
 *
 * Exits with 1 when a bug is not found within so many seeds, or shows as something else than it is. With --renew the seed
 * that finds each is kept in planted-bugs-caught.json, by which a test of the suite finds them all in seconds.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs-list.ts";
import { inLanes, type PlantedRun, simulateWithBug } from "./planted-bugs-runs.ts";

const CAUGHT_FILE = join(import.meta.dir, "planted-bugs-caught.json");

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "200" },
    workers: { type: "string", default: "2" },
    renew: { type: "boolean", default: false },
  },
});
const seeds = Number(values.seeds);
const bugs = PLANTED_BUGS.filter(({ name }) => values.only?.includes(name) ?? true);

type Tried = { readonly bug: PlantedBug; readonly run: PlantedRun };
const tried = await inLanes(bugs, Number(values.workers), async (bug): Promise<Tried> => {
  const run = await simulateWithBug(bug, { from: Number(values.from), seeds });
  print(`${bug.name}: ${outcomeOf({ bug, run })} (${(run.realMs / 1_000).toFixed(1)} s)`);
  return { bug, run };
});
print(`\n${tableOf(tried)}`);
if (values.renew) renew(tried);
process.exitCode = tried.every(isFound) ? 0 : 1;

function isFound({ bug, run: { caught } }: Tried): boolean {
  return caught !== undefined && bug.breaks.includes(caught.invariant);
}

function outcomeOf({ bug, run: { caught, seeds } }: Tried): string {
  if (caught === undefined) return `NOT CAUGHT within ${seeds} seeds`;
  const isExpected = bug.breaks.includes(caught.invariant);
  return `seed ${caught.seed}: ${caught.invariant}${isExpected ? "" : ` (NOT ONE OF ${bug.breaks.join(", ")})`}: ${caught.says}`;
}

function tableOf(all: readonly Tried[]): string {
  const rows = all.map(({ bug, run: { caught, realMs } }) =>
    [
      bug.name,
      bug.says,
      caught?.invariant ?? "not caught",
      caught?.seed ?? "",
      `${(realMs / 1_000).toFixed(1)} s`,
    ].join(" | "),
  );
  return ["bug | what goes wrong | shows as | at seed | after", "--- | --- | --- | --- | ---", ...rows].join("\n");
}

/** Keeps the seeds of those that were tried; the others stay as they are, but for bugs that are no more. */
function renew(all: readonly Tried[]): void {
  const kept = JSON.parse(readFileSync(CAUGHT_FILE, "utf8")) as Record<string, number>;
  for (const { bug, run } of all) if (run.caught !== undefined) kept[bug.name] = run.caught.seed;
  const known = PLANTED_BUGS.flatMap(({ name }) => (kept[name] === undefined ? [] : [[name, kept[name]] as const]));
  writeFileSync(CAUGHT_FILE, `${JSON.stringify(Object.fromEntries(known), null, 2)}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
