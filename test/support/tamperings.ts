import type { FindingKind } from "../../src/core/findings.ts";
import { START_MS } from "./engine.ts";

/** What a hand does to a sync in the middle of things, and the kind of finding that must come of it. */
export type Tampering = {
  readonly what: string;
  readonly kind: FindingKind;
  readonly during: "discovery" | "enrichment";
  readonly sql: string;
  /** What else may be found first, because it fits as well. */
  readonly or?: readonly FindingKind[];
  /** It changes which races there are. */
  readonly isLossy?: boolean;
};

const LIVE = "status IN ('pending', 'processing')";
const NO_LEASE = "lease_token = NULL, lease_expires_at_ms = NULL";
const FAR = START_MS + 400 * 24 * 3_600_000;

/** Every kind that a hand can make in a moment. Those that are a matter of age, or of syncs that have ended, have tests of their own. */
export const TAMPERINGS: readonly Tampering[] = [
  {
    what: "all live batches deleted",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked completed",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'completed' WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked failed",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'failed' WHERE ${LIVE}`,
  },
  {
    what: "the live batch marked cancelled",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE batches SET status = 'cancelled' WHERE ${LIVE}`,
  },
  {
    what: "all live batches deleted",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `DELETE FROM batches WHERE ${LIVE}`,
  },
  { what: "all batches deleted", kind: "missing_enrichment_batches", during: "enrichment", sql: "DELETE FROM batches" },
  {
    what: "live batches marked completed",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'completed' WHERE ${LIVE}`,
  },
  {
    what: "live batches marked failed",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'failed' WHERE ${LIVE}`,
  },
  {
    what: "everything marked done but the sync",
    kind: "unfinished_completion",
    during: "enrichment",
    sql: `UPDATE races SET enrichment = 'enriched'; UPDATE batches SET status = 'completed', completed_at_ms = 1, ${NO_LEASE}`,
  },
  {
    what: "the lease set to the past",
    kind: "orphaned_batch",
    during: "discovery",
    sql: "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'",
  },
  {
    what: "the lease set to the past",
    kind: "orphaned_batch",
    during: "enrichment",
    sql: "UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = 1 WHERE status = 'processing'",
  },
  {
    what: "an ended batch turned back to processing, with an old lease",
    kind: "orphaned_batch",
    during: "enrichment",
    sql: "DELETE FROM batches WHERE status = 'processing'; UPDATE batches SET status = 'processing', lease_token = 'hand', lease_expires_at_ms = 1 WHERE type = 'enrichment' AND status = 'completed'",
    or: ["missing_enrichment_batches"],
  },
  {
    what: "the lease emptied",
    kind: "impossible_lease",
    during: "discovery",
    sql: `UPDATE batches SET ${NO_LEASE} WHERE status = 'processing'`,
  },
  {
    what: "the lease emptied",
    kind: "impossible_lease",
    during: "enrichment",
    sql: `UPDATE batches SET ${NO_LEASE} WHERE status = 'processing'`,
  },
  {
    what: "the lease set far ahead",
    kind: "impossible_lease",
    during: "enrichment",
    sql: `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = ${FAR} WHERE status = 'processing'`,
  },
  {
    what: "a wait without end",
    kind: "far_wait",
    during: "discovery",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${FAR}, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a wait without end",
    kind: "far_wait",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${FAR}, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a wait for a time that has passed",
    kind: "waiting_past_reset",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${START_MS + 3 * 3_600_000}, wait_reason = 'quota_15min', waits_until_ms = ${START_MS}, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a wait without a reason",
    kind: "waiting_past_reset",
    during: "discovery",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${START_MS + 3 * 3_600_000}, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "the sync turned back to discovery, its list long complete",
    kind: "unfinished_completion",
    during: "enrichment",
    sql: `UPDATE syncs SET phase = 'discovery'; DELETE FROM batches WHERE ${LIVE}; UPDATE races SET enrichment = 'enriched'`,
  },
  {
    what: "a wait to the end of integers",
    kind: "far_wait",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = 9223372036854775807, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a phase that is none",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: `UPDATE syncs SET phase = 'bogus'; DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "a phase that is none",
    kind: "missing_discovery_batch",
    during: "discovery",
    sql: `UPDATE syncs SET phase = 'bogus'; DELETE FROM batches WHERE ${LIVE}`,
  },
  {
    what: "the sync moved on to enrichment with half a list",
    kind: "stray_batch",
    during: "discovery",
    sql: "UPDATE syncs SET phase = 'enrichment'",
  },
  {
    what: "an idle discovery, its list complete and its races done",
    kind: "unfinished_completion",
    during: "discovery",
    sql: `DELETE FROM batches WHERE ${LIVE}; DELETE FROM races; UPDATE syncs SET list_complete = 1`,
    isLossy: true,
  },
  {
    what: "the lease set far ahead",
    kind: "impossible_lease",
    during: "discovery",
    sql: `UPDATE batches SET lease_token = 'hand', lease_expires_at_ms = ${FAR} WHERE status = 'processing'`,
  },
  {
    what: "a pending batch turned to processing, with no lease",
    kind: "impossible_lease",
    during: "enrichment",
    sql: "UPDATE batches SET status = 'processing' WHERE status = 'pending'",
  },
  {
    what: "a wait for a time that has passed",
    kind: "waiting_past_reset",
    during: "discovery",
    sql: `UPDATE batches SET status = 'pending', run_after_ms = ${START_MS + 3 * 3_600_000}, wait_reason = 'quota_15min', waits_until_ms = ${START_MS}, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a wait without a reason",
    kind: "waiting_past_reset",
    during: "enrichment",
    sql: `UPDATE batches SET run_after_ms = ${START_MS + 3 * 3_600_000} WHERE status = 'pending'`,
  },
  {
    what: "batches that failed for good while their races are left",
    kind: "exhausted_batches",
    during: "enrichment",
    sql: `UPDATE batches SET status = 'failed', exhausted = 1, completed_at_ms = 1, ${NO_LEASE} WHERE ${LIVE}`,
  },
  {
    what: "a second live page, the unique index dropped",
    kind: "twin_batches",
    during: "discovery",
    sql: "DROP INDEX batches_one_live_page; INSERT INTO batches (sync_id, number, type) SELECT sync_id, 900, 'discovery' FROM batches LIMIT 1",
  },
  {
    what: "enriched races turned back to pending in their ended batch",
    kind: "stray_race",
    during: "enrichment",
    sql: "UPDATE races SET enrichment = 'pending' WHERE enrichment = 'enriched'",
  },
  {
    what: "pending races bound to the batch of another athlete's sync",
    kind: "stray_race",
    during: "enrichment",
    sql: `INSERT INTO syncs (id, athlete_id, phase, status, completed_at_ms) VALUES (700, 99, 'enrichment', 'completed', 1);
      INSERT INTO batches (id, sync_id, number, type, status, completed_at_ms) VALUES (700, 700, 1, 'enrichment', 'completed', 1);
      UPDATE races SET batch_id = 700 WHERE batch_id IN (SELECT id FROM batches WHERE status = 'pending')`,
  },
  {
    what: "pending races bound to no batch",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: "UPDATE races SET batch_id = NULL WHERE enrichment = 'pending'",
  },
  {
    what: "races added",
    kind: "missing_enrichment_batches",
    during: "enrichment",
    sql: "INSERT INTO races (athlete_id, strava_activity_id, enrichment) VALUES (1, 999, 'pending'), (1, 998, 'pending')",
    isLossy: true,
  },
  {
    what: "a pending batch turned to the other type",
    kind: "stray_batch",
    during: "enrichment",
    sql: "UPDATE batches SET type = 'discovery' WHERE id = (SELECT max(id) FROM batches WHERE status = 'pending')",
  },
  {
    what: "the live batch turned to a type that is none",
    kind: "stray_batch",
    during: "discovery",
    sql: `UPDATE batches SET type = 'bogus' WHERE ${LIVE}`,
  },
];
