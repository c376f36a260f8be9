import { describe, expect, test } from "bun:test";
import type { HealingMode } from "../../src/core/status.ts";
import type { SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { readSync } from "../../src/db/syncs.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";
import { PLENTY } from "../support/syncs.ts";

function found(engine: TestEngine): { kind: string; outcome: string; own_restart: number }[] {
  return readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 100).map(({ kind, outcome, ownRestart }) => ({
    kind,
    outcome,
    own_restart: ownRestart,
  }));
}

function expectWhole(engine: TestEngine, syncId: SyncId): void {
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed" });
  expect(countRaces(engine.db, "pending")).toBe(0);
  const held = engine.db.$client
    .query<{ id: number }, []>("SELECT strava_activity_id AS id FROM races ORDER BY id")
    .all().length;
  expect(held).toBe(50);
}

test("attempts and numbers below zero are no trouble: the sync goes on, and nothing is found", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  byHand(engine.db, "UPDATE batches SET attempts = -3, number = -number WHERE status = 'pending'");
  await engine.monitor.tick();
  await tickMinutes(engine, 2);
  expectWhole(engine, syncId);
  expect(found(engine)).toEqual([]);
});

test("what was proposed in suggest mode is applied once the daemon starts in automatic mode", async () => {
  const health: { healing: HealingMode } = { healing: "suggest" };
  const { engine, syncId } = await inTheMiddle("enrichment", { health });
  byHand(engine.db, "DELETE FROM batches WHERE status IN ('pending', 'processing')");
  await tickMinutes(engine, 2);
  expect(found(engine).map(({ outcome }) => outcome)).toEqual(["proposed"]);
  health.healing = "automatic";
  const next = engine.rebooted();
  await tickMinutes(next, 3);
  expectWhole(next, syncId);
  expect(found(next).map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ["missing_enrichment_batches", "verified"],
    ["missing_enrichment_batches", "superseded"],
  ]);
  const stalls = "SELECT value FROM counters WHERE name = 'stalls_detected' AND day_start_ms = 0";
  expect(next.db.$client.query(stalls).get()).toEqual({ value: 1 });
});

