import { expect, test } from "bun:test";
import type { Incident, IncidentBatch } from "../../src/core/incident.ts";
import { isInProgressAt, rulesAt, snapshotAt } from "../../src/core/replay.ts";
import { findingsAt, optionsOf, replayIncident } from "../../src/core/replay-incident.ts";
import { firstCursor } from "../../src/core/sync.ts";
import { athleteId, batchId, type EpochMs, epochMs, leaseToken, MINUTE_MS, syncId } from "../../src/core/units.ts";
import { aBatch, after, anIncident, aRace, aState, incidentOf, rawStall, STARTED } from "../support/incidents.ts";

const kindsAt = (incident: Incident, nowMs: EpochMs, rules = optionsOf(incident).rules) =>
  findingsAt(incident, nowMs, rules).map(({ kind }) => kind);
const countsAt = (incident: Incident, nowMs: EpochMs) => snapshotAt(incident, nowMs).counts;

test("2025-11-17: found by the first check after the third batch ended, with two batches proposed, 80 checks long", () => {
  const { troubles } = replayIncident(incidentOf(rawStall()));
  expect(troubles).toMatchObject([
    {
      kind: "missing_enrichment_batches",
      beganAtMs: Date.UTC(2025, 10, 16, 23, 13, 53),
      foundAtMs: Date.UTC(2025, 10, 16, 23, 14),
      lastFoundAtMs: Date.UTC(2025, 10, 17, 0, 33),
      goneAtMs: Date.UTC(2025, 10, 17, 0, 34),
      checks: 80,
      evidence: { races_pending: 20, races_unserved: 20, completed_batches: 3, total_batches: 3, batches_to_create: 2 },
      remedy: "plan again: create what is missing, or complete the sync (2 batches)",
      would: "apply",
    },
  ]);
});

test("2025-11-17: the snapshot is what stood there at each moment", () => {
  const incident = incidentOf(rawStall());
  const { started_at: startedAt } = incident.sync;
  const thirdEnded = epochMs(Date.UTC(2025, 10, 16, 23, 13, 53));
  const before = snapshotAt(incident, epochMs(thirdEnded - 1));
  expect(before.counts).toEqual({ total: 3, completed: 2, pending: 0, processing: 1, failed: 0 });
  const stalled = snapshotAt(incident, thirdEnded);
  expect(stalled.counts).toEqual({ total: 3, completed: 3, pending: 0, processing: 0, failed: 0 });
  expect(stalled).toMatchObject({ lastProgressAtMs: thirdEnded, liveBatches: [], batchesCompleted: 3 });
  expect(stalled.plan).toMatchObject({ phase: "enrichment", racesPending: 20, liveBatches: 0 });
  expect(snapshotAt(incident, epochMs(startedAt)).plan).toMatchObject({ racesPending: 45, liveBatches: 3 });
});

test("replaying twice gives the same, and changes nothing in the file", () => {
  const incident = incidentOf(rawStall());
  const copy = structuredClone(incident);
  expect(replayIncident(incident)).toEqual(replayIncident(incident));
  expect(incident).toEqual(copy);
});

test("checks are on whole multiples of their period, when a check found something, and at the end", () => {
  const incident = anIncident({ exported_at: after(150_500), batches: [aBatch([aState(STARTED)])] });
  const { checks, fromMs, untilMs } = replayIncident(incident);
  expect({ checks, fromMs, untilMs }).toEqual({ checks: 4, fromMs: STARTED, untilMs: after(150_500) });
  expect(replayIncident(incident, { ...optionsOf(incident), everyMs: 30_000 }).checks).toBe(7);
});

test("a check sees what a remedy of its own moment changes as it was before, and what else happened then", () => {
  const made = (by: "remedy" | "daemon") =>
    anIncident({ batches: [aBatch([aState(after(MINUTE_MS), { by })], { created_at: after(MINUTE_MS) })] });
  expect(countsAt(made("remedy"), after(MINUTE_MS)).total).toBe(0);
  expect(countsAt(made("remedy"), after(MINUTE_MS + 1)).total).toBe(1);
  expect(countsAt(made("daemon"), after(MINUTE_MS)).total).toBe(1);
  const ended = (ended_by: "remedy" | "daemon") =>
    anIncident({
      sync: { status: "completed", ended_at: after(MINUTE_MS), ended_by },
      races: [aRace({ bound: [], settled_at: STARTED, settled: "enriched", settled_by: "daemon" })],
    });
  expect(kindsAt(ended("remedy"), after(MINUTE_MS))).toEqual(["unfinished_completion"]);
  expect(kindsAt(ended("daemon"), after(MINUTE_MS))).toEqual([]);
});

