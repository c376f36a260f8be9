import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import type { Happening, Setting } from "./plan.ts";
import type { Rolls } from "./rolls.ts";

/**
 * A clock that is set back between the start of a sync and its first page, which has to wait for the quota: the list ends
 * where that clock says that the present is, and a race of today is not in it.
 * @param fromMs when the race is uploaded.
 */
export function drawClockSetBack(rolls: Rolls, { strava }: Setting, fromMs: number): readonly Happening[] {
  const athlete = rolls.whole(0, 9);
  const startMs = fromMs + MINUTE_MS;
  const beganAgoMs = rolls.whole(5, 90) * MINUTE_MS;
  return [
    { afterMs: fromMs, what: "upload", athlete, isRace: true, beganAgoMs, isPrivate: false },
    { afterMs: startMs - SECOND_MS, what: "spend_quota", requests: strava.quarterLimit },
    { afterMs: startMs, what: "start_sync", athlete, mode: "full", restart: true },
    {
      afterMs: startMs + rolls.skewed(1, 300) * SECOND_MS,
      what: "wrong_clock",
      byMs: -rolls.skewed(2, 48) * HOUR_MS,
      forMs: rolls.whole(20, 120) * MINUTE_MS,
    },
  ];
}
