/**
 * Loaded before the tests of a mutant: answers the questions that `mutation-instrument.ts` wrote into the code.
 * `MUTANT` names the one that is alive; without it all are dead, and `MUTATION_REACHED` is where the numbers of those that
 * were asked for are written to.
 */
import { afterAll } from "bun:test";
import { writeFileSync } from "node:fs";
import fc from "fast-check";

/** What a run of tests reached, when no mutant was alive. */
export type Reached = { readonly mutants: readonly number[]; readonly questions: number };

/** The tests' properties are tried with the same values in every run, so that a score can be had again. */
fc.configureGlobal({ seed: 1 });

const { MUTANT, MUTATION_REACHED, MUTATION_QUESTIONS } = process.env;
const alive = MUTANT === undefined ? undefined : Number(MUTANT);
const mostQuestions = Number(MUTATION_QUESTIONS ?? Number.POSITIVE_INFINITY);
const reached = new Set<number>();
let questions = 0;

Object.assign(globalThis, {
  __mutant(id: number): boolean {
    questions++;
    // A mutant that loops asks on and on: that ends here, long before the time is up.
    if (questions > mostQuestions) process.exit(3);
    if (alive === undefined) reached.add(id);
    return id === alive;
  },
});

afterAll(() => {
  const found: Reached = { mutants: [...reached], questions };
  if (MUTATION_REACHED !== undefined) writeFileSync(MUTATION_REACHED, JSON.stringify(found));
});
