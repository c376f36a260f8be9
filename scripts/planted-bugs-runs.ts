import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Change, PlantedBug } from "./planted-bugs-list.ts";

/** What of the checkout a simulation needs; the packages are shared. */
const COPIED = ["src", "drizzle", "package.json", "tsconfig.json", "bunfig.toml"];
/** For a bug that makes the daemon loop: it is not caught, since nothing says what is wrong. */
const LIMIT_MS = 15 * 60_000;

/** One runs on every core: what the runtime does beside its own thread would only keep another from running. */
const ALONE_ON_A_CORE = { BUN_JSC_useConcurrentJIT: "0", BUN_JSC_numberOfGCMarkers: "1" };

/** The first seed at which a bug shows, and how. */
export type Caught = {
  readonly seed: number;
  readonly invariant: string;
  readonly says: string;
};

/** What came of a run; `caught` undefined: no seed broke. */
export type PlantedRun = { readonly caught: Caught | undefined; readonly seeds: number; readonly realMs: number };

/** Plants a bug in a copy of the checkout, and runs seeds there until one breaks. @throws Error where it cannot be. */
export async function simulateWithBug(
  bug: PlantedBug,
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<PlantedRun> {
  const startedMs = performance.now();
  const folder = plant(bug);
  try {
    const child = Bun.spawn(
      [
        process.execPath,
        "src/main.ts",
        "simulate",
        `--seeds=${seeds}`,
        `--from=${from}`,
        "--until-broken",
        "--no-shrink",
        "--json",
      ],
      { cwd: folder, env: { ...process.env, ...ALONE_ON_A_CORE }, stdout: "pipe", stderr: "pipe", timeout: LIMIT_MS },
    );
    const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    return { ...readRuns(bug, output, errors), realMs: performance.now() - startedMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plant({ name, changes }: PlantedBug): string {
  const top = join(import.meta.dir, "..");
  const folder = mkdtempSync(join(tmpdir(), `broomwagon-planted-${name}-`));
  for (const path of COPIED) cpSync(join(top, path), join(folder, path), { recursive: true });
  symlinkSync(join(top, "node_modules"), join(folder, "node_modules"));
  for (const change of changes) {
    const path = join(folder, change.file);
    writeFileSync(path, changed(name, change, readFileSync(path, "utf8")));
  }
  return folder;
}

/** @throws Error where the text to change is not there once: the code has moved on, and the bug with it. */
export function changed(bug: string, { file, find, replace }: Change, text: string): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    const count = text.split(find).length - 1;
    throw new Error(
      `The bug ${bug} cannot be planted: ${file} holds the text that it changes ${count} times, and not once. Where the code has moved on, change the bug in scripts/planted-bugs-list.ts. It looks for:\n${find}`,
    );
  }
  return before + replace + after;
}

type Shown = { seed: number; broken: { invariant: string; says: string } | null };

function readRuns({ name }: PlantedBug, output: string, errors: string): Omit<PlantedRun, "realMs"> {
  let runs: readonly Shown[];
  try {
    runs = (JSON.parse(output) as { runs: readonly Shown[] }).runs;
  } catch (error) {
    throw new Error(`With the bug ${name}, the simulation itself failed:\n${errors}`, { cause: error });
  }
  const last = runs.at(-1);
  const caught = last === undefined || last.broken === null ? undefined : { seed: last.seed, ...last.broken };
  return { caught, seeds: runs.length };
}

/** Does so many at a time; the answers are in the order of the items. */
export async function inLanes<Item, Answer>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const queue = items.entries();
  const lane = async () => {
    for (const [index, item] of queue) answers[index] = await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return answers;
}
