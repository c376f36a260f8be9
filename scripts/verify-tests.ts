import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECOND_MS } from "../src/core/units.ts";
import type { Counts, Step } from "./verify-steps.ts";

/** All tests, in an order that follows from the seed. Counted by themselves; what was skipped is named. */
export function testStep(seed: string): Step {
  const folder = mkdtempSync(join(tmpdir(), "broomwagon-tests-"));
  const reportPath = join(folder, "tests.xml");
  return {
    name: "tests",
    args: [
      "test",
      "--parallel",
      // The files of a worker share their modules, as they do without `--parallel`: a third of the work less.
      "--no-isolate",
      "--only-failures",
      // Days of a club take a second of a quiet machine, and several of a busy one: that is no failure.
      "--timeout=20000",
      "--randomize",
      `--seed=${seed}`,
      "--reporter=junit",
      `--reporter-outfile=${reportPath}`,
    ],
    // For what hangs; a quiet machine of two cores needs about a minute, a slow one two or three.
    limitMs: 420 * SECOND_MS,
    conclude() {
      const report = existsSync(reportPath) ? readFileSync(reportPath, "utf8") : "";
      rmSync(folder, { recursive: true, force: true });
      return { counts: countTests(report), summary: `seed ${seed}`, remarks: skippedTests(report) };
    },
  };
}

/** Undefined where there is no whole report: the tests did not come to their end. */
function countTests(report: string): Counts | undefined {
  const [, head] = /<testsuites ([^>]*)>/.exec(report) ?? [];
  if (head === undefined) return undefined;
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [failed, skipped] = [count("failures"), count("skipped")];
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

function skippedTests(report: string): string[] {
  return [...report.matchAll(/<testcase name="([^"]*)"[^>]* file="([^"]*)"[^>]*>\s*<skipped/g)].map(
    ([, name, file]) => `skipped: ${file}: ${name}`,
  );
}
