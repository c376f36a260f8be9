import { expect, test } from "bun:test";
import fc from "fast-check";
import { diagnose } from "../../src/core/diagnose.ts";
import { leaseToken, MINUTE_MS, plusMs } from "../../src/core/units.ts";
import type { Db } from "../../src/db/open.ts";
import { readSyncsInProgress } from "../../src/db/syncs.ts";
import { readSnapshot, readSnapshots, readVitals } from "../../src/sync/snapshot.ts";
import { insertAthlete, insertBatch, insertRace, insertSync, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { byHand } from "../support/hand.ts";
import { runsOf } from "../support/plans.ts";
import { rulesWith } from "../support/snapshots.ts";

/** Syncs in both phases, some batches ended and some live, races bound to them. */
function club(athletes: number): Db {
  const db = emptyDb();
  for (let n = 0; n < athletes; n++) {
    const athleteId = insertAthlete(db);
    if (n % 3 === 0) {
      const syncId = insertSync(db, { athleteId });
      insertBatch(db, { syncId, type: "discovery", status: "completed" });
      insertBatch(db, { syncId, type: "discovery" });
      insertRace(db, { athleteId });
      continue;
    }
    const syncId = insertSync(db, { athleteId, phase: "enrichment" });
    insertBatch(db, { syncId, status: "completed" });
    for (const status of ["processing", "pending", "pending"] as const) {
      const batchId = insertBatch(db, { syncId, status });
      for (let race = 0; race < 3; race++) insertRace(db, { athleteId, batchId });
    }
  }
  return db;
}

/** What a hand may do; `n` and `m` are ids. */
const CHANGES: readonly ((n: number, m: number) => string)[] = [
  (n) => `DELETE FROM batches WHERE sync_id = ${n}`,
  (n) => `DELETE FROM batches WHERE id = ${n}`,
  (n) => `UPDATE batches SET status = 'completed' WHERE id = ${n}`,
  (n) => `UPDATE batches SET status = 'failed', exhausted = 1, error = 'no' WHERE sync_id = ${n}`,
  (n) => `UPDATE batches SET status = 'failed', exhausted = 1, size = 1 WHERE id = ${n}`,
  (n) => `UPDATE OR IGNORE batches SET status = 'processing', lease_token = NULL WHERE id = ${n}`,
  (n) => `UPDATE OR IGNORE batches SET type = 'discovery' WHERE id = ${n}`,
  (n, m) => `UPDATE OR IGNORE batches SET sync_id = ${m} WHERE id = ${n}`,
  (n) => `UPDATE races SET enrichment = 'enriched' WHERE athlete_id = ${n}`,
  (n) => `UPDATE races SET enrichment = 'enriched' WHERE batch_id = ${n}`,
  (n, m) => `UPDATE races SET batch_id = ${m} WHERE id = ${n}`,
  (n) => `UPDATE races SET batch_id = NULL WHERE athlete_id = ${n}`,
  (n) => `UPDATE races SET batch_id = -${n} WHERE id = ${n}`,
  (n) => `UPDATE syncs SET phase = 'enrichment' WHERE id = ${n}`,
  (n) => `UPDATE syncs SET phase = 'discovery', list_complete = 1 WHERE id = ${n}`,
  (n) => `UPDATE syncs SET phase = 'bogus' WHERE id = ${n}`,
  (n) => `UPDATE syncs SET list_complete = NULL WHERE id = ${n}`,
];

test("the vital signs of a sync show a fault just when its whole snapshot does, whatever a hand has done", () => {
  const change = fc.tuple(
    fc.constantFrom(...CHANGES),
    fc.integer({ min: 1, max: 14 }),
    fc.integer({ min: 1, max: 14 }),
  );
  let sick = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
      const db = club(5);
      for (const [write, n, m] of changes) byHand(db, write(n, m));
      const syncs = readSyncsInProgress(db, 0, 50);
      const rules = rulesWith({ nowMs: NOW, lastClaimAtMs: NOW });
      const [vitals, whole] = [readVitals(db, syncs), readSnapshots(db, syncs)];
      for (const { id } of syncs) {
        const [seen, all] = [vitals.get(id), whole.get(id)];
        if (seen === undefined || all === undefined) throw new Error("A sync is missing");
        expect(diagnose(seen, rules).length > 0).toBe(diagnose(all, rules).length > 0);
        if (diagnose(all, rules).length > 0) sick++;
      }
    }),
    { numRuns: 60 },
  );
  // Both of them are met: syncs that are sick, and syncs that are not.
  expect(sick).toBeGreaterThan(20);
});

test("a page of snapshots is what each of its syncs alone would give, and costs as many statements as one", () => {
  const db = club(30);
  const syncs = readSyncsInProgress(db, 0, 50);
  const alone = syncs.map((sync) => readSnapshot(db, sync));
  expect([...readSnapshots(db, syncs).values()]).toEqual(alone);
  expect(syncs.length).toBe(30);
  const [one, many] = [syncs.slice(0, 2), syncs].map((page) => runsOf(db, () => readSnapshots(db, page)).length);
  expect([one, many]).toEqual([5, 5]);
  const [fewVitals, allVitals] = [syncs.slice(0, 2), syncs].map(
    (page) => runsOf(db, () => readVitals(db, page)).length,
  );
  expect([fewVitals, allVitals]).toEqual([3, 3]);
});

test("a snapshot shows the counts of its phase, the newest failure, and races that are bound to a batch that has ended", () => {
  const db = emptyDb();
  const athleteId = insertAthlete(db);
  const syncId = insertSync(db, { athleteId, phase: "enrichment" });
  insertBatch(db, { syncId, type: "discovery", status: "completed" });
  const ended = insertBatch(db, { syncId, status: "completed" });
  const failed = insertBatch(db, { syncId, status: "failed", exhausted: 1, size: 8 });
  const live = insertBatch(db, {
    syncId,
    status: "processing",
    leaseToken: leaseToken("lease"),
    leaseExpiresAtMs: plusMs(NOW, MINUTE_MS),
  });
  const others = insertBatch(db);
  for (const batchId of [ended, ended, failed, live, others, null, 12_345 as never]) {
    insertRace(db, { athleteId, batchId });
  }
  const [sync] = readSyncsInProgress(db, 0, 1);
  if (sync === undefined) throw new Error("There is no sync");
  const snapshot = readSnapshot(db, sync);
  expect(snapshot.counts).toEqual({ total: 3, completed: 1, pending: 0, processing: 1, failed: 1 });
  expect(snapshot.liveBatches.map((batch) => batch.id)).toEqual([live]);
  expect(snapshot.plan).toMatchObject({
    liveBatches: 1,
    racesPending: 7,
    unserved: [
      { exhaustedSize: undefined, count: 5 },
      { exhaustedSize: 8, count: 1 },
    ],
  });
  expect(snapshot.strayRaces).toEqual({ count: 3, batchId: ended });
});
