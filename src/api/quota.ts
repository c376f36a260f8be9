import { Elysia, t } from "elysia";
import type { ClubForecast } from "../core/forecast.ts";
import { QUOTA_BUDGETS, QUOTA_WINDOWS, reserveAt, windowResetMs, windowStartMs } from "../core/quota.ts";
import { REQUEST_PHASES } from "../core/request-phase.ts";
import { plusMs } from "../core/units.ts";
import { readLedger } from "../db/quota.ts";
import { spentByOthersToday } from "../sync/requests/forecast-syncs.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, Time, Word } from "./operation.ts";

/** What a sync still needs. While its list is read, nobody knows how long that is. */
const Requests = {
  requests_at_least: t.Integer(),
  requests_likely: t.Integer(),
  requests_at_most: OrNull(t.Integer({ description: "null while a list is read for which nobody knows the length." })),
};
const DoneAt = {
  done_at_earliest: OrNull(Time("If all that is certain is all there is, and nobody else spends.")),
  done_at_likely: OrNull(Time("As lists and other clients of the application have been so far.")),
  done_at_latest: OrNull(Time("null while nobody knows.")),
};

/** Whatever else uses the same application at Strava. */
const OTHER_CLIENTS = "other_clients";

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
      phase: Word([...REQUEST_PHASES, OTHER_CLIENTS]),
      requests: t.Integer(),
    }),
    { description: `Who spent today's requests. \`${OTHER_CLIENTS}\`: what Strava counted beside ours.` },
  ),
  club: t.Object(
    { ...Requests, ...DoneAt, detail: t.String({ description: "The forecast in a sentence." }) },
    { description: "All syncs in progress, but those that a person holds." },
  ),
  forecast: t.Array(t.Object({ sync_id: t.String(), athlete_id: t.Integer(), ...Requests, ...DoneAt }), {
    description: "Of each sync in progress.",
  }),
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

function showQuota({ context, quotaRules, forecast }: RouteDeps): QuotaJson {
  const club = forecast();
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
    club: { ...showForecast(club), detail: inWords(club) },
    forecast: club.syncs.map((sync) => ({
      sync_id: String(sync.syncId),
      athlete_id: sync.athleteId,
      ...showForecast(sync),
    })),
  };
}

/** The ledger tells apart by status as well; here it is the sum that counts. */
function spentToday(context: RouteDeps["context"], dayStartMs: Parameters<typeof readLedger>[1]): QuotaJson["by"] {
  const byAsker = new Map<string, QuotaJson["by"][number]>();
  for (const { athleteId, phase, requests } of readLedger(context.db, dayStartMs)) {
    const key = `${athleteId}/${phase}`;
    const asker = byAsker.get(key) ?? { athlete_id: athleteId === 0 ? null : athleteId, phase, requests: 0 };
    asker.requests += requests;
    byAsker.set(key, asker);
  }
  const others = spentByOthersToday(context);
  const othersRow = { athlete_id: null, phase: OTHER_CLIENTS, requests: others } as const;
  return others === 0 ? [...byAsker.values()] : [...byAsker.values(), othersRow];
}

function showForecast({ requests, doneAt }: Pick<ClubForecast, "requests" | "doneAt">) {
  return {
    requests_at_least: requests.least,
    requests_likely: requests.likely,
    requests_at_most: requests.most ?? null,
    done_at_earliest: doneAt.earliestMs ?? null,
    done_at_likely: doneAt.likelyMs ?? null,
    done_at_latest: doneAt.latestMs ?? null,
  };
}

function inWords({ requests, doneAt, syncs }: ClubForecast): string {
  if (syncs.length === 0) return "No sync is in progress.";
  const { least, likely, most } = requests;
  const amount = most === likely ? `${likely}` : `about ${likely} (at least ${least})`;
  const { likelyMs } = doneAt;
  if (likelyMs === undefined) return `Needs ${amount} requests; nobody knows when it will be done.`;
  return `Done by ${new Date(likelyMs).toISOString().slice(0, 16).replace("T", " ")} UTC, needs ${amount} requests.`;
}
