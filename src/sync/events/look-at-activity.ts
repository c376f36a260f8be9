import type { DetailedActivity } from "../../core/activity.ts";
import { isRetryable } from "../../core/fault.ts";
import { judgeLook, type Seen } from "../../core/look.ts";
import { isRace } from "../../core/race.ts";
import { readAthlete } from "../../db/athletes.ts";
import { addToCounter } from "../../db/counters.ts";
import { findHeldRace, storeLookedAtRace } from "../../db/looked-at-races.ts";
import { withdrawIfHeld } from "../../db/races.ts";
import type { AthleteRow } from "../../db/schema-athletes.ts";
import { readSyncInProgress } from "../../db/syncs.ts";
import type { SyncContext } from "../context.ts";
import { requireReconnect } from "../end-sync.ts";
import { type Answer, askStrava } from "../requests/ask-strava.ts";
import { applyVerdict, type Look, type LookResult, noticeOf } from "./event-look.ts";
import { holdError } from "./hold-looks.ts";

/**
 * Looks at one activity that Strava told of: one request, whatever and however much it told. What the answer says is
 * stored, with what becomes of the events, in one transaction.
 */
export async function lookAtActivity(context: SyncContext, look: Look): Promise<LookResult> {
  const answer = await ask(context, look);
  // Nothing is written, and its events stay due: at once where no place came free, or at the next start.
  if (answer.got === "called_off" || answer.got === "crowded_out") return answer.got;
  return context.commits.soon(() => settleLook(context, look, answer));
}

type Told = Exclude<Answer<DetailedActivity>, { got: "called_off" | "crowded_out" }>;

async function ask(context: SyncContext, look: Look): Promise<Answer<DetailedActivity>> {
  // While everybody waits, no token is asked for either.
  const hold = context.governor.hold(look.syncClass);
  if (hold !== undefined) return { got: "hold", hold };
  const raceId = findHeldRace(context.db, look.athleteId, look.objectId);
  return askStrava(context, look, {
    name: "strava.get_activity",
    phase: "event",
    item: `activity ${look.objectId}`,
    // Whosever the failure is, what is to be done about an event that is too old is the same.
    isLastTry: false,
    attributes: raceId === undefined ? {} : { "broomwagon.race.id": raceId },
    send: (strava, accessToken) => strava.getActivity(accessToken, look.objectId, look.signal),
  });
}

function settleLook(context: SyncContext, look: Look, answer: Told): LookResult {
  const { db, clock, dice } = context;
  const nowMs = clock.nowMs();
  const athlete = readAthlete(db, look.athleteId);
  // Erased meanwhile: nothing of theirs may come back, and their events went with them.
  if (athlete === undefined) return "erased";
  if (answer.got === "value" || answer.got === "fault") addToCounter(db, "events_looked_at", 1, nowMs);
  if (answer.got === "reconnect") requireReconnect(context, athlete.id, answer);
  const seen = see(context, athlete, answer);
  const verdict = judgeLook(seen, {
    nowMs,
    jitter: dice(),
    isHeld: findHeldRace(db, athlete.id, look.objectId) !== undefined,
    end: noticeOf(look.events.filter((event) => event.aspect === "delete")),
    change: noticeOf(look.events.filter((event) => event.aspect !== "delete")),
  });
  if (verdict.race === "store" && answer.got === "value") store(context, athlete, answer.value);
  if (verdict.race === "withdraw") withdrawIfHeld(db, athlete.id, look.objectId, nowMs, REASONS[seen.saw]);
  const error = errorOf(answer);
  applyVerdict(context, look, { aspects: "delete", verdict: verdict.end, error });
  applyVerdict(context, look, { aspects: "change", verdict: verdict.change, error });
  return seen.saw;
}

/** Why a race is withdrawn, by what was seen last. */
const REASONS: Readonly<Record<Seen["saw"], string>> = {
  race: "",
  foreign_activity: "",
  other_activity: "no longer tagged as a race",
  nothing: "Strava does not show it any more",
  refusal: "Strava told of its end, and gave no other answer for 48 hours",
  no_access: "Strava told of its end, and the athlete has been disconnected for 48 hours since",
  trouble: "Strava told of its end, and could not be asked for 48 hours",
  hold: "Strava told of its end, and could not be asked for 48 hours",
};

function see(context: SyncContext, athlete: AthleteRow, answer: Told): Seen {
  switch (answer.got) {
    case "value":
      if (answer.value.athleteStravaId !== athlete.stravaId) return { saw: "foreign_activity" };
      return { saw: isRace(answer.value, context.rules) ? "race" : "other_activity" };
    case "fault":
      if (answer.fault.kind === "not_found") return { saw: "nothing" };
      return { saw: isRetryable(answer.fault) ? "trouble" : "refusal" };
    case "reconnect":
      return { saw: "no_access" };
    case "trouble":
      return { saw: "trouble" };
    case "hold":
      return { saw: "hold", untilMs: answer.hold.untilMs };
    default:
      return answer satisfies never;
  }
}

function store(context: SyncContext, athlete: AthleteRow, activity: DetailedActivity): void {
  const { db, clock } = context;
  // A list that is being read may have passed its place: what Strava showed just now must not count as vanished.
  const syncId = readSyncInProgress(db, athlete.id)?.id ?? null;
  storeLookedAtRace(db, { athleteId: athlete.id, activity, syncId, nowMs: clock.nowMs() });
}

function errorOf(answer: Told): string | null {
  switch (answer.got) {
    case "value":
      return null;
    case "fault":
      return answer.fault.message;
    case "reconnect":
      return answer.reason;
    case "trouble":
      return answer.error;
    case "hold":
      return holdError(answer.hold);
    default:
      return answer satisfies never;
  }
}
