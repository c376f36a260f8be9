import type { Alerter } from "./alerts/alerter.ts";
import type { Config } from "./config.ts";
import { isCompleteListDue } from "./core/freshness.ts";
import type { SyncMode } from "./core/sync.ts";
import { DAY_MS, type EpochMs, MINUTE_MS, plusMs } from "./core/units.ts";
import { BOOKED_WITHIN_MS } from "./daemon-books.ts";
import { retryWhenBusy } from "./db/busy.ts";
import { readSchedule } from "./db/schedule.ts";
import type { Seal } from "./db/seal.ts";
import type { Monitor } from "./health/monitor.ts";
import { type Job, periodOf } from "./scheduler/scheduler.ts";
import { keepTerms } from "./sync/athletes/keep-terms.ts";
import { revokeGrants } from "./sync/athletes/revoke-grants.ts";
import type { SyncContext } from "./sync/context.ts";
import type { StravaEvents } from "./sync/events/assemble-events.ts";
import { pruneCrowdedEvents } from "./sync/events/prune-events.ts";
import type { Processor } from "./sync/processor.ts";
import { pruneHistory } from "./sync/prune-history.ts";
import { syncAll } from "./sync/sync-all.ts";

/** The job whose turns the processor's ticks are. */
export const PROCESSOR_JOB = "batch-processor";
/** The job whose turns the monitor's health is judged by. */
export const HEALTH_JOB = "health-check";
/** The job that revokes grants; also run at once after an erasure. */
export const REVOKE_JOB = "revoke-grants";
/** Every minute, as the processor's own pattern is by default: an erased athlete's grant is revoked at once. */
const REVOKE_PATTERN = "* * * * *";
/** The job that sees to the subscription to Strava's events; also run at the start. */
export const SUBSCRIPTION_JOB = "webhook-subscription";
/** Hourly: Strava ends a subscription whose callback has failed for long, and says nothing. */
const SUBSCRIPTION_PATTERN = "23 * * * *";
/** Every minute: whatever of Strava's events was left due is found. */
const EVENTS_PATTERN = "* * * * *";
/** Every minute, beside the monitor and not within it: a silent monitor is told of as well. */
const ALERTS_PATTERN = "* * * * *";
/** How long a scheduled start waits for a foreign writer: its next turn may be a week away. */
const LOCK_LIMIT_MS = 10 * MINUTE_MS;
/** Each hour: what must be gone after two days, or thirty, is gone an hour before. */
const TERMS_PATTERN = "41 * * * *";
/** At night, and not on the hour, when the schedules of syncs begin. */
const PRUNE_PATTERN = "17 3 * * *";

/** The daemon's jobs: when, and the one call of each. */
export function createJobs(parts: {
  config: Config;
  context: SyncContext;
  processor: Processor;
  monitor: Monitor;
  seal: Seal;
  events: StravaEvents;
  alerts: Alerter;
}): readonly Job[] {
  const { config, context, processor, monitor, seal, events, alerts } = parts;
  const job = (name: string, pattern: string | undefined, catchUp: Job["catchUp"], run: Job["run"]): Job => {
    const lastRunAtMs = readSchedule(context.db, name)?.lastRunAtMs ?? null;
    // Runs of such jobs are booked late: a process that was killed has run them for a while since.
    const isBookedLate = catchUp === "skip" && lastRunAtMs !== null;
    const bookedUntilMs = isBookedLate ? plusMs(lastRunAtMs, BOOKED_WITHIN_MS) : lastRunAtMs;
    return { job: name, pattern: pattern ?? "", run, catchUp, lastRunAtMs, bookedUntilMs };
  };
  // Tried again while a foreign writer holds the lock: whose sync has started by then is skipped, and nobody is forgotten.
  const startAll = async (mode: Parameters<typeof syncAll>[1]["mode"]): Promise<void> => {
    const start = () => void syncAll(context, { mode, syncClass: "schedule" }, processor);
    await retryWhenBusy(start, { clock: context.clock, limitMs: LOCK_LIMIT_MS });
  };
  // Where races would be older than Strava's terms allow at the next turn, the whole list is read instead.
  const modeOfTurn = ({ lastCompleteListAtMs }: { lastCompleteListAtMs: EpochMs | null }): SyncMode => {
    const nowMs = context.clock.nowMs();
    const periodMs = periodOf(config.incrementalSyncCron ?? "", config.timezone, nowMs);
    // Without a pattern the job runs when a person says so: as on a day's turn.
    return isCompleteListDue(lastCompleteListAtMs, nowMs, Number.isFinite(periodMs) ? periodMs : DAY_MS)
      ? "full"
      : "incremental";
  };
  return [
    job(PROCESSOR_JOB, config.processorCron, "skip", () => processor.tick()),
    job(HEALTH_JOB, config.healthCron, "skip", async () => {
      await monitor.tick();
    }),
    // A club whose box was off at two in the night still gets its weekly list.
    job("full-sync", config.fullSyncCron, "once", () => startAll("full")),
    job("incremental-sync", config.incrementalSyncCron, "once", () => startAll(modeOfTurn)),
    job(REVOKE_JOB, REVOKE_PATTERN, "skip", () => revokeGrants(context, seal)),
    job("keep-terms", TERMS_PATTERN, "once", async () => {
      await keepTerms(context, processor);
    }),
    job("strava-events", EVENTS_PATTERN, "skip", async () => {
      events.inbox.wake();
      await pruneCrowdedEvents(context);
    }),
    job("alerts", ALERTS_PATTERN, "skip", () => alerts.tick()),
    job(SUBSCRIPTION_JOB, SUBSCRIPTION_PATTERN, "skip", () => events.subscription.keep()),
    job("prune-history", PRUNE_PATTERN, "once", async () => {
      await pruneHistory(context, config.retentionMs);
    }),
  ];
}
