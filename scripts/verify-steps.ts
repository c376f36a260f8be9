import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { SECOND_MS } from "../src/core/units.ts";

/** One thing that is verified: a command that succeeds, in a process of its own. */
export type Step = {
  readonly name: string;
  /** Arguments of the runtime that runs this script. */
  readonly args: readonly string[];
  readonly limitMs: number;
  /** What came of it, from what it printed. Without `counts`, the step itself is what passed or failed. */
  readonly conclude?: (output: string) => Conclusion;
};

export type Conclusion = {
  readonly counts?: Counts | undefined;
  /** A few words for the step's line. */
  readonly summary?: string | undefined;
  /** Worth saying at the end, whether or not it failed. */
  readonly remarks?: readonly string[];
};

export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

export type Outcome = {
  readonly step: Step;
  readonly counts: Counts;
  /** All that it printed, when it failed. */
  readonly complaint: string | undefined;
  readonly remarks: readonly string[];
};

const LAST_WORDS_MS = 2 * SECOND_MS;
const ROOT = join(import.meta.dir, "..");

/** Runs a step to its end, or to its time limit, and prints one line about it. */
export async function runStep(step: Step, print: (line: string) => void): Promise<Outcome> {
  const startMs = systemClock.nowMs();
  const child = Bun.spawn([process.execPath, ...step.args], {
    cwd: ROOT,
    // No colours: what failed is printed again at the end, perhaps into a file.
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let isLate = false;
  const callOff = systemClock.after(step.limitMs, () => {
    isLate = true;
    // First asked, so that it can end what it has started itself.
    child.kill("SIGTERM");
    systemClock.after(LAST_WORDS_MS, () => child.kill("SIGKILL"));
  });
  const [out, error, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  callOff();
  const tookMs = systemClock.nowMs() - startMs;
  const output = `${out}${error}`.trimEnd();
  const { counts: own, summary = "", remarks = [] } = step.conclude?.(output) ?? {};
  const counts = judge(own, exitCode === 0);
  const isGood = counts.failed === 0;
  const words = isLate ? `over ${step.limitMs / SECOND_MS} s, killed` : summary;
  const seconds = `${(tookMs / SECOND_MS).toFixed(1)} s`;
  print(`${isGood ? "ok    " : "FAILED"}  ${step.name.padEnd(16)}  ${seconds.padStart(7)}  ${words}`.trimEnd());
  return { step, counts, complaint: isGood ? undefined : output, remarks };
}

function judge(own: Counts | undefined, isGood: boolean): Counts {
  if (own === undefined) return { passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: 0 };
  // A run of tests can fail without a test that did: a file that does not load, an error between two tests.
  return isGood || own.failed > 0 ? own : { ...own, failed: 1 };
}

/** The sum over all outcomes. */
export function total(outcomes: readonly Outcome[]): Counts {
  const sum = (pick: (counts: Counts) => number) => outcomes.reduce((all, { counts }) => all + pick(counts), 0);
  return {
    passed: sum((counts) => counts.passed),
    failed: sum((counts) => counts.failed),
    skipped: sum((counts) => counts.skipped),
  };
}
