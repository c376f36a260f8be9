import { againForGrant, type NoticeVerdict } from "../../core/look.ts";
import type { EventOutcome } from "../../core/strava-event.ts";
import { forgetAthlete } from "../athletes/forget-athlete.ts";
import type { SyncContext } from "../context.ts";
import { requireReconnect } from "../end-sync.ts";
import type { Processor } from "../processor.ts";
import type { TokenAnswer } from "../requests/tokens.ts";
import { applyVerdict, type Look, type LookResult, noticeOf } from "./event-look.ts";
import { holdError } from "./hold-looks.ts";

/**
 * Strava told that an athlete has taken the access back. That is verified, never believed: only when Strava refuses the
 * refresh token twice is the athlete erased, at once, with whatever sync was in progress; and only where it cannot be
 * refused for a newer one that was lost. Else the athlete has to connect again, and is erased when they do not.
 */
export async function verifyGrant(context: SyncContext, processor: Processor, look: Look): Promise<LookResult> {
  const { athleteId, syncClass, signal, span: parent } = look;
  const answer = await context.tokens.verifyGrant({ athleteId, syncClass, signal, parent });
  if (answer.got === "called_off") return "called_off";
  if (answer.got === "reconnect" && answer.isProof && answer.refused !== undefined) {
    // Their events go with them.
    if (forgetAthlete(context, processor, athleteId, { refused: answer.refused })) return "revoked";
    return context.commits.soon(() => settleUnrevoked(context, look, CONNECTED_AGAIN));
  }
  return context.commits.soon(() => settleUnrevoked(context, look, answer));
}

/** The grant that was given since may have been taken back as well: it is looked at too. */
const CONNECTED_AGAIN: TokenAnswer & { got: "trouble" } = {
  got: "trouble",
  error: "The athlete connected again meanwhile.",
};

function settleUnrevoked(
  context: SyncContext,
  look: Look,
  answer: Exclude<TokenAnswer, { got: "called_off" }>,
): LookResult {
  switch (answer.got) {
    case "token":
      applyVerdict(context, look, { aspects: "all", verdict: settled("false_alarm"), error: null });
      return "false_alarm";
    case "reconnect":
      // Nothing is stored that Strava could be asked with, or what is stored may be refused for our own loss.
      requireReconnect(context, look.athleteId, answer);
      applyVerdict(context, look, { aspects: "all", verdict: settled("needs_reconnect"), error: answer.reason });
      return "no_access";
    case "trouble":
      again(context, look, answer.error, undefined);
      return "trouble";
    case "hold":
      again(context, look, holdError(answer.hold), answer.hold.untilMs);
      return "hold";
    default:
      return answer satisfies never;
  }
}

const settled = (outcome: EventOutcome): NoticeVerdict => ({ becomes: "settled", outcome });

function again(
  context: SyncContext,
  look: Look,
  error: string,
  holdUntilMs: Parameters<typeof againForGrant>[2],
): void {
  const { clock, dice } = context;
  const notice = noticeOf(look.events);
  if (notice === undefined) return;
  const verdict = againForGrant(notice, { nowMs: clock.nowMs(), jitter: dice() }, holdUntilMs);
  applyVerdict(context, look, { aspects: "all", verdict, error });
}
