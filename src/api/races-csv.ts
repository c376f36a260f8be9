import { type RaceFilter, type RacePosition, readRaces } from "../db/race-queries.ts";
import type { SyncContext } from "../sync/context.ts";
import { createRaceViewer, type RaceJson } from "./race-view.ts";

const COLUMNS = [
  "id",
  "athlete_id",
  "strava_activity_id",
  "strava_url",
  "name",
  "sport_type",
  "distance",
  "moving_time",
  "elapsed_time",
  "elevation_gain",
  "start_date",
  "start_date_local",
  "visibility",
  "enrichment",
  "enrichment_error",
  "hidden",
  "last_seen_at",
  "stale",
  "publishable",
  "withdrawn_at",
] as const satisfies readonly (keyof RaceJson)[];

const PAGE = 200;

/** All races that match, as CSV (RFC 4180) with a line of names first. Read a page at a time as it is taken. */
export function racesAsCsv(context: Pick<SyncContext, "db" | "clock">, filter: RaceFilter): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const show = createRaceViewer(context);
  let after: RacePosition | undefined;
  return new ReadableStream({
    start: (controller) => controller.enqueue(encoder.encode(`${COLUMNS.join(",")}\r\n`)),
    pull(controller) {
      const rows = readRaces(context.db, filter, after, PAGE);
      const last = rows.at(-1);
      if (last !== undefined) {
        after = { startAtMs: last.startAtMs, id: last.id };
        controller.enqueue(encoder.encode(rows.map((row) => lineOf(show(row))).join("")));
      }
      if (rows.length < PAGE) controller.close();
    },
  });
}

const lineOf = (race: RaceJson): string => `${COLUMNS.map((column) => fieldOf(race[column])).join(",")}\r\n`;

function fieldOf(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  // A spreadsheet takes text that begins like this for a formula, and the text is a stranger's.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
