/**
 * How fast the engine is, as a ratio to a hand-written loop in the same run: 2,000 enrichment batches of 15 races,
 * answers from memory, `synchronous=FULL`, tracing off, 60 requests in flight. The engine claims, renews, fences, keeps
 * the ledger, plans and completes; the loop (`bench-loop.ts`) fetches and parses with the same client, writes the same
 * rows with one transaction a batch, and protects against nothing.
 *
 *     bun run bench [--batches 2000] [--rounds 3]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { answersFromMemory, type Measured, prepareStore, runEngine, type Work } from "./bench-engine.ts";
import { runLoop } from "./bench-loop.ts";

const { values } = parseArgs({
  options: { batches: { type: "string", default: "2000" }, rounds: { type: "string", default: "3" } },
});
const work: Work = {
  batches: Number(values.batches),
  batchSize: 15,
  athletes: 40,
  requestsInFlight: 60,
  concurrency: 4,
};
const rounds = Number(values.rounds);
if (!Number.isInteger(work.batches / work.athletes) || work.batches < 1) {
  process.stderr.write(`--batches must be a multiple of ${work.athletes}, the number of athletes who share them\n`);
  process.exit(2);
}
const answers = answersFromMemory(work);
const folder = mkdtempSync(join(tmpdir(), "broomwagon-bench-"));
const results: { loop: Measured; engine: Measured }[] = [];
try {
  for (let round = 0; round < rounds; round++) {
    const loop = await runLoop(prepareStore(join(folder, `loop-${round}.sqlite`), work), work, answers);
    const engine = await runEngine(prepareStore(join(folder, `engine-${round}.sqlite`), work), work, answers);
    results.push({ loop, engine });
    print(`round ${round + 1}: ratio ${ratio(loop, engine).toFixed(2)}`);
    print(`  loop   ${describe(loop)}`);
    print(`  engine ${describe(engine)}`);
  }
  const p99Ms = (of: "loop" | "engine") => median(results.map((result) => result[of].p99Ms)).toFixed(1);
  print(
    `ratio engine ÷ loop, median of ${rounds} rounds: ${median(results.map(({ loop, engine }) => ratio(loop, engine))).toFixed(2)}`,
  );
  print(`arrival of a race to its commit, p99, median: engine ${p99Ms("engine")} ms, loop ${p99Ms("loop")} ms`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function ratio(loop: Measured, engine: Measured): number {
  return loop.seconds / engine.seconds;
}

function describe(measured: Measured): string {
  const { seconds, p50Ms, p99Ms } = measured;
  return `${Math.round(work.batches / seconds)} batches/s, arrival to commit p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
