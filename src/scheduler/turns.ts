import { Cron } from "croner";
import { type EpochMs, epochMs } from "../core/units.ts";

/** Missed turns are counted up to here; the rest is "many". */
const TURNS_COUNTED = 1_000;

/** How long from one turn of a pattern to the next, at a moment; Infinity when it has no two turns left. */
export function periodOf(pattern: string, timezone: string, nowMs: EpochMs): number {
  if (pattern === "") return Number.POSITIVE_INFINITY;
  const [first, second] = new Cron(pattern, { paused: true, timezone }).nextRuns(2, new Date(nowMs));
  return first === undefined || second === undefined ? Number.POSITIVE_INFINITY : second.getTime() - first.getTime();
}

/** The first turn after a moment; null when there is none. */
export function nextTurn(cron: Cron | undefined, fromMs: EpochMs): EpochMs | null {
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
