/** What happened to a batch, from the sync's log and from what checks saw and did. */
import { DEATHS_TILL_EXHAUSTED, type WaitReason } from "../../core/batch.ts";
import type { IncidentBatchState } from "../../core/incident.ts";
import type { BatchId, EpochMs } from "../../core/units.ts";
import { asTime, type History, numberOf, type Sighting, stateOf } from "./history.ts";

/** Something that happened to a batch: a run ended, a check saw it, a remedy or a person changed it. */
export type Happening = { readonly at: EpochMs; readonly order: number } & (
  | { readonly what: "run_ended"; readonly after: IncidentBatchState }
  | { readonly what: "lease_seen"; readonly lease: Partial<IncidentBatchState> }
  | { readonly what: "wait_seen"; readonly wait: Partial<IncidentBatchState> }
  | { readonly what: "cancelled" }
  | { readonly what: "made_due"; readonly by: "remedy" | "person" }
);
/** Happenings of one moment: what a check saw comes before what its remedy did. */
const ORDER = { log: 0, seen: 1, remedied: 2 } as const;

/** All that is told of a batch, in order. */
export function happeningsOf(history: History, id: BatchId): Happening[] {
  const happenings = [
    ...endsOfRuns(history, id),
    ...history.sightings.flatMap((sighting) => seenAndDone(history, sighting, id)),
    ...resumptions(history),
  ];
  return happenings.sort((a, b) => a.at - b.at || a.order - b.order);
}

const WAITS = /waits \((\w+)\) until (\S+)\.$/;
const RETRIES = /failed its attempt (-?\d+): .*It is tried again at (\S+)\.$/s;

/** The ends of a batch's runs, from the sync's log: see `end-run.ts` for its words. */
function endsOfRuns({ log }: History, id: BatchId): Happening[] {
  const ended = (at: EpochMs, after: IncidentBatchState): Happening => {
    return { what: "run_ended", at, order: ORDER.log, after };
  };
  return log.flatMap(({ batchId, event, message, atMs: at }) => {
    if (batchId !== id) return [];
    switch (event) {
      case "batch.completed":
        return [ended(at, stateOf("completed", at, {}))];
      case "batch.failed":
        return [ended(at, stateOf("failed", at, {}))];
      case "batch.released":
        return [ended(at, stateOf("pending", at, {}))];
      case "batch.waiting": {
        const [, reason, until] = WAITS.exec(message) ?? [];
        return [ended(at, waiting(at, reason, until, 0))];
      }
      case "batch.retrying": {
        const [, attempts, until] = RETRIES.exec(message) ?? [];
        return [ended(at, waiting(at, "backoff", until, Number(attempts ?? 0)))];
      }
      default:
        return [];
    }
  });
}

function waiting(
  at: number,
  reason: string | undefined,
  until: string | undefined,
  attempts: number,
): IncidentBatchState {
  const untilMs = until === undefined ? Number.NaN : Date.parse(until);
  const runAfter = Number.isNaN(untilMs) ? at : untilMs;
  return stateOf("pending", at, {
    attempts,
    run_after: runAfter,
    wait_reason: asReason(reason),
    waits_until: runAfter,
  });
}

const REASONS: Readonly<Record<WaitReason, true>> = {
  quota_15min: true,
  quota_daily: true,
  quota_reserve: true,
  backoff: true,
  strava_unavailable: true,
  app_inactive: true,
};
/** The word of a reason to wait; null for any other that a hand may have written. */
export const asReason = (word: unknown): WaitReason | null =>
  typeof word === "string" && Object.hasOwn(REASONS, word) ? (word as WaitReason) : null;

/** What a check saw of a batch, and what its remedy did to it. */
function seenAndDone(history: History, sighting: Sighting, id: BatchId): Happening[] {
  if (!sighting.batchIds.includes(id)) return [];
  return [...seen(history, sighting), ...done(history, sighting, id)];
}

function seen({ leaseMs }: History, sighting: Sighting): Happening[] {
  const { atMs: at, finding } = sighting;
  switch (finding.kind) {
    case "orphaned_batch":
    case "impossible_lease": {
      const expires = asTime(numberOf(sighting, "lease_expires_at_ms"));
      const heartbeat = asTime(numberOf(sighting, "heartbeat_at_ms"));
      if (expires === null) return [{ what: "lease_seen", at, order: ORDER.seen, lease: { lease: "none" } }];
      const isOwn = heartbeat !== null && heartbeat + leaseMs === expires;
      const lease = { lease: "fixed", lease_expires_at: expires, at: isOwn ? heartbeat : at } as const;
      return [{ what: "lease_seen", at, order: ORDER.seen, lease }];
    }
    case "far_wait":
    case "waiting_past_reset": {
      const wait = {
        run_after: asTime(numberOf(sighting, "run_after_ms")) ?? at,
        wait_reason: asReason(sighting.evidence.wait_reason),
        waits_until: asTime(numberOf(sighting, "waits_until_ms")),
      };
      return [{ what: "wait_seen", at, order: ORDER.seen, wait }];
    }
    default:
      return [];
  }
}

function done({ maxAttempts }: History, sighting: Sighting, id: BatchId): Happening[] {
  const { remedy, finding, remediedAtMs: at } = sighting;
  if (at === undefined || remedy === undefined) return [];
  const order = ORDER.remedied;
  switch (remedy.do) {
    case "sweep_leases":
    case "abort_run": {
      const lease = remedy.do === "abort_run" ? remedy : remedy.batches.find(({ batchId }) => batchId === id);
      const attempts = (lease?.attempts ?? 0) + (finding.ownRestart === 1 ? 0 : 1);
      const isDeadly = (numberOf(sighting, "deaths_in_a_row") ?? 0) >= DEATHS_TILL_EXHAUSTED;
      const isFailed = finding.ownRestart === 1 ? isDeadly : attempts >= maxAttempts;
      const after = stateOf(isFailed ? "failed" : "pending", at, { attempts, by: "remedy" });
      return [{ what: "run_ended", at, order, after }];
    }
    case "make_due":
      return [{ what: "made_due", at, order, by: "remedy" }];
    case "cancel_batches":
      return [{ what: "cancelled", at, order }];
    default:
      // The others change no batch that is there: what they make has a row of its own.
      return [];
  }
}

function resumptions({ log }: History): Happening[] {
  return log
    .filter(({ event }) => event === "sync.resumed")
    .map(({ atMs: at }) => ({ what: "made_due", at, order: ORDER.log, by: "person" }));
}