describe("after a sync has ended", () => {
  /** A completed sync of 50 races. */
  async function completed(): Promise<{ engine: TestEngine; syncId: SyncId }> {
    const { engine, syncId } = await inTheMiddle("enrichment");
    await tickMinutes(engine, 1);
    expectWhole(engine, syncId);
    return { engine, syncId };
  }

  test("unfinished_races: races that a hand turned back to pending are left to a new sync, which is verified", async () => {
    const { engine } = await completed();
    const lists = () => engine.sandbox.ledger().filter((entry) => entry.kind === "list").length;
    const listed = lists();
    byHand(engine.db, "UPDATE races SET enrichment = 'pending', polyline = NULL WHERE id <= 7");
    await tickMinutes(engine, 2);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(found(engine)).toEqual([{ kind: "unfinished_races", outcome: "verified", own_restart: 0 }]);
    expect(lists()).toBe(listed);
  });

  test("unfinished_races: a race that a hand added, and that Strava does not know, ends as unavailable", async () => {
    const { engine } = await completed();
    byHand(engine.db, "INSERT INTO races (athlete_id, strava_activity_id, enrichment) VALUES (1, 999, 'pending')");
    await tickMinutes(engine, 2);
    expect(countRaces(engine.db, "unavailable")).toBe(1);
    expect(countRaces(engine.db, "pending")).toBe(0);
  });

  test("a cancelled sync leaves its pending races to the athlete's next sync: no finding", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE syncs SET status = 'cancelled', completed_at_ms = 1 WHERE id = ${syncId}`);
    await tickMinutes(engine, 2);
    expect(found(engine).map(({ kind }) => kind)).toEqual(["stray_batch"]);
    expect(countRaces(engine.db, "pending")).toBeGreaterThan(0);
  });

  test("stray_batch: live batches of a sync that a hand marked completed are cancelled, and its races taken up anew", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE syncs SET status = 'completed', completed_at_ms = 1 WHERE id = ${syncId}`);
    await tickMinutes(engine, 3);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(engine.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
      [],
    );
    expect(
      found(engine)
        .map(({ kind, outcome }) => [kind, outcome])
        .sort(),
    ).toEqual([
      ["stray_batch", "verified"],
      ["unfinished_races", "verified"],
    ]);
  });

  test("stray_batch: however many batches outlived a completed sync, all are cancelled, past any bound of remedies", async () => {
    const { engine, syncId } = await completed();
    byHand(
      engine.db,
      `WITH RECURSIVE n (n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM n WHERE n < 1750)
       INSERT INTO batches (sync_id, number, type, size) SELECT ${syncId}, n, 'enrichment', 1 FROM n`,
    );
    await tickMinutes(engine, 12);
    expect(engine.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
      [],
    );
    expect(found(engine)).toEqual(Array(8).fill({ kind: "stray_batch", outcome: "verified", own_restart: 0 }));
  });

  test("stray_batch: live batches of a sync that a hand deleted are cancelled", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `DELETE FROM syncs WHERE id = ${syncId}`);
    await tickMinutes(engine, 2);
    expect(engine.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
      [],
    );
    expect(found(engine).map(({ kind, outcome }) => [kind, outcome])).toEqual([["stray_batch", "superseded"]]);
  });

  test("a race that a hand marked as failed, or put into a state that is none, stops no later sync", async () => {
    const { engine } = await completed();
    byHand(engine.db, "UPDATE races SET enrichment = 'failed' WHERE id = 8");
    byHand(engine.db, "UPDATE races SET enrichment = 'weird' WHERE id = 9");
    const next = engine.start(0, { mode: "full" });
    await tickMinutes(engine, 3);
    expect(readSync(engine.db, next)).toMatchObject({ status: "completed" });
    expect(countRaces(engine.db, "enriched")).toBe(49);
    expect(engine.db.$client.query("SELECT enrichment, enrichment_error FROM races WHERE id = 8").get()).toEqual({
      enrichment: "failed",
      enrichment_error: "no reason was recorded",
    });
  });

  test("states that are none are given one that loses nothing, and the sync goes on or says why it ended", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(
      engine.db,
      "UPDATE races SET enrichment = 'weird' WHERE id = (SELECT max(id) FROM races WHERE enrichment = 'pending')",
    );
    byHand(engine.db, "UPDATE batches SET status = 'bogus' WHERE status = 'pending'");
    await tickMinutes(engine, 3);
    expectWhole(engine, syncId);
    expect(countRaces(engine.db, "enriched")).toBe(50);
    expect(engine.db.$client.query("SELECT count(*) AS n FROM batches WHERE status = 'bogus'").get()).toEqual({ n: 0 });
    byHand(engine.db, `UPDATE syncs SET status = 'bogus', completed_at_ms = NULL WHERE id = ${syncId}`);
    await tickMinutes(engine, 1);
    expect(readSync(engine.db, syncId)).toMatchObject({
      status: "failed",
      error: "A hand in the database ended it. Start a new sync to go on.",
    });
    expect(readSync(engine.db, syncId)?.completedAtMs).not.toBeNull();
  });

  test("what a sync enriched is counted by its races, whatever became of its batches", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, "DELETE FROM batches");
    await tickMinutes(engine, 2);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 50 });
  });
});

test("orphaned_batch: a batch that a hand marked as processing is found behind five hundred that wait", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 700, racesEach: 620 }, latencyMs: 200, quota: PLENTY },
    rules: { enrichmentBatchSize: 1, concurrency: 1 },
  });
  await tickMinutes(engine, 1);
  const syncId = engine.start();
  const completed = () =>
    engine.db.$client.query("SELECT 1 FROM batches WHERE type = 'enrichment' AND status = 'completed'").get() !== null;
  await stepUntil(engine, completed);
  byHand(
    engine.db,
    `UPDATE batches SET status = 'processing', lease_token = 'hand', lease_expires_at_ms = 1
     WHERE sync_id = ${syncId} AND type = 'enrichment' AND number = (SELECT max(number) - 10 FROM batches)`,
  );
  await tickMinutes(engine, 8);
  expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 620 });
  expect(found(engine)).toEqual([{ kind: "orphaned_batch", outcome: "verified", own_restart: 0 }]);
});

