import { expect, test } from "bun:test";
import { describeState } from "../../src/core/status.ts";
import { MINUTE_MS, type SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { readSnapshot } from "../../src/sync/snapshot.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, stepUntil } from "../support/hand.ts";

/** 2025-11-17: 45 races enriched by 3 completed batches, 20 left, and no batch for them. */
async function stallAsInTheIncident(): Promise<{ engine: TestEngine; syncId: SyncId }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 300, racesEach: 65 }, latencyMs: 100 },
  });
  const syncId = engine.start();
  const completed = "SELECT id FROM batches WHERE type = 'enrichment' AND status = 'completed'";
  await stepUntil(engine, () => engine.db.$client.query(completed).all().length === 3);
  // The fourth is claimed by now, so no end of a batch will notice: its worker finds the lease gone and writes nothing.
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND status <> 'completed'");
  await engine.clock.advance(5_000);
  return { engine, syncId };
}

function stateOf(engine: TestEngine, syncId: SyncId) {
  const sync = readSync(engine.db, syncId);
  if (sync === undefined) throw new Error("The sync is gone");
  const snapshot = readSnapshot(engine.db, sync);
  return { snapshot, state: describeState(snapshot, engine.monitor.rules(sync.class)) };
}

test("the incident: batches run out with 20 races left; it shows as stalled, with the warning and the counts", async () => {
  const { engine, syncId } = await stallAsInTheIncident();
  const { snapshot, state } = stateOf(engine, syncId);
  expect(countRaces(engine.db, "enriched")).toBe(45);
  expect(countRaces(engine.db, "pending")).toBe(20);
  expect(snapshot.counts).toEqual({ total: 3, completed: 3, pending: 0, processing: 0, failed: 0 });
  expect(state).toMatchObject({
    state: "stalled",
    warning: "Sync appears stalled: no pending batches but sync not complete. System will auto-create missing batches.",
  });
});

test("the incident: the next health check creates ⌈20/15⌉ = 2 batches, both complete, and the finding is verified", async () => {
  const { engine, syncId } = await stallAsInTheIncident();
  const report = await engine.monitor.tick();
  expect(report.findings).toMatchObject([
    {
      outcome: "pending",
      finding: { kind: "missing_enrichment_batches", evidence: { races_pending: 20, batches_to_create: 2 } },
    },
  ]);
  expect(stateOf(engine, syncId).snapshot.counts).toMatchObject({ total: 5, pending: 2 });
  await engine.clock.advance(MINUTE_MS);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 65 });
  expect(stateOfFindings(engine)).toEqual([["missing_enrichment_batches", "pending"]]);
  await engine.monitor.tick();
  expect(stateOfFindings(engine)).toEqual([["missing_enrichment_batches", "verified"]]);
});

test("the incident cannot come about by itself: a batch that ends while work is left creates what is missing, with no monitor", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 300, racesEach: 65 }, latencyMs: 100 },
  });
  const syncId = engine.start();
  await stepUntil(
    engine,
    () =>
      engine.db.$client.query("SELECT id FROM batches WHERE type = 'enrichment' AND status = 'processing'").all()
        .length === 1,
  );
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND status = 'pending'");
  await engine.clock.advance(10_000);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 65 });
  expect(stateOfFindings(engine)).toEqual([]);
});

test("suggest mode proposes the remedy once, applies it when told, and then verifies it", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 },
    health: { healing: "suggest" },
  });
  const syncId = engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
  await engine.clock.advance(5_000);
  const first = await engine.monitor.tick();
  const again = await engine.monitor.tick();
  expect(first.findings).toMatchObject([{ outcome: "proposed" }]);
  expect(again.findings.map((found) => found.id)).toEqual(first.findings.map((found) => found.id));
  expect(stateOf(engine, syncId).state).toMatchObject({
    state: "stalled",
    warning: "Sync appears stalled: no pending batches but sync not complete. Apply the proposed remedy to go on.",
  });
  const id = first.findings[0]?.id;
  if (id === null || id === undefined) throw new Error("No finding was stored");
  expect(engine.monitor.apply(id)).toBe("applied");
  expect(engine.monitor.apply(id)).toBe("not_proposed");
  await engine.clock.advance(MINUTE_MS);
  await engine.monitor.tick();
  expect(stateOfFindings(engine)).toEqual([["missing_enrichment_batches", "verified"]]);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed" });
});

test("a dry run says what it would do and changes nothing", async () => {
  const { engine } = await stallAsInTheIncident();
  const before = engine.db.$client.serialize();
  const report = await engine.monitor.check({ dryRun: true });
  expect(report).toMatchObject({
    checked: 1,
    dryRun: true,
    findings: [{ id: null, finding: { kind: "missing_enrichment_batches" } }],
  });
  expect(engine.db.$client.serialize().equals(before)).toBe(true);
});

function stateOfFindings(engine: TestEngine): [string, string][] {
  return readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 50).map((finding) => [finding.kind, finding.outcome]);
}
