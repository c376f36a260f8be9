/** Runs the seeds that it is given, and writes what came of each as a line of JSON. */
import { systemClock } from "../src/clock.ts";
import { drawPlan } from "../src/simulation/draw-plan.ts";
import type { Ran } from "../src/simulation/run-plan.ts";
import { runSettled } from "../src/simulation/run-settled.ts";

/** A seed that was run, and how much of a core that took. */
export type SimulatedSeed = Ran & { readonly seed: number; readonly coreMs: number };

if (import.meta.main) {
  const turn = () => new Promise<void>((resolve) => systemClock.after(0, resolve));
  for (const seed of process.argv.slice(2).map(Number)) {
    const before = process.cpuUsage();
    const ran = await runSettled(drawPlan(seed), turn);
    const { user, system } = process.cpuUsage(before);
    process.stdout.write(`${JSON.stringify({ seed, ...ran, coreMs: Math.round((user + system) / 1_000) })}\n`);
  }
}
