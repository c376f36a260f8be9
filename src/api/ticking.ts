import type { EpochMs } from "../core/units.ts";
import type { ApiDeps } from "./deps.ts";

/** So many periods without a tick, and it is not late but dead. */
const PERIODS_TILL_DEAD = 3;

type Watched = Pick<ApiDeps, "context" | "monitor" | "processor" | "scheduler" | "healthJob" | "processorJob">;

/** Whether the monitor has ended a check within three periods of its own pattern, or the daemon is that young. */
export function isMonitorTicking(deps: Watched, startedAtMs: EpochMs): boolean {
  const { context, monitor, scheduler, healthJob } = deps;
  const job = scheduler.jobs().find((one) => one.job === healthJob);
  return isWithin(context, monitor.view().lastCheckAtMs, job?.periodMs, startedAtMs);
}

/** Whether the processor has looked for work within three periods of its own pattern, or the daemon is that young. */
export function isProcessorTicking(deps: Watched, startedAtMs: EpochMs): boolean {
  const { context, processor, scheduler, processorJob } = deps;
  const job = scheduler.jobs().find((one) => one.job === processorJob);
  return isWithin(context, processor.view().lastTickAtMs, job?.periodMs, startedAtMs);
}

/** Whether the scheduler has begun its most frequent job within three of its periods, or the daemon is that young. */
export function isSchedulerTicking({ context, scheduler }: Watched, startedAtMs: EpochMs): boolean {
  const jobs = scheduler.jobs().filter((job) => Number.isFinite(job.periodMs));
  const mostFrequent = jobs.sort((a, b) => a.periodMs - b.periodMs)[0];
  return isWithin(context, mostFrequent?.lastRunAtMs ?? null, mostFrequent?.periodMs, startedAtMs);
}

/** A job that never runs by itself is never late. */
function isWithin(
  { clock }: Watched["context"],
  lastMs: EpochMs | null,
  periodMs: number | undefined,
  startedAtMs: EpochMs,
): boolean {
  if (periodMs === undefined || !Number.isFinite(periodMs)) return true;
  const sinceMs = clock.nowMs() - Math.max(lastMs ?? 0, startedAtMs);
  return sinceMs <= PERIODS_TILL_DEAD * periodMs;
}
