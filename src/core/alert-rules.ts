import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from "./units.ts";

/** What somebody may have to be told of. */
export const ALERT_RULES = [
  "stall_not_repaired", // a finding stays open, or its remedies fail again and again; of a sync
  "sync_failed", // an athlete's syncs end failed, until one completes
  "needs_reconnect", // only the athlete can mend it
  "app_inactive", // Strava refuses the application: inactive, or wrong credentials
  "quota_exhausted", // the day's quota is used up and syncs are in progress
  "monitor_silent", // no health check has ended within three of its periods
  "backup_failed",
] as const;
export type AlertRuleName = (typeof ALERT_RULES)[number];

/** What a trouble is about, in the form that is stored: `sync:7`, `athlete:3`, `application`. */
export type TroubleSubject = `sync:${number}` | `athlete:${number}` | "application" | "daemon";

/** When a trouble is told of, how often, and whether its end is. */
export type AlertRule = {
  readonly isEnabled: boolean;
  /** Told at the n-th occurrence, */
  readonly afterOccurrences: number;
  /** or once it has been open for so long, whichever is first; null: by occurrences alone. */
  readonly afterMs: number | null;
  /** Told again after so long, as long as it is open; null: never. */
  readonly resendAfterMs: number | null;
  /** Whether its end is told, once, to those who were told of it. */
  readonly tellsRecovery: boolean;
  /** It counts as over when it has stayed away for so long; until then it is the same trouble if it comes back. */
  readonly recoveryAfterMs: number;
};
export type AlertRules = Readonly<Record<AlertRuleName, AlertRule>>;

const AT_ONCE = { isEnabled: true, afterOccurrences: 1, afterMs: null, tellsRecovery: true, recoveryAfterMs: 0 };

export const DEFAULT_ALERT_RULES: AlertRules = {
  // More than the remedies that a sync may have in a day: a flapping sync fails first, and that is its one alert.
  stall_not_repaired: {
    ...AT_ONCE,
    afterOccurrences: 6,
    afterMs: HOUR_MS,
    resendAfterMs: 6 * HOUR_MS,
    recoveryAfterMs: 10 * MINUTE_MS,
  },
  sync_failed: { ...AT_ONCE, resendAfterMs: DAY_MS },
  needs_reconnect: { ...AT_ONCE, resendAfterMs: 7 * DAY_MS },
  app_inactive: { ...AT_ONCE, resendAfterMs: 6 * HOUR_MS, recoveryAfterMs: 5 * MINUTE_MS },
  quota_exhausted: { ...AT_ONCE, resendAfterMs: DAY_MS },
  monitor_silent: { ...AT_ONCE, resendAfterMs: HOUR_MS, recoveryAfterMs: 5 * MINUTE_MS },
  backup_failed: { ...AT_ONCE, resendAfterMs: DAY_MS },
};

/** Verdicts on age: for a while after a start, an absence or a jump of the clock they prove nothing. */
const BY_AGE: readonly AlertRuleName[] = ["stall_not_repaired", "monitor_silent"];

/** A trouble that is not settled. */
export type UnsettledTrouble = {
  readonly rule: AlertRuleName;
  readonly openedAtMs: EpochMs;
  readonly occurrences: number;
  /** When somebody was last told; null: nobody yet. */
  readonly notifiedAtMs: EpochMs | null;
  /** null: it is there. */
  readonly closedAtMs: EpochMs | null;
};

export type Awake = {
  readonly nowMs: EpochMs;
  /** Since when the daemon has been here without a break. */
  readonly sinceMs: EpochMs;
  /** Its own absence has to be lived down until then. */
  readonly graceUntilMs: EpochMs;
};

/** What there is to say of a trouble now. */
export type Telling =
  | "alert" // it is there, and nobody has been told
  | "reminder" // it is still there
  | "recovery" // it is over, and somebody had been told of it
  | "settled" // it is over, and nobody has to hear of it
  | "nothing";

/** Decides what is told of a trouble. What was open while the daemon was away has not been open for that. */
export function judgeTrouble(trouble: UnsettledTrouble, rule: AlertRule, awake: Awake): Telling {
  const { nowMs } = awake;
  const { closedAtMs, notifiedAtMs } = trouble;
  if (closedAtMs !== null) {
    if (!isPast(closedAtMs, rule.recoveryAfterMs, nowMs)) return "nothing";
    return rule.isEnabled && rule.tellsRecovery && notifiedAtMs !== null ? "recovery" : "settled";
  }
  if (!rule.isEnabled) return "nothing";
  if (BY_AGE.includes(trouble.rule) && nowMs < awake.graceUntilMs) return "nothing";
  if (notifiedAtMs !== null) {
    const isDue = rule.resendAfterMs !== null && isPast(notifiedAtMs, rule.resendAfterMs, nowMs);
    return isDue ? "reminder" : "nothing";
  }
  const openForMs = nowMs - Math.max(trouble.openedAtMs, awake.sinceMs);
  const isLong = rule.afterMs !== null && openForMs >= rule.afterMs;
  return isLong || trouble.occurrences >= rule.afterOccurrences ? "alert" : "nothing";
}

/** A moment in the future was written before the clock was set back: it is not waited for. */
const isPast = (sinceMs: EpochMs, durationMs: number, nowMs: EpochMs): boolean =>
  nowMs < sinceMs || nowMs - sinceMs >= durationMs;

/** The rules as stored: what somebody changed, over the defaults. What makes no sense stays as it is by default. */
export function readAlertRules(stored: unknown): AlertRules {
  const changed = asRecord(stored);
  const read = (name: AlertRuleName): [AlertRuleName, AlertRule] => [
    name,
    readRule(asRecord(changed[name]), DEFAULT_ALERT_RULES[name]),
  ];
  return Object.fromEntries(ALERT_RULES.map(read)) as AlertRules;
}

function readRule(stored: Readonly<Record<string, unknown>>, usual: AlertRule): AlertRule {
  const isDuration = (value: unknown): value is number => typeof value === "number" && value >= 0;
  const isDurationOrNull = (value: unknown): value is number | null => value === null || isDuration(value);
  const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;
  const pick = <T>(value: unknown, isValid: (value: unknown) => value is T, otherwise: T): T =>
    isValid(value) ? value : otherwise;
  return {
    isEnabled: pick(stored.isEnabled, isFlag, usual.isEnabled),
    afterOccurrences: pick(stored.afterOccurrences, isCount, usual.afterOccurrences),
    afterMs: pick(stored.afterMs, isDurationOrNull, usual.afterMs),
    resendAfterMs: pick(stored.resendAfterMs, isDurationOrNull, usual.resendAfterMs),
    tellsRecovery: pick(stored.tellsRecovery, isFlag, usual.tellsRecovery),
    recoveryAfterMs: pick(stored.recoveryAfterMs, isDuration, usual.recoveryAfterMs),
  };
}

/** What is no object has nothing that bears the name of a rule, or of a setting. */
const asRecord = (value: unknown): Readonly<Record<string, unknown>> => ({ ...(value as object | undefined) });