test("a lease that is renewed stays good for as long as its state lasts; one that is fixed ends when it says", () => {
  const held = (state: object) =>
    anIncident({ batches: [aBatch([aState(STARTED, { status: "processing", ...state })])] });
  expect(kindsAt(held({}), after(9 * MINUTE_MS))).toEqual([]);
  const fixed = held({ lease: "fixed", lease_expires_at: after(MINUTE_MS) });
  expect(kindsAt(fixed, after(MINUTE_MS - 1))).toEqual([]);
  expect(kindsAt(fixed, after(MINUTE_MS))).toEqual(["orphaned_batch"]);
  expect(kindsAt(held({ lease: "none" }), after(1))).toEqual(["impossible_lease"]);
});

test("no progress is judged by the threshold of the phase: that of the file, or another", () => {
  const incident = anIncident({ batches: [aBatch([aState(STARTED, { status: "processing" })])] });
  const with5 = { stallAfterDiscoveryMs: MINUTE_MS, stallAfterEnrichmentMs: 5 * MINUTE_MS };
  expect(kindsAt(incident, after(10 * MINUTE_MS))).toEqual([]);
  expect(kindsAt(incident, after(10 * MINUTE_MS + 1))).toEqual(["no_progress"]);
  expect(kindsAt(incident, after(5 * MINUTE_MS), with5)).toEqual([]);
  expect(kindsAt(incident, after(5 * MINUTE_MS + 1), with5)).toEqual(["no_progress"]);
});

test("a race that settles is progress, unless a hand settled it", () => {
  const settled = (settled_by: "daemon" | "unknown") =>
    anIncident({
      batches: [aBatch([aState(STARTED, { status: "processing" })])],
      races: [aRace(), aRace({ number: 2, settled_at: after(MINUTE_MS), settled: "enriched", settled_by })],
    });
  expect(snapshotAt(settled("daemon"), after(2 * MINUTE_MS)).lastProgressAtMs).toBe(after(MINUTE_MS));
  expect(snapshotAt(settled("unknown"), after(2 * MINUTE_MS)).lastProgressAtMs).toBe(STARTED);
});

test("when something was done last is known to the sync itself as well", () => {
  const incident = anIncident({
    sync: { last_progress_at: after(5 * MINUTE_MS) },
    batches: [aBatch([aState(STARTED, { status: "processing" })])],
  });
  expect(snapshotAt(incident, after(5 * MINUTE_MS - 1)).lastProgressAtMs).toBe(STARTED);
  // A race that settled before that does not make it earlier.
  const race = aRace({ settled_at: after(MINUTE_MS), settled: "enriched", settled_by: "daemon" });
  expect(snapshotAt({ ...incident, races: [race] }, after(9 * MINUTE_MS)).lastProgressAtMs).toBe(after(5 * MINUTE_MS));
  expect(kindsAt(incident, after(15 * MINUTE_MS))).toEqual([]);
  expect(kindsAt(incident, after(15 * MINUTE_MS + 1))).toEqual(["no_progress"]);
});

test("pending races that are bound to a batch which has ended are told apart from those that are bound to none", () => {
  const races = [aRace(), aRace({ number: 2 }), aRace({ number: 3, bound: [] })];
  const incident = anIncident({ batches: [aBatch([aState(STARTED, { status: "completed" })])], races });
  expect(snapshotAt(incident, after(1))).toMatchObject({
    strayRaces: { count: 2, batchId: 1 },
    plan: { unserved: [{ exhaustedSize: undefined, count: 3 }] },
  });
});

test("a start of the daemon, where it is known, makes age prove nothing for a period", () => {
  const orphan = aState(STARTED, { status: "processing", lease: "fixed", lease_expires_at: after(1_000) });
  const incident = anIncident({ batches: [aBatch([orphan])], daemon: { starts: [after(2 * MINUTE_MS)] } });
  expect(kindsAt(incident, after(MINUTE_MS))).toEqual(["orphaned_batch"]);
  expect(kindsAt(incident, after(3 * MINUTE_MS - 1))).toEqual([]);
  expect(kindsAt(incident, after(3 * MINUTE_MS))).toEqual(["orphaned_batch"]);
});

