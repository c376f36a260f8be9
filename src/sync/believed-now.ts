import { believedTime } from "../core/believed-time.ts";
import { type EpochMs, epochMs } from "../core/units.ts";
import type { Db } from "../db/open.ts";
import { readSetting, storeSetting } from "../db/settings.ts";
import type { SyncContext } from "./context.ts";

/** The time now, as far as it is believed where something is destroyed by it: Strava's answers tell the time, too. */
export function believedNow({ db, clock, governor }: SyncContext): EpochMs {
  const { stravaMs, toldMs } = governor.view();
  const stored = Number.parseInt(readSetting(db, "believed_time_ms") ?? "", 10);
  const believedMs = Number.isNaN(stored) ? undefined : epochMs(stored);
  // Once an answer has told that our clock is ahead, Strava's time is less than it shows.
  return believedTime(epochMs(Math.min(clock.nowMs(), stravaMs)), { believedMs, toldMs });
}

/** What the next look goes on from; inside a transaction. */
export const rememberBelieved = (db: Db, believedMs: EpochMs): void =>
  storeSetting(db, "believed_time_ms", String(believedMs));
