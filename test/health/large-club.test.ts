import { expect, test } from "bun:test";
import { epochMs, syncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { insertAthlete, insertBatch, insertRace, insertSync } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { createTestEngine, START_MS, type TestEngine } from "../support/engine.ts";
import { byHand } from "../support/hand.ts";
import { runsOf } from "../support/plans.ts";

const START = epochMs(START_MS);

/** Syncs in enrichment, each with a live batch of two races, of an engine that claims nothing. */
function clubOf(syncs: number): TestEngine {
  const engine = createTestEngine({ db: emptyDb() });
  engine.processor.setClaiming(false);
  const times = { startedAtMs: START, lastProgressAtMs: START, lastActivityAtMs: START };
  for (let n = 0; n < syncs; n++) {
    const athleteId = insertAthlete(engine.db);
    const id = insertSync(engine.db, { athleteId, phase: "enrichment", ...times });
    const batchId = insertBatch(engine.db, { syncId: id, size: 2, createdAtMs: START, runAfterMs: START });
    for (let race = 0; race < 2; race++) insertRace(engine.db, { athleteId, batchId });
  }
  return engine;
}

/** Runs a check turn by turn; how many statements each turn of the event loop ran. */
async function checkByTurns(engine: TestEngine): Promise<{ turns: number[]; findings: number; checked: number }> {
  const turns: number[] = [];
  let done: Awaited<ReturnType<TestEngine["monitor"]["check"]>> | undefined;
  const begin = () =>
    void engine.monitor.check({ dryRun: false }).then((report) => {
      done = report;
    });
  turns.push(runsOf(engine.db, begin).length);
  while (done === undefined) {
    let statements = 0;
    const query = engine.db.$client.query.bind(engine.db.$client);
    engine.db.$client.query = ((sql: string) => {
      statements++;
      return query(sql);
    }) as typeof query;
    await engine.clock.fireNext();
    engine.db.$client.query = query;
    turns.push(statements);
  }
  return { turns, findings: done.findings.length, checked: done.checked };
}

test("a check of many syncs reads them a page at a time, with the same few statements a page, and lets go in between", async () => {
  const small = await checkByTurns(clubOf(60));
  const large = await checkByTurns(clubOf(260));
  expect([small.checked, large.checked]).toEqual([60, 260]);
  expect([small.findings, large.findings]).toEqual([0, 0]);
  // 260 syncs have four more full pages, and so have syncs with live batches, and athletes with pending races.
  expect(large.turns.length - small.turns.length).toBe(3 * 4);
  for (const statements of [...small.turns, ...large.turns]) expect(statements).toBeLessThan(12);
});

test("what is left behind is found however many athletes and syncs stand before it", async () => {
  const engine = clubOf(120);
  byHand(engine.db, "UPDATE syncs SET status = 'completed', completed_at_ms = 1 WHERE id = 119");
  const { findings } = await checkByTurns(engine);
  expect(findings).toBe(2);
  const kinds = readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 10).map((finding) => [
    finding.kind,
    finding.syncId,
  ]);
  expect(kinds).toContainEqual(["stray_batch", syncId(119)]);
});

test("where a page cannot be read at once, each of its syncs is still looked at alone, and healed", async () => {
  const engine = clubOf(3);
  byHand(engine.db, "DROP INDEX races_pending_by_batch");
  byHand(engine.db, "DELETE FROM batches WHERE sync_id = 2");
  expect((await checkByTurns(engine)).findings).toBe(1);
  expect(engine.db.$client.query("SELECT 1 FROM batches WHERE sync_id = 2").all()).toHaveLength(1);
});
