import { expect, test } from "bun:test";
import { readSync } from "../../src/db/syncs.ts";
import { driverError } from "../../src/simulation/driver.ts";
import { createTestEngine, type TestEngine } from "../support/engine.ts";
import { tickMinutes } from "../support/hand.ts";

/** The next commits that store a detail meet a lock, as SQLite tells of it: they are rolled back, and tried again. */
function lockCommits({ db }: TestEngine, times: number): () => number {
  let left = times;
  const client = db.$client;
  const real = client.transaction.bind(client);
  const storesDetail = () => client.query("SELECT 1 FROM races WHERE enrichment = 'enriched'").get() !== null;
  client.transaction = ((work: () => unknown) =>
    real(() => {
      const result = work();
      if (left > 0 && storesDetail()) {
        left--;
        throw driverError("SQLITE_BUSY");
      }
      return result;
    })) as typeof client.transaction;
  return () => left;
}

test("a commit that is tried again settles each race once, and the last one ends the batch", async () => {
  for (const times of [1, 3, 6]) {
    const engine = createTestEngine({
      sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 12 }, latencyMs: { min: 20, max: 400 } },
    });
    const left = lockCommits(engine, times);
    const syncId = engine.start();
    await tickMinutes(engine, 2);
    expect(left()).toBe(0);
    expect(readSync(engine.db, syncId)).toMatchObject({ status: "completed", racesEnriched: 12, racesFailed: 0 });
    expect(engine.db.$client.query("SELECT kind FROM findings").all()).toEqual([]);
    const details = engine.sandbox.ledger().filter(({ kind }) => kind === "detail");
    expect(new Set(details.map(({ activityId }) => activityId)).size).toBe(details.length);
    const counts = "SELECT sum(requests) AS requests, sum(races_enriched) AS enriched FROM batches";
    expect(engine.db.$client.query(counts).get()).toEqual({ requests: engine.sandbox.ledger().length, enriched: 12 });
    expect(readSync(engine.db, syncId)?.requests).toBe(engine.sandbox.ledger().length);
  }
});
