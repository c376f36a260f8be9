import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { InstrumentedFile, Mutant } from "./mutation-instrument.ts";
import type { Reached } from "./mutation-probe.ts";

/** A copy of the checkout with all mutants in it. */
export type MutantTree = { readonly folder: string; remove(): void };

/** How a test file does when no mutant is alive. */
export type TestFile = {
  readonly path: string;
  readonly milliseconds: number;
  readonly questions: number;
  /** The numbers of the mutants that it reaches. */
  readonly reaches: ReadonlySet<number>;
};

export type Outcome =
  | "killed" // a test failed
  | "timed_out" // it looped: as good as killed
  | "survived"
  | "unreached"; // no test comes there: a survivor too

const LEARN_LIMIT_MS = 120_000;
const LEAST_LIMIT_MS = 10_000;
/** A mutant gets so many times the time, and so many times the questions, of the tests as they are. */
const SLOWER = 10;
const LOOPS = 20;
const SPARE_QUESTIONS = 200_000;
/** The exit code of a mutant that asked too much. */
const LOOPED = 3;

/** Copies what git knows of, with the files instrumented; the packages are shared. */
export function plantTree(top: string, files: readonly InstrumentedFile[]): MutantTree {
  const folder = mkdtempSync(join(tmpdir(), "broomwagon-mutants-"));
  const listing = Bun.spawnSync(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: top });
  for (const path of listing.stdout.toString().split("\0").filter(Boolean)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    cpSync(join(top, path), join(folder, path));
  }
  for (const { path, text } of files) writeFileSync(join(folder, path), text);
  symlinkSync(join(top, "node_modules"), join(folder, "node_modules"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Runs a test file with no mutant alive, and learns which it reaches. */
export async function learnReach(tree: MutantTree, path: string): Promise<TestFile> {
  const reachedPath = join(tree.folder, `${basename(path)}.reached.json`);
  const startMs = performance.now();
  const { exitCode, output } = await runTests(tree, [path], { MUTATION_REACHED: reachedPath }, LEARN_LIMIT_MS);
  if (exitCode !== 0) throw new Error(`${path} fails with no mutant alive:\n${output}`);
  const { mutants, questions } = JSON.parse(readFileSync(reachedPath, "utf8")) as Reached;
  return { path, milliseconds: performance.now() - startMs, questions, reaches: new Set(mutants) };
}

/** @throws when the tests fail together though no mutant is alive: then a failure would prove nothing. */
export async function proveSound(tree: MutantTree, paths: readonly string[]): Promise<void> {
  const { exitCode, output } = await runTests(tree, paths, { MUTANT: "none" }, LEARN_LIMIT_MS);
  if (exitCode !== 0) throw new Error(`the tests fail together with no mutant alive:\n${output}`);
}

/** Runs the tests that reach a mutant, those of its own file first, until one fails. */
export async function tryMutant(tree: MutantTree, mutant: Mutant, tests: readonly TestFile[]): Promise<Outcome> {
  const reaching = tests.filter((test) => test.reaches.has(mutant.id));
  if (reaching.length === 0) return "unreached";
  const sum = (of: "milliseconds" | "questions") => reaching.reduce((total, test) => total + test[of], 0);
  const environment = {
    MUTANT: String(mutant.id),
    MUTATION_QUESTIONS: String(LOOPS * sum("questions") + SPARE_QUESTIONS),
  };
  const own = basename(mutant.file, ".ts");
  const ordered = reaching.toSorted((one, other) => rank(one) - rank(other)).map((test) => test.path);
  const limitMs = Math.max(LEAST_LIMIT_MS, Math.round(SLOWER * sum("milliseconds")));
  const { exitCode, isTooLate } = await runTests(tree, ordered, environment, limitMs);
  if (isTooLate || exitCode === LOOPED) return "timed_out";
  return exitCode === 0 ? "survived" : "killed";

  function rank(test: TestFile): number {
    return basename(test.path).startsWith(own) ? -1 : test.milliseconds;
  }
}

async function runTests(
  tree: MutantTree,
  paths: readonly string[],
  environment: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<{ exitCode: number; isTooLate: boolean; output: string }> {
  const program = Bun.spawn(
    [process.execPath, "test", "--bail", "--timeout=30000", "--preload=./scripts/mutation-probe.ts", ...paths],
    {
      cwd: tree.folder,
      env: { ...process.env, ...environment },
      stdout: "ignore",
      stderr: "pipe",
      timeout: limitMs,
      killSignal: "SIGKILL",
    },
  );
  const output = await new Response(program.stderr).text();
  const exitCode = await program.exited;
  return { exitCode, isTooLate: program.signalCode === "SIGKILL", output };
}
