import { DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS } from "../core/units.ts";
import type { StandingFound } from "./found.ts";
import { findUntrueHold } from "./quota-checks.ts";
import type { Scene } from "./scene.ts";

/** So long a sync may be still beyond its threshold, till a check has come by and its finding stands. */
const CHECK_GRACE_MS = 5 * MINUTE_MS;
/** No window of Strava's and no backoff is longer; and a reset. */
const LONGEST_WAIT_MS = DAY_MS + HOUR_MS;

/** A quarter of an hour, and a quarter of that. */
const LONGEST_BACKOFF_MS = 19 * MINUTE_MS;
/** How well a daemon knows by how much its clock was set back. */
const CLOCK_KNOWN_TO_MS = 12 * MINUTE_MS;
/** How long after a window's end its reset is waited for. */
const RESETS_WITHIN_MS = MINUTE_MS;
/** A claim that failed is tried again a second later. */
const CLAIMED_WITHIN_MS = 5_000;

/** What must hold at any moment, whatever is going on: looked for in the rows. */
export function checkStanding(scene: Scene): StandingFound | undefined {
  return (
    findTwoSyncs(scene) ??
    findRevivedBatch(scene) ??
    findSilentStall(scene) ??
    findTooManyRemedies(scene) ??
    findTooManyRemediesADay(scene) ??
    findToldTwice(scene) ??
    findIdlePlace(scene) ??
    findEndlessHold(scene) ??
    findUntrueHold(scene) ??
    findLongWait(scene)
  );
}

/** I2. */
export function findTwoSyncs({ file }: Scene): StandingFound | undefined {
  const twice = file.client
    .query<{ athlete: number }, []>(
      "SELECT athlete_id AS athlete FROM syncs WHERE status = 'in_progress' GROUP BY athlete_id HAVING count(*) > 1",
    )
    .get();
  if (twice === null) return undefined;
  return { invariant: "I2", says: `Athlete ${twice.athlete} has two syncs in progress`, graceMs: 0, key: "I2" };
}

/** I3: a batch that has ended stays as it is, whoever still thinks that it is his. */
export function findRevivedBatch({ file }: Scene): StandingFound | undefined {
  const revived = file.revivedBatch();
  if (revived === null) return undefined;
  const says = `Batch ${revived.id} was ${revived.was}, and became ${revived.now}`;
  return { invariant: "I3", says, graceMs: 0, key: "I3" };
}

type Still = {
  id: number;
  phase: string;
  stillMs: number;
  isAtWork: 0 | 1;
  /** Since when a worker has held its batch; null: none does. */
  claimedMs: number | null;
  waitsUntilMs: number | null;
  reason: string | null;
};

/** I6: who makes no progress past the threshold waits with a reason, or is found. */
function findSilentStall(scene: Scene): StandingFound | undefined {
  const { file, machine, daemon, time } = scene;
  if (daemon === undefined || machine.isAsleep()) return undefined;
  const { processor, context, thresholds } = daemon.parts;
  const upMs = time.nowMs() - daemon.startedAtMs;
  if (upMs < CHECK_GRACE_MS || !processor.view().isClaiming) return undefined;
  const inItsWay = ["wrong_clock", "held_up", "database_fails"] as const;
  if (inItsWay.some((what) => scene.disturbances.was(what, time.nowMs() - CHECK_GRACE_MS))) return undefined;
  const { stallAfterDiscoveryMs, stallAfterEnrichmentMs } = thresholds.view().current;
  const nowMs = machine.clock.nowMs();
  const thresholdMs = Math.max(stallAfterDiscoveryMs, stallAfterEnrichmentMs) + CHECK_GRACE_MS;
  const still = file.client
    .query<Still, [number]>(
      `SELECT s.id, s.phase, ?1 - max(s.last_progress_at_ms, s.started_at_ms) AS stillMs,
         EXISTS (SELECT 1 FROM batches WHERE sync_id = s.id AND status = 'processing') AS isAtWork,
         (SELECT max(leased_at_ms) FROM batches WHERE sync_id = s.id AND status = 'processing') AS claimedMs,
         (SELECT max(run_after_ms) FROM batches WHERE sync_id = s.id AND status = 'pending' AND run_after_ms > ?1) AS waitsUntilMs,
         (SELECT max(wait_reason) FROM batches WHERE sync_id = s.id AND status = 'pending' AND run_after_ms > ?1) AS reason
       FROM syncs s
       WHERE s.status = 'in_progress' AND s.paused_at_ms IS NULL
         AND NOT EXISTS (SELECT 1 FROM findings f WHERE (f.sync_id = s.id OR f.kind = 'queued_too_long') AND f.outcome IN ('pending', 'proposed'))
         AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.sync_id = s.id AND b.created_at_ms > ?1 - ${6 * MINUTE_MS})`,
    )
    .all(nowMs)
    .filter(({ stillMs }) => stillMs > thresholdMs);
  const isHeld = context.governor.hold("schedule") !== undefined || context.governor.hold("manual") !== undefined;
  // In an outage a batch waits, is claimed to ask again, and waits.
  const mayHaveWaited = scene.disturbances.was("strava_faults", time.nowMs() - thresholdMs);
  for (const { id, phase, stillMs, isAtWork, claimedMs, waitsUntilMs, reason } of still) {
    const waits = waitsUntilMs !== null && reason !== null && waitsUntilMs < nowMs + LONGEST_WAIT_MS;
    if (mayHaveWaited && claimedMs !== null && nowMs - claimedMs < thresholdMs) continue;
    // Who is at work waits for nothing.
    if (upMs < thresholdMs || (isAtWork === 0 && (waits || isHeld || hasQueue(scene)))) continue;
    const minutes = Math.round(stillMs / MINUTE_MS);
    return {
      invariant: "I6",
      says: `Sync ${id} (${phase}) has made no progress for ${minutes} min: it neither waits nor was it found`,
      graceMs: 2 * MINUTE_MS,
      key: `I6 ${id} ${nowMs - stillMs}`,
    };
  }
  return undefined;
}

