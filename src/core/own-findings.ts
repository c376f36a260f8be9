import type { Evidence } from "./evidence.ts";
import type { EpochMs, SyncId } from "./units.ts";

/** What can be wrong with the daemon itself, and not with a sync. */
export const OWN_KINDS = [
  "slow_check", // a health check takes longer than its bound
  "failed_check", // a health check threw, or could not check some of the syncs
  "schedule_overdue", // a job has missed its turn
] as const;
export type OwnKind = (typeof OWN_KINDS)[number];

/** Whether a finding is about the daemon itself: the check that judges syncs leaves it alone. */
export const isOwnKind = (kind: string): kind is OwnKind => OWN_KINDS.some((own) => own === kind);

/** A finding without a sync. */
export type OwnFinding = {
  readonly kind: OwnKind;
  readonly beganAtMs: EpochMs;
  readonly evidence: Evidence;
  readonly message: string;
  /** null: there is nothing to do but to see whether the next check is a good one. */
  readonly remedy: OwnRemedy | null;
};
export type OwnRemedy = { readonly do: "run_jobs"; readonly jobs: readonly string[] };

/** A check may take a third of the time from one to the next, and ten seconds at most. */
const SHARE_OF_PERIOD = 1 / 3;
const LONGEST_CHECK_MS = 10_000;

/** How long a health check may take. */
export const checkBoundMs = (periodMs: number): number =>
  Math.round(Math.min(LONGEST_CHECK_MS, Math.max(1, periodMs * SHARE_OF_PERIOD)));

/** @param tookMs so far, where it still runs. */
export function slowCheck(
  beganAtMs: EpochMs,
  check: { tookMs: number; boundMs: number; isRunning: boolean },
): OwnFinding {
  const { tookMs, boundMs, isRunning } = check;
  return {
    kind: "slow_check",
    beganAtMs,
    evidence: { took_ms: tookMs, bound_ms: boundMs, still_running: isRunning ? "yes" : "no" },
    message: `A health check took ${isRunning ? "more than " : ""}${tookMs} ms, where it may take ${boundMs} ms.`,
    remedy: null,
  };
}

/** @param reason what it threw, in words. */
export function failedCheck(beganAtMs: EpochMs, check: { tookMs: number; reason: string }): OwnFinding {
  return {
    kind: "failed_check",
    beganAtMs,
    evidence: { took_ms: check.tookMs },
    message: `A health check failed: ${check.reason}`,
    remedy: null,
  };
}

/** A message names at most so many syncs; the log names each. */
const SYNCS_NAMED = 20;

/** A check went through, but for these syncs: one failed check, however many they are. */
export function unchecked(
  beganAtMs: EpochMs,
  check: { readonly tookMs: number; readonly syncIds: readonly SyncId[] },
): OwnFinding {
  const { tookMs, syncIds } = check;
  const named = syncIds.slice(0, SYNCS_NAMED).join(", ");
  const others = syncIds.length > SYNCS_NAMED ? ` and ${syncIds.length - SYNCS_NAMED} more` : "";
  return {
    kind: "failed_check",
    beganAtMs,
    evidence: { took_ms: tookMs, syncs_not_checked: syncIds.length },
    message: `A health check could not check ${syncIds.length === 1 ? "sync" : "syncs"} ${named}${others}; the log says why (monitor.sync_not_checked).`,
    remedy: null,
  };
}
