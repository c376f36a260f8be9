/**
 * The watcher watched: what goes wrong with the health check itself, or with the schedule, is a finding as well, without a
 * sync. And somebody outside may be told of each check, since a daemon that is gone can tell nobody.
 */
import { diagnoseSchedule } from "../core/diagnose-schedule.ts";
import {
  checkBoundMs,
  failedCheck,
  type OwnFinding,
  type OwnKind,
  type OwnRemedy,
  slowCheck,
  unchecked,
} from "../core/own-findings.ts";
import { noteRemedyApplied, readFinding, settleFinding } from "../db/findings.ts";
import { insertOwnFinding, readOpenOwnFinding } from "../db/own-findings.ts";
import type { FindingRow } from "../db/schema.ts";
import { readStoredJson } from "../db/stored-json.ts";
import { JOB_LIMIT_MS, type Scheduler } from "../scheduler/scheduler.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import type { CheckReport, Monitor } from "./monitor.ts";
import type { Ping } from "./ping.ts";

/** Watches a monitor: it is used in its place. */
export function watchMonitor(
  context: SyncContext,
  monitor: Monitor,
  parts: {
    /** From one health check to the next. */
    readonly periodMs: number;
    /** Jobs are handed the monitor, so the schedule is there a moment later. */
    readonly schedule: () => Pick<Scheduler, "jobs" | "makeUp">;
    /** undefined: nobody outside is told. */
    readonly ping: Ping | undefined;
  },
): Monitor {
  const { db, clock, commits, log } = context;
  const { schedule, ping } = parts;
  const boundMs = checkBoundMs(parts.periodMs);

  async function watch(check: () => Promise<CheckReport>): Promise<CheckReport> {
    const startedAtMs = clock.nowMs();
    const tookMs = () => Math.max(0, clock.nowMs() - startedAtMs);
    ping?.tell("start");
    // One that hangs would never be seen to have taken long.
    const callOff = clock.after(boundMs + 1, () => {
      record(slowCheck(startedAtMs, { tookMs: boundMs, boundMs, isRunning: true }));
    });
    try {
      const report = await check();
      if (tookMs() > boundMs) record(slowCheck(startedAtMs, { tookMs: tookMs(), boundMs, isRunning: false }));
      else settleOpen("slow_check");
      const { notChecked } = report;
      if (notChecked.length > 0) record(unchecked(startedAtMs, { tookMs: tookMs(), syncIds: notChecked }));
      else settleOpen("failed_check");
      watchSchedule();
      ping?.tell(notChecked.length > 0 ? "fail" : "success");
      return report;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      record(failedCheck(startedAtMs, { tookMs: tookMs(), reason }));
      ping?.tell("fail");
      throw error;
    } finally {
      callOff();
    }
  }

  /** Stores a finding, unless the same trouble is known. The check goes on where it cannot be stored. */
  function record(finding: OwnFinding): void {
    quietly(
      () => readOpenOwnFinding(db, finding.kind) === undefined,
      () => {
        const { remedy } = finding;
        const isProposed = remedy !== null && monitor.view().healing === "suggest";
        insertOwnFinding(db, finding, { nowMs: clock.nowMs(), isProposed });
        commits.afterCommit(() => {
          log.warn(`finding.${finding.kind}`, finding.message);
          if (remedy !== null && !isProposed) apply(remedy);
        });
      },
    );
  }

  function settleOpen(kind: OwnKind): void {
    quietly(
      () => readOpenOwnFinding(db, kind),
      (open) => {
        // Nothing was done about it: it is gone by itself.
        settle(open, "superseded");
      },
    );
  }

  function watchSchedule(): void {
    // After an absence the schedule makes up for what was missed by itself.
    if (clock.nowMs() < monitor.rules("manual").ageProvesNothingUntilMs) return;
    const found = diagnoseSchedule(schedule().jobs(), clock.nowMs());
    quietly(
      () => {
        const open = readOpenOwnFinding(db, "schedule_overdue");
        const verdict = open === undefined ? undefined : verdictOn(open, found);
        return open !== undefined && verdict !== undefined && { open, verdict };
      },
      ({ open, verdict }) => settle(open, verdict),
    );
    if (found !== undefined) record(found);
  }

  /** Verified when each of the jobs has begun since; failed when one has not for as long as a job may take. */
  function verdictOn(
    open: FindingRow,
    found: OwnFinding | undefined,
  ): "verified" | "failed" | "superseded" | undefined {
    const { remediedAtMs } = open;
    if (remediedAtMs === null) return found === undefined ? "superseded" : undefined;
    const jobs = jobsOf(open);
    const haveRun = schedule()
      .jobs()
      .filter(({ job }) => jobs.includes(job))
      .every(({ lastRunAtMs }) => lastRunAtMs !== null && lastRunAtMs >= remediedAtMs);
    if (haveRun) return "verified";
    return found !== undefined && clock.nowMs() - remediedAtMs > JOB_LIMIT_MS ? "failed" : undefined;
  }

  function settle(open: FindingRow, verdict: "verified" | "failed" | "superseded"): void {
    if (!settleFinding(db, open.id, verdict, clock.nowMs())) return;
    commits.afterCommit(() => {
      log.info(`finding.${verdict}`, `Finding ${open.id} (${open.kind}) is ${verdict}.`);
    });
  }

  const apply = ({ jobs }: OwnRemedy): void => {
    for (const job of jobs) schedule().makeUp(job);
  };

  /**
   * Writes what there is to write, in a transaction: mostly there is nothing, and no lock is asked for. What keeps it from
   * being written must not keep syncs from being checked.
   */
  function quietly<Seen>(look: () => Seen | false | undefined, write: (seen: Seen) => void): void {
    try {
      const seen = look();
      if (seen !== undefined && seen !== false) commits.now(() => write(seen));
    } catch (error) {
      log.error("monitor.not_recorded", `What is wrong with the health check could not be recorded: ${String(error)}`);
    }
  }

  function applyProposed(row: FindingRow, by: string | undefined): "applied" | "stale" | "not_proposed" {
    if (row.outcome !== "proposed") return "not_proposed";
    const found = diagnoseSchedule(schedule().jobs(), clock.nowMs());
    return commits.now(() => {
      const remedy = found?.remedy ?? undefined;
      if (remedy === undefined) {
        settle(row, "superseded");
        return "stale";
      }
      noteRemedyApplied(db, row.id, clock.nowMs(), 0);
      recordByHand(context, by, { action: "finding.applied", target: `finding:${row.id}` });
      commits.afterCommit(() => apply(remedy));
      return "applied";
    });
  }

  return {
    ...monitor,
    check: (options) => (options.dryRun ? monitor.check(options) : watch(() => monitor.check(options))),
    tick: () => watch(() => monitor.tick()),
    apply(id, by) {
      const row = readFinding(db, id);
      return row?.kind === "schedule_overdue" ? applyProposed(row, by) : monitor.apply(id, by);
    },
  };
}

/** The jobs that a stored finding names. */
function jobsOf({ remedy }: FindingRow): readonly string[] {
  const stored = readStoredJson(remedy);
  const jobs = typeof stored === "object" && stored !== null && "jobs" in stored ? stored.jobs : undefined;
  return Array.isArray(jobs) ? jobs.filter((job) => typeof job === "string") : [];
}
