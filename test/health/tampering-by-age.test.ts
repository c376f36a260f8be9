import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { byHand, countRaces, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";
import { syncOf } from "../support/syncs.ts";

const found = (engine: TestEngine) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 100)
    .map(({ kind, outcome, falseRemedy }) => `${kind} ${outcome}${falseRemedy === 1 ? " false" : ""}`)
    .reverse();

const HANG = { type: "hang" } as const;
const ALWAYS = Number.POSITIVE_INFINITY;

describe("a run that hangs", () => {
  for (const [during, kind] of [
    ["discovery", "list"],
    ["enrichment", "detail"],
  ] as const) {
    test(`in ${during} is found once ten minutes have passed, aborted, and the sync goes on`, async () => {
      const { engine, syncId } = await inTheMiddle(during, { timeoutMs: 180 * MINUTE_MS });
      engine.sandbox.injectFault({ match: { kind }, times: ALWAYS, action: HANG });
      await tickMinutes(engine, 9);
      expect(found(engine)).toEqual([]);
      // What hangs goes on hanging; what is asked from now on is answered.
      engine.sandbox.clearFaults();
      await tickMinutes(engine, 2);
      expect(found(engine)[0]).toMatch(/^no_progress (pending|verified)$/);
      await tickMinutes(engine, 2);
      expect(found(engine)).toEqual(["no_progress verified"]);
      expect(syncOf(engine, syncId).status).toBe("completed");
      expect(countRaces(engine.db, "enriched")).toBe(50);
    });

    test(`in ${during}, when the daemon dies of it, is taken up by the next one at once`, async () => {
      const { engine, syncId } = await inTheMiddle(during, { timeoutMs: 180 * MINUTE_MS });
      engine.sandbox.injectFault({ match: { kind }, times: ALWAYS, action: HANG });
      await tickMinutes(engine, 9);
      engine.sandbox.clearFaults();
      const next = engine.rebooted();
      await tickMinutes(next, 2);
      expect(found(next)).toEqual(["left_by_former_process verified"]);
      expect(syncOf(next, syncId).status).toBe("completed");
    });
  }
});

describe("a processor that hears nothing any more", () => {
  /** Nothing wakes it, and no tick reaches it; what it does by itself (timers, the end of a run) is left. */
  function deafen(engine: TestEngine): () => void {
    const { wake, tick } = engine.processor;
    engine.processor.wake = () => {};
    engine.processor.tick = () => {};
    return () => Object.assign(engine.processor, { wake, tick });
  }

  /** Ten minutes pass; then it is found, and the remedy is heard. */
  async function expectWoken(engine: TestEngine, hears: () => void): Promise<void> {
    await tickMinutes(engine, 9);
    expect(found(engine).filter((finding) => finding.startsWith("queued"))).toEqual([]);
    hears();
    // The tick itself would wake it: what is meant here is the remedy.
    engine.processor.tick = () => {};
    await tickMinutes(engine, 3);
    expect(found(engine)).toContainEqual(expect.stringMatching(/^queued_too_long (pending|verified)$/));
    await tickMinutes(engine, 1);
    expect(found(engine)).toContain("queued_too_long verified");
  }

  test("at the start of discovery is found once ten minutes have passed, and woken", async () => {
    const engine = createTestEngine();
    const hears = deafen(engine);
    const syncId = engine.start();
    await expectWoken(engine, hears);
    expect(syncOf(engine, syncId).status).toBe("completed");
  });

  test("at the start of enrichment is found once ten minutes have passed, and woken", async () => {
    const { engine } = await inTheMiddle("enrichment");
    await tickMinutes(engine, 1);
    const hears = deafen(engine);
    byHand(engine.db, "UPDATE races SET enrichment = 'pending'");
    // A sync over the races that are left is started, and nobody takes it up.
    await tickMinutes(engine, 1);
    expect(found(engine)).toEqual(["unfinished_races pending"]);
    await expectWoken(engine, hears);
    expect(countRaces(engine.db, "enriched")).toBe(50);
  });
});

describe("with the daemon down, after a sync has ended", () => {
  test("races that a hand turned back are left to a new sync at the first check", async () => {
    const { engine } = await inTheMiddle("enrichment");
    await tickMinutes(engine, 1);
    byHand(engine.db, "UPDATE races SET enrichment = 'pending' WHERE id <= 7");
    const next = engine.rebooted();
    await next.monitor.tick();
    await tickMinutes(next, 2);
    expect(found(next)).toEqual(["unfinished_races verified"]);
    expect(countRaces(next.db, "enriched")).toBe(50);
  });

  for (const during of ["discovery", "enrichment"] as const) {
    test(`live batches of a sync that a hand ended in ${during} are cancelled at the first check or the start`, async () => {
      const { engine, syncId } = await inTheMiddle(during);
      byHand(engine.db, `UPDATE syncs SET status = 'cancelled', completed_at_ms = 1 WHERE id = ${syncId}`);
      const next = engine.rebooted();
      await next.monitor.tick();
      expect(next.db.$client.query("SELECT 1 FROM batches WHERE status IN ('pending', 'processing')").all()).toEqual(
        [],
      );
    });
  }
});

test("a batch that a hand gave to another athlete's sync asks for none of its races with the wrong token", async () => {
  const engine = createTestEngine({
    sandbox: { club: { athletes: 2, activitiesEach: 60, racesEach: 40 }, latencyMs: 200 },
  });
  engine.start(0);
  engine.start(1);
  const enriching =
    "SELECT 1 FROM syncs WHERE phase = 'enrichment' AND (SELECT count(*) FROM batches WHERE sync_id = syncs.id) > 3";
  while (engine.db.$client.query(enriching).all().length < 2) await engine.clock.advance(10);
  byHand(
    engine.db,
    "UPDATE batches SET sync_id = CASE sync_id WHEN 1 THEN 2 ELSE 1 END, number = number + 500 WHERE status = 'pending' AND type = 'enrichment'",
  );
  await tickMinutes(engine, 3);
  expect(countRaces(engine.db, "enriched")).toBe(80);
});

test("an athlete in a status that is none is taken to be connected, and their sync goes on", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  byHand(engine.db, "UPDATE athletes SET status = 'bogus'");
  await tickMinutes(engine, 2);
  expect(syncOf(engine, syncId).status).toBe("completed");
  byHand(engine.db, "UPDATE athletes SET status = 'bogus'; UPDATE races SET enrichment = 'pending' WHERE id < 5");
  await tickMinutes(engine, 2);
  expect(engine.db.$client.query("SELECT status FROM athletes").get()).toEqual({ status: "connected" });
  expect(countRaces(engine.db, "enriched")).toBe(50);
});
