import { Elysia, t } from "elysia";
import { QUOTA_BUDGETS, QUOTA_WINDOWS, reserveAt, windowResetMs, windowStartMs } from "../core/quota.ts";
import { plusMs } from "../core/units.ts";
import { REQUEST_PHASES, readLedger } from "../db/quota.ts";
import { countPending } from "../db/races.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSyncsInProgress } from "../db/syncs.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, Time, Word } from "./operation.ts";

/** What one page of the list and its end cost at least: a sync in discovery asks for one more page. */
const LEAST_LIST_REQUESTS = 1;
/** More syncs in progress than a club has. */
const SYNCS_FORECAST = 1_000;

const WindowJson = t.Object({
  budget: Word(QUOTA_BUDGETS, "All requests, or those that read."),
  window: Word(["15min", "day"]),
  limit: t.Integer(),
  used: t.Integer(),
  remaining: t.Integer({ description: "Within the headroom." }),
  reserve: t.Integer({ description: "Of what remains, kept for syncs of class `manual` and `event`, now." }),
  starts_at: Time("Its beginning."),
  resets_at: Time("Its end."),
});

const QuotaJson = t.Object({
  windows: t.Array(WindowJson),
  headroom: t.Integer({ description: "Requests left unused in each window." }),
  in_flight: t.Integer({ description: "Requests that Strava has not answered yet." }),
  hold: OrNull(
    t.Object(
      { reason: t.String(), until: Time("When it ends.") },
      { description: "Why all requests wait, if they do." },
    ),
  ),
  by: t.Array(
    t.Object({
      athlete_id: OrNull(t.Integer()),
      phase: Word(REQUEST_PHASES),
      requests: t.Integer(),
    }),
    { description: "Who spent today's requests." },
  ),
  forecast: t.Array(
    t.Object({
      sync_id: t.String(),
      athlete_id: t.Integer(),
      requests_at_least: t.Integer(),
      requests_at_most: OrNull(t.Integer({ description: "null while the list is read: nobody knows how long it is." })),
    }),
  ),
});
type QuotaJson = typeof QuotaJson.static;

/** `GET /api/admin/quota`: Strava's budgets, who spends them, and what is still to be spent. */
export function quotaRoutes(deps: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" }).get("/quota", () => showQuota(deps), {
    detail: operation({
      tag: "Daemon",
      scope: "read",
      summary: "Shows Strava's quota, who spends it, and what is still to be spent",
      answers: { 200: { description: "Both windows of both budgets.", schema: QuotaJson } },
    }),
  });
}

function showQuota({ context, quotaRules }: RouteDeps): QuotaJson {
  const { quota, inFlight, skewMs, stravaMs, appHold } = context.governor.view();
  const windows = QUOTA_BUDGETS.flatMap((budget) =>
    QUOTA_WINDOWS.map((window): QuotaJson["windows"][number] => {
      const use = quota[budget][window];
      const isReserved = budget === "read" && window === "day";
      return {
        budget,
        window: window === "quarter" ? "15min" : "day",
        limit: use.limit,
        used: use.used,
        remaining: Math.max(0, use.limit - quotaRules.headroom - use.used),
        reserve: isReserved ? reserveAt(quota, stravaMs, quotaRules) : 0,
        // Windows go by Strava's clock, answers by ours.
        starts_at: plusMs(use.startsAtMs, -skewMs),
        resets_at: plusMs(windowResetMs(window, use.startsAtMs), -skewMs),
      };
    }),
  );
  return {
    windows,
    headroom: quotaRules.headroom,
    in_flight: inFlight,
    hold: appHold === undefined ? null : { reason: appHold.reason, until: appHold.untilMs },
    by: spentToday(context, windowStartMs("day", stravaMs)),
    forecast: readSyncsInProgress(context.db, 0, SYNCS_FORECAST).map((sync) => forecast(context, sync)),
  };
}

/** The ledger tells apart by status as well; here it is the sum that counts. */
function spentToday({ db }: RouteDeps["context"], dayStartMs: Parameters<typeof readLedger>[1]): QuotaJson["by"] {
  const byAsker = new Map<string, QuotaJson["by"][number]>();
  for (const { athleteId, phase, requests } of readLedger(db, dayStartMs)) {
    const key = `${athleteId}/${phase}`;
    const asker = byAsker.get(key) ?? { athlete_id: athleteId === 0 ? null : athleteId, phase, requests: 0 };
    asker.requests += requests;
    byAsker.set(key, asker);
  }
  return [...byAsker.values()];
}

function forecast({ db }: RouteDeps["context"], sync: SyncRow): QuotaJson["forecast"][number] {
  const pending = countPending(db, sync.athleteId);
  const isListing = sync.phase === "discovery" && sync.listComplete !== 1;
  return {
    sync_id: String(sync.id),
    athlete_id: sync.athleteId,
    requests_at_least: pending + (isListing ? LEAST_LIST_REQUESTS : 0),
    requests_at_most: isListing ? null : pending,
  };
}
