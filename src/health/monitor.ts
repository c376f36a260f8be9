import { type DiagnosisRules, diagnose } from "../core/diagnose.ts";
import type { Finding } from "../core/findings.ts";
import { describeState, type HealingMode } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import type { Thresholds } from "../core/thresholds.ts";
import type { EpochMs, FindingId, SyncId } from "../core/units.ts";
import type { SyncRow } from "../db/schema.ts";
import { readSyncsById, readSyncsInProgress } from "../db/syncs.ts";
import { inReadTransaction } from "../db/transaction.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Processor } from "../sync/processor.ts";
import { readSnapshots, readVitals } from "../sync/snapshot.ts";
import type { Span } from "../telemetry/tracing.ts";
import { createAbsence } from "./absence.ts";
import { type AppliedProposal, applyProposed } from "./apply-proposed.ts";
import { type Breather, createBreather } from "./breather.ts";
import { findAfterEnd } from "./find-after-end.ts";
import { healAfterEnd } from "./heal-after-end.ts";
import { type CheckedFinding, healSync } from "./heal-sync.ts";
import { judgeOpenFindings } from "./judge-findings.ts";
import { mendStates } from "./mend-states.ts";
import { mendFarWaits, readjustWaits } from "./readjust.ts";

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
  /** Why the others are not stalled; empty unless it was asked for. */
  readonly explained: readonly ExplainedSync[];
  /** Syncs, in progress or ended, whose check threw: what is wrong with them, if anything, is not known. */
  readonly notChecked: readonly SyncId[];
};
export type ExplainedSync = {
  readonly syncId: SyncId;
  readonly state: "processing" | "waiting";
  readonly explanation: string;
};
export type CheckOptions = {
  /** Says what it would do, and changes nothing. */
  readonly dryRun: boolean;
  /** Says also why syncs are not stalled, of so many at most. */
  readonly explain?: number;
};

export type Monitor = {
  /** One pass over every sync in progress. */
  check(options: CheckOptions): Promise<CheckReport>;
  /** The minute's turn: notices first whether the daemon itself was away. */
  tick(): Promise<CheckReport>;
  /** The rules by which this class of sync is diagnosed now. */
  rules(syncClass: SyncClass): DiagnosisRules & { readonly healing: HealingMode };
  /** Applies a proposed remedy. `by`: whose hand did it. */
  apply(id: FindingId, by?: string): AppliedProposal;
  view(): { lastCheckAtMs: EpochMs | null; lastCheckDurationMs: number | null; checks: number; healing: HealingMode };
};

/** Syncs are checked a page at a time, and the event loop runs in between. */
const PAGE = 50;

/**
 * The monitor: finds every stall, explains it, remedies it, and verifies the remedy at a later check.
 * @param lastLifeMs when a daemon is known to have lived last; 0: none has.
 */
