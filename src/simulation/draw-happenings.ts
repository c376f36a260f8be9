import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import type { FaultAction, FaultRule } from "../sandbox/faults.ts";
import {
  clientInvalid,
  RATE_LIMIT_EXCEEDED_SHORT,
  READ_PERMISSION_MISSING,
  REFRESH_TOKEN_INVALID,
} from "../sandbox/strava-errors.ts";
import { drawClockFarAhead } from "./draw-clock-far-ahead.ts";
import { drawClockSetBack } from "./draw-clock-set-back.ts";
import { drawClockSetRight } from "./draw-clock-set-right.ts";
import { drawLostPair } from "./draw-lost-pair.ts";
import { DEED_NAMES } from "./hand.ts";
import type { AthleteDeed, Happening, MachineTrouble, Moment, PersonsDeed, Setting, StravaTrouble } from "./plan.ts";
import type { Rolls } from "./rolls.ts";

type Happens = AthleteDeed | StravaTrouble | MachineTrouble | PersonsDeed;

/** What a club does in its weeks, and what befalls it: some seeds are quiet, and some are not. */
export function drawHappenings(rolls: Rolls, plan: Setting, weeks: number): readonly Happening[] {
  const happenings: Happening[] = [];
  const add = (afterMs: number, happens: Happens, on?: Moment["on"]): void => {
    if (afterMs >= plan.durationMs) return;
    const moment = { afterMs: Math.max(2 * MINUTE_MS, Math.floor(afterMs)), ...(on === undefined ? {} : { on }) };
    happenings.push({ ...moment, ...happens });
  };
  const anyTime = () => rolls.whole(2 * MINUTE_MS, plan.durationMs - HOUR_MS);
  // Syncs by hand, so that there is something to be disturbed; trouble comes mostly while one runs.
  const busy: { readonly afterMs: number; readonly athlete: number }[] = [];
  for (let n = rolls.whole(3, 7) * weeks; n > 0; n--) {
    const [afterMs, athlete] = [anyTime(), rolls.whole(0, 9)];
    busy.push({ afterMs, athlete });
    add(afterMs, {
      what: "start_sync",
      athlete,
      mode: rolls.pick(["full", "full", "incremental"]),
      restart: rolls.chance(0.3),
    });
  }
  const inTheMiddle = () =>
    rolls.chance(0.75) ? rolls.pick(busy).afterMs + rolls.skewed(0, 10 * MINUTE_MS) : anyTime();
  for (let n = rolls.whole(3, 14) * weeks; n > 0; n--) add(anyTime(), drawAthleteDeed(rolls));
  const troubles = rolls.pick([0, 4, 8, 12, 20, 30]) * weeks;
  for (let n = 0; n < troubles; n++) {
    const on = rolls.chance(0.6) ? drawEdge(rolls) : undefined;
    const trouble = drawTrouble(rolls);
    const begun = rolls.pick(busy);
    // What waits for its edge, and what a sync is to meet at Strava, is set just before the work begins: it lasts for seconds.
    const isMet = on !== undefined || (isOfRequests(trouble) && rolls.chance(0.9));
    const afterMs = isMet ? begun.afterMs - 1 : inTheMiddle();
    if (trouble.what === "spend_quota" && rolls.chance(0.7)) {
      // Nearly all of a quarter: the work meets its end.
      add(afterMs, { ...trouble, requests: Math.max(1, plan.strava.quarterLimit - rolls.whole(0, 20)) }, on);
      continue;
    }
    add(afterMs, trouble, on);
    // A token that is good is not refreshed, and the detail of a race that has not changed is not asked for.
    const kind = trouble.what === "strava_fault" ? trouble.rule.match?.kind : undefined;
    if (kind === "token") add(afterMs, { what: "token_dies", athlete: begun.athlete });
    for (let days = kind === "detail" ? 3 : 0; days > 0; days--) {
      const beganAgoMs = days * DAY_MS + rolls.whole(0, 600) * MINUTE_MS;
      add(afterMs, { what: "upload", athlete: begun.athlete, isRace: true, beganAgoMs, isPrivate: false });
    }
  }
  const addAll = (all: readonly Happening[]): void => {
    happenings.push(...all.filter(({ afterMs }) => afterMs > 0 && afterMs < plan.durationMs));
  };
  if (troubles > 0 && rolls.chance(0.4)) addAll(drawClockSetRight(rolls, anyTime()));
  if (troubles > 0 && rolls.chance(0.15)) addAll(drawClockFarAhead(rolls, anyTime()));
  if (troubles > 0 && rolls.chance(0.15)) addAll(drawClockSetBack(rolls, plan, anyTime()));
  if (troubles > 0 && rolls.chance(0.15)) addAll(drawLostPair(rolls, anyTime()));
  return happenings.sort((a, b) => a.afterMs - b.afterMs);
}

