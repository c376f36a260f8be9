/**
 * How much the tests of `src/core` see: changes the code in small ways, one at a time, and counts the changes (mutants) that
 * a test fails for. Stryker has no runner for `bun test`, and by its command runner each mutant would run all tests.
 *
 *     bun run mutation-test [--file src/core/batch.ts] [--sample 200 --seed 1] [--workers 2] [--out results.jsonl]
 *
 * All mutants are written into a copy of the checkout at once; a first run learns which test file reaches which; then each
 * is tried with the files of `test/core` that reach it. A run that was cut off goes on where it was. What lives although
 * nobody can see a difference is in `mutation-survivors.json` with the reason, and counts as a survivor all the same.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededDice } from "../src/core/dice.ts";
import { instrumentFiles, type Mutant } from "./mutation-instrument.ts";
import { type Explanation, reportOn, scoreOf } from "./mutation-report.ts";
import { openResults, type Result } from "./mutation-results.ts";
import { learnReach, plantTree, proveSound, type TestFile, tryMutant } from "./mutation-runs.ts";

/** In percent, with the survivors that are explained counted as survivors. */
const WANTED_SCORE = 95;
const PROGRESS_EVERY = 200;

const { values } = parseArgs({
  options: {
    file: { type: "string", multiple: true },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    out: { type: "string", default: join(tmpdir(), "broomwagon-mutation-results.jsonl") },
  },
});
const top = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(top, path), "utf8");
const list = (pattern: string) => [...new Bun.Glob(pattern).scanSync(top)].sort();
const explanations = JSON.parse(read("scripts/mutation-survivors.json")) as Explanation[];
const testPaths = list("test/core/**/*.test.ts");
const files = await instrumentFiles(top, list("src/core/**/*.ts"));
const allMutants = files.flatMap((file) => file.mutants);
const mutants = chosen(allMutants);
const known = openResults(values.out, {
  of: (file) => fingerprint([file]),
  tests: fingerprint(list("test/{core,support}/**/*.ts")),
});

const tree = plantTree(top, files);
process.once("SIGINT", () => {
  tree.remove();
  process.exit(130);
});
try {
  const tests = await inPool(testPaths, (path) => learnReach(tree, path));
  await proveSound(tree, testPaths);
  print(`${mutants.length} mutants, ${tests.length} test files`);
  const results = await tryAll(tests);
  print(reportOn(results, allMutants, explanations));
  const score = scoreOf(results, explanations);
  process.exitCode = 100 * score.killed >= WANTED_SCORE * score.mutants ? 0 : 1;
} finally {
  tree.remove();
}

async function tryAll(tests: readonly TestFile[]): Promise<Result[]> {
  let done = 0;
  return inPool(mutants, async (mutant) => {
    const outcome = known.find(mutant) ?? (await tryAnew(mutant, tests));
    done++;
    if (done % PROGRESS_EVERY === 0) print(`${done} of ${mutants.length} tried`);
    return { ...mutant, outcome };
  });
}

async function tryAnew(mutant: Mutant, tests: readonly TestFile[]) {
  const outcome = await tryMutant(tree, mutant, tests);
  known.add(mutant, outcome);
  return outcome;
}

/** Does so many at a time as there are workers; the answers are in the order of the items. */
async function inPool<Item, Answer>(items: readonly Item[], work: (item: Item) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) answers[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Number(values.workers) }, worker));
  return answers;
}

function chosen(all: readonly Mutant[]): Mutant[] {
  const wanted = all.filter(({ file }) => values.file?.includes(file) ?? true);
  if (values.sample === undefined) return wanted;
  const dice = seededDice(Number(values.seed));
  const drawn = wanted.map((mutant) => ({ mutant, at: dice() })).sort((one, other) => one.at - other.at);
  return drawn
    .slice(0, Number(values.sample))
    .map(({ mutant }) => mutant)
    .sort((one, other) => one.id - other.id);
}

function fingerprint(paths: readonly string[]): string {
  return Bun.hash(paths.map((path) => `${path}\n${read(path)}`).join("\n")).toString(36);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
