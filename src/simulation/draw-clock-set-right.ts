import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import type { Happening } from "./plan.ts";
import type { Rolls } from "./rolls.ts";

/**
 * A clock that was ahead, and is set right in the middle of something: an outage, a full window, a list, a stop. Each of
 * them alone says little, and by chance they hardly ever meet.
 * @param fromMs when the clock goes wrong.
 */
export function drawClockSetRight(rolls: Rolls, fromMs: number): readonly Happening[] {
  const forMs = rolls.whole(15, 180) * MINUTE_MS;
  const rightMs = fromMs + forMs;
  const athlete = rolls.whole(0, 9);
  const before = (longestMs: number) => Math.floor(rightMs - rolls.skewed(1, longestMs));
  const start = (afterMs: number): Happening => ({
    afterMs,
    what: "start_sync",
    athlete,
    mode: rolls.pick(["full", "incremental"]),
    restart: true,
  });
  return [
    { afterMs: fromMs, what: "wrong_clock", byMs: rolls.skewed(10, 3 * 1_440) * MINUTE_MS, forMs },
    ...drawMeanwhile(),
  ];

  function drawMeanwhile(): readonly Happening[] {
    switch (rolls.whole(0, 3)) {
      case 0: {
        const action = rolls.pick([{ type: "reset" }, { type: "status", status: 503 }, { type: "html" }] as const);
        const rule = { match: {}, times: 100_000, forMs: rolls.whole(5, 60) * MINUTE_MS, action };
        return [
          { afterMs: before(12 * MINUTE_MS), what: "strava_fault", rule },
          start(before(12 * MINUTE_MS)),
          start(before(3 * MINUTE_MS)),
        ];
      }
      case 1:
        return [
          { afterMs: before(12 * MINUTE_MS), what: "spend_quota", requests: rolls.whole(20, 400) },
          start(before(5 * MINUTE_MS)),
        ];
      case 2: {
        const beganAgoMs = rolls.whole(1, 180) * MINUTE_MS;
        return [
          { afterMs: before(HOUR_MS), what: "upload", athlete, isRace: true, beganAgoMs, isPrivate: false },
          start(before(10 * MINUTE_MS)),
          start(rightMs + rolls.skewed(1, 60) * SECOND_MS),
        ];
      }
      default:
        return [
          start(before(10 * MINUTE_MS)),
          { afterMs: before(2 * MINUTE_MS), what: "stop", downMs: rolls.whole(2, 20) * MINUTE_MS },
        ];
    }
  }
}
