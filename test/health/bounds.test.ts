import { expect, test } from "bun:test";
import type { SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { createTestEngine, type TestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";

/** A sync in enrichment whose batches a hand deletes again and again, before any of them completes. */
async function flapping(
  options: TestEngineOptions = {},
): Promise<{ engine: TestEngine; syncId: SyncId; flap: () => Promise<void> }> {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 200 },
    ...options,
  });
  const syncId = engine.start();
  await stepUntil(
    engine,
    () => engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment'").get() !== null,
  );
  engine.processor.setClaiming(false);
  const flap = async () => {
    byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
    await tickMinutes(engine, 1);
  };
  return { engine, syncId, flap };
}

const outcomes = (engine: TestEngine) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 50)
    .map((finding) => finding.outcome)
    .reverse();

test("I8: healing ends: past its bound of remedies the sync fails, with the reason and how to try again", async () => {
  const { engine, syncId, flap } = await flapping({ health: { maxRemedies: 3 } });
  for (let n = 1; n <= 3; n++) await flap();
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "in_progress" });
  await flap();
  const sync = readSync(engine.db, syncId);
  expect(sync).toMatchObject({ status: "failed" });
  expect(sync?.error).toContain("missing_enrichment_batches");
  expect(sync?.error).toContain("Start a new sync");
  expect(outcomes(engine)).toEqual(["failed", "failed", "failed", "failed"]);
  // Nothing is lost: what was pending is left to the athlete's next sync.
  expect(countRaces(engine.db, "pending")).toBe(20);
  engine.processor.setClaiming(true);
  const next = engine.start(0, { mode: "full" });
  await tickMinutes(engine, 1);
  expect(readSync(engine.db, next)).toMatchObject({ status: "completed", racesEnriched: 20 });
});

test("remedies are counted over a day: after it the sync may be mended again, but never more than twenty times in all", async () => {
  const { engine, syncId, flap } = await flapping({ health: { maxRemedies: 5 } });
  for (let n = 1; n <= 5; n++) await flap();
  byHand(
    engine.db,
    "UPDATE findings SET detected_at_ms = detected_at_ms - 86400001, remedied_at_ms = remedied_at_ms - 86400001",
  );
  await flap();
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "in_progress" });
  byHand(
    engine.db,
    "UPDATE findings SET detected_at_ms = detected_at_ms - 86400001, remedied_at_ms = remedied_at_ms - 86400001",
  );
  byHand(
    engine.db,
    `INSERT INTO findings (kind, sync_id, outcome, settled_at_ms, detected_at_ms, remedied_at_ms)
     SELECT kind, sync_id, 'failed', 1, 1, 1 FROM findings, (VALUES (1), (2), (3)) WHERE id <= 5 LIMIT 14`,
  );
  await flap();
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "failed" });
});

test("what a restart of the daemon made necessary does not count against the bound", async () => {
  let engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 20 }, latencyMs: 100 },
    health: { maxRemedies: 1 },
  });
  const syncId = engine.start();
  for (let death = 0; death < 4; death++) {
    await engine.clock.advance(150);
    engine = engine.rebooted();
  }
  await tickMinutes(engine, 2);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 20 });
  expect(readFindings(engine.db, { kind: "left_by_former_process" }, Number.MAX_SAFE_INTEGER, 50).length).toBe(4);
});

test("a sync behind others stands in a queue while every worker is busy: neither stalled, nor mended, nor failed", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 60, racesEach: 40 }, latencyMs: 60_000 },
    rules: { concurrency: 1, enrichmentBatchSize: 40 },
    requestsInFlight: 1,
    timeoutMs: 300_000,
  });
  const syncIds = [engine.start(0), engine.start(1)];
  await tickMinutes(engine, 60);
  expect(readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 50)).toEqual([]);
  await tickMinutes(engine, 60);
  for (const syncId of syncIds)
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 40 });
});
