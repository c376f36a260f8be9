import { expect, test } from "bun:test";
import { type AthleteId, epochMs, type SyncId } from "../../src/core/units.ts";
import { findAthletes } from "../../src/db/athletes.ts";
import { pruneAudit, readAudit } from "../../src/db/audit.ts";
import { findBatches } from "../../src/db/batches.ts";
import { countOpenFindings } from "../../src/db/findings.ts";
import { readLiveCounts } from "../../src/db/live-counts.ts";
import type { Db } from "../../src/db/open.ts";
import { type RaceFilter, readRaces } from "../../src/db/race-queries.ts";
import { countEndedSince, readSyncs } from "../../src/db/syncs.ts";
import { emptyDb } from "../support/database.ts";
import { planOf } from "../support/plans.ts";

/** How SQLite would run the statements of `work`, a line a step. */
function plansOf(work: (db: Db) => unknown): string {
  const db = emptyDb();
  return planOf(db, () => work(db));
}

const SYNC = 1 as SyncId;
const ATHLETE = 1 as AthleteId;
const all: RaceFilter = { includeWithdrawn: true };
const after = { startAtMs: 5, id: 5 };

/** The lists of the API, and the index or key by which a page of each is found and ordered. */
const LISTS: readonly [string, string, (db: Db) => unknown][] = [
  ["the audit", "SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)", (db) => readAudit(db, {}, 100, 50)],
  [
    "audit entries to prune",
    "SEARCH audit USING COVERING INDEX audit_at (at_ms<?)",
    (db) => pruneAudit(db, epochMs(1), 20),
  ],
  ["syncs", "INTEGER PRIMARY KEY", (db) => readSyncs(db, {}, 100, 50)],
  ["syncs of an athlete", "syncs_of_athlete", (db) => readSyncs(db, { athleteId: ATHLETE }, 100, 50)],
  ["athletes", "INTEGER PRIMARY KEY", (db) => findAthletes(db, {}, 0, 50)],
  ["batches", "batches_number", (db) => findBatches(db, { syncId: SYNC }, 0, 50)],
  ["races", "races_newest", (db) => readRaces(db, all, undefined, 50)],
  ["races behind a position", "races_newest", (db) => readRaces(db, all, after, 50)],
  ["races since a day", "races_newest", (db) => readRaces(db, { ...all, fromMs: 5 }, undefined, 50)],
];

for (const [what, index, read] of LISTS) {
  test(`a page of ${what} is found by ${index}, and nothing is sorted`, () => {
    const plan = plansOf(read);
    expect(plan).toContain(index);
    expect(plan).not.toContain("TEMP B-TREE");
  });
}

test("syncs that ended lately are counted by the index of that span, not by reading all", () => {
  const plan = plansOf((db) => countEndedSince(db, epochMs(5)));
  expect(plan).toContain("syncs_ended (completed_at_ms>? AND completed_at_ms<?)");
});

test("what is under way is counted by the indexes that hold only that", () => {
  const steps = plansOf(readLiveCounts).split("\n");
  const scans = steps.filter((step) => step.startsWith("SCAN"));
  expect(scans).toHaveLength(4);
  for (const index of ["syncs_in_progress", "batches_live", "races_pending", "findings_one_open_a_trouble"]) {
    expect(scans.filter((step) => step.includes(index))).toHaveLength(1);
  }
});

test("open findings are counted by the index that holds only those", () => {
  expect(plansOf(countOpenFindings)).toContain("findings_open");
});
