import { type Clock, type EpochMs, MINUTE_MS, plusMs } from "../core/units.ts";
import type { Log } from "../telemetry/log.ts";

/** So many periods without a tick, and it was the daemon that was away. */
const PERIODS_AWAY = 2.5;
/** Leases are renewed each third: an absence of so much of one may let it run out. */
const LEASES_AWAY = 2 / 3;

/** Whether the daemon itself was away lately: stopped, asleep, or with a clock that was set. */
export type Absence = {
  /** Looks at the clock: at each tick, and whenever somebody asks for a verdict. Until then age proves nothing. */
  look(): EpochMs;
  /** The clock was set back, and times in rows are not made good yet. */
  hasGoneBack(): boolean;
  /** Now they are. */
  noteReadjusted(): void;
};

/**
 * Notices absences by the clock alone: ticks are a period apart, so that a longer time without a look, or one that is
 * negative, was not lived through. A start is the end of an absence, too: age proves nothing for a period, a minute at most.
 */
export function createAbsence(
  clock: Clock,
  log: Pick<Log, "warn">,
  times: { periodMs: number; leaseMs: number },
): Absence {
  const { periodMs, leaseMs } = times;
  const longestMs = Math.min(PERIODS_AWAY * periodMs, periodMs + LEASES_AWAY * leaseMs);
  let lastLookAtMs = clock.nowMs();
  let ageProvesNothingUntilMs = plusMs(clock.nowMs(), Math.min(periodMs, MINUTE_MS));
  let hasGoneBack = false;
  return {
    look() {
      const nowMs = clock.nowMs();
      const sinceMs = nowMs - lastLookAtMs;
      lastLookAtMs = nowMs;
      if (sinceMs >= 0 && sinceMs <= longestMs) return ageProvesNothingUntilMs;
      ageProvesNothingUntilMs = plusMs(nowMs, periodMs);
      if (sinceMs < 0) hasGoneBack = true;
      const what =
        sinceMs < 0
          ? `The clock was set back by ${Math.round(-sinceMs / 1_000)} s or more`
          : `Nothing ran for ${Math.round(sinceMs / 1_000)} s`;
      log.warn("monitor.was_away", `${what}: verdicts on age wait one period.`);
      return ageProvesNothingUntilMs;
    },
    hasGoneBack: () => hasGoneBack,
    noteReadjusted() {
      hasGoneBack = false;
    },
  };
}