test("a batch that is due and that nobody claims is found only where the file says that nothing was claimed", () => {
  const batches = [aBatch([aState(STARTED)])];
  expect(kindsAt(anIncident({ batches }), after(50 * MINUTE_MS))).toEqual([]);
  const claimless = [{ from: STARTED, until: after(30 * MINUTE_MS) }];
  expect(kindsAt(anIncident({ batches, daemon: { claimless } }), after(20 * MINUTE_MS))).toEqual(["queued_too_long"]);
  expect(kindsAt(anIncident({ batches, daemon: { claimless } }), after(31 * MINUTE_MS))).toEqual([]);
});

test("a wait for the quota is none, until the time that it waits for has passed", () => {
  const waits = {
    run_after: after(40 * MINUTE_MS),
    wait_reason: "quota_15min",
    waits_until: after(5 * MINUTE_MS),
  } as const;
  const incident = anIncident({ batches: [aBatch([aState(STARTED, waits)])] });
  expect(kindsAt(incident, after(5 * MINUTE_MS - 1))).toEqual([]);
  expect(kindsAt(incident, after(5 * MINUTE_MS))).toEqual(["waiting_past_reset"]);
});

test("races of a batch that failed for good are exhausted, by its size; a batch that is gone serves nobody", () => {
  const failed = aBatch([aState(STARTED, { status: "failed" })], { exhausted: true, size: 8 });
  const exhausted = anIncident({ batches: [failed] });
  expect(snapshotAt(exhausted, after(1)).plan.unserved).toEqual([{ exhaustedSize: 8, count: 1 }]);
  expect(kindsAt(exhausted, after(1))).toEqual(["exhausted_batches"]);
  const gone = anIncident({
    batches: [aBatch([aState(STARTED), aState(after(9_000), { status: "gone", run_after: null })])],
  });
  expect(kindsAt(gone, after(8_999))).toEqual([]);
  expect(kindsAt(gone, after(9_000))).toEqual(["missing_enrichment_batches"]);
  expect(countsAt(gone, after(9_000)).total).toBe(0);
});

test("in discovery: nothing live is a missing page, and a page that failed for good fails it", () => {
  const phases = [{ at: STARTED, phase: "discovery", list_complete: false, by: "daemon" }] as const;
  expect(kindsAt(anIncident({ sync: { phases } }), after(1))).toEqual(["missing_discovery_batch"]);
  const batches = [
    aBatch([aState(STARTED, { status: "failed" })], {
      type: "discovery",
      exhausted: true,
      error: "Strava answered 500",
    }),
  ];
  expect(kindsAt(anIncident({ sync: { phases }, batches, races: [] }), after(1))).toEqual(["exhausted_batches"]);
});

test("after the end: live batches are stray, and races that a completed sync left are found", () => {
  const sync = { status: "completed", ended_at: after(MINUTE_MS), ended_by: "daemon" } as const;
  const incident = anIncident({ sync, batches: [aBatch([aState(STARTED)])] });
  expect(kindsAt(incident, after(MINUTE_MS - 1))).toEqual([]);
  expect(kindsAt(incident, after(MINUTE_MS))).toEqual(["stray_batch", "unfinished_races"]);
  expect(kindsAt(anIncident({ sync: { ...sync, status: "cancelled" } }), after(MINUTE_MS))).toEqual([]);
});

test("a sync that is paused misses nothing while it is", () => {
  const pauses = [
    { at: after(1_000), paused: true },
    { at: after(5_000), paused: false },
  ];
  const incident = anIncident({ sync: { pauses } });
  expect(kindsAt(incident, after(999))).toEqual(["missing_enrichment_batches"]);
  expect(kindsAt(incident, after(1_000))).toEqual([]);
  expect(kindsAt(incident, after(5_000))).toEqual(["missing_enrichment_batches"]);
});

const DISCOVERING = [{ at: STARTED, phase: "discovery", list_complete: false, by: "daemon" }] as const;

