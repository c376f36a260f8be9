/**
 * Runs very many seeds through the simulation, on all cores, and adds up what came of them.
 *
 *     bun run simulate-many [--seeds 10000] [--from 1] [--workers 2] [--out simulated.jsonl] [--seconds S]
 *
 * Every seed that has been run is a line of `--out`: a run that was ended is taken up where it stood, as long as the sources
 * are the same; a seed that other sources ran is run again. With --seconds it ends by itself after so long, with whatever it
 * has got. Without workers (0) it tells what the file holds. Exits with 1 when a seed broke, or when none was run.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/clock.ts";
import { DAY_MS, SECOND_MS } from "../src/core/units.ts";
import { addRun, createTally, renderTally } from "../src/simulation/tally.ts";
import { fingerprintSources } from "./simulate-many-sources.ts";
import type { SimulatedSeed } from "./simulate-many-worker.ts";

/** A line of the file. */
type Kept = SimulatedSeed & { readonly sources?: string };

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    out: { type: "string" },
    seconds: { type: "string" },
  },
});
const [seeds, from, workers] = [values.seeds, values.from, values.workers].map(Number);
if (![seeds, from, workers].every((value) => Number.isInteger(value) && Number(value) >= 0))
  throw new RangeError("--seeds, --from and --workers are whole numbers");
if (values.seconds !== undefined && !(Number(values.seconds) > 0))
  throw new RangeError(`--seconds takes a number above 0, and was given ${values.seconds}`);
const last = Number(from) + Number(seeds) - 1;
const endMs =
  systemClock.nowMs() + (values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds) * SECOND_MS);
/** A worker gets so many seeds at a time: little is lost when it is ended, and its start costs little. */
const SEEDS_A_TIME = values.seconds === undefined ? 100 : 3;

/** The sources of the daemon and of the simulation. */
const sources = fingerprintSources(join(import.meta.dir, ".."));
const done = readDone();
const startMs = systemClock.nowMs();
let next = Number(from);
await Promise.all(Array.from({ length: Number(workers) }, work));
process.exitCode = report();

/** Takes seeds until there are none left, or no time. */
async function work(): Promise<void> {
  for (let chunk = takeSeeds(); chunk.length > 0 && systemClock.nowMs() < endMs; chunk = takeSeeds()) {
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "simulate-many-worker.ts"), ...chunk.map(String)],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const callOff = Number.isFinite(endMs)
      ? systemClock.after(endMs - systemClock.nowMs(), () => child.kill())
      : () => {};
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of child.stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) note(line);
    }
    callOff();
    if ((await child.exited) !== 0 && systemClock.nowMs() < endMs)
      throw new Error(`The worker with seeds ${chunk} failed`);
  }
}

function takeSeeds(): number[] {
  const chunk: number[] = [];
  for (; next <= last && chunk.length < SEEDS_A_TIME; next++) if (!done.has(next)) chunk.push(next);
  return chunk;
}

function note(line: string): void {
  const simulated = JSON.parse(line) as SimulatedSeed;
  done.set(simulated.seed, simulated);
  // The break comes first: the line before may have been cut off.
  if (values.out !== undefined) appendFileSync(values.out, `\n${JSON.stringify({ ...simulated, sources })}`);
  if (simulated.breach !== undefined)
    print(`seed ${simulated.seed}: BROKEN ${simulated.breach.invariant}: ${simulated.breach.says}`);
  if (done.size % 500 === 0)
    print(`${done.size} seeds, after ${Math.round((systemClock.nowMs() - startMs) / SECOND_MS)} s`);
}

function readDone(): Map<number, SimulatedSeed> {
  if (values.out === undefined || !existsSync(values.out)) return new Map();
  const lines = readFileSync(values.out, "utf8").split("\n").flatMap(readLine);
  const known = lines.filter((one) => one.sources === sources);
  if (known.length < lines.length) print(`${lines.length - known.length} seeds in ${values.out} are of other sources`);
  return new Map(known.filter(({ seed }) => seed >= Number(from) && seed <= last).map((one) => [one.seed, one]));
}

/** A line that was cut off when a run was ended is nothing: its seed is run again. */
function readLine(line: string): Kept[] {
  try {
    return line === "" ? [] : [JSON.parse(line) as Kept];
  } catch {
    return [];
  }
}

/** @returns the exit code */
function report(): number {
  const tally = createTally();
  let coreMs = 0;
  for (const simulated of done.values()) {
    addRun(tally, simulated);
    coreMs += simulated.coreMs;
  }
  print(renderTally(tally));
  const ratio = Math.round(tally.simulatedMs / Math.max(1, coreMs));
  print(
    `  ${(coreMs / SECOND_MS).toFixed(0)} s of a core, ${(coreMs / SECOND_MS / Math.max(1, tally.seeds)).toFixed(2)} s a seed: ${ratio} times as fast as life (${(tally.simulatedMs / DAY_MS / 365).toFixed(1)} years)`,
  );
  const broken = [...done.values()].filter(({ breach }) => breach !== undefined).map(({ seed }) => seed);
  if (broken.length > 0) print(`Broken: ${broken.join(", ")}. See one with: simulate --seeds 1 --from ${broken[0]}`);
  print(`${tally.seeds} seeds from ${from}: ${tally.broken} broke`);
  return tally.broken === 0 && tally.seeds > 0 ? 0 : 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
