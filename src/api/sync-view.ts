import { t } from "elysia";
import type { ClubForecast } from "../core/forecast.ts";
import { describeState, type SyncState } from "../core/status.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSentences } from "../db/stored-json.ts";
import type { Monitor } from "../health/monitor.ts";
import type { SyncContext } from "../sync/context.ts";
import { createCompletionTimes } from "./completion-times.ts";
import { OrNull, Time, Word } from "./operation.ts";
import { readSyncPage, type SyncPage } from "./sync-page.ts";

export const SYNC_STATES = ["processing", "waiting", "stalled"] as const;
export const SYNC_STATUSES = ["in_progress", "completed", "failed", "cancelled"] as const;
export const SYNC_PHASES = ["discovery", "enrichment"] as const;
export const SYNC_MODES = ["full", "incremental"] as const;

const WAIT_REASONS = [
  "quota_15min",
  "quota_daily",
  "quota_reserve",
  "backoff",
  "queue",
  "paused",
  "strava_unavailable",
  "app_inactive",
] as const;

/** A sync as every answer shows it. */
export const SyncJson = t.Object({
  sync_id: t.String(),
  athlete_id: t.Integer(),
  strava_id: OrNull(t.Integer({ description: "The athlete's id at Strava." })),
  first_name: t.String(),
  last_name: t.String(),
  mode: Word(SYNC_MODES),
  class: Word(["manual", "event", "connect", "schedule"], "Who waits for it; earlier ones are served first."),
  phase: Word(SYNC_PHASES, "An ended sync keeps the phase in which it ended."),
  status: Word(
    ["processing", "waiting", "stalled", "completed", "failed", "cancelled"],
    "The first three are syncs in progress, judged as the health check judges them.",
  ),
  activities_listed: t.Integer({ description: "Distinct activities that discovery has listed." }),
  activities_synced: t.Integer({ description: "In discovery: activities listed. In enrichment: races enriched." }),
  activities_expected: OrNull(t.Integer({ description: "In enrichment: races enriched and those still to do." })),
  races_failed: t.Integer(),
  requests: t.Integer({ description: "Requests to Strava so far." }),
  started_at: Time("The start."),
  completed_at: OrNull(Time("The end, however it came.")),
  paused_at: OrNull(Time("Since when somebody holds it.")),
  error: OrNull(t.String({ description: "Why it failed, and what to do." })),
  warnings: t.Array(t.String()),
  waiting: OrNull(
    t.Object({ reason: Word(WAIT_REASONS), resumes_at: OrNull(Time("When it moves again.")), detail: t.String() }),
  ),
  estimated_completion_at: OrNull(Time("When it will likely be done; null: unknown. `quota` gives the range.")),
  trace_id: OrNull(t.String({ description: "Of the newest run of a batch." })),
  trace_url: OrNull(t.String()),
  health: t.Object({
    total_batches: t.Integer({ description: "Batch counts are those of the current phase." }),
    completed_batches: t.Integer(),
    pending_batches: t.Integer(),
    processing_batches: t.Integer(),
    failed_batches: t.Integer(),
    is_stalled: t.Boolean(),
    warning: OrNull(t.String()),
    explanation: OrNull(
      t.String({ description: "Why it is stalled, or why it is not, with the numbers; null once it has ended." }),
    ),
    last_activity_at: Time("When anything of it happened last."),
  }),
});
export type SyncJson = typeof SyncJson.static;

export type SyncViewer = {
  /** A sync as answers show it. */
  show(sync: SyncRow): SyncJson;
  /** Syncs as answers show them, in this order: the same few statements for a page of them, and nothing of history. */
  showAll(syncs: readonly SyncRow[]): SyncJson[];
};

/** So many are shown by the same statements. */
const PAGE = 200;

