import { SECOND_MS } from "./units.ts";

/** Further off than this, what was known is worth nothing, and the middle of what is possible is the best guess. */
const FAR_OFF_MS = 1.5 * SECOND_MS;

/** A header is written as the answer sets out, and is on its way for no longer than this. */
const ON_ITS_WAY_MS = SECOND_MS / 2;
/** Of an answer that took longer, nobody knows when the header was written: the machine may have slept meanwhile. */
const SLOW_MS = 10 * SECOND_MS;

/**
 * How far another clock is ahead of ours, once an answer with a `Date` header has come. The header was cut to whole seconds,
 * and written a moment before the arrival: what was known before is kept as far as it agrees with that. Many answers
 * narrow it to less than a second.
 * @param knownMs as it was known before; negative: the other clock is behind.
 * @param dateAheadMs the header, less our time at the arrival.
 * @param tookMs from the sending to the arrival, by our clock.
 */
export function narrowedSkew(knownMs: number, dateAheadMs: number, tookMs: number): number {
  const leastMs = dateAheadMs;
  const mostMs = dateAheadMs + SECOND_MS + (tookMs > SLOW_MS ? tookMs : Math.min(tookMs, ON_ITS_WAY_MS));
  const nearestMs = Math.min(Math.max(knownMs, leastMs), mostMs);
  return Math.abs(nearestMs - knownMs) > FAR_OFF_MS ? Math.round((leastMs + mostMs) / 2) : nearestMs;
}
