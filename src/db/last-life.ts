import { type EpochMs, epochMs } from "../core/units.ts";
import { readDaemonStarts } from "./daemon-starts.ts";
import type { Db } from "./open.ts";
import { readSchedule } from "./schedule.ts";

/**
 * When a daemon is known to have lived last, by the clock of then: its last start, or the last run of a job that runs each
 * minute, which is noted within ten minutes. 0: none has lived.
 */
export function readLastLife(db: Db, minuteJob: string): EpochMs {
  return epochMs(Math.max(readDaemonStarts(db).at(-1) ?? 0, readSchedule(db, minuteJob)?.lastRunAtMs ?? 0));
}
