import { SECOND_MS } from "./units.ts";

/** Further off than this, what was known is worth nothing, and the middle of what is possible is the best guess. */
const FAR_OFF_MS = 1.5 * SECOND_MS;

/** A header is written as the answer sets out, and is on its way for no longer than this. */
const ON_ITS_WAY_MS = SECOND_MS / 2;
/** Of an answer that took longer, nobody knows when the header was written: the machine may have slept meanwhile. */
const SLOW_MS = 10 * SECOND_MS;

/**
 * How far another clock is ahead of ours, once an answer with a `Date` header has come. The header was cut to whole seconds,
 * and written a moment before it arrived: what was known before is kept as far as it agrees with that. Many answers
 * narrow it to less than a second.
 * @param knownMs as it was known before; negative: the other clock is behind.
 * @param answer.dateAheadMs the header, less our time when the answer had come whole.
 * @param answer.tookMs from the sending till then, by our clock. @param answer.bodyMs of that, after the headers had come.
 */
export function narrowedSkew(
  knownMs: number,
  { dateAheadMs, tookMs, bodyMs }: { dateAheadMs: number; tookMs: number; bodyMs: number },
): number {
  const isSlow = tookMs > SLOW_MS;
  const leastMs = dateAheadMs + (isSlow ? 0 : bodyMs);
  const mostMs = isSlow
    ? dateAheadMs + SECOND_MS + tookMs
    : leastMs + SECOND_MS + Math.min(tookMs - bodyMs, ON_ITS_WAY_MS);
  const nearestMs = Math.min(Math.max(knownMs, leastMs), mostMs);
  return Math.abs(nearestMs - knownMs) > FAR_OFF_MS ? Math.round((leastMs + mostMs) / 2) : nearestMs;
}
