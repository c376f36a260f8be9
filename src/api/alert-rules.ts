import { Elysia, t } from "elysia";
import { changeRules, type RulesChange } from "../alerts/change-rules.ts";
import { currentRules } from "../alerts/tell-troubles.ts";
import { ALERT_RULES, type AlertRule, type AlertRuleName, DEFAULT_ALERT_RULES } from "../core/alert-rules.ts";
import { DAY_MS, MINUTE_MS } from "../core/units.ts";
import type { RouteDeps } from "./deps.ts";
import { refuseUnknownFields } from "./known-fields.ts";
import { BODY_REFUSALS, OrNull, operation, Whole, Word } from "./operation.ts";

const RULE_FIELDS = {
  enabled: t.Boolean({ description: "false: nothing is told by it." }),
  after_occurrences: t.Integer({ description: "Told at the n-th occurrence," }),
  after_ms: OrNull(t.Integer({ description: "or once it has been there for so long; null: by occurrences alone." })),
  resend_after_ms: OrNull(t.Integer({ description: "Told again after so long, while it is there; null: never." })),
  recovery: t.Boolean({ description: "Its end is told too." }),
  recovery_after_ms: t.Integer({ description: "It is over when it has stayed away for so long." }),
};
const RuleJson = t.Object({
  rule: Word(ALERT_RULES),
  ...RULE_FIELDS,
  default: t.Object(RULE_FIELDS, { description: "What it is unless somebody changes it." }),
});
const RulesJson = t.Object({ items: t.Array(RuleJson) });

const Duration = (maximum: number, minimum: number, description: string) => Whole({ minimum, maximum, description });
const RuleChange = t.Optional(
  OrNull(
    t.Object(
      {
        enabled: t.Optional(t.Boolean()),
        after_occurrences: t.Optional(Whole({ minimum: 1, maximum: 1_000, description: "1 to 1,000." })),
        after_ms: t.Optional(OrNull(Duration(7 * DAY_MS, 0, "0 to 7 d; null: by occurrences alone."))),
        resend_after_ms: t.Optional(OrNull(Duration(30 * DAY_MS, MINUTE_MS, "1 min to 30 d; null: never."))),
        recovery: t.Optional(t.Boolean()),
        recovery_after_ms: t.Optional(Duration(DAY_MS, 0, "0 to 1 d.")),
      },
      { minProperties: 1, additionalProperties: false },
    ),
  ),
);
type RuleChange = (typeof RuleChange)["static"];
const RulesChangeBody = t.Object(
  Object.fromEntries(ALERT_RULES.map((name) => [name, RuleChange])) as Record<AlertRuleName, typeof RuleChange>,
  { minProperties: 1, additionalProperties: false },
);

/** By which rules troubles are told. */
export function alertRuleRoutes({ context, actorOf }: RouteDeps) {
  const show = (): typeof RulesJson.static => {
    const rules = currentRules(context.db);
    return {
      items: ALERT_RULES.map((rule) => ({
        rule,
        ...showRule(rules[rule]),
        default: showRule(DEFAULT_ALERT_RULES[rule]),
      })),
    };
  };
  return new Elysia({ prefix: "/api/admin/alerts" })
    .get("/rules", show, {
      detail: operation({
        tag: "Alerts",
        scope: "read",
        summary: "Shows by which rules troubles are told",
        answers: { 200: { description: "As they are now.", schema: RulesJson } },
      }),
    })
    .patch(
      "/rules",
      ({ body, request }) => {
        const change = ALERT_RULES.map((name) => [name, ruleChangeIn(body[name])]);
        changeRules(context, Object.fromEntries(change) as RulesChange, actorOf(request));
        return show();
      },
      {
        body: RulesChangeBody,
        transform: refuseUnknownFields(RulesChangeBody),
        detail: operation({
          tag: "Alerts",
          scope: "admin",
          summary: "Changes rules; null in place of a rule goes back to its default",
          description: "At once, and over restarts; recorded in the audit.",
          answers: { 200: { description: "As they are now.", schema: RulesJson } },
          refusals: BODY_REFUSALS,
        }),
      },
    );
}

function showRule(rule: AlertRule) {
  return {
    enabled: rule.isEnabled,
    after_occurrences: rule.afterOccurrences,
    after_ms: rule.afterMs,
    resend_after_ms: rule.resendAfterMs,
    recovery: rule.tellsRecovery,
    recovery_after_ms: rule.recoveryAfterMs,
  };
}

/** What stands in a body is changed, and nothing else. */
function ruleChangeIn(change: RuleChange | undefined): Partial<AlertRule> | null | undefined {
  if (change === undefined || change === null) return change;
  return {
    ...(change.enabled === undefined ? {} : { isEnabled: change.enabled }),
    ...(change.after_occurrences === undefined ? {} : { afterOccurrences: change.after_occurrences }),
    ...(change.after_ms === undefined ? {} : { afterMs: change.after_ms }),
    ...(change.resend_after_ms === undefined ? {} : { resendAfterMs: change.resend_after_ms }),
    ...(change.recovery === undefined ? {} : { tellsRecovery: change.recovery }),
    ...(change.recovery_after_ms === undefined ? {} : { recoveryAfterMs: change.recovery_after_ms }),
  };
}
