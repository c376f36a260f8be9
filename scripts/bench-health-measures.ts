import { seededDice } from "../src/core/dice.ts";
import { FINDING_KINDS, type FindingKind } from "../src/core/findings.ts";
import { DAY_MS, type Dice, type EpochMs, epochMs, plusMs } from "../src/core/units.ts";
import { addToCounter, type CounterName } from "../src/db/counters.ts";
import { countApplied, countStall, countVerdict } from "../src/db/measures.ts";
import type { Db } from "../src/db/open.ts";
import { foldOldDays } from "../src/db/packed-years.ts";
import { emptyDb } from "../test/support/database.ts";

const DAYS = 2 * 365;
/** So that two years are as far back as any: the last day of a year. */
const LAST_DAY_MS = epochMs(Date.UTC(2025, 11, 31, 12));
/** What a club of some thirty athletes counts on a day, give or take a half. */
const DAILY: readonly [CounterName, number][] = [
  ["syncs_started", 34],
  ["syncs_completed", 33],
  ["batches_completed", 61],
  ["races_enriched", 24],
  ["events_received", 87],
  ["events_looked_at", 55],
  ["requests:discovery:2xx", 68],
  ["requests:enrichment:2xx", 24],
  ["requests:event:2xx", 55],
];

/** Bytes that measures take: two years without the last month, packed; the last month, as rows; sums since ever. */
export type MeasuresSize = { readonly packed: number; readonly lastMonth: number; readonly sums: number };

/**
 * Counts two years of a club as the daemon does, and packs them each night.
 * @param club `stallsADay`: of kinds and durations that the dice choose. `daily`: also what is counted while all is well.
 */
export function sizeOfTwoYears(club: { stallsADay: number; daily: boolean; seed: number }): MeasuresSize {
  const db = emptyDb();
  const dice = seededDice(club.seed);
  for (let day = DAYS; day >= 0; day--) {
    const nowMs = plusMs(LAST_DAY_MS, -day * DAY_MS);
    if (club.daily) {
      for (const [name, mean] of DAILY) addToCounter(db, name, Math.round(mean * (0.5 + dice())), nowMs);
    }
    let stalls = Math.floor(club.stallsADay) + (dice() < club.stallsADay % 1 ? 1 : 0);
    for (; stalls > 0; stalls--) countOneStall(db, nowMs, dice);
    while (foldOldDays(db, nowMs, 200) > 0);
  }
  const bytes = (sql: string) => db.$client.query<{ bytes: number | null }, []>(sql).get()?.bytes ?? 0;
  return {
    packed: bytes("SELECT sum(length(days)) AS bytes FROM packed_years"),
    lastMonth: bytes("SELECT sum(length(name) + 12) AS bytes FROM counters WHERE day_start_ms > 0"),
    sums: bytes("SELECT sum(length(name) + 12) AS bytes FROM counters WHERE day_start_ms = 0"),
  };
}

function countOneStall(db: Db, nowMs: EpochMs, dice: Dice): void {
  const kind = FINDING_KINDS[Math.floor(dice() * FINDING_KINDS.length)] as FindingKind;
  countStall(db, { kind, beganAtMs: plusMs(nowMs, -Math.floor(dice() * 900_000)) }, nowMs);
  addToCounter(db, `findings_found:${kind}`, 1, nowMs);
  countApplied(db, kind, nowMs);
  countVerdict(db, { kind, detectedAtMs: plusMs(nowMs, -Math.floor(dice() * 300_000)) }, "verified", nowMs);
}
