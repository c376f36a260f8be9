import { expect, test } from "bun:test";
import { COMMIT_EDGES, CRASH_CASES, runUndisturbed, runWithCrash } from "../support/crashes.ts";

/** Deaths a case: all of them take the script `crash-at-every-commit`, and a minute. */
const DEATHS_MAX = 12;

for (const crashCase of CRASH_CASES) {
  test(`I4, I7, I11, I12: killed at commits from its first to its last, nothing is lost and nothing doubled: ${crashCase.name}`, () => {
    const { passes, wrong } = runUndisturbed(crashCase);
    expect(wrong).toEqual([]);
    const commits = passes.committed;
    const deaths = Math.min(commits, DEATHS_MAX);
    expect(deaths).toBeGreaterThanOrEqual(8);
    let signIns = 0;
    for (let death = 0; death < deaths; death++) {
      // Spread evenly; before, in and after a commit by turns.
      const nth = 1 + Math.round((death * (commits - 1)) / (deaths - 1));
      const edge = COMMIT_EDGES[death % COMMIT_EDGES.length] ?? "commit";
      const crashed = runWithCrash(crashCase, edge, nth);
      expect({ edge, nth, wrong: crashed.wrong }).toEqual({ edge, nth, wrong: [] });
      // At most a batch of five was in flight, and the refresh before it.
      expect(crashed.lost).toBeLessThanOrEqual(6);
      if (crashed.neededSignIn) signIns++;
    }
    // A pair that Strava rotated, and that was not committed, is the only one of its kind.
    expect(signIns).toBeLessThanOrEqual(crashCase.mayNeedSignIn === true ? 2 : 0);
  });
}
