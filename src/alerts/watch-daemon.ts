import type { DiagnosisRules } from "../core/diagnose.ts";
import { windowStartMs } from "../core/quota.ts";
import type { Hold } from "../core/snapshot.ts";
import type { HealingMode } from "../core/status.ts";
import { describeState } from "../core/status.ts";
import type { SyncClass } from "../core/sync.ts";
import { type EpochMs, MINUTE_MS, plusMs, QUARTER_MS, syncId } from "../core/units.ts";
import { isTroubleOpen, readOpenTroublesOfRule, type TroubleKey } from "../db/alert-troubles.ts";
import { readOpenFindings } from "../db/findings.ts";
import type { Db } from "../db/open.ts";
import { readClassesInProgress, readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import { readSnapshot } from "../sync/snapshot.ts";
import { type Trouble, tellStandingTrouble, tellTroubleOver } from "../sync/trouble.ts";

/** What is watched of the monitor. */
export type Watched = {
  readonly monitor: {
    view(): { readonly lastCheckAtMs: EpochMs | null };
    rules(syncClass: SyncClass): DiagnosisRules & { readonly healing: HealingMode };
  };
  /** From one health check to the next; Infinity where none comes by itself. */
  readonly healthPeriodMs: () => number;
};

/** So many periods without a check, and it is not late but silent. */
const PERIODS_TILL_SILENT = 3;
/** A finding that is open for so long, while its sync stands still, has not been repaired. */
const REPAIR_LIMIT_MS = 10 * MINUTE_MS;
const FINDINGS_LOOKED_AT = 200;
/** A wait for the reserve that is no longer than a quarter of the quota is not worth a word. */
const SHORT_WAIT_MS = QUARTER_MS;

/** What is seen of a lasting state: it is there, it is not, or nobody can tell just now. */
type Sight = { readonly is: "there"; readonly trouble: Trouble } | { readonly is: "gone"; readonly key: TroubleKey };

/**
 * Looks at what nobody reports by itself: whether Strava takes the application, whether the day's quota is used up,
 * whether stalls are left unrepaired, and whether the monitor still checks.
 */
export async function watchDaemon(context: SyncContext, watched: Watched, awakeSinceMs: EpochMs): Promise<void> {
  const looks = [
    () => seeApplication(context),
    () => seeQuota(context),
    () => seeMonitor(context, watched, awakeSinceMs),
    () => seeStalls(context, watched),
  ];
  const sights = looks.flatMap((look) => lookAlone(context, look)).filter((sight) => isNews(context, sight));
  if (sights.length === 0) return;
  await context.commits.soon(() => {
    for (const sight of sights) {
      if (sight.is === "there") tellStandingTrouble(context, sight.trouble);
      else tellTroubleOver(context, sight.key);
    }
  });
}

/** A row that one look cannot read hides nothing from the others. */
function lookAlone({ log }: SyncContext, look: () => readonly Sight[]): readonly Sight[] {
  try {
    return look();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error("alert.watch_failed", `What may have to be told could not be looked at: ${reason}`);
    return [];
  }
}

/** So that a look at what has not changed writes nothing. */
const isNews = ({ db }: SyncContext, sight: Sight): boolean =>
  sight.is === "there" ? !isTroubleOpen(db, sight.trouble) : isTroubleOpen(db, sight.key);

function seeApplication({ governor }: SyncContext): Sight[] {
  const key = { rule: "app_inactive", subject: "application" } as const;
  const { appHold, breaker } = governor.view();
  if (appHold?.reason === "app_inactive") {
    const message =
      "Strava refuses the application: it is inactive, or the client id or secret is wrong. No sync goes on.";
    return [{ is: "there", trouble: { ...key, message } }];
  }
  // Half open, the next request tells.
  return breaker === "closed" ? [{ is: "gone", key }] : [];
}

/** Every class in progress is asked for: only scheduled syncs and first ones leave the day's reserve untouched. */
function seeQuota({ db, clock, governor }: SyncContext): Sight[] {
  const key = { rule: "quota_exhausted", subject: "application" } as const;
  const holds = readClassesInProgress(db).map((syncClass) => governor.hold(syncClass));
  const there = (hold: Hold, what: string): Sight[] => {
    const until = new Date(hold.untilMs).toISOString().slice(0, 16).replace("T", " ");
    return [{ is: "there", trouble: { ...key, message: `${what} They go on at ${until} UTC.` } }];
  };
  const spent = holds.find((hold) => hold?.reason === "quota_daily");
  if (spent !== undefined) return there(spent, "Strava's quota of the day is used up while syncs are in progress.");
  const reserved = holds.find((hold) => hold?.reason === "quota_reserve");
  if (reserved !== undefined) {
    // In its last hours the day gives its reserve back, a request at a time: such a wait is soon over.
    if (reserved.untilMs - clock.nowMs() <= SHORT_WAIT_MS) return [];
    return there(
      reserved,
      "Strava's quota of the day is used up but for its reserve, which is kept for syncs that people start: the others wait.",
    );
  }
  // A hold of Strava's hides what the day has left; that of a quarter hides the reserve, till another day begins.
  const isMasked = holds.some(
    (hold) => hold !== undefined && (hold.reason !== "quota_15min" || isOpenSinceToday(db, governor.view().stravaMs)),
  );
  return isMasked ? [] : [{ is: "gone", key }];
}

function isOpenSinceToday(db: Db, stravaMs: EpochMs): boolean {
  const [open] = readOpenTroublesOfRule(db, "quota_exhausted", 1);
  return open !== undefined && open.openedAtMs >= windowStartMs("day", stravaMs);
}

function seeMonitor({ clock }: SyncContext, { monitor, healthPeriodMs }: Watched, awakeSinceMs: EpochMs): Sight[] {
  const key = { rule: "monitor_silent", subject: "daemon" } as const;
  const nowMs = clock.nowMs();
  const { lastCheckAtMs } = monitor.view();
  // A check in the future was made before the clock was set back.
  const sinceMs = Math.max(lastCheckAtMs !== null && lastCheckAtMs <= nowMs ? lastCheckAtMs : 0, awakeSinceMs);
  const limitMs = PERIODS_TILL_SILENT * healthPeriodMs();
  if (nowMs - sinceMs <= limitMs) {
    return lastCheckAtMs !== null && lastCheckAtMs >= awakeSinceMs ? [{ is: "gone", key }] : [];
  }
  const last = lastCheckAtMs === null ? "since the start" : `since ${new Date(lastCheckAtMs).toISOString()}`;
  const message = `No health check has ended ${last}, for more than ${PERIODS_TILL_SILENT} of its periods (${Math.round(limitMs / MINUTE_MS)} min).`;
  return [{ is: "there", trouble: { ...key, message } }];
}

/** Findings that have been open for long while their sync is stalled still; and troubles whose sync has gone on. */
function seeStalls(context: SyncContext, { monitor }: Watched): Sight[] {
  const { db, clock } = context;
  const longAgoMs = plusMs(clock.nowMs(), -REPAIR_LIMIT_MS);
  const states = new Map<number, ReturnType<typeof stateOf>>();
  const state = (id: number) => {
    const known = states.get(id) ?? stateOf(context, monitor, id);
    states.set(id, known);
    return known;
  };
  const unrepaired = readOpenFindings(db, 0, FINDINGS_LOOKED_AT).flatMap((finding): Sight[] => {
    const { syncId: id, kind, outcome, detectedAtMs, ownRestart, traceId } = finding;
    if (id === null || detectedAtMs > longAgoMs || ownRestart !== 0 || state(id) !== "stalled") return [];
    const what =
      outcome === "proposed" ? "its remedy is proposed, and nobody has applied it" : "its remedy has not helped";
    const message = `Sync ${id} stalls, and ${what} (finding ${finding.id}, ${kind}): ${finding.message}`;
    const subject = `sync:${id}` as const;
    return [{ is: "there", trouble: { rule: "stall_not_repaired", subject, message, traceId, sinceMs: detectedAtMs } }];
  });
  const over = readOpenTroublesOfRule(db, "stall_not_repaired", FINDINGS_LOOKED_AT).flatMap((trouble): Sight[] => {
    const id = Number(trouble.subject.replace("sync:", ""));
    const isLeft = trouble.lastSeenAtMs <= longAgoMs && state(id) === "processing";
    const isGone = state(id) === "ended";
    return isLeft || isGone ? [{ is: "gone", key: { rule: "stall_not_repaired", subject: `sync:${id}` } }] : [];
  });
  return [...unrepaired, ...over];
}

function stateOf(
  context: SyncContext,
  monitor: Watched["monitor"],
  id: number,
): "stalled" | "waiting" | "processing" | "ended" {
  const sync = readSync(context.db, syncId(id));
  if (sync === undefined || sync.status !== "in_progress") return "ended";
  return describeState(readSnapshot(context.db, sync), monitor.rules(sync.class)).state;
}
