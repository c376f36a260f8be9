/**
 * Kills the daemon at every single commit of a sync, one run each: just before the transaction begins, before it is
 * committed, and right after; and at every request and every answer. Starts it again a few seconds later, lets the sync
 * come to its end, and holds the end against the truth: nothing lost, nothing asked for twice but what was in flight.
 *
 *     bun run crash-at-every-commit [--only CASE] [--edge EDGE]
 *
 * On virtual time and a database in memory: nothing depends on the machine, and the same run is the same every time.
 */
import { parseArgs } from "node:util";
import { CRASH_CASES, EDGES_OF_A_SYNC, runUndisturbed, runWithCrash } from "../test/support/crashes.ts";

const { values } = parseArgs({ options: { only: { type: "string" }, edge: { type: "string" } } });
const knownCases = CRASH_CASES.map((_, place) => String(place + 1));
if (values.only !== undefined && !knownCases.includes(values.only))
  throw new RangeError(`--only takes a case, one of ${knownCases.join(", ")}, and was given ${values.only}`);
if (values.edge !== undefined && !EDGES_OF_A_SYNC.some((edge) => edge === values.edge))
  throw new RangeError(`--edge takes one of ${EDGES_OF_A_SYNC.join(", ")}, and was given ${values.edge}`);
const cases = values.only === undefined ? CRASH_CASES : CRASH_CASES.slice(Number(values.only) - 1, Number(values.only));
const edges = EDGES_OF_A_SYNC.filter((edge) => values.edge === undefined || values.edge === edge);
const startedMs = performance.now();
let runs = 0;
let broken = 0;
for (const crashCase of cases) {
  print(`\n${crashCase.name}`);
  const { passes, wrong } = runUndisturbed(crashCase);
  complain("undisturbed", wrong);
  for (const edge of edges) {
    let [lost, askedAgain, signIns] = [0, 0, 0];
    for (let nth = 1; nth <= passes[edge]; nth++) {
      const crashed = runWithCrash(crashCase, edge, nth);
      runs++;
      complain(`${edge} ${nth}`, crashed.wrong);
      lost = Math.max(lost, crashed.lost);
      askedAgain = Math.max(askedAgain, crashed.askedAgain);
      if (crashed.neededSignIn) signIns++;
    }
    const again = `${signIns === 0 ? "" : `; ${signIns} times the athlete had to sign in again`}`;
    print(
      `  ${edge.padEnd(10)}${String(passes[edge]).padStart(4)} deaths, at most ${lost} answers lost and ${askedAgain} asked for again${again}`,
    );
  }
}
const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
print(`\n${runs} deaths in ${seconds} s: ${broken === 0 ? "nothing lost, nothing doubled" : `${broken} went wrong`}.`);
process.exitCode = broken === 0 ? 0 : 1;

function complain(what: string, wrong: readonly string[]): void {
  if (wrong.length > 0) broken++;
  for (const sentence of wrong) print(`  WRONG at ${what}: ${sentence}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
