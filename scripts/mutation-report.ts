import { renderTable } from "../src/cli/table.ts";
import type { Mutant } from "./mutation-instrument.ts";
import type { Result } from "./mutation-results.ts";

/** Why a mutant may live: what it does differently nobody can see. */
export type Explanation = {
  readonly file: string;
  readonly original: string;
  readonly mutated: string;
  readonly reason: string;
};

export type Score = { readonly mutants: number; readonly killed: number; readonly explained: number };

/**
 * A table of the files and their sum, then the survivors that nothing explains, then explanations that nothing needs.
 * @param mutants all that there are, tried or not.
 */
export function reportOn(
  results: readonly Result[],
  mutants: readonly Mutant[],
  explanations: readonly Explanation[],
): string {
  const files = [...new Set(results.map((result) => result.file))];
  const rows = files.map((file) =>
    row(
      file,
      scoreOf(
        results.filter((result) => result.file === file),
        explanations,
      ),
    ),
  );
  const table = renderTable([
    ["file", "mutants", "killed", "survived", "explained", "score"],
    ...rows,
    row("all", scoreOf(results, explanations)),
  ]);
  const unexplained = results.filter((result) => isSurvivor(result) && !isExplained(result, explanations));
  const stale = explanations.filter((one) => isStale(one, mutants, results));
  return [
    table,
    "",
    ...unexplained.map(describe),
    ...stale.map((one) => `explained for nothing: ${one.file}: ${one.original} → ${one.mutated}`),
    summary(scoreOf(results, explanations)),
  ].join("\n");
}

export function scoreOf(results: readonly Result[], explanations: readonly Explanation[]): Score {
  const survivors = results.filter(isSurvivor);
  return {
    mutants: results.length,
    killed: results.length - survivors.length,
    explained: survivors.filter((result) => isExplained(result, explanations)).length,
  };
}

const isSurvivor = ({ outcome }: Result): boolean => outcome === "survived" || outcome === "unreached";

const isExplained = (result: Result, explanations: readonly Explanation[]): boolean =>
  explanations.some((one) => isAbout(one, result));

const isAbout = (one: Explanation, { file, original, mutated }: Mutant): boolean =>
  one.file === file && one.original === original && one.mutated === mutated;

/** Its mutant is gone from the code, or was tried and killed. */
function isStale(one: Explanation, mutants: readonly Mutant[], results: readonly Result[]): boolean {
  if (!mutants.some((mutant) => isAbout(one, mutant))) return true;
  const tried = results.filter((result) => isAbout(one, result));
  return tried.length > 0 && !tried.some(isSurvivor);
}

function row(name: string, score: Score): string[] {
  const { mutants, killed, explained } = score;
  return [name, String(mutants), String(killed), String(mutants - killed), String(explained), percent(killed, mutants)];
}

const describe = ({ file, line, outcome, original, mutated }: Result): string =>
  `${outcome}: ${file}:${line}\n  - ${original}\n  + ${mutated}`;

function summary({ mutants, killed, explained }: Score): string {
  const rest = mutants - explained;
  return (
    `${killed} of ${mutants} mutants killed: ${percent(killed, mutants)}; ` +
    `${percent(killed, rest)} without the ${explained} that are explained`
  );
}

const percent = (part: number, whole: number): string => (whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`);
