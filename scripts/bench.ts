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
import { answersFromMemory, prepareStore, runEngine, type Work } from "./bench-engine.ts";
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
const answers = answersFromMemory(work);
const folder = mkdtempSync(join(tmpdir(), "broomwagon-bench-"));
const results: { loopSeconds: number; engineSeconds: number; p50Ms: number; p99Ms: number }[] = [];
try {
  for (let round = 0; round < rounds; round++) {
    const loopSeconds = await runLoop(prepareStore(join(folder, `loop-${round}.sqlite`), work), work, answers);
    const engine = await runEngine(prepareStore(join(folder, `engine-${round}.sqlite`), work), work, answers);
    results.push({ loopSeconds, engineSeconds: engine.seconds, p50Ms: engine.p50Ms, p99Ms: engine.p99Ms });
    print(
      `round ${round + 1}: loop ${perSecond(loopSeconds)}, engine ${perSecond(engine.seconds)}, ratio ${(loopSeconds / engine.seconds).toFixed(2)}, arrival to commit p50 ${engine.p50Ms.toFixed(2)} ms, p99 ${engine.p99Ms.toFixed(2)} ms`,
    );
  }
  const ratios = results.map((result) => result.loopSeconds / result.engineSeconds);
  print(
    `ratio (engine ÷ loop, median of ${rounds}): ${median(ratios).toFixed(2)}; arrival to commit p99 (median): ${median(results.map((result) => result.p99Ms)).toFixed(2)} ms`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function perSecond(seconds: number): string {
  return `${Math.round(work.batches / seconds)} batches/s`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
