import { type ClubForecast, type DoneAt, forecastClub } from "../../core/forecast.ts";
import { type QuotaRules, windowStartMs } from "../../core/quota.ts";
import type { RequestPhase } from "../../core/request-phase.ts";
import { type EpochMs, epochMs, plusMs } from "../../core/units.ts";
import { readLedger } from "../../db/quota.ts";
import { meanListLength, readSyncNeeds } from "../../db/sync-needs.ts";
import type { SyncContext } from "../context.ts";

/** Token requests and their like are in the ledger, and in no window of the quota. */
const UNMETERED: readonly RequestPhase[] = ["connect", "token", "revoke", "webhook"];

/**
 * Forecasts all syncs in progress as things stand now: their remaining requests, the windows, the reserve, a hold, and
 * what other clients of the application spend. By our clock.
 */
export function forecastSyncs(
  context: Pick<SyncContext, "db" | "governor">,
  settings: { readonly quotaRules: QuotaRules; readonly requestsInFlight: number },
): ClubForecast {
  const { db, governor } = context;
  const { quota, stravaMs, skewMs, appHold, requestMs } = governor.view();
  const heldUntilMs = appHold === undefined ? stravaMs : plusMs(appHold.untilMs, skewMs);
  const forecast = forecastClub(readSyncNeeds(db), {
    quota,
    rules: settings.quotaRules,
    fromMs: epochMs(Math.max(heldUntilMs, stravaMs)),
    othersToday: spentByOthersToday(context),
    requestMs,
    requestsInFlight: settings.requestsInFlight,
    meanListLength: meanListLength(db),
  });
  const toOurs = (doneAt: DoneAt): DoneAt => ({
    earliestMs: shift(doneAt.earliestMs, -skewMs),
    likelyMs: shift(doneAt.likelyMs, -skewMs),
    latestMs: shift(doneAt.latestMs, -skewMs),
  });
  return {
    requests: forecast.requests,
    doneAt: toOurs(forecast.doneAt),
    syncs: forecast.syncs.map((sync) => ({ ...sync, doneAt: toOurs(sync.doneAt) })),
  };
}

/**
 * Reads that Strava counted today and that are not in our ledger: other clients of the same application made them. What
 * nobody answered counts as ours: mostly Strava had it, and only the answer was lost.
 */
export function spentByOthersToday({ db, governor }: Pick<SyncContext, "db" | "governor">): number {
  const { quota, stravaMs } = governor.view();
  const ours = readLedger(db, windowStartMs("day", stravaMs))
    .filter((line) => !UNMETERED.includes(line.phase))
    .reduce((sum, line) => sum + line.requests, 0);
  return Math.max(0, quota.read.day.used - ours);
}

const shift = (time: EpochMs | undefined, byMs: number): EpochMs | undefined =>
  time === undefined ? undefined : plusMs(time, byMs);