const isOfRequests = ({ what }: Happens): boolean => what === "strava_fault" || what === "spend_quota";

const drawEdge = (rolls: Rolls): Moment["on"] => ({
  edge: rolls.pick(["timer", "request", "answered", "committed"] as const),
  nth: rolls.skewed(1, 60),
});

function drawAthleteDeed(rolls: Rolls): AthleteDeed {
  const athlete = rolls.whole(0, 9);
  const kind = rolls.whole(0, 19);
  if (kind < 9) {
    const beganAgoMs = rolls.chance(0.3) ? rolls.whole(1, 40 * 24) * HOUR_MS : rolls.whole(1, 180) * MINUTE_MS;
    return { what: "upload", athlete, isRace: rolls.chance(0.5), beganAgoMs, isPrivate: rolls.chance(0.15) };
  }
  if (kind < 15) {
    const to = rolls.pick(["other_name", "race", "no_race", "private", "public"] as const);
    return { what: "edit", athlete, activity: rolls.whole(0, 400), to };
  }
  if (kind < 18) return { what: "delete", athlete, activity: rolls.whole(0, 400) };
  if (rolls.chance(0.4)) return { what: "revoke", athlete };
  return rolls.chance(0.6)
    ? { what: "sign_in", athlete }
    : { what: "sign_in", athlete, allows: rolls.pick(["nothing_private", "no_activities", "nothing"] as const) };
}

function drawTrouble(rolls: Rolls): Happens {
  const kind = rolls.whole(0, 9);
  if (kind < 4) return drawMachineTrouble(rolls);
  if (kind < 7) return drawStravaTrouble(rolls);
  return drawPersonsDeed(rolls);
}

function drawMachineTrouble(rolls: Rolls): MachineTrouble {
  switch (rolls.whole(0, 9)) {
    case 0:
    case 1:
    case 2: {
      const edge = rolls.pick([
        "call",
        "write",
        "begin",
        "commit",
        "committed",
        "timer",
        "request",
        "answered",
      ] as const);
      const downMs = rolls.chance(0.8) ? rolls.whole(1, 300) * SECOND_MS : rolls.whole(1, 600) * MINUTE_MS;
      return { what: "crash", edge, nth: rolls.skewed(1, edge === "call" || edge === "write" ? 400 : 40), downMs };
    }
    case 3:
      return { what: "stop", downMs: rolls.whole(1, 1_800) * SECOND_MS };
    case 4:
      return { what: "sleep", forMs: rolls.skewed(1, 600) * MINUTE_MS };
    case 5:
      return {
        what: "wrong_clock",
        byMs: rolls.pick([-1, 1]) * rolls.skewed(1, 1_440) * MINUTE_MS,
        forMs: rolls.skewed(1, 600) * MINUTE_MS,
      };
    case 6: {
      const code = rolls.pick(["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR"] as const);
      const edge = rolls.pick(FAILS_AT[code]);
      return {
        what: "database_fails",
        code,
        edge,
        nth: rolls.skewed(1, 60),
        times: rolls.skewed(1, 20),
        rollsBack: code !== "SQLITE_BUSY" && rolls.chance(0.5),
      };
    }
    case 7:
      return { what: "locked", forMs: rolls.skewed(1, 240) * SECOND_MS };
    case 8:
      return { what: "slow_statement", nth: rolls.skewed(1, 200), takesMs: rolls.skewed(50, 90_000) };
    default:
      return { what: "second_process", forMs: rolls.skewed(1, 60) * MINUTE_MS };
  }
}

/** Where the driver shows them. */
const FAILS_AT = {
  SQLITE_BUSY: ["begin", "begin", "call", "commit"],
  SQLITE_FULL: ["write", "commit"],
  SQLITE_IOERR: ["call", "write", "commit"],
} as const;

function drawStravaTrouble(rolls: Rolls): StravaTrouble {
  const athlete = rolls.whole(0, 9);
  switch (rolls.whole(0, 13)) {
    case 13:
      return {
        what: "capacity",
        athletes: rolls.whole(0, 3),
        forMs: rolls.whole(1, 72) * HOUR_MS,
        refusesAt: rolls.pick(["authorization", "exchange"] as const),
      };
    case 0:
      return { what: "spend_quota", requests: rolls.whole(1, 120) };
    case 1:
      return { what: "other_client", share: rolls.whole(5, 60) / 100, forMs: rolls.whole(1, 48) * HOUR_MS };
    case 2:
      return {
        what: "other_limits",
        quarterLimit: rolls.whole(5, 200),
        dayLimit: rolls.whole(60, 2_000),
        forMs: rolls.whole(1, 24) * HOUR_MS,
      };
    case 3:
      return { what: "token_dies", athlete };
    case 4:
      return {
        what: "events_go_astray",
        levers: {
          drop: rolls.whole(0, 5) / 10,
          double: rolls.whole(0, 5) / 10,
          delayMs: { min: 0, max: rolls.whole(0, 600) * SECOND_MS },
          hold: rolls.chance(0.2),
        },
        forMs: rolls.whole(1, 48) * HOUR_MS,
      };
    case 5:
      return drawFlood(rolls);
    default:
      return { what: "strava_fault", rule: drawFault(rolls), ...(rolls.chance(0.25) ? { athlete } : {}) };
  }
}

