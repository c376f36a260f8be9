import type { DiagnosisRules } from "./diagnose.ts";
import type { Incident, IncidentBatch, IncidentBatchState, IncidentPhase, IncidentRace, MadeBy } from "./incident.ts";
import type { BatchCounts, LiveBatch, SyncSnapshot } from "./snapshot.ts";
import { firstCursor } from "./sync.ts";
import { athleteId, batchId, type EpochMs, epochMs, leaseToken, MINUTE_MS, plusMs, syncId } from "./units.ts";

/** The file names no athlete. */
const SOMEBODY = athleteId(0);
/** The file holds no lease tokens: that there was one is all that the diagnosis asks. */
const SOME_TOKEN = leaseToken("of-the-incident");
/** As workers do: a heartbeat every third of the lease. */
const HEARTBEATS_A_LEASE = 3;

/** What is judged by otherwise than it was then. */
export type ReplayRules = Pick<DiagnosisRules, "stallAfterDiscoveryMs" | "stallAfterEnrichmentMs">;

/** Whether what came about at `atMs` is seen by a check at `nowMs`: a remedy of that very moment came after the check. */
export const isSeenAt = (nowMs: EpochMs, { at, by }: { readonly at: number; readonly by?: MadeBy | null }): boolean =>
  by === "remedy" ? at < nowMs : at <= nowMs;

/** Whether the sync was in progress, as a check at that moment saw it. */
export function isInProgressAt({ sync }: Incident, nowMs: EpochMs): boolean {
  if (nowMs < sync.started_at) return false;
  return sync.ended_at === null || !isSeenAt(nowMs, { at: sync.ended_at, by: sync.ended_by });
}

/** The sync as a health check at that moment would have read it, as far as the file tells. Pure. */
export function snapshotAt(incident: Incident, nowMs: EpochMs): SyncSnapshot {
  const { sync, config } = incident;
  const { phase, list_complete: listComplete } = phaseAt(incident, nowMs);
  const held = incident.batches.flatMap((batch) => {
    const state = stateAt(batch.states, nowMs);
    return state === undefined || state.status === "gone" ? [] : [{ batch, state }];
  });
  const counts = countStates(held.filter(({ batch }) => batch.type === phase));
  const pending = incident.races.filter((race) => isPendingAt(race, nowMs));
  const unserved = phase === "enrichment" ? findUnserved(pending, held, nowMs) : [];
  return {
    syncId: syncId(Number(sync.id)),
    athleteId: SOMEBODY,
    syncClass: sync.class,
    isPaused: lastSeen(sync.pauses, nowMs)?.paused ?? false,
    startedAtMs: epochMs(sync.started_at),
    lastProgressAtMs: lastProgressAt(incident, nowMs),
    plan: {
      phase,
      listComplete,
      cursor: firstCursor(epochMs(sync.started_at)),
      liveBatches: counts.pending + counts.processing,
      discoveryFailure: phase === "discovery" ? discoveryFailure(held) : undefined,
      unserved: countUnserved(unserved),
      racesPending: pending.length,
    },
    strayRaces: findStrays(unserved),
    liveBatches: held.flatMap(({ batch, state }) => showLive(batch, state, { nowMs, leaseMs: config.lease_ms })),
    counts,
    batchesCompleted: held.filter(({ state }) => state.status === "completed").length,
  };
}

/** The rules of a check at that moment. What held the daemon back then is known only where the file tells. */
export function rulesAt(incident: Incident, nowMs: EpochMs, rules: ReplayRules): DiagnosisRules {
  const { config, daemon, quota, exported_at: exportedAt } = incident;
  const claimless = daemon.claimless.find(({ from, until }) => from <= nowMs && nowMs <= until);
  const startMs = daemon.starts.findLast((at) => at <= nowMs);
  const hold = quota.hold !== null && nowMs >= exportedAt && nowMs < quota.hold.until ? quota.hold : undefined;
  return {
    nowMs,
    ...rules,
    leaseMs: config.lease_ms,
    enrichmentBatchSize: config.enrichment_batch_size,
    hold: hold === undefined ? undefined : { reason: hold.reason, untilMs: epochMs(hold.until) },
    isClaiming: true,
    isFull: false,
    // Whoever does not know that nothing was claimed must not say so.
    lastClaimAtMs: claimless === undefined ? nowMs : epochMs(claimless.from),
    ageProvesNothingUntilMs:
      startMs === undefined ? epochMs(0) : plusMs(epochMs(startMs), Math.min(config.health_period_ms, MINUTE_MS)),
  };
}

type Held = { readonly batch: IncidentBatch; readonly state: IncidentBatchState };

/** What held at that moment. What follows upon a remedy of it (a claim, in the same millisecond) came after the check too. */
function lastSeen<Entry extends { readonly at: number; readonly by?: MadeBy }>(
  entries: readonly Entry[],
  nowMs: EpochMs,
): Entry | undefined {
  const unseen = entries.findIndex((entry) => !isSeenAt(nowMs, entry));
  return unseen === -1 ? entries.at(-1) : entries[unseen - 1];
}

function phaseAt({ sync }: Incident, nowMs: EpochMs): Pick<IncidentPhase, "phase" | "list_complete"> {
  return lastSeen(sync.phases, nowMs) ?? sync.phases[0] ?? { phase: "discovery", list_complete: false };
}

const stateAt = (states: readonly IncidentBatchState[], nowMs: EpochMs) => lastSeen(states, nowMs);