/** Shows syncs: their state is computed when asked, by the health check's own diagnosis, and never stored. */
export function createSyncViewer(deps: {
  context: Pick<SyncContext, "db" | "clock" | "commits">;
  monitor: Monitor;
  forecast: () => ClubForecast;
  traceUrl: (traceId: string) => string | null;
}): SyncViewer {
  const { context, monitor, traceUrl } = deps;
  const completionTimeOf = createCompletionTimes(deps);

  function showOf(page: SyncPage, sync: SyncRow): SyncJson {
    const athlete = page.athletes.get(sync.athleteId);
    return {
      sync_id: String(sync.id),
      athlete_id: sync.athleteId,
      strava_id: athlete?.stravaId ?? null,
      first_name: athlete?.firstName ?? "",
      last_name: athlete?.lastName ?? "",
      mode: sync.mode,
      class: sync.class,
      phase: sync.phase,
      activities_listed: sync.activitiesListed,
      ...progressOf(page, sync),
      requests: sync.requests,
      started_at: sync.startedAtMs,
      completed_at: sync.completedAtMs,
      paused_at: sync.pausedAtMs,
      error: sync.error,
      warnings: readSentences(sync.warnings),
      trace_id: sync.traceId,
      trace_url: sync.traceId === null ? null : traceUrl(sync.traceId),
      ...showState(page, sync),
    };
  }

  function showState(
    page: SyncPage,
    sync: SyncRow,
  ): Pick<SyncJson, "status" | "waiting" | "estimated_completion_at" | "health"> {
    const snapshot = page.snapshots.get(sync.id);
    const state = snapshot === undefined ? undefined : describeState(snapshot, page.rules(sync.class));
    const isStalled = state?.state === "stalled";
    return {
      status: state?.state ?? endedAs(sync),
      waiting: state?.state === "waiting" ? waitingOf(state.waiting) : null,
      // What is stalled or held by a person has no time, until somebody moves it.
      estimated_completion_at: state !== undefined && isMoving(state) ? (completionTimeOf(sync.id) ?? null) : null,
      health: {
        ...batchCountsOf(page, sync),
        is_stalled: isStalled,
        warning: isStalled ? state.warning : null,
        explanation: state?.explanation ?? null,
        last_activity_at: sync.lastActivityAtMs,
      },
    };
  }

  const showAll = (syncs: readonly SyncRow[]): SyncJson[] => {
    const shown: SyncJson[] = [];
    for (let start = 0; start < syncs.length; start += PAGE) {
      const rows = syncs.slice(start, start + PAGE);
      const page = readSyncPage(context.db, rows, monitor.rules);
      for (const sync of rows) shown.push(showOf(page, sync));
    }
    return shown;
  };
  return {
    showAll,
    show(sync) {
      const [shown] = showAll([sync]);
      if (shown === undefined) throw new Error(`Sync ${sync.id} was not shown: a bug`);
      return shown;
    },
  };
}

/** While it runs, its races tell, whatever a hand did to counts; at its end the counts were stored. */
function progressOf(
  page: SyncPage,
  sync: SyncRow,
): Pick<SyncJson, "activities_synced" | "activities_expected" | "races_failed"> {
  const tally = sync.status === "in_progress" ? (page.tallies.get(sync.id) ?? new Map()) : undefined;
  const enriched = tally === undefined ? sync.racesEnriched : (tally.get("enriched") ?? 0);
  const failed = tally === undefined ? sync.racesFailed : (tally.get("failed") ?? 0);
  if (sync.phase === "discovery") {
    return { activities_synced: sync.activitiesListed, activities_expected: null, races_failed: failed };
  }
  const left = sync.status === "completed" ? 0 : (page.pending.get(sync.athleteId) ?? 0);
  return { activities_synced: enriched, activities_expected: enriched + left, races_failed: failed };
}

/** Of the current phase; an ended sync keeps the one in which it ended. */
function batchCountsOf(
  page: SyncPage,
  sync: SyncRow,
): Pick<
  SyncJson["health"],
  "total_batches" | "completed_batches" | "pending_batches" | "processing_batches" | "failed_batches"
> {
  const counts = page.snapshots.get(sync.id)?.counts ?? page.counts.get(sync.id);
  return {
    total_batches: counts?.total ?? 0,
    completed_batches: counts?.completed ?? 0,
    pending_batches: counts?.pending ?? 0,
    processing_batches: counts?.processing ?? 0,
    failed_batches: counts?.failed ?? 0,
  };
}

const endedAs = (sync: SyncRow): SyncJson["status"] => (sync.status === "in_progress" ? "processing" : sync.status);

function isMoving(state: SyncState): boolean {
  return state.state === "processing" || (state.state === "waiting" && state.waiting.reason !== "paused");
}

function waitingOf(waiting: Extract<SyncState, { state: "waiting" }>["waiting"]): NonNullable<SyncJson["waiting"]> {
  return { reason: waiting.reason, resumes_at: waiting.resumesAtMs, detail: waiting.detail };
}