function drawFlood(rolls: Rolls): StravaTrouble {
  const of = rolls.pick([
    "activities",
    "activities",
    "deletions",
    "deauthorizations",
    "foreign",
    "garbage",
    "megabytes",
  ] as const);
  return { what: "event_flood", events: rolls.skewed(1, of === "megabytes" ? 4 : 200), of };
}

function drawFault(rolls: Rolls): FaultRule {
  const kind = rolls.pick([undefined, "list", "detail", "detail", "token", "athlete"] as const);
  const times = rolls.chance(0.6) ? rolls.skewed(1, 30) : 100_000;
  return {
    match: {
      nth: rolls.skewed(1, 4),
      ...(kind === undefined ? {} : { kind }),
      ...(kind === "list" && rolls.chance(0.25) ? { page: rolls.pick([1, 1, 2]) } : {}),
      ...(rolls.chance(0.3) ? { share: rolls.whole(1, 10) / 10 } : {}),
    },
    times,
    // An outage ends; what is for good is not Strava's way, but for a single thing.
    forMs: rolls.skewed(5, 12 * 60) * MINUTE_MS,
    action: drawAction(rolls),
  };
}

const ACTIONS: readonly FaultAction[] = [
  { type: "status", status: 500 },
  { type: "status", status: 503 },
  { type: "status", status: 429, rateHeaders: false },
  { type: "status", status: 401 },
  { type: "status", status: 403 },
  { type: "status", status: 404 },
  { type: "status", status: 404, body: "" },
  { type: "status", status: 597 },
  { type: "status", status: 429, body: RATE_LIMIT_EXCEEDED_SHORT },
  { type: "status", status: 401, body: clientInvalid(401) },
  { type: "status", status: 400, body: clientInvalid(400) },
  { type: "status", status: 401, body: READ_PERMISSION_MISSING },
  { type: "status", status: 400, body: REFRESH_TOKEN_INVALID },
  { type: "html" },
  { type: "html", status: 200 },
  { type: "truncated" },
  { type: "empty" },
  { type: "hang" },
  { type: "reset" },
  { type: "reset", code: "ENOTFOUND" },
  { type: "lost_response" },
  { type: "no_rate_headers" },
  { type: "wrong_athlete" },
  { type: "change_headers", headers: { Date: null } },
  { type: "change_headers", headers: { Date: "yesterday" } },
  { type: "change_headers", headers: { "X-ReadRateLimit-Limit": null, "X-ReadRateLimit-Usage": null } },
  { type: "change_headers", headers: { "X-RateLimit-Usage": "many,more", "X-ReadRateLimit-Usage": "-1,-1" } },
  { type: "change_headers", headers: { "X-RateLimit-Limit": "0,0", "X-ReadRateLimit-Limit": "" } },
];

function drawAction(rolls: Rolls): FaultAction {
  return rolls.chance(0.1) ? { type: "slow", ms: rolls.whole(1, 90) * SECOND_MS } : rolls.pick(ACTIONS);
}

function drawPersonsDeed(rolls: Rolls): PersonsDeed {
  const athlete = rolls.whole(0, 9);
  switch (rolls.whole(0, 13)) {
    case 0:
      return { what: "pause_sync", athlete, forMs: rolls.skewed(1, 1_440) * MINUTE_MS };
    case 1:
      return { what: "cancel_sync", athlete };
    case 2:
      return { what: "retry_failed", athlete };
    case 3:
      return { what: "erase_athlete", athlete };
    case 4:
    case 5:
      return { what: "edit_race", race: rolls.whole(0, 200), isHidden: rolls.chance(0.5) };
    case 6:
      return { what: "change_thresholds", minutes: rolls.pick([null, 1, 2, 15]) };
    case 7:
      return { what: "pause_daemon", forMs: rolls.skewed(1, 600) * MINUTE_MS };
    case 8:
      return { what: "check_health" };
    case 9:
      return { what: "start_sync", athlete, mode: rolls.pick(["full", "incremental"]), restart: true };
    default:
      return drawHand(rolls);
  }
}

function drawHand(rolls: Rolls): PersonsDeed {
  const hand = { what: "hand", deed: rolls.pick(DEED_NAMES), nth: rolls.whole(0, 5) } as const;
  if (!rolls.chance(0.4)) return hand;
  return { ...hand, again: { times: rolls.whole(3, 40), everyMs: rolls.whole(1, 8) * MINUTE_MS } };
}
