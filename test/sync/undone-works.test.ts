import { expect, test } from "bun:test";
import { openMemoryDatabase } from "../../src/db/open.ts";
import { readSync } from "../../src/db/syncs.ts";
import { driverError } from "../../src/simulation/driver.ts";
import { createTestEngine } from "../support/engine.ts";
import { tickMinutes } from "../support/hand.ts";

/** A database in which the nth savepoint from a moment on meets a lock where it ends, and then perhaps where it is undone. */
function databaseThatFails(failsToUndo: boolean) {
  const db = openMemoryDatabase();
  const client = db.$client;
  const real = client.prepare.bind(client);
  let left = 0;
  let undoFails = false;
  client.prepare = ((sql: string) => {
    const statement = real(sql);
    if (sql.startsWith("ROLLBACK TO"))
      return {
        run() {
          if (!undoFails) return statement.run();
          undoFails = false;
          throw driverError("SQLITE_BUSY");
        },
      };
    if (!sql.startsWith("RELEASE")) return statement;
    return {
      run() {
        if (left === 0 || --left > 0) return statement.run();
        undoFails = failsToUndo;
        throw driverError("SQLITE_BUSY");
      },
    };
  }) as typeof client.prepare;
  const failAt = (nth: number) => {
    left = nth;
  };
  return { db, failAt, hasFailed: () => left === 0 };
}

for (const failsToUndo of [false, true]) {
  const what = failsToUndo ? ", and cannot be undone," : "";
  test(`whichever work of two syncs is undone${what} nothing is counted twice or not at all, and no place is taken twice`, async () => {
    let failures = 0;
    for (let nth = 1; nth < 60; nth++) {
      const { db, failAt, hasFailed } = databaseThatFails(failsToUndo);
      const engine = createTestEngine({
        db,
        rules: { concurrency: 1 },
        sandbox: { club: { athletes: 2, activitiesEach: 30, racesEach: 12 }, latencyMs: 0 },
      });
      const syncs = [engine.start(0), engine.start(1)];
      failAt(nth);
      const atWork = "SELECT count(*) AS n FROM batches WHERE status = 'processing'";
      for (let step = 0; step < 40; step++) {
        await engine.clock.advance(0);
        expect(db.$client.query<{ n: number }, []>(atWork).get()?.n).toBeLessThanOrEqual(1);
      }
      await tickMinutes(engine, 3);
      if (!hasFailed()) break;
      failures++;
      for (const sync of syncs) expect(readSync(db, sync)).toMatchObject({ status: "completed", racesEnriched: 12 });
      expect(db.$client.query("SELECT kind FROM findings").all()).toEqual([]);
      const counts = "SELECT sum(requests) AS requests, sum(races_enriched) AS enriched FROM batches";
      expect(db.$client.query(counts).get()).toEqual({ requests: engine.sandbox.ledger().length, enriched: 24 });
    }
    expect(failures).toBeGreaterThan(10);
  });
}
