import { t } from "elysia";
import { FINDING_KINDS, type FindingKind } from "../core/findings.ts";
import { BUCKETS, percentile } from "../core/histogram.ts";
import { DAY_MS, type EpochMs, plusMs } from "../core/units.ts";
import { type CounterName, dayStartOf, firstDayOf, type HealingMeasure, sumCounters } from "../db/counters.ts";
import type { Db } from "../db/open.ts";
import { readDays } from "../db/packed-years.ts";
import { OrNull, Time } from "./operation.ts";

const Count = (description: string) => t.Integer({ description });
const Rate = (description: string) => OrNull(t.Number({ minimum: 0, maximum: 1, description }));
const Ratio = (description: string) => OrNull(t.Number({ minimum: 0, description }));

const MEASURES = {
  stalls_detected: Count("Stalls found."),
  remedies_applied: Count("Remedies applied."),
  remedies_verified: Count("Remedies after which a batch or the sync completed."),
  remedies_failed: Count("Remedies after which the same trouble came back."),
  remedies_superseded: Count("Findings that were gone by themselves, or overtaken."),
  false_remedies: Count("Remedies whose target turned out to have been alive."),
  auto_fix_success_rate: Rate("Verified ÷ (verified + failed); null when there is none of either."),
  mean_time_to_detect_ms: Ratio("From the beginning of a stall to its finding."),
  mean_time_to_repair_ms: Ratio("From the finding to the verified repair."),
};

const PERCENTILES = [
  ["p50_time_to_detect_ms", { what: "detect", fraction: 0.5 }, "Half were found within so long."],
  ["p90_time_to_detect_ms", { what: "detect", fraction: 0.9 }, "Nine of ten were."],
  ["p50_time_to_repair_ms", { what: "repair", fraction: 0.5 }, "Half were repaired within so long."],
  ["p90_time_to_repair_ms", { what: "repair", fraction: 0.9 }, "Nine of ten were."],
] as const;
type PercentileName = (typeof PERCENTILES)[number][0];

const DurationsJson = t.Object({
  count: t.Integer(),
  mean_ms: Ratio("null when there is nothing to divide."),
  p50_ms: Ratio(
    "Half took so long at most: the end of the bucket of the percentile. null when nothing was counted, or beyond the last bound.",
  ),
  p90_ms: Ratio("The same of nine of ten."),
  p99_ms: Ratio("The same of 99 of 100."),
  buckets: t.Array(
    t.Object({
      le_ms: OrNull(t.Integer({ description: "So long at most, and longer than the bucket before; null: longer." })),
      count: t.Integer(),
    }),
  ),
});

/** Of one kind of stall. */
const PERCENTILES_JSON = Object.fromEntries(
  PERCENTILES.map(([name, , description]) => [name, Ratio(description)]),
) as Record<PercentileName, ReturnType<typeof Ratio>>;

const DAY_COUNTERS = [
  "syncs_started",
  "syncs_completed",
  "syncs_failed",
  "stalls_detected",
  "remedies_applied",
  "remedies_verified",
  "remedies_failed",
  "remedies_superseded",
  "false_remedies",
] as const satisfies readonly CounterName[];
type DayCounter = (typeof DAY_COUNTERS)[number];

/** One day of the series. */
export const DayJson = t.Object({
  day: Time("Its beginning, 00:00 UTC."),
  ...(Object.fromEntries(DAY_COUNTERS.map((name) => [name, t.Integer()])) as Record<
    DayCounter,
    ReturnType<typeof t.Integer>
  >),
});
type DayJson = { day: number } & Record<DayCounter, number>;

/** What healing did in a period: a part of `GET /api/admin/health`. */
export const MEASURES_JSON = {
  ...MEASURES,
  stalls_per_100_syncs: Ratio("Of the syncs started in the period; null when there was none."),
  stalls_per_day: t.Number({
    minimum: 0,
    description: "Over the period, or since the first sync where that is later.",
  }),
  syncs_started: Count("Syncs started."),
  time_to_detect: DurationsJson,
  time_to_repair: DurationsJson,
  by_kind: t.Array(t.Object({ kind: t.String(), ...MEASURES, ...PERCENTILES_JSON }), {
    description: "Kinds of which something was counted.",
  }),
  series: t.Array(DayJson, { description: "The days of the period, those with nothing too." }),
};
const MeasuresJson = t.Object(MEASURES_JSON);

