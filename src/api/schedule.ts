import { Elysia, t } from "elysia";
import type { JobView } from "../scheduler/scheduler.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { OrNull, operation, PageOf, Time } from "./operation.ts";
import { refuse } from "./problem.ts";

const JobJson = t.Object({
  job: t.String(),
  pattern: t.String({ description: "Cron; empty: never by itself." }),
  next_run_at: OrNull(Time("Its next turn.")),
  last_run_at: OrNull(Time("When it last began, in this process or a former one.")),
  last_duration_ms: OrNull(t.Integer()),
  last_error: OrNull(t.String()),
  runs: t.Integer(),
  missed: t.Integer({ description: "Turns that passed while the daemon was down, asleep or busy." }),
  overrun: t.Integer({ description: "Turns that came while it still ran." }),
  is_running: t.Boolean(),
  period_ms: OrNull(t.Integer({ description: "From one turn to the next, now." })),
});
type JobJson = typeof JobJson.static;

/** The schedule: what runs when, and running it now. */
export function scheduleRoutes({ scheduler, context, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin/schedule" })
    .get("", () => ({ items: scheduler.jobs().map(showJob), next_cursor: null }), {
      detail: operation({
        tag: "Daemon",
        scope: "read",
        summary: "Lists the scheduled jobs",
        answers: { 200: { description: "All jobs.", schema: PageOf(JobJson) } },
      }),
    })
    .post(
      "/:job/run",
      async ({ params, request }) => {
        const known = scheduler.jobs().find((one) => one.job === params.job);
        if (known?.isRunning === false) {
          context.commits.now(() =>
            recordByHand(context, actorOf(request), { action: "job.run", target: `job:${known.job}` }),
          );
        }
        const ran = await scheduler.runNow(params.job);
        switch (ran) {
          case "unknown":
            return refuse(404, "job_unknown", "There is no job of that name. GET /api/admin/schedule lists them.");
          case "running":
            return refuse(409, "job_running", "It runs already; it never runs twice at once.");
          case "ran": {
            const job = scheduler.jobs().find((one) => one.job === params.job);
            return job === undefined ? { job: params.job } : showJob(job);
          }
          default:
            return ran satisfies never;
        }
      },
      {
        params: t.Object({ job: t.String() }),
        detail: operation({
          tag: "Daemon",
          scope: "operate",
          summary: "Runs a job now, and waits for its end",
          answers: { 200: { description: "It ran; `last_error` says whether it went well.", schema: JobJson } },
          refusals: { 404: "There is no such job.", 409: "`job_running`." },
        }),
      },
    );
}

function showJob(job: JobView): JobJson {
  return {
    job: job.job,
    pattern: job.pattern,
    next_run_at: job.nextRunAtMs,
    last_run_at: job.lastRunAtMs,
    last_duration_ms: job.lastDurationMs,
    last_error: job.lastError,
    runs: job.runs,
    missed: job.missed,
    overrun: job.overrun,
    is_running: job.isRunning,
    period_ms: Number.isFinite(job.periodMs) ? job.periodMs : null,
  };
}