function isPendingAt(race: IncidentRace, nowMs: EpochMs): boolean {
  if (race.pending_at > nowMs) return false;
  return race.settled_at === null || !isSeenAt(nowMs, { at: race.settled_at, by: race.settled_by });
}

function countStates(held: readonly Held[]): BatchCounts {
  const count = (status: IncidentBatchState["status"]) => held.filter(({ state }) => state.status === status).length;
  return {
    total: held.length,
    completed: count("completed"),
    pending: count("pending"),
    processing: count("processing"),
    failed: count("failed"),
  };
}

/** As the plan reads it: why the newest page failed for good, where it did. */
function discoveryFailure(held: readonly Held[]): string | undefined {
  const newest = held.findLast(({ batch }) => batch.type === "discovery");
  const isExhausted = newest?.state.status === "failed" && newest.batch.exhausted;
  return isExhausted ? (newest.batch.error ?? "its batch failed for good") : undefined;
}

/** Pending races that no live batch holds, each with the batch that it is bound to, if that is there. */
function findUnserved(
  pending: readonly IncidentRace[],
  held: readonly Held[],
  nowMs: EpochMs,
): readonly { readonly holder: Held | undefined }[] {
  const byId = new Map(held.map((one) => [one.batch.id, one]));
  return pending.flatMap((race) => {
    const bound = lastSeen(race.bound, nowMs);
    const holder = bound === undefined ? undefined : byId.get(bound.batch_id);
    const isLive = holder?.state.status === "pending" || holder?.state.status === "processing";
    return isLive && holder.batch.type === "enrichment" ? [] : [{ holder }];
  });
}

/** The size of the batch that failed for good; undefined where none did. */
const exhaustedSizeOf = (holder: Held | undefined): number | undefined =>
  holder?.state.status === "failed" && holder.batch.exhausted ? holder.batch.size : undefined;

/** As the plan counts them: by the size of the batch that failed with them. */
function countUnserved(unserved: ReturnType<typeof findUnserved>): SyncSnapshot["plan"]["unserved"] {
  const groups = new Map<number | undefined, number>();
  for (const { holder } of unserved) {
    const size = exhaustedSizeOf(holder);
    groups.set(size, (groups.get(size) ?? 0) + 1);
  }
  return [...groups]
    .map(([exhaustedSize, count]) => ({ exhaustedSize, count }))
    .sort((a, b) => (a.exhaustedSize ?? 0) - (b.exhaustedSize ?? 0));
}

/** Those that are bound to a batch which is there, and will never take them. */
function findStrays(unserved: ReturnType<typeof findUnserved>): SyncSnapshot["strayRaces"] {
  const ids = unserved.flatMap(({ holder }) =>
    holder === undefined || exhaustedSizeOf(holder) !== undefined ? [] : [holder.batch.id],
  );
  return ids.length === 0 ? undefined : { count: ids.length, batchId: batchId(Math.min(...ids)) };
}

/** When a page was stored or a race settled last, before that moment. */
function lastProgressAt({ sync, batches, races }: Incident, nowMs: EpochMs): EpochMs {
  let last = sync.started_at;
  const note = (at: number | null): void => {
    if (at !== null && at <= nowMs && at > last) last = at;
  };
  note(sync.last_progress_at);
  for (const { type, states } of batches) {
    if (type !== "discovery") continue;
    for (const { at, status, by } of states) if (status === "completed" && by === "daemon") note(at);
  }
  for (const { settled_at: settledAt, settled_by: settledBy } of races) if (settledBy === "daemon") note(settledAt);
  return epochMs(last);
}

function showLive(
  batch: IncidentBatch,
  state: IncidentBatchState,
  { nowMs, leaseMs }: { nowMs: EpochMs; leaseMs: number },
): LiveBatch[] {
  const common = {
    id: batchId(batch.id),
    number: batch.number ?? 0,
    type: batch.type,
    attempts: state.attempts,
    createdAtMs: epochMs(batch.created_at),
  };
  if (state.status === "pending") {
    const runAfterMs = epochMs(state.run_after ?? state.at);
    const waitsUntilMs = state.waits_until === null ? null : epochMs(state.waits_until);
    return [{ ...common, status: "pending", runAfterMs, waitReason: state.wait_reason, waitsUntilMs }];
  }
  if (state.status !== "processing") return [];
  const leasedAtMs = epochMs(state.leased_at ?? state.at);
  if (state.lease === "none" || (state.lease === "fixed" && state.lease_expires_at === null)) {
    const nothing = { leaseToken: null, leaseExpiresAtMs: null, leasedAtMs, heartbeatAtMs: null };
    return [{ ...common, status: "processing", ...nothing }];
  }
  const heartbeatAtMs =
    state.lease === "fixed" && state.lease_expires_at !== null
      ? epochMs(state.lease_expires_at - leaseMs)
      : lastHeartbeat(leasedAtMs, nowMs, leaseMs);
  const leaseExpiresAtMs = plusMs(heartbeatAtMs, leaseMs);
  return [{ ...common, status: "processing", leaseToken: SOME_TOKEN, leaseExpiresAtMs, leasedAtMs, heartbeatAtMs }];
}

function lastHeartbeat(leasedAtMs: EpochMs, nowMs: EpochMs, leaseMs: number): EpochMs {
  const everyMs = Math.max(1, Math.floor(leaseMs / HEARTBEATS_A_LEASE));
  return plusMs(leasedAtMs, Math.floor(Math.max(0, nowMs - leasedAtMs) / everyMs) * everyMs);
}
