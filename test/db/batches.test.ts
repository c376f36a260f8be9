import { expect, test } from "bun:test";
import type { AfterRun } from "../../src/core/batch.ts";
import { classRank, type SyncClass } from "../../src/core/sync.ts";
import {
  athleteId,
  type BatchId,
  batchId,
  DAY_MS,
  epochMs,
  type LeaseToken,
  leaseToken,
  MINUTE_MS,
  type SyncId,
  syncId,
} from "../../src/core/units.ts";
import {
  cancelBatch,
  cancelLiveBatches,
  claimBatch,
  endRun,
  findBatches,
  hasLiveBatch,
  insertBatch as insertNextBatch,
  makeAllDue,
  makeDue,
  nextDueAtMs,
  noteDeath,
  readBatch,
  readBatches,
  readNewestBatch,
  readNewestBatchOfSync,
  readNextDueBatch,
  readProcessingBatches,
  renewLease,
  sweepBatch,
  tallyUnderLease,
} from "../../src/db/batches.ts";
import type { Db } from "../../src/db/open.ts";
import { noteServed, readSync, setPaused } from "../../src/db/syncs.ts";
import { insertAthlete, insertBatch, insertSync, later, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";

const TOKEN = leaseToken("mine");
const STALE = leaseToken("stale");
const ALL = classRank("schedule");
const claim = (token: LeaseToken = TOKEN) => ({
  leaseToken: token,
  leaseExpiresAtMs: later(MINUTE_MS),
  owner: "boot-2",
  nowMs: NOW,
  traceId: "trace",
  spanId: "span",
});
const nextOf = (db: Db, nowMs = NOW, maxRank = ALL) => readNextDueBatch(db, nowMs, maxRank)?.id;
/** A batch that a worker holds by TOKEN. */
const held = (db: Db, values: Parameters<typeof insertBatch>[1] = {}): BatchId =>
  insertBatch(db, { status: "processing", leaseToken: TOKEN, ...values });

test("I3: of two workers that claim the same batch, one wins, and the other changes nothing", () => {
  const db = emptyDb();
  const id = insertBatch(db);
  expect(claimBatch(db, id, claim())).toBe(true);
  const claimed = readBatch(db, id);
  expect(claimBatch(db, id, { ...claim(leaseToken("other")), nowMs: later(5) })).toBe(false);
  expect(readBatch(db, id)).toEqual(claimed);
  expect(claimed).toMatchObject({
    status: "processing",
    leaseToken: TOKEN,
    leaseExpiresAtMs: later(MINUTE_MS),
    leasedAtMs: NOW,
    heartbeatAtMs: NOW,
    startedAtMs: NOW,
    owner: "boot-2",
    runs: 1,
    attempts: 0,
    traceId: "trace",
    spanId: "span",
  });
});

test("a claim starts a run and keeps the first start; what the batch waited for is over", () => {
  const db = emptyDb();
  const id = insertBatch(db, {
    runs: 2,
    attempts: 1,
    startedAtMs: later(-90),
    waitReason: "backoff",
    waitsUntilMs: NOW,
  });
  expect(claimBatch(db, id, claim())).toBe(true);
  expect(readBatch(db, id)).toMatchObject({
    runs: 3,
    attempts: 1,
    startedAtMs: later(-90),
    waitReason: null,
    waitsUntilMs: null,
  });
});

test("only a pending batch can be claimed", () => {
  const db = emptyDb();
  for (const status of ["processing", "completed", "failed", "cancelled"] as const) {
    const id = insertBatch(db, { status });
    const before = readBatch(db, id);
    expect(claimBatch(db, id, claim())).toBe(false);
    expect(readBatch(db, id)).toEqual(before);
  }
});

test("a batch is due from its moment on, not before", () => {
  const db = emptyDb();
  const id = insertBatch(db, { runAfterMs: NOW });
  expect(nextOf(db, later(-1))).toBeUndefined();
  expect(nextOf(db, NOW)).toBe(id);
  expect(nextOf(db, later(1))).toBe(id);
});

test("who waits comes first: manual, event, connect, schedule, whoever was served longest ago", () => {
  const db = emptyDb();
  const order = (["schedule", "connect", "event", "manual"] as const).map((syncClass, index) => {
    // The later the class, the longer ago it was served: the class decides all the same.
    const sync = insertSync(db, { class: syncClass, classRank: classRank(syncClass), servedAtMs: epochMs(index) });
    return insertBatch(db, { syncId: sync });
  });
  const served: (BatchId | undefined)[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const next = nextOf(db);
    served.push(next);
    if (next !== undefined) claimBatch(db, next, claim(leaseToken(`lease-${turn}`)));
  }
  expect(served).toEqual([...order].reverse());
  expect(nextOf(db)).toBeUndefined();
});

test("classes above the highest rank let out are not claimed, those at it are", () => {
  const db = emptyDb();
  const ofClass = (syncClass: SyncClass) =>
    insertBatch(db, { syncId: insertSync(db, { class: syncClass, classRank: classRank(syncClass) }) });
  ofClass("connect");
  expect(nextOf(db, NOW, classRank("event"))).toBeUndefined();
  const event = ofClass("event");
  expect(nextOf(db, NOW, classRank("event"))).toBe(event);
});

test("within a class the athlete served least recently comes first, then the older sync; a claim sends to the end", () => {
  const db = emptyDb();
  const recent = insertSync(db, { servedAtMs: later(-10) });
  const longAgo = insertSync(db, { servedAtMs: later(-1_000) });
  const twin = insertSync(db, { servedAtMs: later(-10) });
  const [a, b, c] = [recent, longAgo, twin].map((sync) => insertBatch(db, { syncId: sync }));
  const second = insertBatch(db, { syncId: longAgo });
  expect(nextOf(db)).toBe(b as BatchId);
  const athlete = readSync(db, longAgo)?.athleteId ?? athleteId(0);
  noteServed(db, { id: longAgo, athleteId: athlete }, NOW, "trace");
  expect(nextOf(db)).toBe(a as BatchId);
  cancelBatch(db, a as BatchId, NOW);
  expect(nextOf(db)).toBe(c as BatchId);
  cancelBatch(db, c as BatchId, NOW);
  cancelBatch(db, b as BatchId, NOW);
  expect(nextOf(db)).toBe(second);
});

test("an athlete has at most one batch in work, the due one with the lowest number first", () => {
  const db = emptyDb();
  const sync = insertSync(db, { phase: "enrichment" });
  const batches = [3, 1, 2].map((number) => insertBatch(db, { syncId: sync, number }));
  expect(nextOf(db)).toBe(batches[1] as BatchId);
  claimBatch(db, batches[1] as BatchId, claim());
  expect(nextOf(db)).toBeUndefined();
  endRun(db, { batchId: batches[1] as BatchId, leaseToken: TOKEN }, { status: "completed" }, NOW);
  expect(nextOf(db)).toBe(batches[2] as BatchId);
});

test("a paused sync is passed over, and so is one that has ended; the next in line is not held up", () => {
  const db = emptyDb();
  const paused = insertSync(db, { servedAtMs: epochMs(1) });
  const ended = insertSync(db, { servedAtMs: epochMs(2), status: "cancelled" });
  const batch = insertBatch(db, { syncId: paused });
  insertBatch(db, { syncId: ended });
  const other = insertBatch(db, { syncId: insertSync(db, { servedAtMs: epochMs(3) }) });
  setPaused(db, paused, NOW);
  expect(nextOf(db)).toBe(other);
  setPaused(db, paused, null);
  expect(nextOf(db)).toBe(batch);
});

test("what is claimed comes with all that its run must know", () => {
  const db = emptyDb();
  const owner = insertAthlete(db);
  const sync = insertSync(db, { athleteId: owner, class: "manual", classRank: 0 });
  const id = insertBatch(db, {
    syncId: sync,
    number: 7,
    type: "discovery",
    attempts: 2,
    runs: 3,
    deaths: 1,
    traceId: "t",
    spanId: "s",
  });
  expect(readNextDueBatch(db, NOW, ALL)).toEqual({
    id,
    syncId: sync,
    athleteId: owner,
    number: 7,
    type: "discovery",
    attempts: 2,
    runs: 3,
    deaths: 1,
    syncClass: "manual",
    traceId: "t",
    spanId: "s",
  });
});

const ENDS: readonly AfterRun[] = [
  { status: "completed" },
  { status: "failed", attempts: 5, error: "no" },
  { status: "pending", attempts: 1, runAfterMs: later(9), waitReason: "backoff", waitsUntilMs: later(9), error: "no" },
];
const TALLY = { requests: 1, activitiesFetched: 2, racesAdded: 3, racesEnriched: 4, racesFailed: 5 };

test("I3: a worker whose lease was lost can neither renew, nor count, nor end the batch", () => {
  const db = emptyDb();
  const taken = held(db);
  const others = (["pending", "completed", "cancelled"] as const).map((status) =>
    insertBatch(db, { status, leaseToken: STALE }),
  );
  for (const id of [taken, ...others]) {
    const fence = { batchId: id, leaseToken: STALE };
    const before = readBatch(db, id);
    expect(renewLease(db, fence, later(DAY_MS), NOW)).toBe(false);
    expect(tallyUnderLease(db, fence, TALLY)).toBe(false);
    for (const end of ENDS) expect(endRun(db, fence, end, NOW)).toBe(false);
    expect(readBatch(db, id)).toEqual(before);
  }
});

test("a heartbeat extends the lease and leaves the moment of the claim", () => {
  const db = emptyDb();
  const id = held(db);
  expect(renewLease(db, { batchId: id, leaseToken: TOKEN }, later(2 * MINUTE_MS), later(20_000))).toBe(true);
  expect(readBatch(db, id)).toMatchObject({
    leaseExpiresAtMs: later(2 * MINUTE_MS),
    heartbeatAtMs: later(20_000),
    leasedAtMs: NOW,
  });
});

test("counts add up under the lease, and progress forgives the deaths before it", () => {
  const db = emptyDb();
  const id = held(db, { deaths: 4 });
  const fence = { batchId: id, leaseToken: TOKEN };
  expect([tallyUnderLease(db, fence, TALLY), tallyUnderLease(db, fence, TALLY)]).toEqual([true, true]);
  expect(readBatch(db, id)).toMatchObject({
    requests: 2,
    activitiesFetched: 4,
    racesAdded: 6,
    racesEnriched: 8,
    racesFailed: 10,
    deaths: 0,
  });
});

test("a run ends its batch as the state machine says, and gives the lease back", () => {
  const db = emptyDb();
  const ended = ENDS.map((end) => {
    const id = held(db, { attempts: 0, error: "before" });
    expect(endRun(db, { batchId: id, leaseToken: TOKEN }, end, later(7))).toBe(true);
    return readBatch(db, id);
  });
  for (const row of ended) expect(row).toMatchObject({ leaseToken: null, leaseExpiresAtMs: null });
  expect(ended[0]).toMatchObject({ status: "completed", completedAtMs: later(7), error: null, exhausted: 0 });
  expect(ended[1]).toMatchObject({ status: "failed", completedAtMs: later(7), error: "no", attempts: 5, exhausted: 1 });
  expect(ended[2]).toMatchObject({
    status: "pending",
    completedAtMs: null,
    error: "no",
    attempts: 1,
    exhausted: 0,
    runAfterMs: later(9),
    waitReason: "backoff",
    waitsUntilMs: later(9),
  });
});

test("a sweep takes a batch only as it was seen: another token, another attempt or another state, and it changes nothing", () => {
  const db = emptyDb();
  const id = held(db, { attempts: 2 });
  const after = { status: "pending", attempts: 3, error: "Its lease was lost.", keepsItsPlace: false } as const;
  const before = readBatch(db, id);
  expect(sweepBatch(db, { batchId: id, leaseToken: STALE, attempts: 2 }, after, NOW)).toBe(false);
  expect(sweepBatch(db, { batchId: id, leaseToken: null, attempts: 2 }, after, NOW)).toBe(false);
  expect(sweepBatch(db, { batchId: id, leaseToken: TOKEN, attempts: 1 }, after, NOW)).toBe(false);
  const pending = insertBatch(db, { attempts: 2 });
  expect(sweepBatch(db, { batchId: pending, leaseToken: null, attempts: 2 }, after, NOW)).toBe(false);
  expect(readBatch(db, id)).toEqual(before);
  expect(sweepBatch(db, { batchId: id, leaseToken: TOKEN, attempts: 2 }, after, NOW)).toBe(true);
  expect(readBatch(db, id)).toMatchObject({
    status: "pending",
    attempts: 3,
    runAfterMs: NOW,
    leaseToken: null,
    error: after.error,
  });
});

test("a sweep past the last attempt fails the batch for good, and takes one whose lease a hand emptied", () => {
  const db = emptyDb();
  db.$client.run("PRAGMA ignore_check_constraints = ON");
  const id = held(db, { attempts: 4, leaseToken: null, leaseExpiresAtMs: null });
  db.$client.run("PRAGMA ignore_check_constraints = OFF");
  const after = { status: "failed", attempts: 5, error: "lost", keepsItsPlace: false } as const;
  expect(sweepBatch(db, { batchId: id, leaseToken: null, attempts: 4 }, after, later(3))).toBe(true);
  expect(readBatch(db, id)).toMatchObject({ status: "failed", attempts: 5, exhausted: 1, completedAtMs: later(3) });
});

test("a sweep puts a batch behind what is due, or leaves it its place; never into the future", () => {
  for (const [keepsItsPlace, placeMs, expectedMs] of [
    [false, later(-5), NOW],
    [true, later(-5), later(-5)],
    [true, later(DAY_MS), NOW],
  ] as const) {
    const db = emptyDb();
    const id = held(db, { runAfterMs: placeMs });
    const seen = { batchId: id, leaseToken: TOKEN, attempts: 0 };
    expect(sweepBatch(db, seen, { status: "pending", attempts: 0, error: null, keepsItsPlace }, NOW)).toBe(true);
    expect(readBatch(db, id)?.runAfterMs).toBe(expectedMs);
  }
});

test("batches of a sync are numbered on from its highest, each sync for itself", () => {
  const db = emptyDb();
  const [a, b] = [insertSync(db), insertSync(db)];
  insertBatch(db, { syncId: a, number: 41, status: "completed" });
  const make = (sync: SyncId) => insertNextBatch(db, { syncId: sync, type: "enrichment", size: 7, nowMs: NOW });
  const numbers = [make(a), make(a), make(b)].map((id) => readBatch(db, id)?.number);
  expect(numbers).toEqual([42, 43, 1]);
  expect(readBatch(db, make(b))).toMatchObject({
    status: "pending",
    size: 7,
    attempts: 0,
    runs: 0,
    runAfterMs: NOW,
    createdAtMs: NOW,
  });
});

test("a waiting batch becomes due, whatever moment a hand wrote; one that is due or runs is left alone", () => {
  const db = emptyDb();
  const id = insertBatch(db, { runAfterMs: later(500), waitReason: "quota_daily", waitsUntilMs: later(500) });
  expect(makeDue(db, id, NOW)).toBe(true);
  expect(readBatch(db, id)).toMatchObject({ runAfterMs: NOW, waitReason: null, waitsUntilMs: null });
  expect(makeDue(db, id, NOW)).toBe(false);
  // The largest integer that SQLite holds, which no number here holds exactly.
  db.$client.run(`UPDATE batches SET run_after_ms = 9223372036854775807 WHERE id = ${id}`);
  expect(makeDue(db, id, NOW)).toBe(true);
  expect(readBatch(db, id)?.runAfterMs).toBe(NOW);
  const running = held(db, { runAfterMs: later(500) });
  expect(makeDue(db, running, NOW)).toBe(false);
});

test("making a sync due moves its waiting batches only, and no other sync's", () => {
  const db = emptyDb();
  const sync = insertSync(db, { phase: "enrichment" });
  const waiting = insertBatch(db, {
    syncId: sync,
    runAfterMs: later(1),
    waitReason: "backoff",
    waitsUntilMs: later(1),
  });
  const due = insertBatch(db, { syncId: sync, runAfterMs: NOW });
  const other = insertBatch(db, { runAfterMs: later(1) });
  expect(makeAllDue(db, sync, NOW)).toBe(1);
  expect(readBatch(db, waiting)).toMatchObject({ runAfterMs: NOW, waitReason: null });
  expect(readBatch(db, due)?.runAfterMs).toBe(NOW);
  expect(readBatch(db, other)?.runAfterMs).toBe(later(1));
});

test("a live batch can be cancelled, once; an ended one keeps its end", () => {
  const db = emptyDb();
  for (const id of [insertBatch(db), held(db)]) {
    expect([cancelBatch(db, id, NOW), cancelBatch(db, id, later(9))]).toEqual([true, false]);
    expect(readBatch(db, id)).toMatchObject({ status: "cancelled", completedAtMs: NOW, leaseToken: null });
  }
  const completed = insertBatch(db, { status: "completed" });
  expect(cancelBatch(db, completed, NOW)).toBe(false);
  expect(readBatch(db, completed)?.status).toBe("completed");
});

test("cancelling what is live of a sync leaves what has ended, and other syncs", () => {
  const db = emptyDb();
  const sync = insertSync(db, { phase: "enrichment" });
  const statuses = ["pending", "processing", "completed", "failed"] as const;
  const ids = statuses.map((status) => insertBatch(db, { syncId: sync, status }));
  const other = insertBatch(db);
  cancelLiveBatches(db, sync, NOW);
  expect(ids.map((id) => readBatch(db, id)?.status)).toEqual(["cancelled", "cancelled", "completed", "failed"]);
  expect(readBatch(db, other)?.status).toBe("pending");
});

test("live batches and pages are those of one sync and type, in the order of their numbers", () => {
  const db = emptyDb();
  const sync = insertSync(db, { phase: "enrichment" });
  insertBatch(db, { number: 99 });
  const five = insertBatch(db, { syncId: sync, number: 5, status: "processing" });
  const two = insertBatch(db, { syncId: sync, number: 2 });
  const one = insertBatch(db, { syncId: sync, number: 1, status: "completed", type: "discovery" });
  const six = insertBatch(db, { syncId: sync, number: 6, status: "failed", exhausted: 1, error: "no" });
  expect(readBatches(db, sync, 1, 10).map((row) => row.id)).toEqual([two, five, six]);
  expect(readBatches(db, sync, 0, 1).map((row) => row.id)).toEqual([one]);
  expect([hasLiveBatch(db, sync, "enrichment"), hasLiveBatch(db, sync, "discovery")]).toEqual([true, false]);
  expect(readNewestBatch(db, sync, "enrichment")).toEqual({ status: "failed", exhausted: 1, error: "no" });
  expect(readNewestBatch(db, sync, "discovery")).toMatchObject({ status: "completed" });
  expect(readNewestBatch(db, syncId(12_345), "discovery")).toBeNull();
  expect(readNewestBatchOfSync(db, sync)?.id).toBe(six);
  const found = (filter: Omit<Parameters<typeof findBatches>[1], "syncId">) =>
    findBatches(db, { syncId: sync, ...filter }, 0, 10).map((row) => row.id);
  expect(found({})).toEqual([one, two, five, six]);
  expect(found({ type: "enrichment" })).toEqual([two, five, six]);
  expect(found({ status: "completed" })).toEqual([one]);
});

test("the next moment at which a batch becomes due is after now, and of pending ones only", () => {
  const db = emptyDb();
  expect(nextDueAtMs(db, NOW)).toBeUndefined();
  insertBatch(db, { runAfterMs: NOW });
  insertBatch(db, { runAfterMs: later(5), status: "completed" });
  insertBatch(db, { runAfterMs: later(50) });
  insertBatch(db, { runAfterMs: later(7) });
  expect(nextDueAtMs(db, NOW)).toBe(later(7));
  expect(nextDueAtMs(db, later(6))).toBe(later(7));
  expect(nextDueAtMs(db, later(7))).toBe(later(50));
});

test("batches in processing are found whoever holds them, and their deaths are remembered", () => {
  const db = emptyDb();
  const mine = held(db);
  const theirs = held(db, { owner: "boot-1" });
  insertBatch(db);
  expect(readProcessingBatches(db, 0, 10).map((row) => row.id)).toEqual([mine, theirs]);
  expect(readProcessingBatches(db, 0, 1).map((row) => row.id)).toEqual([mine]);
  expect(readProcessingBatches(db, mine, 1).map((row) => row.id)).toEqual([theirs]);
  noteDeath(db, theirs, 3);
  expect(readBatch(db, theirs)?.deaths).toBe(3);
  expect(readBatch(db, batchId(99_999))).toBeUndefined();
});

test("a run ends whatever a hand wrote as the attempts of its batch, and what is stored has a successor", () => {
  const db = emptyDb();
  const attempts = Number("9223372036854775808");
  const failed = held(db, { attempts: 1 });
  const fence = { batchId: failed, leaseToken: TOKEN };
  expect(endRun(db, fence, { status: "failed", attempts, error: "no" }, NOW)).toBe(true);
  expect(readBatch(db, failed)).toMatchObject({ status: "failed", attempts: 1_000_000 });
});

test("a sync gets batches whatever a hand wrote as the number of one: on from the highest, else into the first gap", () => {
  const numbersAfter = (byHand: readonly string[]) => {
    const db = emptyDb();
    const syncId = insertSync(db);
    for (const number of byHand)
      db.$client.run(
        `INSERT INTO batches (sync_id, number, type, size) VALUES (${syncId}, ${number}, 'enrichment', 1)`,
      );
    return [1, 2, 3].map(() => {
      const id = insertNextBatch(db, { syncId, type: "enrichment", size: 1, nowMs: NOW });
      return readBatch(db, id)?.number;
    });
  };
  expect(numbersAfter([])).toEqual([1, 2, 3]);
  expect(numbersAfter(["-3", "-2"])).toEqual([-1, 0, 1]);
  expect(numbersAfter(["2", "9223372036854775807"])).toEqual([3, 4, 5]);
  expect(numbersAfter(["9223372036854775807"])).toEqual([1, 2, 3]);
  expect(numbersAfter(["2", "3", "5", "9007199254740990"])).toEqual([4, 6, 7]);
  expect(numbersAfter(["9007199254740989"])).toEqual([9007199254740990, 1, 2]);
  expect(numbersAfter(["9007199254740991", "9007199254740992"])).toEqual([1, 2, 3]);
});
