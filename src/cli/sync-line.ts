import type { SyncJson } from "../api/sync-view.ts";
import { type Paint, plainText, renderBar } from "./paint.ts";
import { clockTime, spellDuration } from "./time-words.ts";

/** How lines are drawn: the moment, the zone of its times, the colours. */
export type Drawing = { readonly nowMs: number; readonly timeZone: string; readonly paint: Paint };

const BAR_WIDTH = 24;
const NAME_WIDTH = 22;

/** A sync in one line: who, what it is doing, how far it is, and why when it does not move. */
export function renderSyncLine(sync: SyncJson, drawing: Drawing): string {
  const who = drawing.paint.bold(fit(athleteName(sync), NAME_WIDTH));
  return `${who}  ${renderProgress(sync, drawing)}`;
}

/** `Eva Example (3)`: the athlete's name and our id. */
export function athleteName(sync: Pick<SyncJson, "first_name" | "last_name" | "athlete_id">): string {
  const name = plainText(`${sync.first_name} ${sync.last_name}`).trim();
  return name === "" ? `athlete ${sync.athlete_id}` : `${name} (${sync.athlete_id})`;
}

/** What a sync is doing and how far it is, without saying whose it is. */
export function renderProgress(sync: SyncJson, drawing: Drawing): string {
  const { paint } = drawing;
  switch (sync.status) {
    case "processing":
      return `${renderPhase(sync, drawing)}  ${paint.dim(renderBatches(sync))}`;
    case "waiting":
      return `${renderPhase(sync, drawing)}  ${paint.yellow(renderWait(sync, drawing))}`;
    case "stalled":
      return `${renderPhase(sync, drawing)}  ${paint.red("STALLED")}  ${paint.red(plainText(sync.health.warning ?? ""))}`;
    case "completed":
    case "failed":
    case "cancelled":
      return renderEnd(sync, drawing);
    default:
      return sync.status satisfies never;
  }
}

/** How a sync ended, and why when it was not well. */
export function renderEnd(sync: SyncJson, { nowMs, paint }: Drawing): string {
  const took = spellDuration((sync.completed_at ?? nowMs) - sync.started_at);
  const warnings = sync.warnings.map((warning) => ` ${paint.yellow(plainText(warning))}`).join("");
  if (sync.status === "completed") {
    const races = counted(sync.activities_synced, "race");
    const listed = counted(sync.activities_listed, "activity", "activities");
    const requests = counted(sync.requests, "request");
    return `${paint.green("completed")} in ${took}: ${races} enriched, ${listed} listed, ${requests}${warnings}`;
  }
  const reason = sync.error === null ? "" : `: ${plainText(sync.error)}`;
  return `${sync.status === "failed" ? paint.red("failed") : paint.yellow("cancelled")} after ${took}${reason}${warnings}`;
}

function renderPhase(sync: SyncJson, { paint }: Drawing): string {
  if (sync.phase === "discovery") {
    return `discovery   ${counted(sync.activities_listed, "activity", "activities")} listed`;
  }
  const expected = sync.activities_expected ?? 0;
  const fraction = expected === 0 ? 1 : sync.activities_synced / expected;
  return `enrichment  ${paint.cyan(renderBar(fraction, BAR_WIDTH))} ${sync.activities_synced}/${expected} races`;
}

function renderBatches({ health }: SyncJson): string {
  const parts = [
    `${health.completed_batches} of ${counted(health.total_batches, "batch", "batches")} done`,
    health.processing_batches === 0 ? "" : `${health.processing_batches} running`,
    health.pending_batches === 0 ? "" : `${health.pending_batches} pending`,
    health.failed_batches === 0 ? "" : `${health.failed_batches} failed`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

const WAIT_IN_WORDS: Readonly<Record<NonNullable<SyncJson["waiting"]>["reason"], string>> = {
  quota_15min: "waits for Strava's quarter-hour quota",
  quota_daily: "waits for Strava's daily quota",
  quota_reserve: "waits: the rest of the day's quota is reserved",
  backoff: "waits to try again",
  queue: "waits its turn",
  paused: "paused",
  strava_unavailable: "waits for Strava to be available",
  app_inactive: "waits: Strava refuses the application",
};

/** The reason in a few words, and when it moves again by the clock on the wall. */
export function renderWait(sync: SyncJson, { nowMs, timeZone }: Drawing): string {
  if (sync.waiting === null) return "waits";
  const { reason, resumes_at: resumesAtMs } = sync.waiting;
  if (resumesAtMs === null) return WAIT_IN_WORDS[reason];
  const remaining = resumesAtMs <= nowMs ? "now" : `in ${spellDuration(resumesAtMs - nowMs)}`;
  return `${WAIT_IN_WORDS[reason]} until ${clockTime(resumesAtMs, { nowMs, timeZone })} (${remaining})`;
}

/** `1 race`, `3 races`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}
