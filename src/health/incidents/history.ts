/**
 * An incident file is made of rows that hold the present, of the log, and of findings. Rows tell how it ended; the log tells
 * when runs ended; a finding tells what a health check saw, whatever a hand had done to the rows by then. Where none of
 * them knows a moment, the next one at which its outcome is known stands for it, marked as made by `unknown`.
 */
import type { Remedy } from "../../core/findings.ts";
import type { IncidentBatchState, MadeBy } from "../../core/incident.ts";
import { type BatchId, type EpochMs, epochMs } from "../../core/units.ts";
import type { RaceInSync } from "../../db/incident-rows.ts";
import type { BatchRow, FindingRow, SyncRow } from "../../db/schema.ts";
import { readObject, readStoredJson } from "../../db/stored-json.ts";
import type { SyncLogRow } from "../../db/sync-logs.ts";

/** All that the database tells of a sync. */
export type History = {
  readonly sync: SyncRow;
  /** By id. */
  readonly batches: readonly BatchRow[];
  readonly races: readonly RaceInSync[];
  readonly log: readonly SyncLogRow[];
  readonly sightings: readonly Sighting[];
  readonly exportedAtMs: EpochMs;
  readonly leaseMs: number;
  readonly maxAttempts: number;
};

/** A file holds so many at most; what it leaves out, it says. */
export const INCIDENT_LIMITS = { batches: 5_000, races: 10_000, findings: 1_000, logLines: 5_000 } as const;

/** What a health check saw, and what it did at that moment. */
export type Sighting = {
  readonly finding: FindingRow;
  readonly atMs: EpochMs;
  readonly evidence: Readonly<Record<string, unknown>>;
  /** Races that it saw pending and that no live batch would take. */
  readonly unserved: number;
  /** Whether it judged by the plan: then whatever races and batches had come to by then, it saw. */
  readonly sawPlan: boolean;
  readonly remedy: Remedy | undefined;
  /** When the remedy was applied; undefined when it never was, as when the sync had used up all of them. */
  readonly remediedAtMs: EpochMs | undefined;
  /** The batches that it is about, as far as the remedy names them. */
  readonly batchIds: readonly BatchId[];
};

/** Reads a finding as what a check saw. */
export function sightingOf(finding: FindingRow): Sighting {
  const stored = readStoredJson(finding.remedy);
  const remedy = typeof stored === "object" && stored !== null && "do" in stored ? (stored as Remedy) : undefined;
  const evidence = readObject(finding.evidence);
  const unserved = evidence.races_unserved ?? evidence.races_stray;
  // The last finding of a sync that is given up is settled as it is found.
  const isGivenUp = finding.outcome === "failed" && finding.settledAtMs === finding.remediedAtMs;
  return {
    finding,
    atMs: finding.detectedAtMs,
    evidence,
    unserved: typeof unserved === "number" ? unserved : 0,
    sawPlan: typeof unserved === "number",
    remedy,
    remediedAtMs: finding.remediedAtMs === null || isGivenUp ? undefined : finding.remediedAtMs,
    batchIds: remedy === undefined ? [] : batchesOf(remedy, finding),
  };
}

function batchesOf(remedy: Remedy, finding: FindingRow): BatchId[] {
  if ("batches" in remedy && Array.isArray(remedy.batches)) return remedy.batches.map(({ batchId }) => batchId);
  return finding.batchId === null ? [] : [finding.batchId];
}

/** Whether a health check changed something at that very moment: what came about then is its remedy's. */
export function isMomentOfRemedy({ sightings }: History, atMs: number): boolean {
  return sightings.some(({ finding }) => finding.remediedAtMs === atMs);
}

/** Who made what came about at a moment that the daemon itself recorded. */
export const madeBy = (history: History, atMs: number): MadeBy =>
  isMomentOfRemedy(history, atMs) && atMs !== history.sync.startedAtMs ? "remedy" : "daemon";

/** When something whose moment nobody recorded is known to have come about: at the next check that saw its outcome. */
export function knownByMs({ sync, sightings, exportedAtMs }: History, afterMs: number): EpochMs {
  const seen = sightings.find(({ atMs, sawPlan }) => atMs > afterMs && sawPlan);
  const endedAtMs = sync.completedAtMs !== null && sync.completedAtMs > afterMs ? sync.completedAtMs : exportedAtMs;
  return epochMs(Math.max(afterMs, Math.min(seen?.atMs ?? endedAtMs, endedAtMs)));
}

/** A number of a finding's evidence. */
export function numberOf({ evidence }: Sighting, name: string): number | undefined {
  const value = evidence[name];
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

/** A time that a row or a finding holds, as far as it can be one: a hand may have written any number. */
export const asTime = (value: number | null | undefined): number | null =>
  value === null || value === undefined || !Number.isSafeInteger(value) || value < 0 ? null : Math.min(value, LAST_MS);
const LAST_MS = Date.UTC(9999, 11, 31);

/** What a batch was from a moment on. Pending ones are due then, processing ones claimed then, unless told otherwise. */
export function stateOf(
  status: IncidentBatchState["status"],
  at: number,
  changes: Partial<IncidentBatchState>,
): IncidentBatchState {
  return {
    at,
    status,
    by: "daemon",
    attempts: 0,
    run_after: status === "pending" ? at : null,
    wait_reason: null,
    waits_until: null,
    leased_at: status === "processing" ? at : null,
    lease: status === "processing" ? "renewed" : null,
    lease_expires_at: null,
    ...changes,
  };
}
