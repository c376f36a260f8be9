import {
  ALERT_RULES,
  type AlertRuleName,
  type AlertRules,
  type Awake,
  judgeTrouble,
  readAlertRules,
  type Telling,
} from "../core/alert-rules.ts";
import { rollHex } from "../core/dice.ts";
import { readEnabledChannels } from "../db/alert-channels.ts";
import { insertMessage } from "../db/alert-messages.ts";
import { noteTroublesTold, readUnsettledTroubles, settleTroubles } from "../db/alert-troubles.ts";
import type { Db } from "../db/open.ts";
import type { AlertTroubleRow } from "../db/schema-alerts.ts";
import { readSetting } from "../db/settings.ts";
import { readStoredJson } from "../db/stored-json.ts";
import type { SyncContext } from "../sync/context.ts";
import { composeAlert, type Said } from "./compose.ts";

export type TellingParts = { readonly traceUrl: (traceId: string) => string | null };

const PAGE = 500;
/** More of one rule in one pass are told together: nobody reads two hundred messages. */
const TOLD_APART = 3;

/** The rules as they are now. */
export function currentRules(db: Db): AlertRules {
  const stored = readSetting(db, "alert_rules");
  return readAlertRules(stored === undefined ? undefined : readStoredJson(stored));
}

/**
 * Decides what is told of every trouble, and puts it into the outbox, once for each channel: in one transaction with the
 * note that it was told. Where there is no channel nothing is told, and stays to be told to the first.
 * @returns messages that were put into the outbox.
 */
export async function tellTroubles(context: SyncContext, parts: TellingParts, awake: Awake): Promise<number> {
  // A look without the write lock, so that an idle pass writes nothing.
  if (!decide(context.db, awake).some(({ telling }) => telling !== "nothing")) return 0;
  return context.commits.soon(() => tell(context, parts, awake));
}

type Decided = { readonly telling: Telling; readonly trouble: AlertTroubleRow };

function decide(db: Db, awake: Awake): readonly Decided[] {
  const unsettled = readAllUnsettled(db);
  if (unsettled.length === 0) return [];
  const rules = currentRules(db);
  return unsettled.flatMap((trouble) => {
    const rule = ALERT_RULES.find((name) => name === trouble.rule);
    // Of a rule that is none (a hand wrote it), nothing is told.
    return rule === undefined ? [] : [{ trouble, telling: judgeTrouble({ ...trouble, rule }, rules[rule], awake) }];
  });
}

function readAllUnsettled(db: Db): readonly AlertTroubleRow[] {
  const all: AlertTroubleRow[] = [];
  for (let afterId = 0; ; ) {
    const page = readUnsettledTroubles(db, afterId, PAGE);
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    afterId = last.id;
  }
}

function tell(context: SyncContext, parts: TellingParts, awake: Awake): number {
  const { db } = context;
  const { nowMs } = awake;
  const decided = decide(db, awake);
  const idsOf = (...tellings: Telling[]) =>
    decided.filter(({ telling }) => tellings.includes(telling)).map(({ trouble }) => trouble.id);
  settleTroubles(db, idsOf("recovery", "settled"), nowMs);
  const channels = readEnabledChannels(db);
  if (channels.length === 0) return 0;
  noteTroublesTold(db, idsOf("alert", "reminder"), nowMs);
  const messages = whatIsSaid(decided).flatMap((said) => {
    const content = composeAlert(said, {
      id: `msg_${rollHex(context.dice, 16)}`,
      nowMs,
      linkTo: context.links.api,
      traceUrl: parts.traceUrl,
    });
    const troubleId = said.troubles.length === 1 ? (said.troubles[0]?.id ?? null) : null;
    return channels.map(({ id: channelId }) =>
      insertMessage(db, { troubleId, channelId, kind: said.telling, content: JSON.stringify(content), nowMs }),
    );
  });
  return messages.length;
}

/** Few of a rule are told one by one, many together. */
function whatIsSaid(decided: readonly Decided[]): readonly Said[] {
  return ALERT_RULES.flatMap((rule) =>
    (["alert", "reminder", "recovery"] as const).flatMap((telling): Said[] => {
      const troubles = decided
        .filter((one) => one.telling === telling && one.trouble.rule === rule)
        .map(({ trouble }) => trouble);
      if (troubles.length > TOLD_APART) return [{ telling, rule: rule satisfies AlertRuleName, troubles }];
      return troubles.map((trouble) => ({ telling, rule, troubles: [trouble] }));
    }),
  );
}
