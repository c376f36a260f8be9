import type { Notice, NoticeVerdict } from "../../core/look.ts";
import type { StravaObject } from "../../core/strava-event.ts";
import { epochMs } from "../../core/units.ts";
import { addToCounter } from "../../db/counters.ts";
import { type LookedAtEvents, type OpenEvent, postponeEventsOf, settleEventsOf } from "../../db/strava-events.ts";
import type { SyncContext } from "../context.ts";
import type { Asking } from "../requests/ask-strava.ts";

/** One look at what Strava told of: all due events of one object. Each is a trace of its own. */
export type Look = Asking & {
  readonly objectType: StravaObject;
  /** Strava's ids. */
  readonly objectId: number;
  readonly ownerId: number;
  /** The events that are due. */
  readonly events: readonly OpenEvent[];
  /** The newest event when it began: those that came by then are answered by it. */
  readonly throughId: number;
};

/** How a look came out, in a word or two, for its span and the log. */
export type LookResult = string;

/** Events of one kind as one: since the first of them came, and as patient as the newest. */
export function noticeOf(events: readonly OpenEvent[]): Notice | undefined {
  if (events.length === 0) return undefined;
  return {
    receivedAtMs: epochMs(Math.min(...events.map((event) => event.receivedAtMs))),
    misses: Math.min(...events.map((event) => event.misses)),
  };
}

/** Does with the events of a look what was judged. Inside a transaction. */
export function applyVerdict(
  context: SyncContext,
  look: Look,
  judged: {
    readonly aspects: LookedAtEvents["aspects"];
    readonly verdict: NoticeVerdict | undefined;
    /** Why they are due again. */
    readonly error: string | null;
  },
): void {
  const { db, clock } = context;
  const { aspects, verdict, error } = judged;
  if (verdict === undefined) return;
  const nowMs = clock.nowMs();
  const { objectType, objectId, ownerId, throughId } = look;
  const events = { objectType, objectId, ownerId, throughId, aspects };
  if (verdict.becomes === "settled") {
    settleEventsOf(db, events, { outcome: verdict.outcome, nowMs });
    return;
  }
  const { atMs, misses, givenUpUntilMs: receivedUntilMs } = verdict;
  if (receivedUntilMs !== undefined) {
    const givenUp = settleEventsOf(db, events, { outcome: "given_up", nowMs, receivedUntilMs });
    if (givenUp > 0) addToCounter(db, "events_given_up", givenUp, nowMs);
  }
  postponeEventsOf(db, events, { atMs, misses, error, nowMs });
}
