import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";

/** A duration as a person says it: `850 ms`, `4 s`, `2 min 5 s`, `1 h 20 min`, `3 d 4 h`. */
export function spellDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return twoUnits(ms, [MINUTE_MS, "min"], [SECOND_MS, "s"]);
  if (ms < DAY_MS) return twoUnits(ms, [HOUR_MS, "h"], [MINUTE_MS, "min"]);
  return twoUnits(ms, [DAY_MS, "d"], [HOUR_MS, "h"]);
}

/** The time of day there; with the date, when that is not today's. */
export function clockTime(atMs: number, { nowMs, timeZone }: { nowMs: number; timeZone: string }): string {
  const time = format(atMs, timeZone, { timeStyle: "medium" });
  const date = format(atMs, timeZone, { dateStyle: "short" });
  return date === format(nowMs, timeZone, { dateStyle: "short" }) ? time : `${date} ${time}`;
}

/** How long ago: `4 s ago`, `never` for null. */
export function spellAgo(atMs: number | null, nowMs: number): string {
  return atMs === null ? "never" : `${spellDuration(nowMs - atMs)} ago`;
}

function twoUnits(ms: number, [largeMs, large]: [number, string], [smallMs, small]: [number, string]): string {
  const rest = Math.floor((ms % largeMs) / smallMs);
  return `${Math.floor(ms / largeMs)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

/** Swedish writes dates and times as ISO 8601 does: 2025-11-17, 14:32:05. */
function format(atMs: number, timeZone: string, style: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, ...style }).format(new Date(atMs));
}
