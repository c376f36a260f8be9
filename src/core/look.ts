import { LONGEST_BACKOFF_MS, withJitter } from "./batch.ts";
import type { EventOutcome } from "./strava-event.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS, plusMs, SECOND_MS } from "./units.ts";

/** Strava's terms want what vanishes there withdrawn here so soon after it told us: longer than that no look is tried. */
export const LOOK_WITHIN_MS = 48 * HOUR_MS;
/**
 * An activity that is announced may not be readable yet. It is looked at again so much later each time; what is not there
 * after the last is gone.
 */
export const NOT_FOUND_WAITS_MS: readonly number[] = [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS];
const FIRST_WAIT_MS = 5 * SECOND_MS;

/** Events of one activity that are due together and are of one kind: that it ended, or that something about it is new. */
export type Notice = {
  /** When the first of them came. */
  readonly receivedAtMs: EpochMs;
  /** Looks that did not find it, so far. */
  readonly misses: number;
};

/** What one request to Strava told. */
export type Seen =
  | { readonly saw: "race" }
  | { readonly saw: "other_activity" } // the athlete's, and no race (any more)
  | { readonly saw: "foreign_activity" } // another athlete's
  | { readonly saw: "nothing" } // 404
  | { readonly saw: "refusal" } // any other answer that will not change
  | { readonly saw: "no_access" } // the athlete must connect again
  | { readonly saw: "trouble" } // this time; perhaps not the next
  | { readonly saw: "hold"; readonly untilMs: EpochMs }; // everybody waits

/** What becomes of the events of a notice. */
export type NoticeVerdict =
  | { readonly becomes: "settled"; readonly outcome: EventOutcome }
  | {
      readonly becomes: "due_again";
      readonly atMs: EpochMs;
      readonly misses: number;
      /** Those that came until then are given up instead; undefined: none. */
      readonly givenUpUntilMs: EpochMs | undefined;
    };

export type LookVerdict = {
  /** What becomes of the race: withdrawn only where we hold it. */
  readonly race: "store" | "withdraw" | "leave";
  readonly end: NoticeVerdict | undefined;
  readonly change: NoticeVerdict | undefined;
};

/**
 * Judges one look at an activity. Strava's answer alone decides, whatever the events said and in whatever order they
 * came; they only tell how long it is worth asking again. A 404 counts at once where Strava has told of the end, since
 * then two words agree; else only when it is still there after all waits.
 * @param look.jitter in [0, 1), from the dice.
 */
export function judgeLook(
  seen: Seen,
  look: {
    readonly nowMs: EpochMs;
    readonly jitter: number;
    readonly isHeld: boolean;
    readonly end: Notice | undefined;
    readonly change: Notice | undefined;
  },
): LookVerdict {
  const { isHeld } = look;
  switch (seen.saw) {
    case "race":
      return { race: "store", ...settleBoth(look, "stored") };
    case "other_activity":
      return { race: "withdraw", ...settleBoth(look, "no_race") };
    case "foreign_activity":
      return { race: "leave", ...settleBoth(look, "wrong_athlete") };
    case "nothing": {
      const end = look.end && settled(isHeld ? "withdrawn" : "nothing_held");
      const change = look.change && afterMiss(look.change, look);
      const isBelieved = end !== undefined || change?.becomes === "settled";
      return { race: isBelieved ? "withdraw" : "leave", end, change };
    }
    case "refusal":
      return withEnd(look, { change: look.change && settled("refused"), waitMs: LONGEST_BACKOFF_MS });
    case "no_access":
      return withEnd(look, { change: look.change && settled("needs_reconnect"), waitMs: LONGEST_BACKOFF_MS });
    case "trouble": {
      const change = look.change && again(look.change, look, troubleWaitMs(look.change, look));
      return withEnd(look, { change, waitMs: look.end === undefined ? 0 : troubleWaitMs(look.end, look) });
    }
    case "hold": {
      const waitMs = Math.max(SECOND_MS, seen.untilMs - look.nowMs);
      return withEnd(look, { change: look.change && again(look.change, look, waitMs), waitMs });
    }
    default:
      return seen satisfies never;
  }
}

/** Whether a look at whether the athlete's access is gone is tried again after trouble, and when. */
export function againForGrant(
  notice: Notice,
  look: { readonly nowMs: EpochMs; readonly jitter: number },
  holdUntilMs: EpochMs | undefined,
): NoticeVerdict {
  const waitMs =
    holdUntilMs === undefined ? troubleWaitMs(notice, look) : Math.max(SECOND_MS, holdUntilMs - look.nowMs);
  return again(notice, look, waitMs);
}

type Look = Parameters<typeof judgeLook>[1];

const settled = (outcome: EventOutcome): NoticeVerdict => ({ becomes: "settled", outcome });

function settleBoth({ end, change }: Look, outcome: EventOutcome): Pick<LookVerdict, "end" | "change"> {
  return { end: end && settled(outcome), change: change && settled(outcome) };
}

function afterMiss(notice: Notice, { nowMs, isHeld }: Look): NoticeVerdict {
  const waitMs = NOT_FOUND_WAITS_MS[notice.misses];
  if (waitMs === undefined) return settled(isHeld ? "withdrawn" : "not_found");
  return { becomes: "due_again", atMs: plusMs(nowMs, waitMs), misses: notice.misses + 1, givenUpUntilMs: undefined };
}

/** Where Strava said nothing about the activity: an end that it told of is not forgotten before its time is up. */
function withEnd(look: Look, { change, waitMs }: { change: NoticeVerdict | undefined; waitMs: number }): LookVerdict {
  const { end, nowMs, isHeld } = look;
  if (end === undefined) return { race: "leave", end: undefined, change };
  if (!isHeld) return { race: "leave", end: settled("nothing_held"), change };
  // Once withdrawn, nothing is held that the younger ones could be about.
  if (isPastLooking(end.receivedAtMs, nowMs)) return { race: "withdraw", end: settled("withdrawn"), change };
  return { race: "leave", end: again(end, look, waitMs), change };
}

function again(notice: Notice, { nowMs }: { nowMs: EpochMs }, waitMs: number): NoticeVerdict {
  const atMs = soonest(nowMs, waitMs, plusMs(notice.receivedAtMs, LOOK_WITHIN_MS));
  return { becomes: "due_again", atMs, misses: notice.misses, givenUpUntilMs: plusMs(nowMs, -LOOK_WITHIN_MS) };
}

/** Whether an event is so old that it is judged without Strava where Strava does not answer. */
export function isPastLooking(receivedAtMs: EpochMs, nowMs: EpochMs): boolean {
  return nowMs >= plusMs(receivedAtMs, LOOK_WITHIN_MS);
}

/** So much from now, or at the deadline, where that is still ahead and comes first. */
export function soonest(nowMs: EpochMs, waitMs: number, deadlineMs: EpochMs): EpochMs {
  const atMs = plusMs(nowMs, waitMs);
  return deadlineMs > nowMs && deadlineMs < atMs ? deadlineMs : atMs;
}

/** Doubles the age of the notice with each try, up to a quarter of an hour: no count of tries is needed for that. */
function troubleWaitMs(notice: Notice, { nowMs, jitter }: { nowMs: EpochMs; jitter: number }): number {
  const ageMs = nowMs - notice.receivedAtMs;
  return withJitter(Math.min(LONGEST_BACKOFF_MS, Math.max(FIRST_WAIT_MS, ageMs)), jitter);
}
