import { Cron } from "croner";
import { type EpochMs, epochMs, MINUTE_MS } from "../core/units.ts";

/** Missed turns are counted up to here; the rest is "many". */
const TURNS_COUNTED = 1_000;

const EVERY_MINUTE = "* * * * *";

/** How long from one turn of a pattern to the next, at a moment; Infinity when it has no two turns left. */
export function periodOf(pattern: string, timezone: string, nowMs: EpochMs): number {
  if (pattern === "") return Number.POSITIVE_INFINITY;
  if (pattern === EVERY_MINUTE) return MINUTE_MS;
  const [first, second] = new Cron(pattern, { paused: true, timezone }).nextRuns(2, new Date(nowMs));
  return first === undefined || second === undefined ? Number.POSITIVE_INFINITY : second.getTime() - first.getTime();
}

/** The first turn after a moment; null when there is none. */
export function nextTurn(cron: Cron | undefined, fromMs: EpochMs): EpochMs | null {
  // Half of the jobs have this pattern, and in a zone of our time every minute begins when one in UTC does.
  if (cron?.getPattern() === EVERY_MINUTE) return epochMs((Math.floor(fromMs / MINUTE_MS) + 1) * MINUTE_MS);
  const next = cron?.nextRun(new Date(fromMs));
  return next === null || next === undefined ? null : epochMs(next.getTime());
}

/** Turns in [fromMs, toMs], where `fromMs` is one. */
export function countTurns(cron: Cron | undefined, fromMs: EpochMs, toMs: EpochMs): number {
  let turns = 0;
  for (let turn: EpochMs | null = fromMs; turn !== null && turn <= toMs && turns < TURNS_COUNTED; turns++) {
    turn = nextTurn(cron, turn);
  }
  return turns;
}
