import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "./units.ts";

/** Largest first: a duration is written in the largest unit that divides it. */
const UNITS: readonly (readonly [unit: string, unitMs: number])[] = [
  ["d", DAY_MS],
  ["h", HOUR_MS],
  ["m", MINUTE_MS],
  ["s", SECOND_MS],
  ["ms", 1],
];

/**
 * Reads a duration as people write it in settings: a whole number and one unit (`500ms`, `90s`, `10m`, `48h`, `7d`).
 * @returns milliseconds; undefined for anything else, a number without a unit included.
 */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d+)\s*(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const unitMs = UNITS.find(([name]) => name === unit)?.[1];
  if (digits === undefined || unitMs === undefined) return undefined;
  const durationMs = Number(digits) * unitMs;
  return Number.isSafeInteger(durationMs) ? durationMs : undefined;
}

/** Writes a duration so that `parseDuration` reads it back: whole milliseconds, not negative. */
export function formatDuration(durationMs: number): string {
  const [unit, unitMs] = UNITS.find(([, candidateMs]) => durationMs % candidateMs === 0 && durationMs > 0) ?? [
    "s",
    SECOND_MS,
  ];
  return `${durationMs / unitMs}${unit}`;
}
