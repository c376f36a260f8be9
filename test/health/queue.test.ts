import { expect, test } from "bun:test";
import { describeState } from "../../src/core/status.ts";
import { MINUTE_MS, type SyncId } from "../../src/core/units.ts";
import { readFindings } from "../../src/db/findings.ts";
import { pauseSync, resumeSync } from "../../src/sync/pause-sync.ts";
import { readSnapshot } from "../../src/sync/snapshot.ts";
import { createTestEngine, START_MS, type TestEngine } from "../support/engine.ts";
import { byHand, tickMinutes } from "../support/hand.ts";
import { inTheMiddle } from "../support/middle.ts";
import { syncOf } from "../support/syncs.ts";

/** Newest first. */
const findingsOf = (engine: TestEngine) =>
  readFindings(engine.db, {}, Number.MAX_SAFE_INTEGER, 500).map(({ kind, outcome }) => `${kind} ${outcome}`);
const stateOf = (engine: TestEngine, syncId: SyncId) => {
  const sync = syncOf(engine, syncId);
  return describeState(readSnapshot(engine.db, sync), engine.monitor.rules(sync.class)).state;
};

for (const startMs of [0, 1_000, 2_000]) {
  test(`a quota that resets names nobody, where checks come ${startMs} ms after the minute`, async () => {
    const club = { athletes: 3, activitiesEach: 500, racesEach: 450 };
    const engine = createTestEngine({ startMs: START_MS - 5_000 + startMs, sandbox: { club, latencyMs: 200 } });
    for (const athlete of [0, 1]) engine.start(athlete);
    await tickMinutes(engine, 65);
    expect(findingsOf(engine)).toEqual([]);
  });
}

test("what was due during a pause has not stood in a queue: of one sync, and of the whole daemon", async () => {
  for (const stop of ["sync", "daemon"] as const) {
    const { engine, syncId } = await inTheMiddle("enrichment");
    if (stop === "sync") pauseSync(engine.context, syncId);
    else engine.processor.setClaiming(false);
    await tickMinutes(engine, 30);
    if (stop === "sync") resumeSync(engine.context, syncId, engine.processor.wake);
    else engine.processor.setClaiming(true);
    expect(stateOf(engine, syncId)).toBe("waiting");
    await engine.monitor.check({ dryRun: false });
    expect(findingsOf(engine)).toEqual([]);
    await tickMinutes(engine, 2);
    expect(syncOf(engine, syncId).status).toBe("completed");
  }
});

test("a queue that does not move is one finding for as long as it stands", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  const stopped = engine.processor.stop(0);
  await engine.clock.advance(MINUTE_MS);
  await stopped;
  for (let minute = 0; minute < 60; minute++) {
    await engine.clock.advance(MINUTE_MS);
    await engine.monitor.tick();
  }
  expect(stateOf(engine, syncId)).toBe("stalled");
  expect(findingsOf(engine)).toEqual(["queued_too_long pending"]);
});

test("a hand that touches the end of a lease takes no batch from its worker", async () => {
  for (const end of [1, START_MS * 2]) {
    const { engine, syncId } = await inTheMiddle("enrichment");
    byHand(engine.db, `UPDATE batches SET lease_expires_at_ms = ${end} WHERE status = 'processing'`);
    await engine.monitor.check({ dryRun: false });
    await tickMinutes(engine, 3);
    expect(findingsOf(engine)).toEqual([]);
    expect(syncOf(engine, syncId)).toMatchObject({ status: "completed" });
  }
});

test("a batch that has run as often as integers go is claimed like any other", async () => {
  const { engine, syncId } = await inTheMiddle("enrichment");
  byHand(engine.db, "UPDATE batches SET runs = 9223372036854775807 WHERE status = 'pending'");
  await tickMinutes(engine, 3);
  expect(syncOf(engine, syncId).status).toBe("completed");
});

test("a claim that the disk never takes is no claim: the queue stands still, and that is found", async () => {
  const { engine } = await inTheMiddle("enrichment");
  const { $client: client } = engine.db;
  client.run("CREATE TABLE unwritten (batch INTEGER REFERENCES batches (id) DEFERRABLE INITIALLY DEFERRED)");
  client.run(
    "CREATE TRIGGER claims_fail AFTER UPDATE OF status ON batches WHEN NEW.status = 'processing' BEGIN INSERT INTO unwritten VALUES (-1); END",
  );
  await tickMinutes(engine, 14);
  expect(findingsOf(engine)).toContain("queued_too_long pending");
  client.run("DROP TRIGGER claims_fail");
  await tickMinutes(engine, 3);
  expect(findingsOf(engine)).toContain("queued_too_long verified");
});
