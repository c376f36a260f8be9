import { expect, test } from "bun:test";
import { athleteId, syncId } from "../../src/core/units.ts";
import { readAthletesById } from "../../src/db/athletes.ts";
import { BEFORE_ALL, readAthletesWithPendingRaces, readSyncsWithLiveBatches } from "../../src/db/ended-syncs.ts";
import type { Db } from "../../src/db/open.ts";
import * as pages from "../../src/db/snapshot-pages.ts";
import { readSyncsById } from "../../src/db/syncs.ts";
import { insertAthlete, insertSync } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { planOf } from "../support/plans.ts";

/** Steps that read no table: the ids that are asked for, and rows that a step before has found. */
const READS_NO_TABLE =
  /^SCAN (?:wanted VIRTUAL TABLE|json_each VIRTUAL TABLE|gap VIRTUAL TABLE|CONSTANT ROW|live|pending|\(subquery-\d+\))/;

type Read = (db: Db, ids: { syncs: never[]; athletes: never[] }) => unknown;

/** What reads a page of syncs, and the index or key by which it finds the rows of each. */
const PAGES: readonly [string, string, Read][] = [
  ["readSyncsById", "syncs USING INTEGER PRIMARY KEY", (db, { syncs }) => readSyncsById(db, syncs)],
  ["readAthletesById", "athletes USING INTEGER PRIMARY KEY", (db, { athletes }) => readAthletesById(db, athletes)],
  [
    "readLiveBatchesOf",
    "batches_live (sync_id=? AND status=?)",
    (db, { syncs }) => pages.readLiveBatchesOf(db, syncs, 9),
  ],
  ["readBatchCountsOf", "autoindex_batch_counts_1 (sync_id=?)", (db, { syncs }) => pages.readBatchCountsOf(db, syncs)],
  ["readNewestDiscoveryOf", "batches_number (sync_id=?)", (db, { syncs }) => pages.readNewestDiscoveryOf(db, syncs)],
  ["countUnservedOf", "races_pending (athlete_id=?)", (db, { syncs }) => pages.countUnservedOf(db, syncs)],
  ["countPendingOf", "COVERING INDEX races_pending", (db, { athletes }) => pages.countPendingOf(db, athletes)],
  ["tallySyncs", "races_of_athlete (athlete_id=?)", (db, { syncs }) => pages.tallySyncs(db, syncs)],
  [
    "findPendingSyncs",
    "races_pending_by_batch (athlete_id=? AND batch_id>? AND batch_id<?)",
    (db) => pages.findPendingSyncs(db, [{ syncId: syncId(1), athleteId: athleteId(1), gaps: [[1, 2]] }]),
  ],
  ["readSyncsWithLiveBatches", "batches_live (sync_id>?)", (db) => readSyncsWithLiveBatches(db, BEFORE_ALL, 9)],
  [
    "readAthletesWithPendingRaces",
    "races_pending (athlete_id>?)",
    (db) => readAthletesWithPendingRaces(db, BEFORE_ALL, 9),
  ],
];

for (const [name, index, read] of PAGES) {
  test(`${name} is one statement for a page, finds the rows of each sync by ${index}, and reads no table through`, () => {
    const db = emptyDb();
    const ids = { syncs: [insertSync(db) as never], athletes: [insertAthlete(db) as never] };
    const plan = planOf(db, () => read(db, ids));
    expect(plan).toContain(index);
    for (const step of plan.split("\n")) if (step.startsWith("SCAN")) expect(step).toMatch(READS_NO_TABLE);
  });
}
