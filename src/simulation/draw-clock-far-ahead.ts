import { DAY_MS, MINUTE_MS } from "../core/units.ts";
import { REFRESH_TOKEN_INVALID } from "../sandbox/strava-errors.ts";
import type { Happening } from "./plan.ts";
import type { Rolls } from "./rolls.ts";

/**
 * Somebody has lost the access, and a clock is set weeks ahead for a while: whatever is kept for so many days only is older
 * then.
 * @param fromMs when the clock goes wrong.
 */
export function drawClockFarAhead(rolls: Rolls, fromMs: number): readonly Happening[] {
  const athlete = rolls.whole(0, 9);
  const forMs = rolls.skewed(1, 600) * MINUTE_MS;
  const lostMs = fromMs - rolls.whole(20, 600) * MINUTE_MS;
  const start = (afterMs: number, of: number): Happening => ({
    afterMs,
    what: "start_sync",
    athlete: of,
    mode: rolls.pick(["full", "incremental"]),
    restart: true,
  });
  const action = { type: "status", status: 400, body: REFRESH_TOKEN_INVALID } as const;
  return [
    {
      afterMs: lostMs,
      what: "strava_fault",
      rule: { match: { kind: "token" }, times: 1, forMs: 10 * MINUTE_MS, action },
    },
    { afterMs: lostMs, what: "token_dies", athlete },
    start(lostMs, athlete),
    { afterMs: fromMs, what: "wrong_clock", byMs: rolls.whole(20, 60) * DAY_MS, forMs },
    ...(rolls.chance(0.5) ? [start(fromMs + Math.floor(forMs / 2), rolls.whole(0, 9))] : []),
  ];
}
