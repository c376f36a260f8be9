import { expect, test } from "bun:test";
import type { SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { recoverLeftBatches } from "../../src/health/recover.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";
import { syncOf } from "../support/syncs.ts";

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

test("one batch with numbers that are none stops nobody", async () => {
  for (const set of ["size = 0", "runs = -2", "size = -9223372036854775808", "requests = 9223372036854775807"]) {
    const { engine, first, statusOf } = await twoAthletes();
    byHand(engine.db, `UPDATE batches SET ${set} WHERE id = (SELECT id FROM batches WHERE status = 'pending' LIMIT 1)`);
    byHand(engine.db, "UPDATE syncs SET requests = 9223372036854775807, batches_completed = 9223372036854775807");
    const second = engine.start(1);
    await tickMinutes(engine, 20);
    expect([set, statusOf(first), statusOf(second)]).toEqual([set, "completed", "completed"]);
  }
});

test("a sync of a rank behind all classes gets that of its class, however busy the others are", async () => {
  const { engine, first, statusOf } = await twoAthletes();
  byHand(engine.db, `UPDATE syncs SET class_rank = 9 WHERE id = ${first}`);
  for (let n = 0; n < 3; n++) {
    engine.start(1, { restart: true });
    await tickMinutes(engine, 1);
  }
  await tickMinutes(engine, 20);
  expect(statusOf(first)).toBe("completed");
});

async function twoAthletes() {
  const club = { athletes: 2, activitiesEach: 500, racesEach: 50 };
  const engine = createTestEngine({ sandbox: { club, latencyMs: 200 } });
  await tickMinutes(engine, 1);
  const first = engine.start(0);
  const sql = "SELECT 1 FROM batches WHERE type = 'enrichment' AND status = 'completed'";
  await stepUntil(engine, () => engine.db.$client.query(sql).get() !== null);
  return { engine, first, statusOf: (id: SyncId) => syncOf(engine, id).status };
}