test("a snapshot is whole: what is live as the rows had it, and counts of the phase's own batches", () => {
  const failedPage = { type: "discovery", exhausted: true } as const;
  const incident = anIncident({
    batches: [
      aBatch([aState(STARTED, { status: "completed" })], { type: "discovery" }),
      aBatch([aState(STARTED, { status: "failed" })], { id: 2, number: 2, ...failedPage }),
      aBatch([aState(STARTED, { status: "processing", attempts: 1 })], { id: 3, number: 3 }),
      aBatch([aState(STARTED)], { id: 4, number: null, created_at: after(2) }),
      aBatch([aState(STARTED, { status: "failed" })], { id: 5, number: 5 }),
      aBatch([aState(STARTED, { status: "cancelled" })], { id: 6, number: 6 }),
    ],
    races: [aRace({ bound: [{ at: STARTED, batch_id: 3, by: "daemon" }] })],
  });
  const snapshot = snapshotAt(incident, after(59_000));
  expect(snapshot).toStrictEqual({
    syncId: syncId(Number(incident.sync.id)),
    athleteId: athleteId(0),
    syncClass: "schedule",
    isPaused: false,
    startedAtMs: STARTED,
    lastProgressAtMs: STARTED,
    plan: {
      phase: "enrichment",
      listComplete: true,
      cursor: firstCursor(STARTED),
      liveBatches: 2,
      discoveryFailure: undefined,
      unserved: [],
      racesPending: 1,
    },
    strayRaces: undefined,
    liveBatches: [
      {
        id: batchId(3),
        number: 3,
        type: "enrichment",
        attempts: 1,
        createdAtMs: STARTED,
        status: "processing",
        leaseToken: leaseToken("of-the-incident"),
        leasedAtMs: STARTED,
        heartbeatAtMs: after(40_000),
        leaseExpiresAtMs: after(100_000),
      },
      {
        id: batchId(4),
        number: 0,
        type: "enrichment",
        attempts: 0,
        createdAtMs: after(2),
        status: "pending",
        runAfterMs: STARTED,
        waitReason: null,
        waitsUntilMs: null,
      },
    ],
    counts: { total: 4, completed: 0, pending: 1, processing: 1, failed: 1 },
    batchesCompleted: 1,
  });
});

test("a worker's heartbeats come every third of the lease, from the moment of the claim", () => {
  const claimed = { status: "processing", leased_at: after(500) } as const;
  const incident = anIncident({ batches: [aBatch([aState(STARTED, claimed)])] });
  const heartbeatAt = (nowMs: EpochMs, leaseMs = 60_000) => {
    const config = { ...incident.config, lease_ms: leaseMs };
    const [batch] = snapshotAt({ ...incident, config }, nowMs).liveBatches;
    return batch?.status === "processing" && batch.heartbeatAtMs !== null ? batch.heartbeatAtMs - STARTED : undefined;
  };
  expect([0, 500, 20_499, 20_500, 40_499, 40_500].map((ms) => heartbeatAt(after(ms)))).toEqual([
    500, 500, 500, 20_500, 20_500, 40_500,
  ]);
  // A third of a lease that is no whole number is rounded down, and is never nothing.
  expect([505, 506, 511].map((ms) => heartbeatAt(after(ms), 5))).toEqual([505, 506, 511]);
  expect([503, 504].map((ms) => heartbeatAt(after(ms), 8))).toEqual([502, 504]);
  expect([heartbeatAt(after(500), 1), heartbeatAt(after(507), 1)]).toEqual([500, 507]);
});

test("rows of a hand's that say too little are read by the moment of their state", () => {
  const shown = (state: object) => {
    const incident = anIncident({ batches: [aBatch([aState(after(1), state)], { created_at: STARTED })] });
    return snapshotAt(incident, after(2)).liveBatches[0];
  };
  expect(shown({ run_after: null, waits_until: after(9) })).toMatchObject({
    runAfterMs: after(1),
    waitsUntilMs: after(9),
  });
  expect(shown({ status: "processing", leased_at: null })).toMatchObject({ leasedAtMs: after(1) });
  const unleased = { leaseToken: null, leaseExpiresAtMs: null, heartbeatAtMs: null, leasedAtMs: after(1) };
  expect(shown({ status: "processing", lease: "none", lease_expires_at: after(9) })).toMatchObject(unleased);
  expect(shown({ status: "processing", lease: "fixed", lease_expires_at: null })).toMatchObject(unleased);
  // The end is that of a fixed lease, whatever stands beside one that is renewed.
  expect(shown({ status: "processing", lease_expires_at: after(9) })).toMatchObject({
    leaseExpiresAtMs: after(60_001),
  });
});

