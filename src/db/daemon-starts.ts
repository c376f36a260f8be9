import { type EpochMs, epochMs } from "../core/units.ts";
import type { Db } from "./open.ts";
import { readSetting, storeSetting } from "./settings.ts";
import { readStoredJson } from "./stored-json.ts";

/** So many starts are remembered: a daemon that starts more often than that in a sync's time has another trouble. */
const STARTS_KEPT = 50;

/** Remembers that the daemon has started. Inside a transaction. */
export function noteDaemonStart(db: Db, nowMs: EpochMs): void {
  const starts = [...readDaemonStarts(db), nowMs].slice(-STARTS_KEPT);
  storeSetting(db, "daemon_starts", JSON.stringify(starts));
}

/** The last starts of the daemon, the oldest first. */
export function readDaemonStarts(db: Db): readonly EpochMs[] {
  const stored = readStoredJson(readSetting(db, "daemon_starts") ?? "[]");
  if (!Array.isArray(stored)) return [];
  return stored.flatMap((at: unknown) => (Number.isSafeInteger(at) ? [epochMs(Number(at))] : []));
}
