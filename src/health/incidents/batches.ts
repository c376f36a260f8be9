import type { IncidentBatch, IncidentBatchState } from "../../core/incident.ts";
import type { EpochMs } from "../../core/units.ts";
import type { BatchRow } from "../../db/schema.ts";
import { asReason, type Happening, happeningsOf } from "./happenings.ts";
import { asTime, type History, knownByMs, madeBy, stateOf } from "./history.ts";
import type { VanishedBatch } from "./vanished.ts";

/** Shows a batch whose row is there. */
export function showBatch(history: History, batch: BatchRow, scrub: (text: string) => string): IncidentBatch {
  return {
    id: batch.id,
    number: batch.number,
    type: batch.type,
    size: batch.size,
    runs: batch.runs,
    deaths: batch.deaths,
    exhausted: batch.exhausted === 1,
    error: batch.error === null ? null : scrub(batch.error),
    created_at: batch.createdAtMs,
    started_at: asTime(batch.startedAtMs),
    heartbeat_at: asTime(batch.heartbeatAtMs),
    ended_at: asTime(batch.completedAtMs),
    requests: batch.requests,
    activities_fetched: batch.activitiesFetched,
    races_added: batch.racesAdded,
    races_enriched: batch.racesEnriched,
    races_failed: batch.racesFailed,
    trace_id: batch.traceId,
    states: withRow(history, batch, followBatch(history, batch)),
  };
}

/** Shows a batch that is gone: what the log and findings told of it, and that it is gone by then. */
export function showVanished(history: History, vanished: VanishedBatch, goneAtMs: EpochMs): IncidentBatch {
  const states = followBatch(history, { ...vanished, startedAtMs: null, leasedAtMs: null, runs: 0 });
  const last = states.at(-1);
  const at = Math.max(goneAtMs, last?.at ?? 0);
  return {
    id: vanished.id,
    number: null,
    type: vanished.type,
    size: vanished.size,
    runs: states.filter(({ status }) => status === "processing").length,
    deaths: 0,
    exhausted: false,
    error: null,
    created_at: vanished.createdAtMs,
    started_at: null,
    heartbeat_at: null,
    ended_at: null,
    requests: 0,
    activities_fetched: 0,
    races_added: 0,
    races_enriched: 0,
    races_failed: 0,
    trace_id: null,
    states: [...states, stateOf("gone", at, { by: "unknown", attempts: last?.attempts ?? 0 })],
  };
}

/** What is known of a batch whose states are to be followed. */
type Followed = Pick<BatchRow, "id" | "createdAtMs" | "startedAtMs" | "leasedAtMs" | "runs">;

function followBatch(history: History, batch: Followed): IncidentBatchState[] {
  const states = [stateOf("pending", batch.createdAtMs, { by: madeBy(history, batch.createdAtMs) })];
  const happenings = happeningsOf(history, batch.id).filter(({ at }) => at >= batch.createdAtMs);
  for (const happening of happenings) states.push(...follow(batch, states, happening));
  return states;
}

function follow(
  batch: Followed,
  states: readonly IncidentBatchState[],
  happening: Happening,
): readonly IncidentBatchState[] {
  const last = states.at(-1) ?? stateOf("pending", batch.createdAtMs, {});
  const { attempts } = last;
  const { at } = happening;
  switch (happening.what) {
    case "run_ended": {
      const claim = last.status === "processing" ? [] : [claimBefore(batch, states, at)];
      return [...claim, { ...happening.after, attempts: Math.max(attempts, happening.after.attempts) }];
    }
    case "lease_seen": {
      const claim = last.status === "processing" ? last : claimBefore(batch, states, at);
      // A worker that froze kept its lease alive until its last heartbeat.
      const since = Math.max(claim.at, happening.lease.at ?? at);
      const seen = { ...claim, by: "unknown" as const, ...happening.lease, at: since };
      return last.status === "processing" ? [seen] : [claim, seen];
    }
    case "wait_seen":
      return [stateOf("pending", at, { attempts, by: "unknown", ...happening.wait })];
    case "cancelled":
      return [stateOf("cancelled", at, { attempts, by: "remedy" })];
    case "made_due": {
      const isWaiting = last.status === "pending" && (last.run_after ?? at) > at;
      return isWaiting ? [stateOf("pending", at, { attempts, by: happening.by })] : [];
    }
    default:
      return happening satisfies never;
  }
}