test("a sync is in progress from its start to its end, and a check at the moment of a remedy still saw it", () => {
  const incident = (ended_by: "remedy" | "daemon" | null, ended_at: number | null = after(MINUTE_MS)) =>
    anIncident({ sync: { status: ended_at === null ? "in_progress" : "completed", ended_at, ended_by } });
  const seen = (of: Incident) =>
    [-1, 0, MINUTE_MS - 1, MINUTE_MS, MINUTE_MS + 1].map((ms) => isInProgressAt(of, after(ms)));
  expect(seen(incident("daemon"))).toEqual([false, true, true, false, false]);
  expect(seen(incident("remedy"))).toEqual([false, true, true, true, false]);
  expect(seen(incident(null, null))).toEqual([false, true, true, true, true]);
  expect(findingsAt(incident(null, null), after(-1), optionsOf(incident(null)).rules)).toEqual([]);
});

test("before its first phase a sync is in that one, and in discovery where the file names none", () => {
  const phases = [
    { at: after(10), phase: "enrichment", list_complete: true, by: "daemon" },
    { at: after(20), phase: "discovery", list_complete: false, by: "daemon" },
  ] as const;
  const planAt = (ms: number, incident = anIncident({ sync: { phases } })) => {
    const { phase, listComplete } = snapshotAt(incident, after(ms)).plan;
    return `${phase} ${listComplete}`;
  };
  expect([0, 10, 19, 20].map((ms) => planAt(ms))).toEqual([
    "enrichment true",
    "enrichment true",
    "enrichment true",
    "discovery false",
  ]);
  const incident = anIncident({});
  expect(planAt(0, { ...incident, sync: { ...incident.sync, phases: [] } })).toBe("discovery false");
});

test("in discovery the newest page tells whether it failed for good, and no race is unserved", () => {
  const page = (id: number, status: "failed" | "completed", changes: Partial<IncidentBatch> = {}) =>
    aBatch([aState(STARTED, { status })], { id, number: id, type: "discovery", exhausted: true, ...changes });
  const planOf = (...batches: IncidentBatch[]) =>
    snapshotAt(anIncident({ sync: { phases: DISCOVERING }, batches, races: [aRace({ bound: [] })] }), after(1)).plan;
  expect(planOf(page(1, "failed", { error: "500" }))).toMatchObject({
    discoveryFailure: "500",
    unserved: [],
    racesPending: 1,
  });
  expect(planOf(page(1, "failed")).discoveryFailure).toBe("its batch failed for good");
  expect(planOf(page(1, "failed", { exhausted: false })).discoveryFailure).toBeUndefined();
  expect(planOf(page(1, "completed"), page(2, "failed")).discoveryFailure).toBe("its batch failed for good");
  expect(planOf(page(1, "failed"), page(2, "completed")).discoveryFailure).toBeUndefined();
});

test("a page that the daemon stored is progress; a page that a hand completed, or a batch of races, is none by itself", () => {
  const progress = (status: "completed" | "failed", by: "daemon" | "unknown", type: "discovery" | "enrichment") => {
    const batch = aBatch([aState(STARTED), aState(after(9), { status, by })], { type });
    return snapshotAt(anIncident({ batches: [batch] }), after(10)).lastProgressAtMs - STARTED;
  };
  expect(progress("completed", "daemon", "discovery")).toBe(9);
  expect(progress("completed", "unknown", "discovery")).toBe(0);
  expect(progress("failed", "daemon", "discovery")).toBe(0);
  expect(progress("completed", "daemon", "enrichment")).toBe(0);
});

