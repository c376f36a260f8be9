import { expect, test } from "bun:test";
import type { Incident, IncidentFinding } from "../../src/core/incident.ts";
import { CHECKS_MAX, countChecks, findingsAt, optionsOf, replayIncident } from "../../src/core/replay-incident.ts";
import { MINUTE_MS } from "../../src/core/units.ts";
import { aBatch, after, anIncident, aRace, aState, STARTED } from "../support/incidents.ts";

const aFinding = (detected_at: number): IncidentFinding => ({
  id: 1,
  kind: "no_progress",
  batch_id: null,
  began_at: null,
  detected_at,
  message: "",
  evidence: {},
  remedy: null,
  remedied_at: null,
  outcome: "pending",
  settled_at: null,
  own_restart: false,
  false_remedy: false,
  trace_id: null,
});
const withFindings = (incident: Incident, ...ats: readonly number[]): Incident => ({
  ...incident,
  findings: ats.map(aFinding),
});
const pendingFrom = (states: Parameters<typeof aBatch>[0], exported_at: number) =>
  anIncident({ exported_at, batches: [aBatch(states)] });

test("a replay of more checks than a hundred thousand is a slip of the hand; how many it takes is told before", () => {
  expect(CHECKS_MAX).toBe(100_000);
  const incident = pendingFrom([aState(STARTED)], after(150_500));
  expect([60_000, 150_500, 150_501].map((everyMs) => countChecks(incident, everyMs))).toEqual([3, 2, 1]);
  expect(countChecks(withFindings(incident, after(7), after(8)), 60_000)).toBe(5);
});

test("a replay goes from the start to the end of the sync, and on to what was found after it; never past the file", () => {
  const sync = { status: "completed", ended_at: after(MINUTE_MS), ended_by: "daemon" } as const;
  const ended = anIncident({ sync, races: [], exported_at: after(9 * MINUTE_MS) });
  const spanOf = (incident: Incident) => {
    const { fromMs, untilMs } = replayIncident(incident);
    return [fromMs - STARTED, untilMs - STARTED];
  };
  expect(spanOf(ended)).toEqual([0, MINUTE_MS]);
  expect(spanOf(withFindings(ended, after(3 * MINUTE_MS), after(2 * MINUTE_MS)))).toEqual([0, 3 * MINUTE_MS]);
  expect(spanOf(withFindings(ended, after(99 * MINUTE_MS)))).toEqual([0, 9 * MINUTE_MS]);
  expect(spanOf(pendingFrom([aState(STARTED)], after(90_000)))).toEqual([0, 90_000]);
});

test("checks are made on whole multiples from the start on, and when one found something in between, in their order", () => {
  // The batch is missing between its two states, for so short a time that only a check in between could see it.
  const states = [aState(STARTED), aState(after(61_000), { status: "gone", run_after: null }), aState(after(63_000))];
  const incident = pendingFrom(states, after(121_000));
  expect(replayIncident(incident)).toMatchObject({ checks: 4, troubles: [] });
  const seen = replayIncident(withFindings(incident, after(62_000), after(62_500), after(-1), after(121_001)));
  expect(seen.checks).toBe(6);
  expect(seen.troubles).toMatchObject([
    {
      kind: "missing_enrichment_batches",
      foundAtMs: after(62_000),
      lastFoundAtMs: after(62_500),
      goneAtMs: after(120_000),
      checks: 2,
    },
  ]);
  // At the first and the last moment too, but each once.
  expect(replayIncident(withFindings(incident, STARTED, after(121_000))).checks).toBe(4);
});

test("a sync that starts between two multiples is first checked at the next one", () => {
  const incident = anIncident({ sync: { started_at: STARTED + 1 }, exported_at: after(MINUTE_MS), races: [] });
  const { checks, troubles } = replayIncident(incident);
  expect(checks).toBe(1);
  expect(replayIncident(withFindings(incident, STARTED + 1)).checks).toBe(2);
  expect(troubles).toMatchObject([{ kind: "unfinished_completion", foundAtMs: after(MINUTE_MS) }]);
});

test("a trouble that is there at the end of the file has no end, and is applied or proposed as the mode says", () => {
  const incident = anIncident({ exported_at: after(2 * MINUTE_MS) });
  const [trouble, ...others] = replayIncident(incident).troubles;
  expect(others).toEqual([]);
  expect(trouble).toMatchObject({ goneAtMs: undefined, checks: 3, would: "apply", batchId: null });
  expect(trouble?.remedy).toEndWith("(1 batch)");
  const suggested = replayIncident(incident, { ...optionsOf(incident), healing: "suggest" });
  expect(suggested.troubles).toMatchObject([{ would: "propose" }]);
});

test("a remedy that creates no batches does not count them", () => {
  const [trouble] = replayIncident(anIncident({ races: [] })).troubles;
  expect(trouble?.remedy).toBe("plan again: create what is missing, or complete the sync");
});

test("the same kind of trouble with another batch is another trouble", () => {
  const orphan = (id: number, from: number, to: number) =>
    aBatch(
      [
        aState(after(from), { status: "processing", lease: "fixed", lease_expires_at: after(from) }),
        aState(after(to), { status: "completed" }),
      ],
      { id, number: id, created_at: after(from) },
    );
  const batches = [orphan(1, 0, MINUTE_MS), orphan(2, MINUTE_MS, 2 * MINUTE_MS)];
  const races = [aRace(), aRace({ number: 2, bound: [{ at: STARTED, batch_id: 2, by: "daemon" }] })];
  const { troubles } = replayIncident(anIncident({ batches, races, exported_at: after(2 * MINUTE_MS - 1) }));
  expect(troubles).toMatchObject([
    { kind: "orphaned_batch", batchId: 1, goneAtMs: after(MINUTE_MS) },
    { kind: "orphaned_batch", batchId: 2, foundAtMs: after(MINUTE_MS), goneAtMs: undefined },
  ]);
});

test("another kind of trouble without a batch is another trouble", () => {
  const phases = [
    { at: STARTED, phase: "discovery", list_complete: false, by: "daemon" },
    { at: after(MINUTE_MS), phase: "enrichment", list_complete: true, by: "daemon" },
  ] as const;
  const { troubles } = replayIncident(anIncident({ sync: { phases }, exported_at: after(MINUTE_MS) }));
  expect(troubles.map(({ kind }) => kind)).toEqual(["missing_discovery_batch", "missing_enrichment_batches"]);
});

test("races that a completed sync left are found from its end on, with their number", () => {
  const sync = { status: "completed", ended_at: after(MINUTE_MS), ended_by: "daemon" } as const;
  const early = aRace({ number: 2, pending_at: after(-10), bound: [] });
  const incident = anIncident({ sync, races: [aRace({ bound: [] }), early] });
  expect(findingsAt(incident, after(-1), optionsOf(incident).rules)).toEqual([]);
  expect(findingsAt(incident, after(5 * MINUTE_MS), optionsOf(incident).rules)).toMatchObject([
    {
      kind: "unfinished_races",
      syncId: Number(incident.sync.id),
      beganAtMs: after(MINUTE_MS),
      evidence: { races_pending: 2 },
      remedy: { do: "start_sync", athleteId: 0 },
    },
  ]);
});
