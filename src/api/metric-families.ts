/**
 * What `/metrics` shows. Counters come from the sums since ever, gauges from indexes that hold only what is under way, so
 * that nothing here grows with history. Labels are words of ours, each from a list: no names, no ids.
 */
import { FINDING_KINDS } from "../core/findings.ts";
import { BUCKETS } from "../core/histogram.ts";
import { QUOTA_BUDGETS, QUOTA_WINDOWS, windowResetMs } from "../core/quota.ts";
import { REQUEST_PHASES, STATUS_CLASSES } from "../core/request-phase.ts";
import { SECOND_MS } from "../core/units.ts";
import { countAthletesByStatus } from "../db/athletes.ts";
import { type CounterName, type HealingMeasure, readTotals } from "../db/counters.ts";
import { readDatabaseSize } from "../db/file-size.ts";
import { readLiveCounts } from "../db/live-counts.ts";
import type { Labels, MetricFamily, Sample } from "../telemetry/exposition.ts";
import { ATHLETE_STATUSES } from "./athlete-view.ts";
import type { RouteDeps } from "./deps.ts";
import { isMonitorTicking, isProcessorTicking } from "./ticking.ts";

type Totals = (name: CounterName) => number;

/** All families, as of now. */
export function readMetricFamilies(deps: RouteDeps): readonly MetricFamily[] {
  const totals = readTotals(deps.context.db);
  const total: Totals = (name) => totals.get(name) ?? 0;
  return [
    ...workFamilies(deps, total),
    ...healingFamilies(total),
    ...monitorFamilies(deps),
    ...quotaFamilies(deps, total),
    ...machineFamilies(deps),
  ];
}

function workFamilies({ context, processor }: RouteDeps, total: Totals): MetricFamily[] {
  const { db } = context;
  const live = readLiveCounts(db);
  const athletes = countAthletesByStatus(db);
  const { running, isClaiming } = processor.view();
  const batches = (["discovery", "enrichment"] as const).flatMap((type) =>
    (["pending", "processing"] as const).map((status) => {
      const count = live.batches.find((one) => one.type === type && one.status === status)?.count;
      return { labels: { type, status }, value: count ?? 0 };
    }),
  );
  return [
    gauge(
      "athletes",
      "Athletes by status.",
      each(ATHLETE_STATUSES, "status", (status) => athletes.get(status) ?? 0),
    ),
    gauge(
      "syncs_in_progress",
      "Syncs in progress, by phase.",
      each(["discovery", "enrichment"], "phase", (phase) => live.syncs.find((one) => one.phase === phase)?.count ?? 0),
    ),
    counter("syncs_started_total", "Syncs started.", one(total("syncs_started"))),
    counter(
      "syncs_ended_total",
      "Syncs that ended, by how.",
      each(["completed", "failed", "cancelled"] as const, "status", (status) => total(`syncs_${status}`)),
    ),
    gauge("batches_live", "Batches that are not done, by type and status.", batches),
    counter(
      "batches_ended_total",
      "Batches that ended, by how.",
      each(["completed", "failed"] as const, "status", (status) => total(`batches_${status}`)),
    ),
    gauge("batches_running", "Batches that run in this process.", one(running)),
    gauge("claiming", "1 when batches are claimed, 0 while a person has paused the daemon.", one(Number(isClaiming))),
    gauge("races_pending", "Races that need their detail.", one(live.racesPending)),
    counter("races_enriched_total", "Details of races fetched.", one(total("races_enriched"))),
    counter("events_received_total", "Events of Strava's stored for the first time.", one(total("events_received"))),
    gauge("findings_open", "Findings whose outcome is not known yet, by kind.", openFindings(live.findings)),
  ];
}

function openFindings(live: readonly { kind: string; count: number }[]): Sample[] {
  const known = each(FINDING_KINDS, "kind", (kind) => live.find((one) => one.kind === kind)?.count ?? 0);
  const others = live.filter(({ kind }) => !FINDING_KINDS.some((one) => one === kind));
  return [...known, { labels: { kind: OTHER }, value: others.reduce((sum, { count }) => sum + count, 0) }];
}

function healingFamilies(total: Totals): MetricFamily[] {
  const settled = (["verified", "failed", "superseded"] as const).flatMap((outcome) =>
    byKind(total, `remedies_${outcome}`, { outcome }),
  );
  const found = each([...FINDING_KINDS, OTHER], "kind", (kind) => total(`findings_found:${kind}`));
  return [
    counter("findings_total", "Findings stored, by kind.", found),
    counter("stalls_detected_total", "Stalls found, by kind.", byKind(total, "stalls_detected")),
    counter("remedies_applied_total", "Remedies applied, by kind of stall.", byKind(total, "remedies_applied")),
    counter("remedies_settled_total", "Findings settled, by kind and outcome.", settled),
    counter("false_remedies_total", "Remedies whose target was alive, by kind.", byKind(total, "false_remedies")),
    durations("time_to_detect_seconds", "From the beginning of a stall to its finding.", total, "detect"),
    durations("time_to_repair_seconds", "From a finding to the verified repair.", total, "repair"),
  ];
}

const OTHER = "other";

/** By kind; what was counted before kinds were, or of a word that is none, is `other`. */
function byKind(total: Totals, measure: HealingMeasure, labels: Labels = {}): Sample[] {
  const known = FINDING_KINDS.map((kind) => ({ labels: { kind, ...labels }, value: total(`${measure}:${kind}`) }));
  const rest = total(measure) - known.reduce((sum, { value }) => sum + value, 0);
  return [...known, { labels: { kind: OTHER, ...labels }, value: rest }];
}