export function createMonitor(
  context: SyncContext,
  processor: Processor,
  health: HealthRules,
  lastLifeMs: EpochMs,
): Monitor {
  const { db, clock, tracer, log } = context;
  const { periodMs } = health;
  const absence = createAbsence(clock, log, {
    periodMs,
    leaseMs: context.rules.leaseMs,
    lastLifeMs,
  });
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
      ageProvesNothingUntilMs: absence.look(),
      waitsProveNothing: absence.wentBackMs() > 0,
      ownLeases: processor.leases(),
      claimableSinceMs: processor.claimableSinceMs(syncClass),
      healing: health.healing,
    };
  }

  async function check({ dryRun, explain = 0 }: CheckOptions): Promise<CheckReport> {
    const startedAtMs = clock.nowMs();
    const span = tracer.startSpan("health.check", { attributes: { "broomwagon.health.dry_run": dryRun } });
    const findings: CheckedFinding[] = [];
    const explained: ExplainedSync[] = [];
    const notChecked = new Set<SyncId>();
    let checked = 0;
    const breather = createBreather(clock);
    const note = async (found: CheckedFinding | undefined) => {
      if (found !== undefined) findings.push(found);
      await breather.breathe();
    };
    /** One bad row never hides the rest: a sync that cannot be checked is told of, and the others are checked. */
    const checkOne = (syncId: SyncId, heal: () => CheckedFinding | undefined): CheckedFinding | undefined => {
      try {
        return heal();
      } catch (error) {
        notChecked.add(syncId);
        tellNotChecked(syncId, error);
        return undefined;
      }
    };
    try {
      if (!dryRun) await readjust(breather);
      if (!dryRun && mendStates(context)) processor.wake();
      if (!dryRun) await judgeOpenFindings(context, rules, breather);
      for (let afterId = 0; ; ) {
        const page = readSyncsInProgress(db, afterId, PAGE);
        for (const sync of suspectsIn(page)) await note(checkOne(sync.id, () => checkSync(sync, dryRun, span)));
        checked += page.length;
        if (explained.length < explain) explained.push(...explainPage(page).slice(0, explain - explained.length));
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE) break;
        afterId = last.id;
        await breather.turn();
      }
      for (const { findings: found, isFull } of findAfterEnd(context)) {
        for (const finding of found) await note(checkOne(finding.syncId, () => checkAfterEnd(finding, dryRun, span)));
        if (isFull) await breather.turn();
      }
      span.setAttributes({ "broomwagon.health.checked": checked, "broomwagon.health.findings": findings.length });
      if (!dryRun) noteCheck(startedAtMs);
      return { checked, dryRun, findings, explained, notChecked: [...notChecked] };
    } catch (error) {
      span.fail(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      span.end();
    }
  }

  async function readjust(breather: Breather): Promise<void> {
    absence.look();
    const wentBackMs = absence.wentBackMs();
    if (wentBackMs > 0) {
      await readjustWaits(context, processor, breather);
      absence.noteReadjusted(wentBackMs);
    }
    await mendFarWaits(context, breather);
  }

  /** The syncs of a page that need a closer look: a few statements for all of them, and mostly there are none. */
  function suspectsIn(page: readonly SyncRow[]): readonly SyncRow[] {
    if (page.length === 0) return [];
    try {
      const vitals = inReadTransaction(db, () => readVitals(db, page));
      const rulesOf = memoize(rules);
      return page.filter((sync) => {
        const seen = vitals.get(sync.id);
        return seen === undefined || diagnose(seen, rulesOf(sync.class)).length > 0;
      });
    } catch {
      // One of them has a row that cannot be read: each is looked at alone, and only that one is told of.
      return page;
    }
  }

  function checkSync(sync: SyncRow, dryRun: boolean, span: Span): CheckedFinding | undefined {
    return healSync(context, processor, { syncId: sync.id, rules: rules(sync.class), ...patientOf(dryRun, span) });
  }

  function tellNotChecked(syncId: SyncId, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    log.error("monitor.sync_not_checked", `Sync ${syncId} could not be checked: ${reason}`, { sync_id: syncId });
  }

  /** Of the syncs of a page that are still in progress and not stalled; one that cannot be read is left out. */
  function explainPage(page: readonly SyncRow[]): readonly ExplainedSync[] {
    try {
      return explainAll(page);
    } catch {
      return page.length === 1 ? [] : page.flatMap((sync) => explainPage([sync]));
    }
  }

  function explainAll(page: readonly SyncRow[]): readonly ExplainedSync[] {
    return inReadTransaction(db, () => {
      const ids = page.map((sync) => sync.id);
      const running = readSyncsById(db, ids).filter((sync) => sync.status === "in_progress");
      return [...readSnapshots(db, running).values()].flatMap((snapshot) => {
        const { state, explanation } = describeState(snapshot, rules(snapshot.syncClass));
        return state === "stalled" ? [] : [{ syncId: snapshot.syncId, state, explanation }];
      });
    });
  }

  function checkAfterEnd(finding: Finding, dryRun: boolean, span: Span): CheckedFinding | undefined {
    const patient = { syncId: finding.syncId, rules: rules("schedule"), ...patientOf(dryRun, span) };
    return healAfterEnd(context, processor, patient, finding);
  }

  const patientOf = (isDryRun: boolean, span: Span) => ({ maxRemedies: health.maxRemedies, isDryRun, span });

  function noteCheck(startedAtMs: EpochMs): void {
    lastCheckAtMs = clock.nowMs();
    lastCheckDurationMs = lastCheckAtMs - startedAtMs;
    checks++;
  }

  /** Two checks side by side would judge each other's half-done work. */
  async function checkAlone(options: CheckOptions): Promise<CheckReport> {
    while (running !== undefined) await running.catch(() => undefined);
    running = check(options).finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    check: checkAlone,
    tick() {
      absence.look();
      return checkAlone({ dryRun: false });
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

/** Asks once for each argument. */
function memoize<Key, Value>(ask: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    const value = known.get(key) ?? ask(key);
    known.set(key, value);
    return value;
  };
}
