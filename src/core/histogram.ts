import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "./units.ts";

/**
 * Where the buckets of durations end, each bound included. The health check's period is a minute and the default threshold
 * ten, so that is where they are close together.
 */
export const DURATION_BOUNDS_MS = [
  SECOND_MS,
  5 * SECOND_MS,
  10 * SECOND_MS,
  30 * SECOND_MS,
  MINUTE_MS,
  2 * MINUTE_MS,
  5 * MINUTE_MS,
  10 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  6 * HOUR_MS,
  DAY_MS,
] as const;

/** A bucket by its upper bound; `inf`: longer than all bounds. */
export type Bucket = (typeof DURATION_BOUNDS_MS)[number] | "inf";
export const BUCKETS: readonly Bucket[] = [...DURATION_BOUNDS_MS, "inf"];

/** The bucket that a duration falls into. */
export function bucketOf(durationMs: number): Bucket {
  return DURATION_BOUNDS_MS.find((boundMs) => durationMs <= boundMs) ?? "inf";
}

/**
 * A duration that so large a share of those counted did not exceed: the end of the bucket in which the percentile lies, so
 * that "within" is true of it.
 * @param counts a bucket, in the order of `BUCKETS`. @param fraction 0.9 for the 90th percentile.
 * @returns milliseconds; null when nothing was counted, or when the percentile lies beyond the last bound.
 */
export function percentile(counts: readonly number[], fraction: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  // What floating point makes of a whole rank (0.99 × 100) must not lift it into the next bucket.
  const rank = fraction * total - RANK_DOUBT;
  let counted = 0;
  for (const [place, count] of counts.entries()) {
    counted += count;
    if (count > 0 && counted >= rank) return DURATION_BOUNDS_MS[place] ?? null;
  }
  return null;
}

const RANK_DOUBT = 1e-9;
