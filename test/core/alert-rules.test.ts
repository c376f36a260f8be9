import { describe, expect, test } from "bun:test";
import {
  ALERT_RULES,
  type AlertRule,
  DEFAULT_ALERT_RULES,
  judgeTrouble,
  readAlertRules,
  type UnsettledTrouble,
} from "../../src/core/alert-rules.ts";
import { DAY_MS, epochMs, HOUR_MS, MINUTE_MS } from "../../src/core/units.ts";

const NOW = epochMs(Date.UTC(2025, 10, 17, 12));
const ago = (durationMs: number) => epochMs(NOW - durationMs);
const AWAKE = { nowMs: NOW, sinceMs: ago(30 * DAY_MS), graceUntilMs: ago(29 * DAY_MS) };

const trouble = (values: Partial<UnsettledTrouble> = {}): UnsettledTrouble => ({
  rule: "sync_failed",
  openedAtMs: NOW,
  occurrences: 1,
  notifiedAtMs: null,
  closedAtMs: null,
  ...values,
});
const rule = (values: Partial<AlertRule> = {}): AlertRule => ({
  isEnabled: true,
  afterOccurrences: 3,
  afterMs: HOUR_MS,
  resendAfterMs: 6 * HOUR_MS,
  tellsRecovery: true,
  recoveryAfterMs: 10 * MINUTE_MS,
  ...values,
});

describe("damping", () => {
  test("told at the n-th occurrence, and not before", () => {
    const told = [1, 2, 3, 4].map((occurrences) => judgeTrouble(trouble({ occurrences }), rule(), AWAKE));
    expect(told).toEqual(["nothing", "nothing", "alert", "alert"]);
  });

  test("told once it has been open for the duration: not just before, at it, and just after", () => {
    const told = [HOUR_MS - 1, HOUR_MS, HOUR_MS + 1].map((openForMs) =>
      judgeTrouble(trouble({ openedAtMs: ago(openForMs) }), rule(), AWAKE),
    );
    expect(told).toEqual(["nothing", "alert", "alert"]);
    const forever = trouble({ openedAtMs: ago(9 * DAY_MS) });
    expect(judgeTrouble(forever, rule({ afterMs: null }), AWAKE)).toBe("nothing");
  });

  test("told again after the interval since it was last told, and never where there is none", () => {
    const told = [6 * HOUR_MS - 1, 6 * HOUR_MS, 6 * HOUR_MS + 1].map((sinceMs) =>
      judgeTrouble(trouble({ occurrences: 99, notifiedAtMs: ago(sinceMs) }), rule(), AWAKE),
    );
    expect(told).toEqual(["nothing", "reminder", "reminder"]);
    expect(judgeTrouble(trouble({ notifiedAtMs: NOW }), rule(), AWAKE)).toBe("nothing");
    const old = trouble({ notifiedAtMs: ago(99 * DAY_MS) });
    expect(judgeTrouble(old, rule({ resendAfterMs: null }), AWAKE)).toBe("nothing");
  });

  test("its end is told once it has stayed away for a while, and only to those who were told of it", () => {
    const told = [10 * MINUTE_MS - 1, 10 * MINUTE_MS, 10 * MINUTE_MS + 1].map((overForMs) =>
      judgeTrouble(trouble({ notifiedAtMs: ago(DAY_MS), closedAtMs: ago(overForMs) }), rule(), AWAKE),
    );
    expect(told).toEqual(["nothing", "recovery", "recovery"]);
    const over = { closedAtMs: ago(HOUR_MS) };
    expect(judgeTrouble(trouble({ ...over, occurrences: 9 }), rule(), AWAKE)).toBe("settled");
    const known = trouble({ ...over, notifiedAtMs: ago(DAY_MS) });
    expect(judgeTrouble(known, rule({ tellsRecovery: false }), AWAKE)).toBe("settled");
  });

  test("a rule that is switched off tells nothing, and what ends under it is settled", () => {
    const off = rule({ isEnabled: false });
    expect(judgeTrouble(trouble({ occurrences: 99 }), off, AWAKE)).toBe("nothing");
    expect(judgeTrouble(trouble({ notifiedAtMs: ago(DAY_MS) }), off, AWAKE)).toBe("nothing");
    const over = trouble({ notifiedAtMs: ago(DAY_MS), closedAtMs: ago(HOUR_MS) });
    expect(judgeTrouble(over, off, AWAKE)).toBe("settled");
  });
});

