import { expect, test } from "bun:test";
import { utcOffsetSeconds, ZONES, zoneLabel } from "../../src/sandbox/time-zones.ts";

test.each([
  ["America/New_York", "(GMT-05:00) America/New_York"],
  ["Asia/Kathmandu", "(GMT+05:45) Asia/Kathmandu"],
  ["Europe/London", "(GMT+00:00) Europe/London"],
  ["Pacific/Tongatapu", "(GMT+13:00) Pacific/Tongatapu"],
])("%s is written with its standard offset", (name, label) => {
  expect(ZONES.filter((zone) => zone.name === name).map(zoneLabel)).toEqual([label]);
});

test.each(ZONES.map((zone) => [zone.name, zone] as const))(
  "%s changes its clocks when the tz database does",
  (name, zone) => {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
    const byDatabase = (timeMs: number) => {
      const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(format.format(timeMs)) ?? [];
      return (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60);
    };
    // Every twelve hours of two years, and both sides of each change between.
    for (let timeMs = Date.UTC(2024, 0, 1); timeMs < Date.UTC(2026, 0, 1); timeMs += 43_200_000) {
      expect(utcOffsetSeconds(zone, timeMs)).toBe(byDatabase(timeMs));
      if (byDatabase(timeMs) === byDatabase(timeMs + 43_200_000)) continue;
      for (let halfHourMs = timeMs; halfHourMs <= timeMs + 43_200_000; halfHourMs += 1_800_000) {
        for (const aroundMs of [halfHourMs - 1, halfHourMs]) {
          expect(utcOffsetSeconds(zone, aroundMs)).toBe(byDatabase(aroundMs));
        }
      }
    }
  },
);
