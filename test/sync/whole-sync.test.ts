import { expect, test } from "bun:test";
import { readSync } from "../../src/db/syncs.ts";
import { createTestEngine } from "../support/engine.ts";

test("a full sync lists everything, stores the races, enriches each, and completes", async () => {
  const engine = createTestEngine({ sandbox: { club: { athletes: 1, activitiesEach: 450, racesEach: 65 } } });
  const syncId = engine.start();
  await engine.clock.advance(2_000);
  expect(readSync(engine.db, syncId)).toMatchObject({
    status: "completed",
    activitiesListed: 450,
    racesEnriched: 65,
    phase: "enrichment",
  });
});