test("unserved races are counted by the size of the batch that failed with them: those of none first, then the smallest", () => {
  const failed = (id: number, size: number) =>
    aBatch([aState(STARTED, { status: "failed" })], { id, number: id, size, exhausted: true });
  const bound = (batch_id: number) => aRace({ bound: [{ at: STARTED, batch_id, by: "daemon" }] });
  const page = aBatch([aState(STARTED)], { id: 5, type: "discovery" });
  const batches = [failed(1, 15), failed(2, 4), failed(3, 15), failed(4, 1), page];
  const races = [bound(1), bound(2), aRace({ bound: [] }), bound(3), bound(4), bound(5)];
  // Whichever of them comes first.
  for (let turn = 0; turn < races.length; turn++) {
    const turned = [...races.slice(turn), ...races.slice(0, turn)];
    for (const ordered of [turned, turned.toReversed()]) {
      const { plan, strayRaces } = snapshotAt(anIncident({ batches, races: ordered }), after(1));
      expect(plan.unserved).toEqual([
        { exhaustedSize: undefined, count: 2 },
        { exhaustedSize: 1, count: 1 },
        { exhaustedSize: 4, count: 1 },
        { exhaustedSize: 15, count: 2 },
      ]);
      // A live page of the list takes no races.
      expect(strayRaces).toEqual({ count: 1, batchId: batchId(5) });
    }
  }
});

test("stray races are told by the first of the batches that they are bound to", () => {
  const done = (id: number) => aBatch([aState(STARTED, { status: "completed" })], { id, number: id });
  const bound = (batch_id: number) => aRace({ bound: [{ at: STARTED, batch_id, by: "daemon" }] });
  const straysOf = (...races: Incident["races"]) =>
    snapshotAt(anIncident({ batches: [done(8), done(9)], races }), after(1)).strayRaces;
  expect(straysOf(bound(9), bound(8))).toEqual({ count: 2, batchId: batchId(8) });
  expect(straysOf(aRace({ bound: [] }))).toBeUndefined();
  // One that failed, but not for good by its own doing, is no reason for smaller batches.
  const cutOff = anIncident({ batches: [aBatch([aState(STARTED, { status: "failed" })])] });
  expect(snapshotAt(cutOff, after(1))).toMatchObject({
    plan: { unserved: [{ exhaustedSize: undefined, count: 1 }] },
    strayRaces: { count: 1, batchId: 1 },
  });
});

test("the rules of a check are those of the file; what held it back is known at the end alone", () => {
  const incident = anIncident({});
  const { rules } = optionsOf(incident);
  expect(rulesAt(incident, after(5), rules)).toStrictEqual({
    nowMs: after(5),
    stallAfterDiscoveryMs: 10 * MINUTE_MS,
    stallAfterEnrichmentMs: 10 * MINUTE_MS,
    leaseMs: MINUTE_MS,
    enrichmentBatchSize: 15,
    hold: undefined,
    isClaiming: true,
    isFull: false,
    lastClaimAtMs: after(5),
    ageProvesNothingUntilMs: epochMs(0),
  });
  const until = incident.exported_at + 10;
  const held = { ...incident, quota: { ...incident.quota, hold: { reason: "quota_daily", until } } } as const;
  const holdAt = (ms: number) => rulesAt(held, epochMs(incident.exported_at + ms), rules).hold;
  const hold = { reason: "quota_daily", untilMs: until };
  expect([-1, 0, 9, 10].map(holdAt) as unknown[]).toEqual([undefined, hold, hold, undefined]);
});

test("a stretch without a claim counts to its very end, and age proves nothing after the last start for a minute at most", () => {
  const claimless = [{ from: after(10), until: after(20) }];
  const incident = anIncident({ daemon: { claimless, starts: [after(100), after(200)] } });
  const { rules } = optionsOf(incident);
  const lastClaimAt = (ms: number) => rulesAt(incident, after(ms), rules).lastClaimAtMs - STARTED;
  expect([9, 11, 20, 21].map(lastClaimAt)).toEqual([9, 10, 10, 21]);
  const overlapping = [...claimless, { from: after(15), until: after(25) }];
  const both = { ...incident, daemon: { ...incident.daemon, claimless: overlapping } };
  expect([18, 22].map((ms) => rulesAt(both, after(ms), rules).lastClaimAtMs)).toEqual([after(10), after(15)]);
  const provesFrom = (ms: number, health_period_ms: number) => {
    const config = { ...incident.config, health_period_ms };
    return rulesAt({ ...incident, config }, after(ms), rules).ageProvesNothingUntilMs;
  };
  expect([99, 100, 199, 200, 999].map((ms) => provesFrom(ms, 30_000))).toEqual([
    epochMs(0),
    after(30_100),
    after(30_100),
    after(30_200),
    after(30_200),
  ]);
  expect(provesFrom(200, 5 * MINUTE_MS)).toBe(after(200 + MINUTE_MS));
});
