/**
 * Run as a process of its own, with TZ set: syncs races of many zones, on days on which clocks change, and writes out
 * what is stored and shown of them. The same bytes must come out wherever the machine stands.
 */
import { HOUR_MS } from "../../src/core/units.ts";
import type { ActivityPatch } from "../../src/sandbox/activity.ts";
import { utcOffsetSeconds, ZONES, zoneLabel } from "../../src/sandbox/time-zones.ts";
import { createTestApi } from "./api.ts";
import { PLENTY, RACE, stravaTime } from "./syncs.ts";

/** Around the changes of clocks of 2025, and on a plain day; each race an hour after the one before. */
const AROUND_MS = [
  Date.UTC(2025, 2, 8, 15), // in Sydney, the hour that clocks in North America are to skip
  Date.UTC(2025, 2, 9, 6), // North America, forward
  Date.UTC(2025, 2, 29, 23), // Europe, forward
  Date.UTC(2025, 3, 5, 12), // Australia and New Zealand, back
  Date.UTC(2025, 6, 1, 11),
  Date.UTC(2025, 8, 27, 12), // New Zealand, forward
  Date.UTC(2025, 9, 4, 14), // Australia, forward
  Date.UTC(2025, 9, 25, 23), // Europe, back
  Date.UTC(2025, 10, 2, 5), // North America, back
];

const races: ActivityPatch[] = ZONES.flatMap((zone, at) =>
  AROUND_MS.flatMap((aroundMs) =>
    [0, 1, 2, 3].map((hour): ActivityPatch => {
      const startMs = aroundMs + hour * HOUR_MS + at * 1_000;
      const utc_offset = utcOffsetSeconds(zone, startMs);
      return { ...RACE, name: zone.name, start_date: stravaTime(startMs), utc_offset, timezone: zoneLabel(zone) };
    }),
  ),
);

const api = createTestApi({ sandbox: { quota: PLENTY, club: { athletes: [{ activities: races }] } } });
await api.post("/api/admin/athletes/1/sync");
await api.settle();
const shown: unknown[] = [];
for (let cursor: string | null = ""; cursor !== null; ) {
  const { body } = await api.get(`/api/admin/races?limit=200${cursor === "" ? "" : `&cursor=${cursor}`}`);
  shown.push(...body.items);
  cursor = body.next_cursor;
}
const csv = (await api.get("/api/admin/races.csv?from=2025-03-08&to=2025-11-03")).text;
const stored = api.engine.db.$client.query("SELECT * FROM races ORDER BY id").all();
process.stdout.write(JSON.stringify({ stored, shown, csv }));
