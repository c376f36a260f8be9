import { Elysia, status, t } from "elysia";
import type { EpochMs } from "../core/units.ts";
import { SECOND_MS } from "../core/units.ts";
import { type Migration, migrationsFolder, readMigrations } from "../db/migrate.ts";
import { isSchemaCurrent, whyUnwritable } from "../db/probe.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, Time } from "./operation.ts";
import { type Problem, problemOf } from "./problem.ts";
import { isMonitorTicking, isProcessorTicking, isSchedulerTicking } from "./ticking.ts";

/** Anybody may ask, and each look writes to the disk: the last verdict serves for so long. */
const VERDICT_SERVES_MS = SECOND_MS;

const ReadyJson = t.Object({
  status: t.Literal("ready"),
  monitor_last_check_at: OrNull(Time("When the monitor last ended a check; null: not yet.")),
  processor_last_tick_at: OrNull(Time("When the processor last looked for work; null: not yet.")),
});
type Ticks = Pick<typeof ReadyJson.static, "monitor_last_check_at" | "processor_last_tick_at">;

const lastTicks = ({ monitor, processor }: RouteDeps): Ticks => ({
  monitor_last_check_at: monitor.view().lastCheckAtMs,
  processor_last_tick_at: processor.view().lastTickAtMs,
});

/** `/livez` and `/readyz`, for whoever restarts and routes. Open to all, so they tell nothing of athletes. */
export function probeRoutes(deps: RouteDeps) {
  const readReasons = createReadiness(deps);
  return new Elysia()
    .get("/livez", () => ({ status: "ok" as const }), {
      detail: operation({
        tag: "Probes",
        scope: "public",
        summary: "Says that the process answers",
        answers: { 200: { description: "It does.", schema: t.Object({ status: t.Literal("ok") }) } },
      }),
    })
    .get(
      "/readyz",
      () => {
        const reasons = readReasons();
        if (reasons.length === 0) return { status: "ready" as const, ...lastTicks(deps) };
        const problem: Problem & Ticks & { reasons: readonly string[] } = {
          ...problemOf(503, "not_ready", reasons.join(" ")),
          reasons,
          ...lastTicks(deps),
        };
        return status(503, problem);
      },
      {
        detail: operation({
          tag: "Probes",
          scope: "public",
          summary: "Says whether the daemon can do its work",
          description:
            "The database takes writes and has this program's schema; scheduler, processor and monitor tick, each within three periods of its own pattern. A stalled sync makes nothing unready.",
          answers: { 200: { description: "It can.", schema: ReadyJson } },
          refusals: { 503: "It cannot; `reasons` says why." },
        }),
      },
    );
}

function createReadiness(deps: RouteDeps): () => readonly string[] {
  const { context, startedAtMs } = deps;
  let migrations: readonly Migration[] | undefined;
  let last: { atMs: EpochMs; reasons: readonly string[] } | undefined;

  function look(nowMs: EpochMs): readonly string[] {
    const reasons: string[] = [];
    const unwritable = whyUnwritable(context.db, nowMs);
    if (unwritable !== undefined) reasons.push(unwritable);
    migrations ??= readMigrations(migrationsFolder());
    if (!isSchemaCurrent(context.db, migrations)) reasons.push("The database has another schema than this program.");
    if (!isSchedulerTicking(deps, startedAtMs)) reasons.push("The scheduler has missed its last three turns.");
    if (!isProcessorTicking(deps, startedAtMs)) reasons.push("The processor has not looked for work in three periods.");
    if (!isMonitorTicking(deps, startedAtMs)) reasons.push("The monitor has ended no health check in three periods.");
    return reasons;
  }

  return () => {
    const nowMs = context.clock.nowMs();
    if (last === undefined || nowMs - last.atMs >= VERDICT_SERVES_MS || nowMs < last.atMs) {
      last = { atMs: nowMs, reasons: look(nowMs) };
    }
    return last.reasons;
  };
}
