import { SECOND_MS } from "../core/units.ts";
import { renderBar } from "./paint.ts";
import type {
  HealthAnswer,
  QuotaAnswer,
  QuotaWindowAnswer,
  StatusAnswers,
  SyncStatusAnswer,
} from "./status-answers.ts";
import { counted, type Drawing, renderSyncLine } from "./sync-line.ts";
import { renderTable } from "./table.ts";
import { clockTime, spellAgo, spellDuration } from "./time-words.ts";

const QUOTA_BAR_WIDTH = 20;
/** What `period=24h` counts: whole days, from the one in which it began. */
const HEALING_HEADING = "Healing, since yesterday 00:00 UTC";
/** A fuller window than this is worth a colour. */
const QUOTA_NEARLY_SPENT = 0.9;

/** All that `status` shows, top to bottom: in a word, what runs, what ended, healing, quota. */
export function renderStatus(answers: StatusAnswers, drawing: Drawing & { readonly address: string }): string {
  const { syncStatus, health, quota } = answers;
  const { active, recent } = syncStatus;
  return [
    `${drawing.paint.bold("Broomwagon")} at ${drawing.address}`,
    renderSummary(syncStatus, drawing),
    "",
    heading("In progress", drawing),
    ...(active.length === 0 ? ["  nothing"] : active.map((sync) => `  ${renderSyncLine(sync, drawing)}`)),
    ...(active.length === 0 ? [] : [`  ${drawing.paint.dim(quota.club.detail)}`]),
    "",
    heading("Ended last", drawing),
    ...(recent.length === 0 ? ["  nothing yet"] : recent.map((sync) => `  ${renderSyncLine(sync, drawing)}`)),
    "",
    heading(HEALING_HEADING, drawing),
    ...renderHealth(health, syncStatus, drawing),
    "",
    heading("Strava's quota", drawing),
    ...renderQuota(quota, drawing),
  ].join("\n");
}

const heading = (text: string, { paint }: Drawing): string => paint.bold(text);

function renderSummary({ summary }: SyncStatusAnswer, { paint }: Drawing): string {
  const { active, processing, waiting, stalled, completed_24h: completed, failed_24h: failed } = summary;
  const now = [`${counted(active, "sync")} in progress`, `${processing} processing`, `${waiting} waiting`].join(", ");
  const day = `in 24 hours ${completed} completed, ${failed === 0 ? "none failed" : paint.red(`${failed} failed`)}`;
  return `${now}, ${stalled === 0 ? "none stalled" : paint.red(`${stalled} stalled`)}; ${day}`;
}

function renderHealth(health: HealthAnswer, { summary }: SyncStatusAnswer, { nowMs, paint }: Drawing): string[] {
  const { auto_fix_success_rate: rate, mean_time_to_repair_ms: repairMs } = health;
  const isLate = health.is_alive ? "" : `  ${paint.red("the monitor is late: see /readyz")}`;
  const success = rate === null ? "nothing to judge yet" : `${Math.round(rate * 100)} % of the remedies judged`;
  const repaired = repairMs === null ? "" : `, repaired in ${spellDuration(toSecond(repairMs))} on average`;
  const failed = health.remedies_failed === 0 ? "" : `, ${paint.red(`${health.remedies_failed} failed`)}`;
  const open = health.open_findings === 0 ? "none open" : `${health.open_findings} open`;
  return [
    `  last check ${spellAgo(summary.last_health_check_at, nowMs)}, healing is ${summary.healing}${isLate}`,
    `  ${counted(health.stalls_detected, "stall")} found, ${counted(health.remedies_applied, "remedy", "remedies")} applied, ${health.remedies_verified} verified${failed}, findings: ${open}`,
    `  success: ${success}${repaired}`,
    ...renderStalls(health, paint),
  ];
}

/** A mean of 9,998 ms is 10 s to a person; one below a second is told in milliseconds. */
const toSecond = (ms: number): number => (ms < SECOND_MS ? ms : Math.round(ms / SECOND_MS) * SECOND_MS);

/** How often, how long and of which kinds; nothing where there was no stall. */
function renderStalls(health: HealthAnswer, paint: Drawing["paint"]): string[] {
  const { stalls_per_100_syncs: share, false_remedies: wrong, by_kind: kinds } = health;
  if (health.stalls_detected === 0 && wrong === 0) return [];
  const often = [
    ...(share === null ? [] : [`${Number(share.toFixed(1))} per 100 syncs`]),
    ...(health.stalls_detected === 0 ? [] : [`${Number(health.stalls_per_day.toFixed(1))} a day`]),
  ];
  const times = [
    ...spellTimes("found", health.time_to_detect),
    ...spellTimes("repaired", health.time_to_repair),
    ...(wrong === 0 ? [] : [paint.red(counted(wrong, "false remedy", "false remedies"))]),
  ];
  const stalls = kinds.filter((kind) => kind.stalls_detected > 0);
  return [
    `  stalls: ${[...often, ...times].join(", ")}`,
    ...(stalls.length === 0
      ? []
      : [`  by kind: ${stalls.map((one) => `${one.kind} ${one.stalls_detected}`).join(", ")}`]),
  ];
}

function spellTimes(what: string, { p50_ms: half, p90_ms: most }: HealthAnswer["time_to_detect"]): string[] {
  if (half === null) return [];
  const ninth = most === null ? "" : `, nine of ten within ${spellDuration(most)}`;
  return [`half ${what} within ${spellDuration(half)}${ninth}`];
}

/** The windows as bars, and why all requests wait when they do. */
export function renderQuota({ windows, hold }: QuotaAnswer, drawing: Drawing): string[] {
  const { nowMs, timeZone, paint } = drawing;
  const rows = windows.map((window) => quotaRow(window, drawing));
  const lines = renderTable(rows)
    .split("\n")
    .map((line) => `  ${line}`);
  if (hold === null) return lines;
  return [
    ...lines,
    `  ${paint.yellow(`all requests wait (${hold.reason}) until ${clockTime(hold.until, { nowMs, timeZone })}`)}`,
  ];
}

function quotaRow(window: QuotaWindowAnswer, { nowMs, timeZone, paint }: Drawing): string[] {
  const fraction = window.limit === 0 ? 1 : window.used / window.limit;
  const bar = renderBar(fraction, QUOTA_BAR_WIDTH);
  return [
    `${window.budget === "read" ? "reads" : "all"}, ${window.window === "15min" ? "quarter-hour" : "day"}`,
    fraction >= QUOTA_NEARLY_SPENT ? paint.red(bar) : paint.cyan(bar),
    `${window.used}/${window.limit}`,
    paint.dim(`resets ${clockTime(window.resets_at, { nowMs, timeZone })}`),
    window.reserve === 0 ? "" : paint.dim(`${window.reserve} reserved`),
  ];
}
