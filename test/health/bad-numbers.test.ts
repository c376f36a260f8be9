import { expect, test } from "bun:test";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { recoverLeftBatches } from "../../src/health/recover.ts";
import type { TestEngine } from "../support/engine.ts";
import { byHand, countRaces, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";

const kindsAndOutcomes = (engine: TestEngine) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 100).map(({ kind, outcome }) => [kind, outcome]);

const NUMBERS_BY_HAND = ["9007199254740993", "9223372036854775807", "-9223372036854775808"];

for (const attempts of NUMBERS_BY_HAND) {
  test(`the daemon starts whatever a hand wrote as the attempts of a batch that was left: ${attempts}`, async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE batches SET attempts = ${attempts} WHERE status = 'processing'`);
    const next = engine.rebooted();
    await tickMinutes(next, 3);
    expect(readSync(next.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 50 });
    expect(kindsAndOutcomes(next)).toEqual([["left_by_former_process", "verified"]]);
  });

  test(`a batch that nobody holds is taken back whatever a hand wrote as its attempts: ${attempts}`, async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(
      engine.db,
      `UPDATE batches SET attempts = ${attempts}, lease_token = NULL, lease_expires_at_ms = NULL WHERE status = 'processing'`,
    );
    await tickMinutes(engine, 4);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed" });
    expect(countRaces(engine.db, "pending")).toBe(0);
    expect(kindsAndOutcomes(engine)).toEqual([["impossible_lease", "verified"]]);
  });
}

test("the daemon starts whatever a hand wrote as the deaths of a batch that was left", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  byHand(engine.db, "UPDATE batches SET deaths = 9223372036854775807 WHERE status = 'processing'");
  const next = engine.rebooted();
  await tickMinutes(next, 3);
  expect(readSync(next.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 50 });
});

test("a batch that cannot be taken up keeps no daemon from starting", async () => {
  const { engine } = await inTheMiddle("enrichment");
  byHand(engine.db, "CREATE TRIGGER keep BEFORE UPDATE ON batches BEGIN SELECT RAISE(IGNORE); END");
  expect(recoverLeftBatches({ ...engine.context, owner: "another" })).toBe(0);
});

test("a sync goes on whatever a hand wrote as the number of a batch", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND status IN ('pending', 'processing')");
  byHand(engine.db, "UPDATE batches SET number = 9223372036854775807 WHERE id = (SELECT min(id) FROM batches)");
  await tickMinutes(engine, 4);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 50 });
  expect(kindsAndOutcomes(engine)).toEqual([["missing_enrichment_batches", "verified"]]);
});
