import { expect, test } from "bun:test";
import { type BatchId, epochMs, leaseToken, raceId, type SyncId } from "../../src/core/units.ts";
import * as messageStatements from "../../src/db/alert-messages.ts";
import * as troubleStatements from "../../src/db/alert-troubles.ts";
import { readAthleteByStravaId } from "../../src/db/athletes.ts";
import * as batchStatements from "../../src/db/batches.ts";
import * as findingStatements from "../../src/db/findings.ts";
import { findInvite } from "../../src/db/invites.ts";
import { findHeldRace, storeLookedAtRace } from "../../src/db/looked-at-races.ts";
import { askAgainForMissing, storeNotFound } from "../../src/db/missing-races.ts";
import type { Db } from "../../src/db/open.ts";
import * as raceStatements from "../../src/db/races.ts";
import { readDueRevocations } from "../../src/db/revocations.ts";
import { beginExchange, deleteExpiredSignIns, endExchange, insertSignIn, takeSignIn } from "../../src/db/sign-ins.ts";
import * as eventStatements from "../../src/db/strava-events.ts";
import { readSyncLogs } from "../../src/db/sync-logs.ts";
import { readSyncNeeds } from "../../src/db/sync-needs.ts";
import * as syncStatements from "../../src/db/syncs.ts";
import { hasUnknownStates } from "../../src/db/unknown-states.ts";
import { activity, anEvent, insertAthlete, insertBatch, insertRace, insertSync, NOW } from "../support/builders.ts";
import { emptyDb } from "../support/database.ts";
import { planOf } from "../support/plans.ts";

type Scene = { db: Db; athleteId: ReturnType<typeof insertAthlete>; syncId: SyncId; batchId: BatchId };

/** An athlete with a sync, a batch and a race: no statistics, as on a daemon's first day. */
function scene(): Scene {
  const db = emptyDb();
  const athleteId = insertAthlete(db);
  const syncId = insertSync(db, { athleteId, phase: "enrichment" });
  const batchId = insertBatch(db, { syncId });
  insertRace(db, { athleteId, batchId });
  return { db, athleteId, syncId, batchId };
}

/** How SQLite would run each statement that `act` runs, a line a step. */
function plansOf(act: (scene: Scene) => unknown): string {
  const s = scene();
  return planOf(s.db, () => act(s));
}

const PROBE = { leaseToken: leaseToken("x"), leaseExpiresAtMs: NOW, owner: "o", nowMs: NOW, traceId: "t", spanId: "s" };
const range = (s: Scene) => ({ athleteId: s.athleteId, syncId: s.syncId, fromMs: epochMs(0), toMs: NOW });
const listed = (s: Scene) => ({
  athleteId: s.athleteId,
  activity: activity(),
  fingerprint: "f",
  syncId: s.syncId,
  nowMs: NOW,
});
const unserved = (s: Scene) => ({ athleteId: s.athleteId, syncId: s.syncId, exhaustedSize: undefined, limit: 15 });

const lookedAt = { ownerId: 1, objectType: "activity", objectId: 2, throughId: 9, aspects: "delete" } as const;

