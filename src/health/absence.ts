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
  /** By how much the clock was set back, at least, for which times are not made good yet; 0: it was not. */
  wentBackMs(): number;
  /** Of so much, they are. */
  noteReadjusted(byMs: number): void;
};

/**
 * Notices absences by the clock alone: ticks are a period apart, so that a longer time without a look, or one that is
 * negative, was not lived through. A start is the end of an absence, too: age proves nothing for a period, a minute at most.
 * @param times.lastLifeMs when a daemon is known to have lived last: where that is in the future, the clock was set back.
 */
export function createAbsence(
  clock: Clock,
  log: Pick<Log, "warn">,
  times: { periodMs: number; leaseMs: number; lastLifeMs: EpochMs },
): Absence {
  const { periodMs, leaseMs } = times;
  const longestMs = Math.min(PERIODS_AWAY * periodMs, periodMs + LEASES_AWAY * leaseMs);
  let lastLookAtMs = clock.nowMs();
  let ageProvesNothingUntilMs = plusMs(clock.nowMs(), Math.min(periodMs, MINUTE_MS));
  let wentBackMs = Math.max(0, times.lastLifeMs - clock.nowMs());
  if (wentBackMs > 0) warnOf(sayWentBack(wentBackMs));

  function warnOf(what: string): void {
    log.warn("monitor.was_away", `${what}: verdicts on age wait one period.`);
  }

  return {
    look() {
      const nowMs = clock.nowMs();
      const sinceMs = nowMs - lastLookAtMs;
      lastLookAtMs = nowMs;
      if (sinceMs >= 0 && sinceMs <= longestMs) return ageProvesNothingUntilMs;
      ageProvesNothingUntilMs = plusMs(nowMs, periodMs);
      if (sinceMs < 0) wentBackMs -= sinceMs;
      warnOf(sinceMs < 0 ? sayWentBack(-sinceMs) : `Nothing ran for ${Math.round(sinceMs / 1_000)} s`);
      return ageProvesNothingUntilMs;
    },
    wentBackMs: () => wentBackMs,
    noteReadjusted(byMs) {
      // It may have been set back again meanwhile.
      wentBackMs -= byMs;
    },
  };
}

const sayWentBack = (byMs: number): string => `The clock was set back by ${Math.round(byMs / 1_000)} s or more`;
