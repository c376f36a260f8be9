import { MINUTE_MS, SECOND_MS } from "../core/units.ts";
import type { Happening } from "./plan.ts";
import type { Rolls } from "./rolls.ts";

/**
 * The process dies with the answer to a refresh on the wire, and some time after it somebody forges notices that athletes
 * have taken the access back. Where Strava rotates, the pair that it gave out is lost.
 * @param fromMs when the token dies.
 */
export function drawLostPair(rolls: Rolls, fromMs: number): readonly Happening[] {
  const athlete = rolls.whole(0, 9);
  const downMs = rolls.whole(1, 120) * SECOND_MS;
  return [
    { afterMs: fromMs, what: "token_dies", athlete },
    { afterMs: fromMs, what: "crash", edge: rolls.pick(["answered", "commit"]), nth: rolls.pick([1, 1, 2]), downMs },
    { afterMs: fromMs + 1, what: "start_sync", athlete, mode: "incremental", restart: true },
    {
      afterMs: fromMs + downMs + rolls.skewed(1, 120) * MINUTE_MS,
      what: "event_flood",
      events: 10,
      of: "deauthorizations",
    },
  ];
}
