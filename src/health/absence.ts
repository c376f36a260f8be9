import { type Clock, type EpochMs, MINUTE_MS, plusMs } from "../core/units.ts";
import type { Log } from "../telemetry/log.ts";

/** So many periods without a tick, and it was the daemon that was away. */
const PERIODS_AWAY = 2.5;

/** Whether the daemon itself was away lately: stopped, asleep, or with a clock that was set. */
export type Absence = {
  /** At each tick: notices that the one before was too long ago, or in the future. */
  notice(): void;
  /** Until then age proves nothing. */
  readonly ageProvesNothingUntilMs: EpochMs;
};

/** A start is the end of an absence: age proves nothing for one period, a minute at most. */
export function createAbsence(clock: Clock, log: Log, periodMs: number): Absence {
  let lastTickAtMs = clock.nowMs();
  let ageProvesNothingUntilMs = plusMs(clock.nowMs(), Math.min(periodMs, MINUTE_MS));
  return {
    notice() {
      const nowMs = clock.nowMs();
      const sinceMs = nowMs - lastTickAtMs;
      lastTickAtMs = nowMs;
      if (sinceMs >= 0 && sinceMs <= PERIODS_AWAY * periodMs) return;
      ageProvesNothingUntilMs = plusMs(nowMs, periodMs);
      log.warn(
        "monitor.was_away",
        `The last health check was ${Math.round(sinceMs / 1000)} s ago: verdicts on age wait one period.`,
      );
    },
    get ageProvesNothingUntilMs() {
      return ageProvesNothingUntilMs;
    },
  };
}
