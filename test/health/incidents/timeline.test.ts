import { describe, expect, test } from "bun:test";
import { replayIncident } from "../../../src/core/replay-incident.ts";
import type { SyncId } from "../../../src/core/units.ts";
import { readSync } from "../../../src/db/syncs.ts";
import { createTestEngine, START_MS, type TestEngine, type TestEngineOptions } from "../../support/engine.ts";
import { type Check, checkMinutes, checkNow, exportedFrom, inLines, replayAt } from "../../support/exports.ts";
import { byHand, stepUntil } from "../../support/hand.ts";

const NO_LEASE = "lease_token = NULL, lease_expires_at_ms = NULL";
const FAR_MS = START_MS + 400 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
/** An enrichment batch takes most of a minute. */
const SLOW = { club: { athletes: 1, activitiesEach: 500, racesEach: 60 }, latencyMs: 9_000 };

type Started = { readonly engine: TestEngine; readonly id: SyncId };

/** A sync in which a batch of that type runs, with one of its kind completed before it. */
async function inTheMiddle(type: "discovery" | "enrichment", options: TestEngineOptions = {}): Promise<Started> {
  const engine = createTestEngine({ sandbox: SLOW, requestsInFlight: 2, ...options });
  const id = engine.start();
  const has = (status: string) =>
    engine.db.$client.query("SELECT 1 FROM batches WHERE type = ?1 AND status = ?2").get(type, status) !== null;
  await stepUntil(engine, () => has("completed") && has("processing"), 300_000);
  return { engine, id };
}

/** The replay finds at each of the checks what the check found: that many times something, at least once. */
function expectSame({ engine, id }: Started, checks: readonly Check[], kinds: readonly string[]): void {
  expect(checks.flatMap(({ kind }) => kind ?? [])).toEqual([...kinds]);
  expect(inLines(replayAt(exportedFrom(engine, id), checks))).toEqual(inLines(checks));
}

