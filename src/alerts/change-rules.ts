import { ALERT_RULES, type AlertRule, type AlertRuleName, DEFAULT_ALERT_RULES } from "../core/alert-rules.ts";
import { storeSetting } from "../db/settings.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { SyncContext } from "../sync/context.ts";
import { currentRules } from "./tell-troubles.ts";

/** What to change of each rule: some of its fields, or null to go back to what it is by default. */
export type RulesChange = { readonly [Name in AlertRuleName]?: Partial<AlertRule> | null | undefined };

/** Changes rules at once and over restarts. `by`: whose hand does it. */
export function changeRules(context: SyncContext, change: RulesChange, by: string): void {
  const { db, commits } = context;
  commits.now(() => {
    const before = currentRules(db);
    const changed = ALERT_RULES.filter((name) => change[name] !== undefined);
    const after = Object.fromEntries(
      changed.map((name) => [
        name,
        { ...(change[name] === null ? DEFAULT_ALERT_RULES[name] : before[name]), ...change[name] },
      ]),
    );
    const all = { ...before, ...after };
    // Only what differs is kept, so that better defaults of a later version reach whoever changed nothing.
    const kept = ALERT_RULES.map((name) => [name, differing(all[name], DEFAULT_ALERT_RULES[name])]);
    storeSetting(db, "alert_rules", JSON.stringify(Object.fromEntries(kept)));
    const detail = Object.fromEntries(
      changed.map((name) => [
        name,
        { from: differing(before[name], all[name]), to: differing(all[name], before[name]) },
      ]),
    );
    recordByHand(context, by, { action: "alert_rules.changed", detail });
    commits.afterCommit(context.bell.ring);
  });
}

/** The fields of a rule that are not as in another. */
function differing(rule: AlertRule, other: AlertRule): Partial<AlertRule> {
  const entries = Object.entries(rule) as [keyof AlertRule, AlertRule[keyof AlertRule]][];
  return Object.fromEntries(entries.filter(([name, value]) => other[name] !== value));
}
