import { Elysia, t } from "elysia";
import { DAY_MS, plusMs } from "../core/units.ts";
import { type CounterName, sumCounters } from "../db/counters.ts";
import { countOpenFindings } from "../db/findings.ts";
import type { RouteDeps } from "./deps.ts";
import { FindingJson, showCheckedFinding } from "./finding-view.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, Time, Word } from "./operation.ts";
import { isMonitorTicking } from "./ticking.ts";

const PERIODS = { "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS } as const;

const Rate = (description: string) => OrNull(t.Number({ minimum: 0, maximum: 1, description }));
const Count = (description: string) => t.Integer({ description });

const HealthJson = t.Object({
  is_alive: t.Boolean({ description: "The monitor has checked within three of its periods." }),
  healing: Word(["automatic", "suggest"]),
  last_check_at: OrNull(Time("When the last health check ended.")),
  last_check_duration_ms: OrNull(t.Integer()),
  checks: Count("Health checks since the start of the daemon."),
  open_findings: Count("Findings whose outcome is not known yet."),
  period: Word(["24h", "7d", "30d"], "Counted by whole days, UTC, from the one in which it began."),
  stalls_detected: Count("Stalls found."),
  remedies_applied: Count("Remedies applied."),
  remedies_verified: Count("Remedies after which a batch or the sync completed."),
  remedies_failed: Count("Remedies after which the same trouble came back."),
  remedies_superseded: Count("Findings that were gone by themselves, or overtaken."),
  false_remedies: Count("Remedies whose target turned out to have been alive."),
  auto_fix_success_rate: Rate("Verified ÷ (verified + failed); null when there is none of either."),
  mean_time_to_detect_ms: OrNull(t.Number({ description: "From the beginning of a stall to its finding." })),
  mean_time_to_repair_ms: OrNull(t.Number({ description: "From the finding to the verified repair." })),
});

/** Health: the watcher watched, and checks run by hand. */
export function healthRoutes(deps: RouteDeps) {
  const { context, monitor, startedAtMs } = deps;
  const { db, clock } = context;
  return new Elysia({ prefix: "/api/admin/health" })
    .get(
      "",
      ({ query }): typeof HealthJson.static => {
        const period = query.period ?? "24h";
        const view = monitor.view();
        const sums = sumCounters(db, plusMs(clock.nowMs(), -PERIODS[period]));
        const count = (name: CounterName) => sums.get(name) ?? 0;
        const verified = count("remedies_verified");
        return {
          is_alive: isMonitorTicking(deps, startedAtMs),
          healing: view.healing,
          last_check_at: view.lastCheckAtMs,
          last_check_duration_ms: view.lastCheckDurationMs,
          checks: view.checks,
          open_findings: countOpenFindings(db),
          period,
          stalls_detected: count("stalls_detected"),
          remedies_applied: count("remedies_applied"),
          remedies_verified: verified,
          remedies_failed: count("remedies_failed"),
          remedies_superseded: count("remedies_superseded"),
          false_remedies: count("false_remedies"),
          auto_fix_success_rate: divide(verified, verified + count("remedies_failed")),
          mean_time_to_detect_ms: divide(count("detect_ms"), count("stalls_detected")),
          mean_time_to_repair_ms: divide(count("repair_ms"), verified),
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
    .post(
      "/check",
      async ({ body }) => {
        const report = await monitor.check({ dryRun: body.dry_run ?? false });
        const nowMs = clock.nowMs();
        return {
          checked: report.checked,
          dry_run: report.dryRun,
          findings: report.findings.map((finding) => showCheckedFinding(finding, nowMs)),
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
              }),
            },
          },
          refusals: BODY_REFUSALS,
        }),
      },
    );
}

const divide = (sum: number, count: number): number | null => (count === 0 ? null : sum / count);