/** Whether all places are taken: then those behind wait for their turn. */
function hasQueue({ daemon }: Scene): boolean {
  return daemon !== undefined && daemon.parts.processor.view().running >= daemon.parts.context.rules.concurrency;
}

/** Troubles that do not count against a sync that is in progress. */
const NOT_OF_THE_SYNC = "'left_by_former_process', 'queued_too_long', 'stray_batch', 'unfinished_races'";

/** I8. */
function findTooManyRemedies({ file }: Scene): StandingFound | undefined {
  const flapping = file.client
    .query<{ syncId: number; count: number }, []>(
      `SELECT sync_id AS syncId, count(*) AS count FROM findings
       WHERE sync_id IS NOT NULL AND remedied_at_ms IS NOT NULL
         AND kind NOT IN (${NOT_OF_THE_SYNC})
       GROUP BY sync_id HAVING count(*) > 20`,
    )
    .get();
  if (flapping === null) return undefined;
  const says = `Sync ${flapping.syncId} had ${flapping.count} remedies, and goes on`;
  return { invariant: "I8", says, graceMs: 0, key: "I8" };
}

/** I8: within a day there are fewer remedies, but for those that people apply; the one too many gives the sync up. */
function findTooManyRemediesADay({ file, config, disturbances }: Scene): StandingFound | undefined {
  if (config.healing === "suggest" || disturbances.was("wrong_clock")) return undefined;
  const flapping = file.client
    .query<{ syncId: number; count: number }, [number]>(
      `SELECT f.sync_id AS syncId, count(*) AS count FROM findings f JOIN findings o
         ON o.sync_id = f.sync_id AND o.remedied_at_ms BETWEEN f.remedied_at_ms - ${DAY_MS - 1} AND f.remedied_at_ms
           AND o.own_restart = 0 AND o.kind NOT IN (${NOT_OF_THE_SYNC})
       WHERE f.own_restart = 0 AND f.kind NOT IN (${NOT_OF_THE_SYNC})
       GROUP BY f.id HAVING count(*) > ?1 LIMIT 1`,
    )
    .get(config.maxRemedies + 1);
  if (flapping === null) return undefined;
  const says = `Sync ${flapping.syncId} had ${flapping.count} remedies within a day, and may have ${config.maxRemedies}`;
  return { invariant: "I8", says, graceMs: 0, key: "I8" };
}

/** I8: a trouble is told of once to each channel, and then only reminded of. */
export function findToldTwice({ file }: Scene): StandingFound | undefined {
  const twice = file.client
    .query<{ trouble: number; count: number }, []>(
      `SELECT trouble_id AS trouble, count(*) AS count FROM alert_messages
       WHERE kind = 'alert' AND trouble_id IS NOT NULL GROUP BY trouble_id, channel_id HAVING count(*) > 1`,
    )
    .get();
  if (twice === null) return undefined;
  const says = `Trouble ${twice.trouble} was told of ${twice.count} times as if it were new`;
  return { invariant: "I8", says, graceMs: 0, key: `told ${twice.trouble}` };
}

