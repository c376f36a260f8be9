import { DAY_MS, HOUR_MS } from "../core/units.ts";

/** A place where club members run. */
export type Zone = {
  readonly name: string;
  readonly standardHours: number;
  readonly summerTime: SummerTime;
  /** Degrees north and east. */
  readonly latitude: number;
  readonly longitude: number;
};

type SummerTime = "none" | "america" | "europe" | "australia" | "new_zealand";

/** From UTC-10 to UTC+13, with half and quarter hours, and summer time in both hemispheres. */
export const ZONES: readonly Zone[] = [
  { name: "Australia/Sydney", standardHours: 10, summerTime: "australia", latitude: -33.87, longitude: 151.21 },
  { name: "Pacific/Honolulu", standardHours: -10, summerTime: "none", latitude: 21.31, longitude: -157.86 },
  { name: "America/Los_Angeles", standardHours: -8, summerTime: "america", latitude: 34.05, longitude: -118.24 },
  { name: "America/New_York", standardHours: -5, summerTime: "america", latitude: 40.71, longitude: -74.01 },
  { name: "America/Sao_Paulo", standardHours: -3, summerTime: "none", latitude: -23.55, longitude: -46.63 },
  { name: "Europe/London", standardHours: 0, summerTime: "europe", latitude: 51.51, longitude: -0.13 },
  { name: "Europe/Berlin", standardHours: 1, summerTime: "europe", latitude: 52.52, longitude: 13.4 },
  { name: "Asia/Kolkata", standardHours: 5.5, summerTime: "none", latitude: 22.57, longitude: 88.36 },
  { name: "Asia/Kathmandu", standardHours: 5.75, summerTime: "none", latitude: 27.71, longitude: 85.32 },
  { name: "Pacific/Auckland", standardHours: 12, summerTime: "new_zealand", latitude: -36.85, longitude: 174.76 },
  { name: "Pacific/Tongatapu", standardHours: 13, summerTime: "none", latitude: -21.14, longitude: -175.2 },
];

/** Seconds to add to UTC for wall time, as the rules in force since 2008 have it. */
export function utcOffsetSeconds(zone: Zone, timeMs: number): number {
  return (zone.standardHours + (isSummerTime(zone, timeMs) ? 1 : 0)) * 3_600;
}

/** As Strava writes a zone: the standard offset, in summer too. */
export function zoneLabel({ name, standardHours }: Zone): string {
  const minutes = Math.abs(standardHours) * 60;
  const two = (value: number) => String(value).padStart(2, "0");
  return `(GMT${standardHours < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}) ${name}`;
}

function isSummerTime({ summerTime, standardHours }: Zone, timeMs: number): boolean {
  const year = new Date(timeMs).getUTCFullYear();
  /** The moment that is `hour` of standard wall time on a Sunday of the month. */
  const sunday = (month: number, which: number | "last", hour: number, offsetHours = standardHours) =>
    nthSundayMs(year, month, which) + (hour - offsetHours) * HOUR_MS;
  switch (summerTime) {
    case "none":
      return false;
    case "america":
      return timeMs >= sunday(MARCH, 2, 2) && timeMs < sunday(NOVEMBER, 1, 1);
    case "europe":
      return timeMs >= sunday(MARCH, "last", 1, 0) && timeMs < sunday(OCTOBER, "last", 1, 0);
    case "australia":
      return timeMs < sunday(APRIL, 1, 2) || timeMs >= sunday(OCTOBER, 1, 2);
    case "new_zealand":
      return timeMs < sunday(APRIL, 1, 2) || timeMs >= sunday(SEPTEMBER, "last", 2);
    default:
      return summerTime satisfies never;
  }
}

/** Months as `Date.UTC` counts them. */
const MARCH = 2;
const APRIL = 3;
const SEPTEMBER = 8;
const OCTOBER = 9;
const NOVEMBER = 10;

function nthSundayMs(year: number, month: number, which: number | "last"): number {
  if (which === "last") {
    const lastDay = Date.UTC(year, month + 1, 0);
    return lastDay - new Date(lastDay).getUTCDay() * DAY_MS;
  }
  const firstDay = Date.UTC(year, month, 1);
  return firstDay + (((7 - new Date(firstDay).getUTCDay()) % 7) + (which - 1) * 7) * DAY_MS;
}
