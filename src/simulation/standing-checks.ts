import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/units.ts";
import type { Scene } from "./scene.ts";

/** So long a sync may be still beyond its threshold, till a check has come by and its finding stands. */
const CHECK_GRACE_MS = 5 * MINUTE_MS;
/** No window of Strava's and no backoff is longer; and a reset. */
const LONGEST_WAIT_MS = DAY_MS + HOUR_MS;

export type Found = { readonly invariant: string; readonly says: string };

/** `mayPass`: it is a breach only where it still stands a moment later; `key`: what makes it the same then. */
export type StandingFound = Found & { readonly mayPass: boolean; readonly key: string };

/** What must hold at any moment, whatever is going on: looked for in the rows. */
export function checkStanding(scene: Scene): StandingFound | undefined {
  return findTwoSyncs(scene) ?? findSilentStall(scene) ?? findTooManyRemedies(scene);
}

/** I2. */
function findTwoSyncs({ file }: Scene): StandingFound | undefined {
  const twice = file.client
    .query<{ athlete: number }, []>(
      "SELECT athlete_id AS athlete FROM syncs WHERE status = 'in_progress' GROUP BY athlete_id HAVING count(*) > 1",
    )
    .get();
  if (twice === null) return undefined;
  return { invariant: "I2", says: `Athlete ${twice.athlete} has two syncs in progress`, mayPass: false, key: "I2" };
}

type Still = { id: number; phase: string; stillMs: number; waitsUntilMs: number | null; reason: string | null };

/** I6: who makes no progress past the threshold waits with a reason, or is found. */
function findSilentStall(scene: Scene): StandingFound | undefined {
  const { file, machine, daemon, time } = scene;
  if (daemon === undefined || machine.isAsleep()) return undefined;
  const { processor, context, thresholds } = daemon.parts;
  const upMs = time.nowMs() - daemon.startedAtMs;
  if (upMs < CHECK_GRACE_MS || !processor.view().isClaiming) return undefined;
  if (scene.disturbances.was("wrong_clock", time.nowMs() - CHECK_GRACE_MS)) return undefined;
  if (scene.disturbances.was("database_fails", time.nowMs() - CHECK_GRACE_MS)) return undefined;
  const { stallAfterDiscoveryMs, stallAfterEnrichmentMs } = thresholds.view().current;
  const nowMs = machine.clock.nowMs();
  const thresholdMs = Math.max(stallAfterDiscoveryMs, stallAfterEnrichmentMs) + CHECK_GRACE_MS;
  const still = file.client
    .query<Still, [number]>(
      `SELECT s.id, s.phase, ?1 - max(s.last_progress_at_ms, s.started_at_ms) AS stillMs,
         (SELECT max(run_after_ms) FROM batches WHERE sync_id = s.id AND status = 'pending' AND run_after_ms > ?1) AS waitsUntilMs,
         (SELECT max(wait_reason) FROM batches WHERE sync_id = s.id AND status = 'pending' AND run_after_ms > ?1) AS reason
       FROM syncs s
       WHERE s.status = 'in_progress' AND s.paused_at_ms IS NULL
         AND NOT EXISTS (SELECT 1 FROM findings f WHERE (f.sync_id = s.id OR f.kind = 'queued_too_long') AND f.outcome IN ('pending', 'proposed'))
         AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.sync_id = s.id AND b.created_at_ms > ?1 - ${6 * MINUTE_MS})`,
    )
    .all(nowMs)
    .filter(({ stillMs }) => stillMs > thresholdMs);
  for (const { id, phase, stillMs, waitsUntilMs, reason } of still) {
    if (waitsUntilMs !== null && reason !== null && waitsUntilMs < nowMs + LONGEST_WAIT_MS) continue;
    if (context.governor.hold("schedule") !== undefined || context.governor.hold("manual") !== undefined) continue;
    if (upMs < thresholdMs || hasQueue(scene)) continue;
    const minutes = Math.round(stillMs / MINUTE_MS);
    return {
      invariant: "I6",
      says: `Sync ${id} (${phase}) has made no progress for ${minutes} min: it neither waits nor was it found`,
      mayPass: true,
      key: `I6 ${id} ${nowMs - stillMs}`,
    };
  }
  return undefined;
}

/** Whether all places are taken: then those behind wait for their turn. */
function hasQueue({ daemon }: Scene): boolean {
  return daemon !== undefined && daemon.parts.processor.view().running >= daemon.parts.context.rules.concurrency;
}

/** I8. */
function findTooManyRemedies({ file }: Scene): StandingFound | undefined {
  const flapping = file.client
    .query<{ syncId: number; count: number }, []>(
      `SELECT sync_id AS syncId, count(*) AS count FROM findings
       WHERE sync_id IS NOT NULL AND remedied_at_ms IS NOT NULL
         AND kind NOT IN ('left_by_former_process', 'queued_too_long', 'stray_batch', 'unfinished_races')
       GROUP BY sync_id HAVING count(*) > 20`,
    )
    .get();
  if (flapping === null) return undefined;
  const says = `Sync ${flapping.syncId} had ${flapping.count} remedies, and goes on`;
  return { invariant: "I8", says, mayPass: false, key: "I8" };
}
