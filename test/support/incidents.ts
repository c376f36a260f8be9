import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Incident, type IncidentBatch, type IncidentBatchState, readIncident } from "../../src/core/incident.ts";
import { type EpochMs, epochMs } from "../../src/core/units.ts";

/** The incident that Broomwagon exists for. */
export const STALL_PATH = join(import.meta.dir, "../incidents/2025-11-17-enrichment-stall.json");

/** It as the file holds it, to be spoilt. */
// biome-ignore lint/suspicious/noExplicitAny: tests write anything into it.
export const rawStall = (): any => JSON.parse(readFileSync(STALL_PATH, "utf8"));

/** An incident that must be readable. */
export function incidentOf(value: unknown): Incident {
  const read = readIncident(value);
  if (!read.ok) throw new Error(read.problems.join("\n"));
  return read.incident;
}

/** When the sync of `anIncident` started. */
export const STARTED = epochMs(Date.UTC(2025, 10, 17, 6));
/** So long after its start. */
export const after = (durationMs: number): EpochMs => epochMs(STARTED + durationMs);

const HOUR_MS = 3_600_000;

/** A sync in enrichment since its start, with one race pending, in progress when it was written down an hour later. */
export function anIncident(changes: {
  sync?: Partial<Incident["sync"]>;
  batches?: readonly IncidentBatch[];
  races?: Incident["races"];
  daemon?: Partial<Incident["daemon"]>;
  exported_at?: number;
}): Incident {
  const stall = incidentOf(rawStall());
  const { sync, batches = [], races, daemon, exported_at = after(HOUR_MS) } = changes;
  return incidentOf({
    ...stall,
    exported_at,
    sync: {
      ...stall.sync,
      started_at: STARTED,
      status: "in_progress",
      ended_at: null,
      ended_by: null,
      last_activity_at: STARTED,
      last_progress_at: STARTED,
      phases: [{ at: STARTED, phase: "enrichment", list_complete: true, by: "daemon" }],
      ...sync,
    },
    batches,
    races: races ?? [batches.length === 0 ? aRace({ bound: [] }) : aRace()],
    log: [],
    daemon: { ...stall.daemon, ...daemon },
    gaps: [],
  });
}

/** A race that needs enrichment since the start, bound to batch 1. */
export function aRace(changes: Partial<Incident["races"][number]> = {}): Incident["races"][number] {
  return {
    number: 1,
    pending_at: STARTED,
    bound: [{ at: STARTED, batch_id: 1, by: "daemon" }],
    settled_at: null,
    settled: null,
    settled_by: null,
    is_time_known: true,
    attempts: 0,
    error: null,
    ...changes,
  };
}

/** A batch made at the start; its last state lasts to the end. */
export function aBatch(states: readonly IncidentBatchState[], changes: Partial<IncidentBatch> = {}): IncidentBatch {
  return {
    id: 1,
    number: 1,
    type: "enrichment",
    size: 15,
    runs: 1,
    deaths: 0,
    exhausted: false,
    error: null,
    created_at: STARTED,
    started_at: null,
    heartbeat_at: null,
    ended_at: null,
    requests: 0,
    activities_fetched: 0,
    races_added: 0,
    races_enriched: 0,
    races_failed: 0,
    trace_id: null,
    states,
    ...changes,
  };
}

/** What a batch was from `at` on: pending and due then, unless told otherwise. */
export function aState(at: number, changes: Partial<IncidentBatchState> = {}): IncidentBatchState {
  return {
    at,
    status: "pending",
    by: "daemon",
    attempts: 0,
    run_after: changes.status === undefined || changes.status === "pending" ? at : null,
    wait_reason: null,
    waits_until: null,
    leased_at: changes.status === "processing" ? at : null,
    lease: changes.status === "processing" ? "renewed" : null,
    lease_expires_at: null,
    ...changes,
  };
}