/** What is due is claimed at once, and waits for no tick, where there is a place for it. */
function findIdlePlace(scene: Scene): StandingFound | undefined {
  const { file, machine, daemon, rival, time, disturbances } = scene;
  if (daemon === undefined || machine.isAsleep() || rival !== undefined || hasQueue(scene)) return undefined;
  const { processor, context } = daemon.parts;
  if (!processor.view().isClaiming || time.nowMs() - daemon.startedAtMs < CHECK_GRACE_MS) return undefined;
  if (context.governor.hold("schedule") !== undefined) return undefined;
  const inItsWay = ["wrong_clock", "held_up", "database_fails", "rows_by_hand"] as const;
  if (inItsWay.some((what) => disturbances.was(what, time.nowMs() - CHECK_GRACE_MS))) return undefined;
  const due = file.client
    .query<{ id: number; dueMs: number }, [number]>(
      `SELECT b.id, ?1 - max(b.run_after_ms, b.created_at_ms) AS dueMs FROM batches b JOIN syncs s ON s.id = b.sync_id
       WHERE b.status = 'pending' AND max(b.run_after_ms, b.created_at_ms) < ?1 - ${CLAIMED_WITHIN_MS}
         AND s.status = 'in_progress' AND s.paused_at_ms IS NULL
         AND NOT EXISTS (SELECT 1 FROM batches o WHERE o.sync_id = s.id AND o.status = 'processing')
         AND s.last_activity_at_ms < ?1 - ${CLAIMED_WITHIN_MS}`,
    )
    .get(machine.clock.nowMs());
  if (due === null) return undefined;
  const says = `Batch ${due.id} has been due for ${Math.round(due.dueMs / 1_000)} s, a place is free, and nothing holds it back`;
  return { invariant: "liveness", says, graceMs: 5 * SECOND_MS, key: `due ${due.id}` };
}

/**
 * I6: what holds everybody ends with its window, or with the backoff of an outage, whatever the clock was set to before. A
 * clock is known to have been set back by the minute, and after a start to ten minutes.
 */
function findEndlessHold(scene: Scene): StandingFound | undefined {
  const { machine, daemon, time, disturbances, plan } = scene;
  if (daemon === undefined || machine.isAsleep() || time.nowMs() - daemon.startedAtMs < CHECK_GRACE_MS)
    return undefined;
  const inItsWay = ["wrong_clock", "held_up", "database_fails"] as const;
  if (inItsWay.some((what) => disturbances.was(what, time.nowMs() - CHECK_GRACE_MS))) return undefined;
  const hold = daemon.parts.context.governor.hold("schedule");
  if (hold === undefined) return undefined;
  const forMs = hold.untilMs - machine.clock.nowMs();
  const stravaMs = time.nowMs() + plan.strava.skewMs;
  const windowMs = hold.reason === "quota_15min" ? QUARTER_MS : DAY_MS;
  const isOfQuota = hold.reason.startsWith("quota_");
  const lastsMs = isOfQuota ? windowMs - (stravaMs % windowMs) : LONGEST_BACKOFF_MS;
  if (forMs <= lastsMs + CLOCK_KNOWN_TO_MS) return undefined;
  const says = `Everybody is held for another ${Math.round(forMs / MINUTE_MS)} min (${hold.reason}), which can last ${Math.round(lastsMs / MINUTE_MS)} min`;
  return { invariant: "I6", says, graceMs: 2 * MINUTE_MS, key: `hold ${hold.reason}` };
}

/** I6: who waits does so for what ends: a window that is full, or a backoff, which is a matter of minutes. */
function findLongWait({ file, machine, disturbances, time, plan }: Scene): StandingFound | undefined {
  if (disturbances.was("rows_by_hand") || disturbances.was("wrong_clock")) return undefined;
  const stravaMs = time.nowMs() + plan.strava.skewMs;
  const restOf = (windowMs: number): number => windowMs - (stravaMs % windowMs) + RESETS_WITHIN_MS;
  const waiting = file.client
    .query<{ id: number; forMs: number; reason: string }, [number, number, number]>(
      `SELECT id, run_after_ms - ?1 AS forMs, wait_reason AS reason FROM batches
       WHERE status = 'pending' AND wait_reason IS NOT NULL AND run_after_ms > ?1 + CASE wait_reason
         WHEN 'quota_15min' THEN ?2 WHEN 'quota_daily' THEN ?3 WHEN 'quota_reserve' THEN ?3 ELSE ${LONGEST_BACKOFF_MS} END`,
    )
    .get(machine.clock.nowMs(), restOf(QUARTER_MS), restOf(DAY_MS));
  if (waiting === null) return undefined;
  const says = `Batch ${waiting.id} waits (${waiting.reason}) for another ${Math.round(waiting.forMs / MINUTE_MS)} min, longer than that can last`;
  return { invariant: "I6", says, graceMs: 0, key: `wait ${waiting.id}` };
}