/** Reads what was counted over the last `periodMs`: whole days, UTC, from the one in which it began. */
export function readMeasures(db: Db, nowMs: EpochMs, periodMs: number): typeof MeasuresJson.static {
  const sinceMs = plusMs(nowMs, -periodMs);
  const sums = sumCounters(db, sinceMs);
  const count = (name: CounterName): number => sums.get(name) ?? 0;
  const stalls = count("stalls_detected");
  const syncs = count("syncs_started");
  return {
    ...measuresBy((measure) => count(measure)),
    stalls_per_100_syncs: syncs === 0 ? null : (100 * stalls) / syncs,
    stalls_per_day: stalls / daysCounted(db, nowMs, sinceMs),
    syncs_started: syncs,
    time_to_detect: durations(count, "detect"),
    time_to_repair: durations(count, "repair"),
    by_kind: [...FINDING_KINDS, "other" as const]
      .map((kind) => ({ kind, ...measuresBy((measure) => count(`${measure}:${kind}`)), ...percentilesOf(kind, count) }))
      .filter((one) => Object.values(one).some((value) => typeof value === "number" && value > 0)),
    series: readSeries(db, sinceMs, nowMs),
  };
}

/** Each day from that of one moment to that of another. */
export function readSeries(db: Db, fromMs: EpochMs, toMs: EpochMs): DayJson[] {
  const byCounter = readDays(db, DAY_COUNTERS, fromMs, toMs);
  const series: DayJson[] = [];
  for (let day = dayStartOf(fromMs); day <= toMs; day = plusMs(day, DAY_MS)) {
    const counts = DAY_COUNTERS.map((name) => [name, byCounter.get(name)?.get(day) ?? 0] as const);
    series.push({ day, ...(Object.fromEntries(counts) as Record<DayCounter, number>) });
  }
  return series;
}

function measuresBy(count: (measure: HealingMeasure) => number) {
  const [stalls, verified, failed] = [count("stalls_detected"), count("remedies_verified"), count("remedies_failed")];
  return {
    stalls_detected: stalls,
    remedies_applied: count("remedies_applied"),
    remedies_verified: verified,
    remedies_failed: failed,
    remedies_superseded: count("remedies_superseded"),
    false_remedies: count("false_remedies"),
    auto_fix_success_rate: divide(verified, verified + failed),
    mean_time_to_detect_ms: divide(count("detect_ms"), stalls),
    mean_time_to_repair_ms: divide(count("repair_ms"), verified),
  };
}

function percentilesOf(
  kind: FindingKind | "other",
  count: (name: CounterName) => number,
): Record<PercentileName, number | null> {
  const read = ({ what, fraction }: (typeof PERCENTILES)[number][1]) =>
    percentile(
      BUCKETS.map((bucket) => count(`${what}_le:${bucket}:${kind}`)),
      fraction,
    );
  return Object.fromEntries(PERCENTILES.map(([name, of]) => [name, read(of)])) as Record<PercentileName, number | null>;
}

function durations(count: (name: CounterName) => number, what: "detect" | "repair"): typeof DurationsJson.static {
  const counts = BUCKETS.map((bucket) => count(`${what}_le:${bucket}`));
  return {
    count: counts.reduce((sum, one) => sum + one, 0),
    mean_ms: divide(count(`${what}_ms`), count(what === "detect" ? "stalls_detected" : "remedies_verified")),
    p50_ms: percentile(counts, 0.5),
    p90_ms: percentile(counts, 0.9),
    p99_ms: percentile(counts, 0.99),
    buckets: BUCKETS.map((bucket, place) => ({ le_ms: bucket === "inf" ? null : bucket, count: counts[place] ?? 0 })),
  };
}

/** How many days the sums are over: a club that started yesterday has not been without stalls for a month. */
function daysCounted(db: Db, nowMs: EpochMs, sinceMs: EpochMs): number {
  const fromMs = Math.max(dayStartOf(sinceMs), firstDayOf(db, "syncs_started") ?? 0);
  return Math.max(1, (nowMs - fromMs) / DAY_MS);
}

const divide = (sum: number, count: number): number | null => (count === 0 ? null : sum / count);
