import { test } from "bun:test";
import fc from "fast-check";
import { ATHLETES, Club } from "./model/club.ts";
import { anyCommands } from "./model/commands.ts";
import { letGo } from "./model/let-go.ts";
import { createModel } from "./model/model.ts";

/** Fixed, so that a change is judged by the same runs; others, and more of them, by the environment. */
const SEED = Number(process.env.BROOMWAGON_TEST_SEED ?? 20_251_117);
const RUNS = Number(process.env.BROOMWAGON_TEST_RUNS ?? 30);

test(`whatever befalls a club, the engine does as a small model of it says (seed ${SEED}, ${RUNS} runs)`, () => {
  fc.assert(
    fc.property(anyCommands, (commands) => {
      const club = new Club();
      try {
        const model = createModel(ATHLETES, club.world.time.nowMs());
        fc.modelRun(() => ({ model, real: club }), commands);
        letGo(model, club);
      } finally {
        club.world.close();
      }
    }),
    { seed: SEED, numRuns: RUNS, includeErrorInReport: true },
  );
});