/** Each hot statement, by the function that runs it, and the indexes that are there for it. */
const HOT: readonly [string, readonly string[], (scene: Scene) => unknown][] = [
  [
    "readNextDueBatch",
    ["syncs_serving_order", "batches_live"],
    ({ db }) => batchStatements.readNextDueBatch(db, NOW, 3),
  ],
  ["claimBatch", ["PRIMARY KEY"], ({ db, batchId }) => batchStatements.claimBatch(db, batchId, PROBE)],
  ["renewLease", ["PRIMARY KEY"], (s) => batchStatements.renewLease(s.db, { ...PROBE, batchId: s.batchId }, NOW, NOW)],
  [
    "endRun",
    ["PRIMARY KEY"],
    (s) => batchStatements.endRun(s.db, { ...PROBE, batchId: s.batchId }, { status: "completed" }, NOW),
  ],
  [
    "insertBatch",
    ["batches_number"],
    (s) => batchStatements.insertBatch(s.db, { ...s, type: "enrichment", size: 1, nowMs: NOW }),
  ],
  ["makeAllDue", ["batches_live"], ({ db, syncId }) => batchStatements.makeAllDue(db, syncId, NOW)],
  ["makeWaitingDue", ["batches_due"], ({ db }) => batchStatements.makeWaitingDue(db, NOW, 10)],
  ["hasLiveBatch", ["batches_live"], ({ db, syncId }) => batchStatements.hasLiveBatch(db, syncId, "enrichment")],
  ["nextDueAtMs", ["batches_due"], ({ db }) => batchStatements.nextDueAtMs(db, NOW)],
  ["readProcessingBatches", ["batches_processing"], ({ db }) => batchStatements.readProcessingBatches(db, 0, 10)],
  ["readNewestBatch", ["batches_number"], ({ db, syncId }) => batchStatements.readNewestBatch(db, syncId, "discovery")],
  ["readBatches", ["batches_number"], ({ db, syncId }) => batchStatements.readBatches(db, syncId, 0, 10)],
  [
    "readSyncInProgress",
    ["syncs_one_in_progress_per_athlete"],
    (s) => syncStatements.readSyncInProgress(s.db, s.athleteId),
  ],
  ["readSyncsInProgress", ["syncs_in_progress"], ({ db }) => syncStatements.readSyncsInProgress(db, 0, 10)],
  ["readRecentSyncs", ["syncs_ended"], ({ db }) => syncStatements.readRecentSyncs(db, 10)],
  ["storeListedRace", [], (s) => raceStatements.storeListedRace(s.db, listed(s))],
  ["withdrawIfHeld", ["races_activity"], (s) => raceStatements.withdrawIfHeld(s.db, s.athleteId, 5, NOW, "no race")],
  ["withdrawVanished", ["races_of_athlete"], (s) => raceStatements.withdrawVanished(s.db, range(s), NOW)],
  ["askAgainForMissing", ["races_of_athlete"], (s) => askAgainForMissing(s.db, s.athleteId, s.syncId, NOW)],
  [
    "storeNotFound",
    ["PRIMARY KEY"],
    ({ db, batchId, syncId }) => storeNotFound(db, { id: raceId(1), batchId, syncId, nowMs: NOW }),
  ],
  ["countVanished", ["races_of_athlete"], (s) => raceStatements.countVanished(s.db, range(s))],
  ["countPending", ["races_pending"], ({ db, athleteId }) => raceStatements.countPending(db, athleteId)],
  ["bindUnserved", ["races_pending"], (s) => raceStatements.bindUnserved(s.db, unserved(s), s.batchId)],
  ["failExhausted", ["races_pending"], (s) => raceStatements.failExhausted(s.db, s.athleteId, s.syncId)],
  [
    "readOpenFindingsOfSync",
    ["findings_open"],
    ({ db, syncId }) => findingStatements.readOpenFindingsOfSync(db, syncId),
  ],
  ["countRemedies", ["findings_of_sync"], ({ db, syncId }) => findingStatements.countRemedies(db, syncId, NOW)],
  ["takeSignIn", ["sqlite_autoindex_sign_ins"], ({ db }) => takeSignIn(db, "hash", NOW)],
  ["beginExchange", ["sqlite_autoindex_sign_ins"], ({ db }) => beginExchange(db, "hash", NOW)],
  ["endExchange", ["sqlite_autoindex_sign_ins"], ({ db }) => endExchange(db, "hash")],
  ["deleteExpiredSignIns", ["sign_ins_expiry"], ({ db }) => deleteExpiredSignIns(db, NOW)],
  [
    "insertSignIn",
    [],
    ({ db }) => insertSignIn(db, { stateHash: "h", nowMs: NOW, expiresAtMs: NOW, inviteId: null }, 9),
  ],
  ["findInvite", ["invites_hash"], ({ db }) => findInvite(db, "hash")],
  ["readAthleteByStravaId", ["athletes_strava_id"], ({ db }) => readAthleteByStravaId(db, 1)],
  ["readDueRevocations", ["revocations_due"], ({ db }) => readDueRevocations(db, NOW, 10)],
  ["readSyncNeeds", ["syncs_in_progress", "races_pending", "races_of_athlete"], ({ db }) => readSyncNeeds(db)],
  ["readDueEvents", ["strava_events_due"], ({ db }) => eventStatements.readDueEvents(db, NOW, 10)],
  ["nextEventDueAtMs", ["strava_events_due"], ({ db }) => eventStatements.nextEventDueAtMs(db, NOW)],
  ["settleEvent", ["PRIMARY KEY"], ({ db }) => eventStatements.settleEvent(db, 1, "no_matter", NOW)],
  [
    "settleEventsOf",
    ["strava_events_open_of_object"],
    ({ db }) => eventStatements.settleEventsOf(db, lookedAt, { outcome: "stored", nowMs: NOW }),
  ],
  [
    "postponeEventsOf",
    ["strava_events_open_of_object"],
    ({ db }) => eventStatements.postponeEventsOf(db, lookedAt, { atMs: NOW, misses: 1, error: null, nowMs: NOW }),
  ],
  ["viewInbox", ["strava_events_due"], ({ db }) => eventStatements.viewInbox(db)],
  ["pruneEvents", ["strava_events_settled"], ({ db }) => eventStatements.pruneEvents(db, NOW, 20)],
  ["pruneCrowd", ["PRIMARY KEY"], ({ db }) => eventStatements.pruneCrowd(db, 10, 20)],
  ["readAthleteByStravaId", ["athletes_strava_id"], ({ db }) => readAthleteByStravaId(db, 5)],
  ["findHeldRace", ["races_activity"], (s) => findHeldRace(s.db, s.athleteId, 5)],
  [
    "storeLookedAtRace",
    ["races_activity"],
    (s) => storeLookedAtRace(s.db, { athleteId: s.athleteId, activity: activity(), syncId: null, nowMs: NOW }),
  ],
  ["readSyncLogs", ["sync_logs_of_sync"], ({ db, syncId }) => readSyncLogs(db, { syncId }, 1_000, 50)],
];