function durations(name: string, help: string, total: Totals, what: "detect" | "repair"): MetricFamily {
  const buckets = BUCKETS.flatMap((bucket) =>
    bucket === "inf" ? [] : [{ upperBound: bucket / SECOND_MS, count: total(`${what}_le:${bucket}`) }],
  );
  const histogram = { buckets, beyond: total(`${what}_le:inf`), sum: total(`${what}_ms`) / SECOND_MS };
  return { name: PREFIX + name, help, type: "histogram", histogram };
}

function monitorFamilies(deps: RouteDeps): MetricFamily[] {
  const { lastCheckAtMs, lastCheckDurationMs, checks } = deps.monitor.view();
  const jobs = deps.scheduler.jobs();
  const ofJobs = (value: (job: (typeof jobs)[number]) => number | null): Sample[] =>
    jobs.flatMap((job) => optional(value(job), { job: job.job }));
  return [
    gauge("monitor_alive", "1 when a health check ended within three periods.", [
      { value: Number(isMonitorTicking(deps, deps.startedAtMs)) },
    ]),
    gauge("processor_alive", "1 when the processor looked for work within three periods.", [
      { value: Number(isProcessorTicking(deps, deps.startedAtMs)) },
    ]),
    gauge("ping_failing", "1 when the address outside took no ping; only where there is one.", failing(deps)),
    counter("health_checks_total", "Health checks since the start.", one(checks)),
    gauge("health_check_timestamp_seconds", "When the last health check ended.", optional(toSeconds(lastCheckAtMs))),
    gauge("health_check_duration_seconds", "How long it took.", optional(toSeconds(lastCheckDurationMs))),
    counter(
      "job_runs_total",
      "Runs of the scheduled jobs since the start.",
      ofJobs((job) => job.runs),
    ),
    counter(
      "job_turns_missed_total",
      "Turns that a job was not there for, or still busy with the one before.",
      ofJobs((job) => job.missed + job.overrun),
    ),
    gauge(
      "job_last_run_timestamp_seconds",
      "When each job last began.",
      ofJobs((job) => toSeconds(job.lastRunAtMs)),
    ),
    gauge(
      "job_last_duration_seconds",
      "How long its last run took.",
      ofJobs((job) => toSeconds(job.lastDurationMs)),
    ),
    gauge(
      "job_failing",
      "1 when its last run failed.",
      ofJobs((job) => Number(job.lastError !== null)),
    ),
  ];
}

function failing({ ping }: RouteDeps): Sample[] {
  return ping === undefined ? [] : [{ value: Number(ping.view().isFailing) }];
}

function quotaFamilies({ context }: RouteDeps, total: Totals): MetricFamily[] {
  const { quota, inFlight, skewMs, appHold } = context.governor.view();
  const windows = QUOTA_BUDGETS.flatMap((budget) =>
    QUOTA_WINDOWS.map((window) => {
      const labels = { budget, window: window === "quarter" ? "15min" : "day" };
      const use = quota[budget][window];
      // Windows go by Strava's clock, whoever reads this by ours.
      return { labels, use, resetsAtMs: windowResetMs(window, use.startsAtMs) - skewMs };
    }),
  );
  const requests = REQUEST_PHASES.flatMap((phase) =>
    STATUS_CLASSES.map((status) => ({ labels: { phase, status }, value: total(`requests:${phase}:${status}`) })),
  );
  return [
    gauge(
      "quota_limit",
      "Strava's limit of requests, by budget and window.",
      windows.map(({ labels, use }) => ({ labels, value: use.limit })),
    ),
    gauge(
      "quota_used",
      "Requests that Strava has counted in the window.",
      windows.map(({ labels, use }) => ({ labels, value: use.used })),
    ),
    gauge(
      "quota_reset_timestamp_seconds",
      "When the window ends.",
      windows.map(({ labels, resetsAtMs }) => ({ labels, value: resetsAtMs / SECOND_MS })),
    ),
    gauge("quota_held", "1 while all requests wait for Strava.", one(Number(appHold !== undefined))),
    gauge("requests_in_flight", "Requests that Strava has not answered yet.", one(inFlight)),
    counter("requests_total", "Requests to Strava, by what for and by the class of the answer.", requests),
  ];
}

function machineFamilies({ context, readProcess, startedAtMs, version }: RouteDeps): MetricFamily[] {
  const { totalBytes, freeBytes, logBytes } = readDatabaseSize(context.db);
  const { residentBytes, cpuSeconds, openFiles } = readProcess();
  return [
    gauge("database_size_bytes", "Size of the database.", one(totalBytes)),
    gauge("database_free_bytes", "Of that, in pages that will be used again.", one(freeBytes)),
    gauge("database_log_bytes", "Size of its write-ahead log.", one(logBytes)),
    gauge("process_resident_memory_bytes", "Resident memory.", one(residentBytes)),
    counter("process_cpu_seconds_total", "Time on a processor.", one(cpuSeconds)),
    gauge("process_open_fds", "Open files.", optional(openFiles ?? null)),
    gauge("process_start_timestamp_seconds", "When it began to serve.", one(startedAtMs / SECOND_MS)),
    gauge("build_info", "1, with the version.", [{ labels: { version }, value: 1 }]),
  ];
}

const PREFIX = "broomwagon_";

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name: PREFIX + name, help, type: "gauge", samples };
}
function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name: PREFIX + name, help, type: "counter", samples };
}
const one = (value: number): Sample[] => [{ value }];
const optional = (value: number | null, labels: Labels = {}): Sample[] => (value === null ? [] : [{ labels, value }]);
const toSeconds = (ms: number | null): number | null => (ms === null ? null : ms / SECOND_MS);

function each<const Word extends string>(
  words: readonly Word[],
  label: string,
  value: (word: Word) => number,
): Sample[] {
  return words.map((word) => ({ labels: { [label]: word }, value: value(word) }));
}
