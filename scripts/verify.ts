/**
 * Everything that must hold before a change is kept: format, lint, types, unused code, all tests in a random order, the
 * simulation of fresh seeds for half a minute, the compiled program, the demo's first minute with it, and some kills of the real program.
 *
 *     bun run verify [--seed 1]
 *
 * The last line is `N passed, N failed`, tests and steps together; the exit code is 0 only when nothing failed. It
 * takes at most two minutes on two cores, and installs nothing.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, systemDice } from "../src/clock.ts";
import { SECOND_MS } from "../src/core/units.ts";
import { type Conclusion, type Outcome, runStep, type Step, total } from "./verify-steps.ts";
import { testStep } from "./verify-tests.ts";

const { values } = parseArgs({ options: { seed: { type: "string" } } });
const seed = values.seed ?? String(Math.floor(systemDice() * 2 ** 31));
const startMs = systemClock.nowMs();
const binary = join(import.meta.dir, "../dist", process.platform === "win32" ? "broomwagon.exe" : "broomwagon");

const CHECKS: readonly Step[] = [
  { name: "format, lint", args: ["run", "--bun", "biome", "ci"], limitMs: 120 * SECOND_MS },
  { name: "types", args: ["run", "--bun", "tsc", "--noEmit", "-p", "."], limitMs: 120 * SECOND_MS },
  { name: "unused code", args: ["run", "--bun", "knip"], limitMs: 120 * SECOND_MS },
];
const BUILD: Step = {
  name: "compiled program",
  args: ["scripts/build.ts"],
  limitMs: 120 * SECOND_MS,
  conclude: lastLine,
};
const KILLS: Step = {
  name: "kill test",
  args: ["scripts/kill-test.ts", "--kills", "3", "--binary", binary],
  limitMs: 120 * SECOND_MS,
  conclude: lastLine,
};
const DEMO: Step = {
  name: "demo",
  args: ["scripts/verify-binary.ts", binary],
  limitMs: 75 * SECOND_MS,
  conclude: lastLine,
};

/** Fresh seeds of the simulation, as many as fit: those that broke once are tests. */
const SIMULATION: Step = {
  name: "simulation",
  args: ["scripts/simulate-many.ts", "--seconds", "30", "--seeds", "1000", "--from", seed],
  limitMs: 90 * SECOND_MS,
  conclude: lastLine,
};

const outcomes: Outcome[] = [];
// Side by side where each leaves the other room: the checks are short, and demo and kills mostly wait.
outcomes.push(...(await Promise.all([...CHECKS, BUILD].map(run))));
outcomes.push(await run(testStep(seed)));
outcomes.push(...(await Promise.all([DEMO, KILLS, SIMULATION].map(run))));

for (const { step, complaint, remarks } of outcomes) {
  if (remarks.length > 0) print(`\n${remarks.join("\n")}`);
  if (complaint !== undefined) print(`\n== ${step.name} failed ==\n${complaint}`);
}
const { passed, failed, skipped } = total(outcomes);
print(`\nTook ${((systemClock.nowMs() - startMs) / SECOND_MS).toFixed(1)} s.`);
print(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;

function run(step: Step): Promise<Outcome> {
  return runStep(step, print);
}

function lastLine(output: string): Conclusion {
  return { summary: output.split("\n").at(-1) };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
