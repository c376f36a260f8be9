import { Elysia, t } from "elysia";
import { DAY_MS, plusMs } from "../core/units.ts";
import { countOpenFindings } from "../db/findings.ts";
import type { CheckReport } from "../health/monitor.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { FindingJson, showCheckedFinding } from "./finding-view.ts";
import { DayJson, MEASURES_JSON, readMeasures, readSeries } from "./health-measures.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, PageOf, Time, Word } from "./operation.ts";
import { isMonitorTicking, isProcessorTicking } from "./ticking.ts";

/** Two years, a leap day included. */
const MOST_DAYS = 731;
const DEFAULT_DAYS = 30;

const PERIODS = { "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS } as const;

/** A check that somebody asks for says of so many syncs why they are not stalled. */
const SYNCS_EXPLAINED = 200;

const HealthJson = t.Object({
  is_alive: t.Boolean({ description: "The monitor has checked within three of its periods." }),
  healing: Word(["automatic", "suggest"]),
  last_check_at: OrNull(Time("When the last health check ended.")),
  last_check_duration_ms: OrNull(t.Integer()),
  checks: t.Integer({ description: "Health checks since the start of the daemon." }),
  processor: t.Object({
    is_alive: t.Boolean({ description: "It has looked for work within three of its periods." }),
    last_tick_at: Time("When its turn last came."),
    last_claim_at: Time("When it last claimed a batch, or began to."),
  }),
  ping: OrNull(
    t.Object(
      {
        is_failing: t.Boolean({ description: "The last one was not taken." }),
        last_answered_at: OrNull(Time("When one was last taken.")),
      },
      { description: "BROOMWAGON_PING_URL; null where it is not set." },
    ),
  ),
  open_findings: t.Integer({ description: "Findings whose outcome is not known yet." }),
  period: Word(["24h", "7d", "30d"], "Counted by whole days, UTC, from the one in which it began."),
  ...MEASURES_JSON,
});

/** Health: the watcher watched, and checks run by hand. */
export function healthRoutes(deps: RouteDeps) {
  const { context, monitor, processor, ping, startedAtMs, actorOf } = deps;
  const { db, clock } = context;

  function showProcessor() {
    const { lastTickAtMs, lastClaimAtMs } = processor.view();
    return {
      is_alive: isProcessorTicking(deps, startedAtMs),
      last_tick_at: lastTickAtMs,
      last_claim_at: lastClaimAtMs,
    };
  }

  /** Whoever asks for a check has syncs mended. A transaction of its own: a check is many. */
  function recordCheck(by: string | undefined, { checked, findings, notChecked }: CheckReport): void {
    const detail = { syncs: checked, findings: findings.length, not_checked: notChecked.length };
    context.commits.now(() => recordByHand(context, by, { action: "health.checked", detail }));
  }

  return new Elysia({ prefix: "/api/admin/health" })
    .get(
      "",
      ({ query }): typeof HealthJson.static => {
        const period = query.period ?? "24h";
        const view = monitor.view();
        const pinged = ping?.view();
        return {
          is_alive: isMonitorTicking(deps, startedAtMs),
          healing: view.healing,
          last_check_at: view.lastCheckAtMs,
          last_check_duration_ms: view.lastCheckDurationMs,
          checks: view.checks,
          processor: showProcessor(),
          ping: pinged === undefined ? null : { is_failing: pinged.isFailing, last_answered_at: pinged.answeredAtMs },
          open_findings: countOpenFindings(db),
          period,
          ...readMeasures(db, clock.nowMs(), PERIODS[period]),
        };
      },
      {
        query: t.Object({ period: t.Optional(Word(["24h", "7d", "30d"])) }),
        detail: operation({
          tag: "Health",
          scope: "read",
          summary: "Shows whether the monitor is alive, and what healing did",
          answers: { 200: { description: "Health of the healer.", schema: HealthJson } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/series",
      ({ query }) => {
        const days = query.days ?? DEFAULT_DAYS;
        return { items: readSeries(db, plusMs(clock.nowMs(), -(days - 1) * DAY_MS), clock.nowMs()), next_cursor: null };
      },
      {
        query: t.Object({
          days: t.Optional(
            t.Integer({
              minimum: 1,
              maximum: MOST_DAYS,
              description: `The last so many days; ${DEFAULT_DAYS} unless given.`,
            }),
          ),
        }),
        detail: operation({
          tag: "Health",
          scope: "read",
          summary: "Shows syncs, stalls and remedies day by day, up to two years",
          answers: { 200: { description: "The days, the oldest first, today last.", schema: PageOf(DayJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .post(
      "/check",
      async ({ body, request }) => {
        const report = await monitor.check({ dryRun: body.dry_run ?? false, explain: SYNCS_EXPLAINED });
        const nowMs = clock.nowMs();
        if (!report.dryRun) recordCheck(actorOf(request), report);
        return {
          checked: report.checked,
          dry_run: report.dryRun,
          findings: report.findings.map((finding) => showCheckedFinding(finding, nowMs)),
          explained: report.explained.map(({ syncId, state, explanation }) => ({
            sync_id: String(syncId),
            state,
            explanation,
          })),
          not_checked: report.notChecked.map(String),
        };
      },
      {
        body: t.Object({
          dry_run: t.Optional(t.Boolean({ description: "Says what it would do, and changes nothing." })),
        }),
        detail: operation({
          tag: "Health",
          scope: "operate",
          summary: "Runs a health check now",
          answers: {
            200: {
              description: "What it found.",
              schema: t.Object({
                checked: t.Integer({ description: "Syncs looked at." }),
                dry_run: t.Boolean(),
                findings: t.Array(FindingJson),
                explained: t.Array(
                  t.Object({
                    sync_id: t.String(),
                    state: Word(["processing", "waiting"]),
                    explanation: t.String({ description: "Why it is not stalled, with the numbers." }),
                  }),
                  { description: `The syncs that are not stalled, ${SYNCS_EXPLAINED} at most.` },
                ),
                not_checked: t.Array(t.String(), { description: "Syncs whose check failed; the log says why." }),
              }),
            },
          },
          refusals: BODY_REFUSALS,
        }),
      },
    );
}