describe("in suggest mode, states that are none are made readable, and what follows is proposed", () => {
  const bogus = (engine: TestEngine) =>
    engine.db.$client
      .query<{ count: number }, []>(
        `SELECT (SELECT count(*) FROM races WHERE enrichment = 'bogus') + (SELECT count(*) FROM batches WHERE status = 'bogus')
           + (SELECT count(*) FROM syncs WHERE status = 'bogus') AS count`,
      )
      .get()?.count;
  const suggesting = () => inTheMiddle("enrichment", { health: { healing: "suggest" } });
  const kinds = (engine: TestEngine) => found(engine).map(({ kind, outcome }) => [kind, outcome]);

  test("races: none is left out, though the sync may end before a check has seen them", async () => {
    const { engine } = await suggesting();
    byHand(engine.db, "UPDATE races SET enrichment = 'bogus' WHERE enrichment = 'pending'");
    await tickMinutes(engine, 2);
    expect(bogus(engine)).toBe(0);
    expect(kinds(engine)).toEqual([["unfinished_races", "proposed"]]);
    expect(countRaces(engine.db, "pending")).toBeGreaterThan(0);
  });

  test("batches: what they held is missing", async () => {
    const { engine, syncId } = await suggesting();
    engine.processor.setClaiming(false);
    byHand(engine.db, "UPDATE batches SET status = 'bogus' WHERE status IN ('pending', 'processing')");
    await tickMinutes(engine, 2);
    expect(bogus(engine)).toBe(0);
    expect(kinds(engine)).toEqual([["missing_enrichment_batches", "proposed"]]);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "in_progress" });
  });

  test("syncs: it has ended, says why, and what is left of it is proposed", async () => {
    const { engine, syncId } = await suggesting();
    byHand(engine.db, `UPDATE syncs SET status = 'bogus' WHERE id = ${syncId}`);
    await tickMinutes(engine, 2);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "failed" });
    expect(readSync(engine.db, syncId)?.error).toContain("Start a new sync");
    expect(kinds(engine)).toEqual([["stray_batch", "proposed"]]);
  });
});

describe("a batch whose id a hand set beyond what a number holds exactly", () => {
  const inexact = (engine: TestEngine) =>
    engine.db.$client
      .query<{ count: number }, []>("SELECT count(*) AS count FROM batches WHERE abs(id) > 9007199254740991")
      .get()?.count;
  const NO_LEASE = "lease_token = NULL, lease_expires_at_ms = NULL";

  for (const during of ["discovery", "enrichment"] as const) {
    for (const id of ["9007199254740993", "9223372036854775807", "-9007199254740993"]) {
      test(`gets another one, and so do those that came after it: ${id}, in ${during}`, async () => {
        const { engine, syncId } = await inTheMiddle(during);
        byHand(engine.db, `UPDATE batches SET id = ${id}, status = 'pending', ${NO_LEASE} WHERE status = 'processing'`);
        await tickMinutes(engine, 4);
        expectWhole(engine, syncId);
        expect(inexact(engine)).toBe(0);
        const next = engine.start(0, { mode: "full" });
        await tickMinutes(engine, 2);
        expect(readSync(engine.db, next)).toMatchObject({ status: "completed" });
        expect(inexact(engine)).toBe(0);
      });
    }
  }

  test("is mended in the sequence of ids, when only that tells of it: the next batch would have had none", async () => {
    const { engine, syncId } = await inTheMiddle("discovery");
    byHand(
      engine.db,
      "DELETE FROM batches WHERE status IN ('pending', 'processing'); UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'batches'",
    );
    await tickMinutes(engine, 4);
    expectWhole(engine, syncId);
    expect(inexact(engine)).toBe(0);
  });

  test("keeps its lease while it is processing, and is taken from whoever is gone", async () => {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, "UPDATE batches SET id = 9007199254740993 WHERE status = 'processing'");
    await tickMinutes(engine, 5);
    expectWhole(engine, syncId);
    expect(inexact(engine)).toBe(0);
  });

  test("in an ended sync is left with its history, and later ones go on from the ids before", async () => {
    const { engine } = await inTheMiddle("enrichment");
    await tickMinutes(engine, 1);
    const rows = () => engine.db.$client.query("SELECT number, status FROM batches ORDER BY number").all();
    const before = rows();
    const highest = engine.db.$client.query<{ id: number }, []>("SELECT max(id) AS id FROM batches").get()?.id ?? 0;
    byHand(engine.db, `UPDATE batches SET id = 9007199254740000 + id WHERE id > ${highest - 2}`);
    byHand(engine.db, `UPDATE batches SET id = id + 2000 WHERE id > 9007199254740000`);
    await engine.monitor.tick();
    expect(rows()).toEqual(before);
    expect(inexact(engine)).toBe(0);
    engine.start(0, { mode: "full" });
    await tickMinutes(engine, 2);
    expect(engine.db.$client.query<{ id: number }, []>("SELECT max(id) AS id FROM batches").get()?.id).toBeLessThan(
      highest + 50,
    );
  });
});
