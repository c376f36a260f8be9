import { type DiagnosisRules, diagnose } from "../core/diagnose.ts";
import type { Finding } from "../core/findings.ts";
import type { HealingMode } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import type { Thresholds } from "../core/thresholds.ts";
import { type EpochMs, type FindingId, MINUTE_MS, plusMs } from "../core/units.ts";
import { addToCounter } from "../db/counters.ts";
import { noteRemedyApplied, readFinding } from "../db/findings.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSync, readSyncsInProgress } from "../db/syncs.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { readSnapshot } from "../sync/snapshot.ts";
import type { Span } from "../telemetry/tracing.ts";
import { findAfterEnd } from "./find-after-end.ts";
import { healAfterEnd } from "./heal-after-end.ts";
import { type CheckedFinding, healSync } from "./heal-sync.ts";
import { isSameTrouble, judgeOpenFindings, settle } from "./judge-findings.ts";
import { mendStates } from "./mend-states.ts";
import { applyRemedy } from "./remedy.ts";

export type { CheckedFinding } from "./heal-sync.ts";

/** The numbers that healing goes by. Thresholds may change while it runs: each is read when it is needed, and not kept. */
export type HealthRules = Thresholds & {
  readonly healing: HealingMode;
  /** From one health check to the next. */
  readonly periodMs: number;
};

export type CheckReport = {
  readonly checked: number;
  readonly dryRun: boolean;
  readonly findings: readonly CheckedFinding[];
};

export type Monitor = {
  /** One pass over every sync in progress. A dry run says what it would do, and changes nothing. */
  check(options: { dryRun: boolean }): Promise<CheckReport>;
  /** The minute's turn: notices first whether the daemon itself was away. */
  tick(): Promise<CheckReport>;
  /** The rules by which this class of sync is diagnosed now. */
  rules(syncClass: SyncClass): DiagnosisRules & { readonly healing: HealingMode };
  /** Applies a proposed remedy. `by`: whose hand did it. */
  apply(id: FindingId, by?: string): "applied" | "stale" | "not_proposed" | "unknown";
  view(): { lastCheckAtMs: EpochMs | null; lastCheckDurationMs: number | null; checks: number; healing: HealingMode };
};

/** Syncs are checked a page at a time, and the event loop runs in between. */
const PAGE = 50;
/** So many periods without a tick, and it was the daemon that was away. */
const PERIODS_AWAY = 2.5;