describe("the daemon's own absence", () => {
  test("does not count as time that a trouble was open", () => {
    const opened = trouble({ openedAtMs: ago(DAY_MS) });
    const awake = (sinceMs: number) => ({ ...AWAKE, sinceMs: ago(sinceMs) });
    expect(judgeTrouble(opened, rule(), awake(HOUR_MS - 1))).toBe("nothing");
    expect(judgeTrouble(opened, rule(), awake(HOUR_MS))).toBe("alert");
  });

  test("holds verdicts on age back for one grace interval, and facts not at all", () => {
    const inGrace = { ...AWAKE, graceUntilMs: epochMs(NOW + 1) };
    const graceOver = { ...AWAKE, graceUntilMs: NOW };
    for (const name of ["stall_not_repaired", "monitor_silent"] as const) {
      const loud = trouble({ rule: name, occurrences: 99 });
      expect(judgeTrouble(loud, rule(), inGrace)).toBe("nothing");
      expect(judgeTrouble(loud, rule(), graceOver)).toBe("alert");
    }
    expect(judgeTrouble(trouble({ occurrences: 99 }), rule(), inGrace)).toBe("alert");
  });

  test("a clock set back makes nothing wait for a moment in the future", () => {
    const future = epochMs(NOW + 400 * DAY_MS);
    expect(judgeTrouble(trouble({ notifiedAtMs: future }), rule(), AWAKE)).toBe("reminder");
    expect(judgeTrouble(trouble({ notifiedAtMs: ago(0), closedAtMs: future }), rule(), AWAKE)).toBe("recovery");
    expect(judgeTrouble(trouble({ openedAtMs: future }), rule(), AWAKE)).toBe("nothing");
  });
});

describe("rules as stored", () => {
  test("are the defaults with what somebody changed", () => {
    const rules = readAlertRules({ sync_failed: { afterOccurrences: 2, resendAfterMs: null } });
    expect(rules.sync_failed).toEqual({
      ...DEFAULT_ALERT_RULES.sync_failed,
      afterOccurrences: 2,
      resendAfterMs: null,
    });
    expect(rules.app_inactive).toEqual(DEFAULT_ALERT_RULES.app_inactive);
    expect(Object.keys(rules)).toEqual([...ALERT_RULES]);
  });

  test("stay as they are by default where a hand has written what makes no sense", () => {
    for (const nonsense of [undefined, null, 7, "x", [], { sync_failed: 3, unknown_rule: {} }])
      expect(readAlertRules(nonsense)).toEqual(DEFAULT_ALERT_RULES);
    const senseless = { isEnabled: "no", afterOccurrences: 0, afterMs: -1, resendAfterMs: "1h", recoveryAfterMs: null };
    expect(readAlertRules({ sync_failed: senseless })).toEqual(DEFAULT_ALERT_RULES);
  });
});

describe("rules as they are by default", () => {
  const atOnce = { isEnabled: true, afterOccurrences: 1, afterMs: null, tellsRecovery: true, recoveryAfterMs: 0 };

  test("tell at once, and again in a rhythm that fits the trouble; a stall is given time to be healed first", () => {
    expect(DEFAULT_ALERT_RULES).toEqual({
      stall_not_repaired: {
        isEnabled: true,
        afterOccurrences: 6,
        afterMs: HOUR_MS,
        resendAfterMs: 6 * HOUR_MS,
        tellsRecovery: true,
        recoveryAfterMs: 10 * MINUTE_MS,
      },
      sync_failed: { ...atOnce, resendAfterMs: DAY_MS },
      needs_reconnect: { ...atOnce, resendAfterMs: 7 * DAY_MS },
      app_inactive: { ...atOnce, resendAfterMs: 6 * HOUR_MS, recoveryAfterMs: 5 * MINUTE_MS },
      quota_exhausted: { ...atOnce, resendAfterMs: DAY_MS },
      monitor_silent: { ...atOnce, resendAfterMs: HOUR_MS, recoveryAfterMs: 5 * MINUTE_MS },
      backup_failed: { ...atOnce, resendAfterMs: DAY_MS },
    });
  });
});

describe("what makes sense in a rule", () => {
  const read = (stored: unknown) => readAlertRules({ sync_failed: stored }).sync_failed;
  const usual = DEFAULT_ALERT_RULES.sync_failed;

  test("a count of one or more, a duration of nothing or more, yes or no", () => {
    expect(read({ afterOccurrences: 2 }).afterOccurrences).toBe(2);
    expect(read({ afterMs: 0, recoveryAfterMs: 0.5 })).toMatchObject({ afterMs: 0, recoveryAfterMs: 0.5 });
    expect(read({ isEnabled: false, tellsRecovery: false })).toMatchObject({ isEnabled: false, tellsRecovery: false });
    const stall = readAlertRules({ stall_not_repaired: { afterOccurrences: 1 } }).stall_not_repaired;
    expect(stall).toEqual({ ...DEFAULT_ALERT_RULES.stall_not_repaired, afterOccurrences: 1 });
  });

  test.each([
    { afterOccurrences: 0 },
    { afterOccurrences: 1.5 },
    { afterOccurrences: "2" },
    { afterMs: -1 },
    { afterMs: "3" },
    { afterMs: Number.NaN },
    { resendAfterMs: true },
    { recoveryAfterMs: null },
    { recoveryAfterMs: "3" },
    { isEnabled: 0 },
    { isEnabled: null },
    { tellsRecovery: "no" },
  ])("not %j: it stays as it is by default", (stored) => {
    expect(read(stored)).toEqual(usual);
  });

  test.each([null, "off", 0])("and a rule is no %j", (stored) => {
    expect(read(stored)).toEqual(usual);
    expect(readAlertRules(stored)).toEqual(DEFAULT_ALERT_RULES);
  });
});
