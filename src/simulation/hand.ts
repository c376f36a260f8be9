import type { Database } from "bun:sqlite";
import { DAY_MS } from "../core/units.ts";

const LIVE = "status IN ('pending', 'processing')";
const NO_LEASE = "lease_token = NULL, lease_expires_at_ms = NULL";
/** The nth sync in progress, wrapped around. */
const SYNC =
  "(SELECT id FROM syncs WHERE status = 'in_progress' ORDER BY id LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM syncs WHERE status = 'in_progress')))";
/** The nth athlete, wrapped around. */
const ATHLETE = "(SELECT id FROM athletes ORDER BY id LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM athletes)))";

/** Activities that a hand adds and Strava never had: these ids, and a few beyond. */
const FIRST_MADE_UP = 77_000_000;
export const isMadeUp = (activityId: number): boolean =>
  activityId >= FIRST_MADE_UP && activityId < FIRST_MADE_UP + 1_000;

/** What a hand with a shell does, as SQL over ?1 (which one), ?2 (now) and ?3 (a year ahead). */
const DEEDS = {
  live_batches_deleted: `DELETE FROM batches WHERE ${LIVE} AND sync_id = ${SYNC}`,
  all_batches_deleted: `DELETE FROM batches WHERE sync_id = ${SYNC}`,
  live_batches_completed: `UPDATE batches SET status = 'completed', completed_at_ms = ?2, ${NO_LEASE} WHERE ${LIVE} AND sync_id = ${SYNC}`,
  live_batches_failed: `UPDATE batches SET status = 'failed', completed_at_ms = ?2, ${NO_LEASE} WHERE ${LIVE} AND sync_id = ${SYNC}`,
  live_batches_cancelled: `UPDATE batches SET status = 'cancelled' WHERE ${LIVE} AND sync_id = ${SYNC}`,
  ended_batch_processing: `UPDATE batches SET status = 'processing', lease_token = 'hand', lease_expires_at_ms = 1
    WHERE id = (SELECT max(id) FROM batches WHERE type = 'enrichment' AND status = 'completed' AND sync_id = ${SYNC})`,
  lease_emptied: `UPDATE batches SET ${NO_LEASE} WHERE status = 'processing' AND sync_id = ${SYNC}`,
  lease_in_the_past: `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing' AND sync_id = ${SYNC}`,
  lease_far_ahead: `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = ?3 WHERE status = 'processing' AND sync_id = ${SYNC}`,
  wait_without_end: `UPDATE batches SET status = 'pending', run_after_ms = ?3, ${NO_LEASE} WHERE ${LIVE} AND sync_id = ${SYNC}`,
  wait_for_the_past: `UPDATE batches SET status = 'pending', run_after_ms = ?2 + 7200000, wait_reason = 'quota_15min', waits_until_ms = ?2 - 1000, ${NO_LEASE}
    WHERE ${LIVE} AND sync_id = ${SYNC}`,
  attempts_of_nonsense: `UPDATE batches SET attempts = -3, runs = 9223372036854775807 WHERE ${LIVE} AND sync_id = ${SYNC}`,
  state_of_nonsense: `UPDATE batches SET status = 'on_fire' WHERE ${LIVE} AND sync_id = ${SYNC}`,
  phase_turned_back: `UPDATE syncs SET phase = 'discovery' WHERE id = ${SYNC}`,
  phase_turned_on: `UPDATE syncs SET phase = 'enrichment' WHERE id = ${SYNC}`,
  sync_called_complete: `UPDATE syncs SET status = 'completed', completed_at_ms = ?2 WHERE id = ${SYNC}`,
  sync_turned_back: `UPDATE OR IGNORE syncs SET status = 'in_progress', completed_at_ms = NULL
    WHERE id = (SELECT max(id) FROM syncs WHERE status = 'completed' AND athlete_id = ${ATHLETE})`,
  races_turned_back: `UPDATE races SET enrichment = 'pending' WHERE withdrawn_at_ms IS NULL AND athlete_id = ${ATHLETE}`,
  races_unbound: `UPDATE races SET batch_id = NULL WHERE enrichment = 'pending' AND athlete_id = ${ATHLETE}`,
  races_deleted: `DELETE FROM races WHERE enrichment = 'pending' AND athlete_id = ${ATHLETE}`,
  race_added: `INSERT OR IGNORE INTO races (athlete_id, strava_activity_id, start_at_ms, first_seen_at_ms, last_seen_at_ms)
    SELECT ${ATHLETE}, ${FIRST_MADE_UP} + ?1, ?2 - 86400000, ?2, ?2 WHERE ${ATHLETE} IS NOT NULL`,
} as const;

export type DeedName = keyof typeof DEEDS;
export const DEED_NAMES = Object.keys(DEEDS) as DeedName[];

/** Changes rows as a hand does: foreign keys off, checks ignored, unique indexes standing. @returns how many it changed. */
export function actByHand(client: Database, deed: DeedName, { nth, nowMs }: { nth: number; nowMs: number }): number {
  client.run("PRAGMA foreign_keys = OFF");
  client.run("PRAGMA ignore_check_constraints = ON");
  try {
    const params = [nth, nowMs, nowMs + 365 * DAY_MS];
    const sql: string = DEEDS[deed];
    const wanted = params.filter((_, place) => sql.includes(`?${place + 1}`));
    return client.query(numbered(sql)).run(...wanted).changes;
  } finally {
    client.run("PRAGMA foreign_keys = ON");
    client.run("PRAGMA ignore_check_constraints = OFF");
  }
}

/** SQLite wants every number up to the highest one bound: those that a deed does not use are left out. */
function numbered(sql: string): string {
  let next = 0;
  return [1, 2, 3].reduce((text, number) => {
    if (!sql.includes(`?${number}`)) return text;
    return text.replaceAll(`?${number}`, `?${++next}`);
  }, sql);
}