/** The first and the last claim are on the row; of those in between it is known that the batch was due. */
function claimBefore(batch: Followed, states: readonly IncidentBatchState[], beforeMs: number): IncidentBatchState {
  const last = states.at(-1);
  const since = Math.max(last?.at ?? batch.createdAtMs, batch.createdAtMs);
  const claims = states.filter(({ status, leased_at: at, at: from }) => status === "processing" && at === from).length;
  const known = claims === 0 ? batch.startedAtMs : claims + 1 >= batch.runs ? batch.leasedAtMs : null;
  const isPossible = known !== null && known >= since && known <= beforeMs;
  const at = isPossible ? known : Math.min(beforeMs, Math.max(since, last?.run_after ?? since));
  return stateOf("processing", at, { attempts: last?.attempts ?? 0, by: isPossible ? "daemon" : "unknown" });
}

/** Adds what the row says and nothing else told: what a hand did, or what is under way. */
function withRow(history: History, batch: BatchRow, states: readonly IncidentBatchState[]): IncidentBatchState[] {
  const last = states.at(-1) ?? stateOf("pending", batch.createdAtMs, {});
  const { attempts } = batch;
  const knownBy = knownByMs(history, last.at);
  switch (batch.status) {
    case "processing":
      return [...states, ...processingNow(history, batch, states)];
    case "pending": {
      const runAfter = asTime(batch.runAfterMs) ?? last.at;
      if (last.status === "pending" && (last.run_after ?? last.at) === runAfter) return [...states];
      const wait = {
        run_after: runAfter,
        wait_reason: asReason(batch.waitReason),
        waits_until: asTime(batch.waitsUntilMs),
      };
      return [...states, stateOf("pending", knownBy, { attempts, by: "unknown", ...wait })];
    }
    case "completed":
    case "failed":
    case "cancelled": {
      if (last.status === batch.status) return [...states];
      const recorded = asTime(batch.completedAtMs);
      const isRecorded = recorded !== null && recorded >= last.at && recorded <= history.exportedAtMs;
      const at = isRecorded ? recorded : knownBy;
      const by = isRecorded ? madeBy(history, at) : "unknown";
      const { leasedAtMs } = batch;
      const wasClaimed = last.status === "pending" && leasedAtMs !== null && leasedAtMs >= last.at && leasedAtMs <= at;
      const claim = wasClaimed ? [claimBefore(batch, states, at)] : [];
      return [...states, ...claim, stateOf(batch.status, at, { attempts, by })];
    }
    default:
      // A word that a hand wrote is no state: the next check cancels it.
      batch.status satisfies never;
      return [...states];
  }
}

function processingNow(history: History, batch: BatchRow, states: readonly IncidentBatchState[]): IncidentBatchState[] {
  const { leaseMs, exportedAtMs } = history;
  const last = states.at(-1);
  const since = last?.at ?? batch.createdAtMs;
  const wasClaimed = batch.leasedAtMs !== null && batch.leasedAtMs >= since;
  const claim =
    last?.status === "processing"
      ? last
      : wasClaimed
        ? claimBefore(batch, states, exportedAtMs)
        : stateOf("processing", knownByMs(history, since), { attempts: batch.attempts, by: "unknown" });
  const before = claim === last ? [] : [claim];
  const expires = asTime(batch.leaseExpiresAtMs);
  const heartbeat = asTime(batch.heartbeatAtMs);
  if (batch.leaseToken === null || expires === null)
    return [
      ...before,
      { ...claim, at: knownByMs(history, claim.at), by: "unknown", lease: "none", lease_expires_at: null },
    ];
  const isOwn = heartbeat !== null && heartbeat + leaseMs === expires && heartbeat >= claim.at;
  const at = isOwn ? heartbeat : knownByMs(history, claim.at);
  const by = isOwn ? "daemon" : "unknown";
  return [...before, { ...claim, at, by, lease: "fixed", lease_expires_at: expires }];
}