describe("what a hand did is shown as what the checks saw of it", () => {
  test("batches that are deleted while another runs, in suggest mode: missing until the end of the one plans anew", async () => {
    const started = await inTheMiddle("enrichment", { health: { healing: "suggest" } });
    const { engine, id } = started;
    const checks = [await checkNow(engine, id)];
    await engine.clock.advance(10_000);
    byHand(engine.db, "DELETE FROM batches WHERE status = 'pending'");
    await engine.clock.advance(10_000);
    checks.push(await checkNow(engine, id), ...(await checkMinutes(engine, id, 6)));
    expectSame(started, checks, ["missing_enrichment_batches"]);
  });

  test("batches that are deleted one after the other: each is there until its own races are missed", async () => {
    const started = await inTheMiddle("enrichment");
    const { engine, id } = started;
    engine.processor.setClaiming(false);
    const newest = (offset: number) =>
      `DELETE FROM batches WHERE id = (SELECT id FROM batches WHERE status = 'pending' AND created_at_ms = (SELECT min(created_at_ms) FROM batches WHERE type = 'enrichment') ORDER BY id DESC LIMIT 1 OFFSET ${offset})`;
    byHand(engine.db, newest(0));
    const checks = await checkMinutes(engine, id, 3);
    byHand(engine.db, newest(0));
    checks.push(...(await checkMinutes(engine, id, 2)));
    expectSame(started, checks, ["missing_enrichment_batches", "missing_enrichment_batches"]);
  });

  test("a page of the list that is deleted after it has waited through checks", async () => {
    const started = await inTheMiddle("discovery");
    started.engine.processor.setClaiming(false);
    await started.engine.clock.advance(20_000);
    const checks = await checkMinutes(started.engine, started.id, 3);
    byHand(started.engine.db, "DELETE FROM batches WHERE status IN ('pending', 'processing')");
    checks.push(...(await checkMinutes(started.engine, started.id, 2)));
    expectSame(started, checks, ["missing_discovery_batch"]);
  });

  test("pages that are deleted again and again, and then everything", async () => {
    const started = await inTheMiddle("discovery");
    const { engine, id } = started;
    const checks: Check[] = [];
    for (let hand = 0; hand < 2; hand++) {
      byHand(engine.db, "UPDATE batches SET status = 'failed' WHERE status IN ('pending', 'processing')");
      checks.push(...(await checkMinutes(engine, id, 1)));
      engine.processor.setClaiming(false);
    }
    byHand(engine.db, "DELETE FROM batches");
    checks.push(...(await checkMinutes(engine, id, 1)));
    const kinds = checks.flatMap(({ kind }) => kind ?? []);
    expect(kinds.length).toBeGreaterThan(1);
    expectSame(started, checks, kinds);
  });

  test("a batch that was seen to wait too long and was deleted afterwards", async () => {
    const started = await inTheMiddle("enrichment");
    const { engine, id } = started;
    engine.processor.setClaiming(false);
    byHand(
      engine.db,
      `UPDATE batches SET status = 'pending', run_after_ms = ${FAR_MS}, ${NO_LEASE} WHERE status IN ('pending', 'processing')`,
    );
    const checks = await checkMinutes(engine, id, 3);
    byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment'");
    checks.push(...(await checkMinutes(engine, id, 2)));
    expectSame(started, checks, ["far_wait", "missing_enrichment_batches"]);
  });

  test("a wait that a remedy ended is over, though nobody claims the batch", async () => {
    const started = await inTheMiddle("enrichment");
    const { engine, id } = started;
    engine.processor.setClaiming(false);
    byHand(engine.db, `UPDATE batches SET run_after_ms = ${FAR_MS} WHERE status = 'pending'`);
    expectSame(started, await checkMinutes(engine, id, 4), ["far_wait"]);
  });

  test("a sync that was moved on to enrichment with half a list", async () => {
    const started = await inTheMiddle("discovery");
    const { engine, id } = started;
    byHand(
      engine.db,
      "UPDATE syncs SET phase = 'enrichment', list_complete = 0; DELETE FROM batches WHERE status IN ('pending', 'processing')",
    );
    expectSame(started, await checkMinutes(engine, id, 3), ["missing_discovery_batch"]);
  });

  test("races that were marked enriched while the list was read never needed a batch", async () => {
    const started = await inTheMiddle("discovery");
    byHand(started.engine.db, "UPDATE races SET enrichment = 'enriched'");
    expectSame(started, await checkMinutes(started.engine, started.id, 12), []);
  });

  test("races that were turned back after the end became pending after it", async () => {
    const { engine, id } = await inTheMiddle("enrichment", { sandbox: { ...SLOW, latencyMs: 500 } });
    await checkMinutes(engine, id, 3);
    expect(readSync(engine.db, id)?.status).toBe("completed");
    byHand(engine.db, "UPDATE races SET enrichment = 'pending' WHERE id < 5");
    const incident = exportedFrom(engine, id);
    expect(incident.races.filter((race) => race.settled === null).map((race) => race.pending_at)).toEqual(
      Array.from({ length: 4 }, () => incident.exported_at),
    );
    expect(replayIncident(incident).troubles).toEqual([]);
  });
});

test("what a restart took up spent no attempt; what a lost lease cost is one", async () => {
  const { engine, id } = await inTheMiddle("enrichment");
  const next = engine.rebooted();
  const restarted = exportedFrom(next, id).batches.flatMap((batch) => batch.states.filter(({ by }) => by === "remedy"));
  expect(restarted).toMatchObject([{ status: "pending", attempts: 0 }]);
  await next.clock.advance(1_000);
  byHand(next.db, "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'");
  const checks = await checkMinutes(next, id, 2);
  expectSame({ engine: next, id }, checks, ["orphaned_batch"]);
  const swept = exportedFrom(next, id).batches.flatMap((batch) => batch.states.filter(({ by }) => by === "remedy"));
  expect(swept).toMatchObject([
    { status: "pending", attempts: 0 },
    { status: "pending", attempts: 1 },
  ]);
});

test("a sync that is given up ends by that check, and its last remedy never was", async () => {
  const started = await inTheMiddle("enrichment", { health: { maxRemedies: 0 } });
  const { engine, id } = started;
  byHand(engine.db, "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'");
  const checks = await checkMinutes(engine, id, 3);
  expect(readSync(engine.db, id)?.status).toBe("failed");
  expectSame(started, checks, ["orphaned_batch"]);
  const incident = exportedFrom(engine, id);
  expect(incident.sync.ended_by).toBe("remedy");
  const held = incident.batches.find((batch) => batch.states.some(({ lease }) => lease === "fixed"));
  expect(held?.states.map(({ status }) => status)).toEqual(["pending", "processing", "processing", "cancelled"]);
  // What was pending is left to the next sync: nothing is wrong after the end.
  await engine.clock.advance(DAY_MS);
  expect(replayIncident(exportedFrom(engine, id)).troubles.map(({ kind }) => kind)).toEqual(["orphaned_batch"]);
});
