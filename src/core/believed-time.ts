import { type EpochMs, epochMs, HOUR_MS } from "./units.ts";

/** The job that looks comes each hour; on a box that is off at night, each day, and a turn late. */
export const BELIEVED_FOR_MS = 25 * HOUR_MS;

/**
 * What a clock is believed to show, where something is destroyed because it has been kept for long enough: it may have been
 * set weeks ahead, and what is destroyed stays so when it is set right. From one look to the next it is believed as far as
 * a day beyond what was believed before, or beyond what somebody else's clock said: so a wrong one has to stand for an hour
 * for each day that it is ahead, unless that other clock agrees with it at once.
 * @param nowMs what the clock shows. @param before.believedMs what was believed at the last look; undefined: there was none.
 * @param before.toldMs what the other clock said last; undefined: nothing.
 */
export function believedTime(
  nowMs: EpochMs,
  { believedMs, toldMs }: { believedMs: EpochMs | undefined; toldMs: EpochMs | undefined },
): EpochMs {
  if (believedMs === undefined) return nowMs;
  return epochMs(Math.min(nowMs, Math.max(believedMs, toldMs ?? 0) + BELIEVED_FOR_MS));
}