for (const [name, indexes, run] of HOT) {
  test(`${name} is served by ${indexes.join(" and ") || "its unique key"}: no table is read through, and nothing is sorted`, () => {
    const plan = plansOf(run);
    for (const index of indexes) expect(plan).toContain(index);
    expect(plan).not.toMatch(/^SCAN (?!CONSTANT ROW)(?!.*USING (?:COVERING )?INDEX)/m);
    expect(plan).not.toContain("TEMP B-TREE");
  });
}

const TROUBLE = { rule: "sync_failed", subject: "athlete:1" } as const;

/** These sort or group a few rows of one batch, sync or athlete, or those that are open. */
const SORTING: readonly [string, string, (scene: Scene) => unknown][] = [
  ["countUnserved", "races_pending", (s) => raceStatements.countUnserved(s.db, s.athleteId, s.syncId)],
  ["readRacesOfBatch", "races_of_batch", (s) => raceStatements.readRacesOfBatch(s.db, { ...s, id: s.batchId })],
  ["tallyOfSync", "races_of_athlete", (s) => raceStatements.tallyOfSync(s.db, s.syncId, s.athleteId)],
  ["readOpenFindings", "findings_open", ({ db }) => findingStatements.readOpenFindings(db, 0, 10)],
  ["readUnsettledTroubles", "alert_troubles_unsettled", ({ db }) => troubleStatements.readUnsettledTroubles(db, 0, 10)],
  ["isTroubleOpen", "alert_troubles_unsettled (rule=? AND", ({ db }) => troubleStatements.isTroubleOpen(db, TROUBLE)],
  [
    "closeTrouble",
    "alert_troubles_unsettled (rule=? AND",
    ({ db }) => troubleStatements.closeTrouble(db, TROUBLE, NOW),
  ],
  ["readNextDueMessages", "alert_messages_due", ({ db }) => messageStatements.readNextDueMessages(db, NOW)],
  ["nextMessageDueAtMs", "alert_messages_due", ({ db }) => messageStatements.nextMessageDueAtMs(db, NOW)],
  [
    "readOpenTroublesOfRule",
    "alert_troubles_unsettled (rule=?)",
    ({ db }) => troubleStatements.readOpenTroublesOfRule(db, "sync_failed", 10),
  ],
];

for (const [name, index, run] of SORTING) {
  test(`${name} reads by ${index}, and no table through`, () => {
    const plan = plansOf(run);
    expect(plan).toContain(index);
    expect(plan).not.toMatch(/^SCAN (?!CONSTANT ROW)(?!.*USING (?:COVERING )?INDEX)/m);
  });
}

test("an event that comes reads by index what is open, and what it may be a copy of", () => {
  const plan = plansOf(({ db }) => {
    eventStatements.insertEvent(db, anEvent(), NOW);
    eventStatements.insertEvent(db, anEvent(), NOW);
  });
  expect(plan).toContain("SCAN strava_events USING INDEX strava_events_open");
  expect(plan).toContain("SEARCH strava_events USING COVERING INDEX strava_events_same");
  expect(plan).not.toMatch(/^SCAN strava_events$/m);
});

test("whether rows are in a state that is none is read by indexes that are empty, and from the few rows of the sequences", () => {
  const plan = plansOf(({ db }) => hasUnknownStates(db));
  for (const table of ["athletes", "races", "batches", "syncs"]) expect(plan).toContain(`INDEX ${table}_unknown`);
  expect(plan).toContain("batches USING INTEGER PRIMARY KEY");
  expect(plan).not.toMatch(/^SCAN (?!CONSTANT ROW)(?!sqlite_sequence$)(?!.*USING (?:COVERING )?INDEX)/m);
});

test("the check of the plans sees a table that is read through, and a sort", () => {
  const plan = plansOf(({ db }) => db.$client.query("SELECT * FROM races ORDER BY name").all());
  expect(plan).toMatch(/^SCAN (?!CONSTANT ROW)(?!.*USING (?:COVERING )?INDEX)/m);
  expect(plan).toContain("TEMP B-TREE");
});
