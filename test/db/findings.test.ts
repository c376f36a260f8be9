import { expect, test } from "bun:test";
import type { Finding, FindingKind } from "../../src/core/findings.ts";
import { athleteId, batchId, DAY_MS, findingId, leaseToken, syncId } from "../../src/core/units.ts";
import {
  countRemedies,
  eraseFindingsOf,
  insertFinding,
  markFalseRemedy,
  noteRemedyApplied,
  readFinding,
  readFindings,
  readOpenFindings,
  readOpenFindingsOfSync,
  settleFinding,
} from "../../src/db/findings.ts";
import type { Db } from "../../src/db/open.ts";
import { insertBatch, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const SYNC = syncId(7);
const finding = (values: Partial<Finding> = {}): Finding => ({
  kind: "missing_enrichment_batches",
  syncId: SYNC,
  athleteId: athleteId(3),
  batchId: null,
  beganAtMs: later(-60_000),
  evidence: { races_pending: 20 },
  message: "20 races need enrichment.",
  whyNotWaiting: "Nothing live will take them.",
  remedy: { do: "replan" },
  ...values,
});
type Found = Parameters<typeof insertFinding>[2];
const store = (db: Db, values: Partial<Finding> = {}, found: Partial<Found> = {}) =>
  insertFinding(db, finding(values), {
    nowMs: NOW,
    outcome: "pending",
    batchesCompletedBefore: 3,
    isOwnRestart: false,
    traceId: "trace",
    ...found,
  });

test("a finding is stored with its evidence, why it is no wait, and the remedy that was applied", () => {
  const db = emptyDb();
  const row = readFinding(db, store(db));
  expect(row).toMatchObject({
    kind: "missing_enrichment_batches",
    syncId: 7,
    athleteId: 3,
    batchId: null,
    detectedAtMs: NOW,
    beganAtMs: later(-60_000),
    remediedAtMs: NOW,
    batchesCompletedBefore: 3,
    ownRestart: 0,
    falseRemedy: 0,
    outcome: "pending",
    settledAtMs: null,
    traceId: "trace",
  });
  expect(JSON.parse(row?.evidence ?? "")).toEqual({
    races_pending: 20,
    why_not_waiting: "Nothing live will take them.",
  });
  expect(JSON.parse(row?.remedy ?? "")).toEqual({ do: "replan" });
});

test("a remedy that is only proposed was not applied, until it is; then a later check judges it", () => {
  const db = emptyDb();
  const id = store(db, {}, { outcome: "proposed" });
  expect(readFinding(db, id)).toMatchObject({ outcome: "proposed", remediedAtMs: null });
  noteRemedyApplied(db, id, later(5), 4);
  const applied = { outcome: "pending", remediedAtMs: later(5), batchesCompletedBefore: 4 } as const;
  expect(readFinding(db, id)).toMatchObject(applied);
  // A second click comes too late.
  noteRemedyApplied(db, id, later(9), 9);
  expect(readFinding(db, id)).toMatchObject(applied);
});

test("an open finding is settled once, and its verdict stands", () => {
  const db = emptyDb();
  const id = store(db);
  expect(settleFinding(db, id, "verified", later(5))).toBe(true);
  expect(settleFinding(db, id, "failed", later(9))).toBe(false);
  noteRemedyApplied(db, id, later(9), 9);
  expect(readFinding(db, id)).toMatchObject({ outcome: "verified", settledAtMs: later(5), batchesCompletedBefore: 3 });
});

test("one trouble has one open finding; another batch, sync or kind is another trouble, and a settled one may come back", () => {
  const db = emptyDb();
  const first = store(db);
  expect(() => store(db)).toThrow();
  expect(() => store(db, {}, { outcome: "proposed" })).toThrow();
  store(db, { batchId: batchId(4) });
  store(db, { syncId: syncId(8) });
  store(db, { kind: "unfinished_completion" });
  settleFinding(db, first, "superseded", NOW);
  expect(store(db)).toBeGreaterThan(first);
});

test("open findings are read a page at a time by id, without those that are settled", () => {
  const db = emptyDb();
  // The sync with the higher id has the older finding: the pages go by the finding.
  const ids = [9, 8, 7, 6].map((sync) => store(db, { syncId: syncId(sync) }));
  settleFinding(db, ids[1] ?? findingId(0), "failed", NOW);
  const page = (afterId: number, limit: number) => readOpenFindings(db, afterId, limit).map((row) => row.id);
  expect(page(0, 10)).toEqual([ids[0], ids[2], ids[3]] as typeof ids);
  expect(page(0, 2)).toEqual([ids[0], ids[2]] as typeof ids);
  expect(page(ids[2] ?? 0, 2)).toEqual([ids[3]] as typeof ids);
  expect(readOpenFindingsOfSync(db, syncId(7)).map((row) => row.id)).toEqual([ids[2]] as typeof ids);
  expect(readOpenFindingsOfSync(db, syncId(8))).toEqual([]);
});

test("remedies count against a sync from when they were applied; proposals and what a restart made necessary do not", () => {
  const db = emptyDb();
  const applied = (kind: FindingKind, found: Partial<Found>) => store(db, { kind }, found);
  expect(countRemedies(db, SYNC, NOW)).toEqual({ recent: 0, total: 0 });
  applied("orphaned_batch", { nowMs: later(-1) });
  applied("no_progress", { nowMs: NOW });
  applied("far_wait", { nowMs: later(1) });
  applied("stray_batch", { nowMs: NOW, outcome: "proposed" });
  applied("left_by_former_process", { nowMs: NOW, isOwnRestart: true });
  store(db, { syncId: syncId(8) });
  expect(countRemedies(db, SYNC, NOW)).toEqual({ recent: 2, total: 3 });
  // Found days ago and applied by a person now: the remedy is of today.
  const proposed = applied("impossible_lease", { nowMs: later(-3 * DAY_MS), outcome: "proposed" });
  expect(countRemedies(db, SYNC, NOW)).toEqual({ recent: 2, total: 3 });
  noteRemedyApplied(db, proposed, later(2), 0);
  expect(countRemedies(db, SYNC, NOW)).toEqual({ recent: 3, total: 4 });
});

test("a worker that turns out to be alive makes the remedy that named its lease a false one, once", () => {
  const db = emptyDb();
  const sync = insertSync(db);
  const batch = insertBatch(db, { syncId: sync });
  const alive = { batchId: batch, leaseToken: leaseToken("alive") };
  const swept = (token: string): Finding["remedy"] => ({
    do: "sweep_leases",
    batches: [{ batchId: batch, leaseToken: leaseToken(token), attempts: 0 }],
  });
  const earlier = store(db, { kind: "orphaned_batch", syncId: sync, batchId: batch, remedy: swept("earlier") });
  settleFinding(db, earlier, "failed", NOW);
  const newer = store(db, { kind: "orphaned_batch", syncId: sync, batchId: batch, remedy: swept("alive") });
  const proposed = store(
    db,
    { kind: "impossible_lease", syncId: sync, batchId: batch, remedy: swept("alive") },
    { outcome: "proposed" },
  );
  expect(markFalseRemedy(db, alive)).toBe("orphaned_batch");
  expect([earlier, newer, proposed].map((id) => readFinding(db, id)?.falseRemedy)).toEqual([0, 1, 0]);
  expect(markFalseRemedy(db, alive)).toBeUndefined();
  expect(markFalseRemedy(db, { batchId: batch, leaseToken: leaseToken("nobody") })).toBeUndefined();
});

test("findings are listed newest first, by sync, kind and outcome, before an id", () => {
  const db = emptyDb();
  const a = store(db);
  const b = store(db, { kind: "no_progress", batchId: batchId(1) });
  const c = store(db, { syncId: syncId(8) });
  settleFinding(db, b, "verified", NOW);
  const ids = (filter: Parameters<typeof readFindings>[1], beforeId = 1_000, limit = 10) =>
    readFindings(db, filter, beforeId, limit).map((row) => row.id);
  expect(ids({})).toEqual([c, b, a]);
  expect(ids({}, c)).toEqual([b, a]);
  expect(ids({}, 1_000, 1)).toEqual([c]);
  expect(ids({ syncId: SYNC })).toEqual([b, a]);
  expect(ids({ kind: "no_progress" })).toEqual([b]);
  expect(ids({ outcome: "pending" })).toEqual([c, a]);
  expect(ids({ syncId: SYNC, outcome: "failed" })).toEqual([]);
});

test("an erased athlete leaves no finding; other athletes' stay", () => {
  const db = emptyDb();
  const gone = store(db);
  const stays = store(db, { syncId: syncId(8), athleteId: athleteId(4) });
  eraseFindingsOf(db, athleteId(3));
  expect(readFinding(db, gone)).toBeUndefined();
  expect(readFinding(db, stays)).toBeDefined();
});
