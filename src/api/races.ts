import { Elysia, t } from "elysia";
import { FRESH_FOR_MS } from "../core/freshness.ts";
import { athleteId, type EpochMs, raceId } from "../core/units.ts";
import { editRace, type RaceEdit, type RaceFilter, readRaces } from "../db/race-queries.ts";
import { recordByHand } from "../sync/by-hand.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, LIST_REFUSALS, OrNull, operation, PageOf, Whole, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";
import { createRaceViewer, ENRICHMENTS, RaceJson } from "./race-view.ts";
import { racesAsCsv } from "./races-csv.ts";

/** A day (`2025-11-17`, from 00:00 UTC) or milliseconds since the epoch. */
const Moment = (description: string) =>
  t.Optional(t.String({ pattern: "^(\\d{4}-\\d{2}-\\d{2}|\\d{1,15})$", description }));
const Meters = (description: string) => t.Optional(t.Number({ minimum: 0, description }));

const FILTER_QUERY = {
  athlete_id: t.Optional(t.Integer({ minimum: 1 })),
  enrichment: t.Optional(Word(ENRICHMENTS)),
  from: Moment("Started at or after: a day (UTC) or milliseconds since the epoch."),
  to: Moment("Started before: a day (UTC) or milliseconds since the epoch."),
  min_distance: Meters("Meters, at least."),
  max_distance: Meters("Meters, at most."),
  q: t.Optional(t.String({ maxLength: 200, description: "In the name, or the activity's id at Strava." })),
  publishable: t.Optional(
    Word(["true", "false"], "`true`: only those that may be shown to others. For whoever builds a page of results."),
  ),
  withdrawn: t.Optional(Word(["true", "false"], "`true`: also those that Strava no longer shows.")),
};
const FilterQuery = t.Object(FILTER_QUERY);

/** Races: list, export, edit. */
export function raceRoutes({ context, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" })
    .get(
      "/races",
      ({ query }) => {
        const page = readPage(query, 2);
        if (page === undefined) return refuseCursor();
        const [startAtMs, id] = page.after ?? [];
        const after = startAtMs === undefined || id === undefined ? undefined : { startAtMs, id };
        const rows = readRaces(context.db, filterOf(query, context.clock.nowMs()), after, page.limit);
        return pageOf(rows, page.limit, {
          item: createRaceViewer(context),
          position: (row) => [row.startAtMs, row.id],
        });
      },
      {
        query: t.Object({ ...PAGE_QUERY, ...FILTER_QUERY }),
        detail: operation({
          tag: "Races",
          scope: "read",
          summary: "Lists races, the newest first",
          description: "Private ones included. What an admin wrote counts in filters as it does in what is shown.",
          answers: { 200: { description: "A page of races.", schema: PageOf(RaceJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/races.csv",
      ({ query }) =>
        new Response(racesAsCsv(context, filterOf(query, context.clock.nowMs())), {
          headers: {
            "content-type": "text/csv; charset=utf-8; header=present",
            "content-disposition": 'attachment; filename="races.csv"',
          },
        }),
      {
        query: FilterQuery,
        detail: operation({
          tag: "Races",
          scope: "read",
          summary: "Exports races as CSV",
          description: "All that match, the newest first, without tracks and descriptions.",
          answers: { 200: { description: "CSV with a line of names.", schema: t.String(), mediaType: "text/csv" } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .patch(
      "/races/:id",
      ({ params, body, request }) => {
        const id = parseId(params.id);
        if (id === undefined) return unknownThing("race");
        const edit: RaceEdit = {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.distance === undefined ? {} : { distanceMeters: body.distance }),
          ...(body.moving_time === undefined ? {} : { movingSeconds: body.moving_time }),
          ...(body.hidden === undefined ? {} : { hidden: body.hidden }),
        };
        const row = context.commits.now(() => {
          const edited = editRace(context.db, raceId(id), edit);
          if (edited === undefined) return null;
          // Which fields, never what is in them: those are contents of a race.
          const detail = { fields: Object.keys(body), hidden: body.hidden };
          if (detail.fields.length > 0) {
            recordByHand(context, actorOf(request), { action: "race.edited", target: `race:${id}`, detail });
          }
          return edited;
        });
        return row === null ? unknownThing("race") : createRaceViewer(context)(row);
      },
      {
        params: t.Object({ id: t.String({ description: "`id` of the race, not Strava's." }) }),
        body: t.Object({
          name: t.Optional(
            OrNull(t.String({ minLength: 1, maxLength: 500, description: "null takes the edit back." })),
          ),
          distance: t.Optional(OrNull(t.Number({ minimum: 0, description: "Meters." }))),
          moving_time: t.Optional(OrNull(Whole({ minimum: 0, description: "Seconds." }))),
          hidden: t.Optional(t.Boolean()),
        }),
        detail: operation({
          tag: "Races",
          scope: "admin",
          summary: "Edits or hides a race",
          description: "No sync ever overwrites it, or shows it again.",
          answers: { 200: { description: "The race as it is now.", schema: RaceJson } },
          refusals: { ...BODY_REFUSALS, 404: "There is no such race." },
        }),
      },
    );
}

function filterOf(query: typeof FilterQuery.static, nowMs: EpochMs): RaceFilter {
  return {
    athleteId: query.athlete_id === undefined ? undefined : athleteId(query.athlete_id),
    enrichment: query.enrichment,
    fromMs: momentOf(query.from),
    toMs: momentOf(query.to),
    minDistanceMeters: query.min_distance,
    maxDistanceMeters: query.max_distance,
    q: query.q,
    includeWithdrawn: query.withdrawn === "true",
    publishableSinceMs: query.publishable === "true" ? nowMs - FRESH_FOR_MS : undefined,
  };
}

/** A day that is in no calendar (`2025-02-31`) starts when `Date` says so. */
function momentOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = text.includes("-") ? Date.parse(`${text}T00:00:00Z`) : Number(text);
  return Number.isNaN(ms) ? undefined : ms;
}
