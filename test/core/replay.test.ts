import { expect, test } from "bun:test";
import type { Incident } from "../../src/core/incident.ts";
import { snapshotAt } from "../../src/core/replay.ts";
import { findingsAt, optionsOf, replayIncident } from "../../src/core/replay-incident.ts";
import { type EpochMs, epochMs, MINUTE_MS } from "../../src/core/units.ts";
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
