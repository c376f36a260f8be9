import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Mutant } from "./mutation-instrument.ts";
import type { Outcome } from "./mutation-runs.ts";

export type Result = Mutant & { readonly outcome: Outcome };

/** Results of earlier runs, one a line, so that a run that was cut off goes on where it was. */
export type Results = {
  /** What became of a mutant, while its file is as it was, and the tests are too if they let it live. */
  find(mutant: Mutant): Outcome | undefined;
  add(mutant: Mutant, outcome: Outcome): void;
};

type Line = { readonly sources: string; readonly tests: string; readonly key: string; readonly outcome: Outcome };

/** @param fingerprints of a core file by its path, and of all the tests. */
export function openResults(
  path: string,
  fingerprints: { readonly of: (file: string) => string; readonly tests: string },
): Results {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const known = new Map<string, Outcome>();
  for (const line of lines.flatMap(parseLine)) {
    if (line.outcome === "killed" || line.outcome === "timed_out" || line.tests === fingerprints.tests) {
      known.set(`${line.sources} ${line.key}`, line.outcome);
    }
  }
  const keyOf = ({ file, line, original, mutated }: Mutant) => JSON.stringify([file, line, original, mutated]);
  return {
    find: (mutant) => known.get(`${fingerprints.of(mutant.file)} ${keyOf(mutant)}`),
    add(mutant, outcome) {
      const line: Line = {
        sources: fingerprints.of(mutant.file),
        tests: fingerprints.tests,
        key: keyOf(mutant),
        outcome,
      };
      appendFileSync(path, `${JSON.stringify(line)}\n`);
    },
  };
}

/** A last line that was cut off counts for nothing. */
function parseLine(text: string): Line[] {
  try {
    return [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
