/**
 * The clocks that Strava's terms set for what is kept of it. They bind the club that runs the application; the program keeps
 * to them by itself.
 * @see https://www.strava.com/legal/api nothing is kept for more than 7 days without looking again; what vanishes there is
 *   gone here within 48 hours; who takes the access back is erased within 30 days
 */
import { DAY_MS, type EpochMs, HOUR_MS, plusMs } from "./units.ts";

/** What Strava has not shown for longer is stale: kept, marked, and shown to nobody but the operator. */
export const FRESH_FOR_MS = 7 * DAY_MS;
/** What was withdrawn is wiped after so long, less a turn of the job that does it. */
export const WIPED_AFTER_MS = 48 * HOUR_MS - HOUR_MS;
/** Till then the wiped row stands, so that an activity that comes back is the same race. */
export const FORGOTTEN_AFTER_MS = 30 * DAY_MS;
/** An athlete whose access has been gone for so long is erased, less a turn of the job. */
export const ERASED_AFTER_MS = 30 * DAY_MS - HOUR_MS;

/** Whether something that Strava showed last at `seenAtMs` is older than its terms allow. */
export const isStale = (seenAtMs: EpochMs, nowMs: EpochMs): boolean => nowMs - seenAtMs > FRESH_FOR_MS;

/** When an athlete who lost the access at `sinceMs` is erased, unless they connect again. */
export const erasureDueMs = (sinceMs: EpochMs): EpochMs => plusMs(sinceMs, ERASED_AFTER_MS);

/**
 * Whether a scheduled sync must read the whole list, since with the next turn, `periodMs` from now, races would be stale.
 * Also where there never was a complete list, and where it lies in the future: a clock that was set back dated it.
 */
export function isCompleteListDue(lastCompleteListAtMs: EpochMs | null, nowMs: EpochMs, periodMs: number): boolean {
  if (lastCompleteListAtMs === null || lastCompleteListAtMs > nowMs) return true;
  return isStale(lastCompleteListAtMs, plusMs(nowMs, periodMs));
}