/** The monitor: finds every stall, explains it, remedies it, and verifies the remedy at a later check. */
export function createMonitor(context: SyncContext, processor: Processor, health: HealthRules): Monitor {
  const { db, clock, tracer, log } = context;
  let lastTickAtMs = clock.nowMs();
  let ageProvesNothingUntilMs = plusMs(clock.nowMs(), Math.min(health.periodMs, MINUTE_MS));
  let lastCheckAtMs: EpochMs | null = null;
  let lastCheckDurationMs: number | null = null;
  let checks = 0;
  let running: Promise<CheckReport> | undefined;

  function rules(syncClass: SyncClass): DiagnosisRules & { readonly healing: HealingMode } {
    return {
      nowMs: clock.nowMs(),
      stallAfterDiscoveryMs: health.stallAfterDiscoveryMs,
      stallAfterEnrichmentMs: health.stallAfterEnrichmentMs,
      leaseMs: context.rules.leaseMs,
      enrichmentBatchSize: context.rules.enrichmentBatchSize,
      hold: context.governor.hold(syncClass),
      isClaiming: processor.view().isClaiming,
      isFull: processor.view().running >= context.rules.concurrency,
      lastClaimAtMs: processor.view().lastClaimAtMs,
      ageProvesNothingUntilMs,
      healing: health.healing,
    };
  }

  /** After a stop, a suspended machine or a clock that jumped, age proves nothing for one period. */
  function noticeAbsence(): void {
    const nowMs = clock.nowMs();
    const sinceMs = nowMs - lastTickAtMs;
    lastTickAtMs = nowMs;
    if (sinceMs >= 0 && sinceMs <= PERIODS_AWAY * health.periodMs) return;
    ageProvesNothingUntilMs = plusMs(nowMs, health.periodMs);
    log.warn(
      "monitor.was_away",
      `The last health check was ${Math.round(sinceMs / 1000)} s ago: verdicts on age wait one period.`,
    );
  }

  async function check(dryRun: boolean): Promise<CheckReport> {
    const startedAtMs = clock.nowMs();
    const span = tracer.startSpan("health.check", { attributes: { "broomwagon.health.dry_run": dryRun } });
    const findings: CheckedFinding[] = [];
    let checked = 0;
    try {
      if (!dryRun && health.healing === "automatic") mendStates(context);
      if (!dryRun) judgeOpenFindings(context, rules);
      for (let afterId = 0; ; ) {
        const page = readSyncsInProgress(db, afterId, PAGE);
        for (const sync of page) findings.push(...checkSync(sync, dryRun, span));
        checked += page.length;
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) break;
        afterId = last.id;
        await nextTurn();
      }
      for (const finding of findAfterEnd(context)) findings.push(...checkAfterEnd(finding, dryRun, span));
      span.setAttributes({ "broomwagon.health.checked": checked, "broomwagon.health.findings": findings.length });
      if (!dryRun) noteCheck(startedAtMs);
      return { checked, dryRun, findings };
    } catch (error) {
      span.fail(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** One bad row never hides the rest: a sync that cannot be checked is told of, and the others are checked. */
  function checkSync(sync: SyncRow, dryRun: boolean, span: Span): readonly CheckedFinding[] {
    try {
      const first = diagnose(readSnapshot(db, sync), rules(sync.class))[0];
      if (first === undefined) return [];
      if (dryRun) return [{ id: null, finding: first, outcome: health.healing === "suggest" ? "proposed" : "pending" }];
      const healed = healSync(context, processor, {
        syncId: sync.id,
        rules: rules(sync.class),
        maxRemedies: health.maxRemedies,
        span,
      });
      return healed === undefined ? [] : [healed];
    } catch (error) {
      log.error(
        "monitor.sync_not_checked",
        `Sync ${sync.id} could not be checked: ${error instanceof Error ? error.message : String(error)}`,
        {
          sync_id: sync.id,
        },
      );
      return [];
    }
  }

  function checkAfterEnd(finding: Finding, dryRun: boolean, span: Span): readonly CheckedFinding[] {
    if (dryRun) return [{ id: null, finding, outcome: health.healing === "suggest" ? "proposed" : "pending" }];
    const patient = { syncId: finding.syncId, rules: rules("schedule"), maxRemedies: health.maxRemedies, span };
    const healed = healAfterEnd(context, processor, patient, finding);
    return healed === undefined ? [] : [healed];
  }

  function noteCheck(startedAtMs: EpochMs): void {
    lastCheckAtMs = clock.nowMs();
    lastCheckDurationMs = lastCheckAtMs - startedAtMs;
    checks++;
  }

  const nextTurn = (): Promise<void> => new Promise((resolve) => clock.after(0, resolve));

  /** Two checks side by side would judge each other's half-done work. */
  async function checkAlone(dryRun: boolean): Promise<CheckReport> {
    while (running !== undefined) await running.catch(() => undefined);
    running = check(dryRun).finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    check: ({ dryRun }) => checkAlone(dryRun),
    tick() {
      noticeAbsence();
      return checkAlone(false);
    },
    rules,
    apply: (id, by) =>
      context.commits.now(() => {
        const applied = applyProposed(context, processor, id, rules);
        if (applied === "applied") recordByHand(context, by, { action: "finding.applied", target: `finding:${id}` });
        return applied;
      }),
    view: () => ({ lastCheckAtMs, lastCheckDurationMs, checks, healing: health.healing }),
  };
}

function applyProposed(
  context: SyncContext,
  processor: Processor,
  id: FindingId,
  rules: Monitor["rules"],
): "applied" | "stale" | "not_proposed" | "unknown" {
  const { db, clock } = context;
  const finding = readFinding(db, id);
  if (finding === undefined) return "unknown";
  if (finding.outcome !== "proposed") return "not_proposed";
  const sync = finding.syncId === null ? undefined : readSync(db, finding.syncId);
  // What was true when it was proposed may not be now: a worker may have renewed its lease since.
  const current =
    sync?.status === "in_progress" ? diagnose(readSnapshot(db, sync), rules(sync.class)) : findAfterEnd(context);
  const again = current.find((found) => isSameTrouble(found, finding));
  if (again === undefined || !applyRemedy(context, processor, again.syncId, again.remedy)) {
    settle(context, finding, "superseded");
    return "stale";
  }
  noteRemedyApplied(db, id, clock.nowMs(), sync?.batchesCompleted ?? 0);
  addToCounter(db, "remedies_applied", 1, clock.nowMs());
  return "applied";
}
