import { Elysia, status, t } from "elysia";
import { athleteId } from "../core/units.ts";
import { findAthletes, readAthlete, updateAthlete } from "../db/athletes.ts";
import type { AuditAction } from "../db/audit.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import { forgetAthlete } from "../sync/athletes/forget-athlete.ts";
import { importAthlete } from "../sync/athletes/import-athlete.ts";
import { recordByHand } from "../sync/by-hand.ts";
import { ATHLETE_STATUSES, AthleteJson, showAthlete } from "./athlete-view.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, LIST_REFUSALS, operation, PageOf, Whole, Word } from "./operation.ts";
import { PAGE_QUERY, pageOf, readPage, refuseCursor } from "./page.ts";

const AthleteId = t.Object({ id: t.String({ description: "`id` of the athlete, not Strava's." }) });
const Name = t.String({ maxLength: 200 });
const Token = t.String({ minLength: 1, maxLength: 1000 });
const UNKNOWN = { 404: "There is no such athlete." };
/** Past the year 2286: milliseconds where seconds are wanted. */
const LATEST_SECONDS = 9_999_999_999;

/** Athletes: import, list, change, erase. */
export function athleteRoutes({ context, processor, scheduler, revokeJob, actorOf }: RouteDeps) {
  const show = (row: AthleteRow) => showAthlete(row, { nowMs: context.clock.nowMs(), links: context.links });
  return new Elysia({ prefix: "/api/admin/athletes" })
    .post(
      "",
      ({ body, request }) => {
        const athlete = {
          stravaId: body.strava_id,
          firstName: body.first_name,
          lastName: body.last_name,
          accessToken: body.access_token,
          refreshToken: body.refresh_token,
          expiresAtSeconds: body.expires_at,
          scope: body.scope ?? "",
        };
        const { row, isNew } = importAthlete(context, athlete, actorOf(request));
        return isNew ? status(201, show(row)) : status(200, show(row));
      },
      {
        body: t.Object({
          strava_id: Whole({ minimum: 1, description: "The athlete's id at Strava." }),
          first_name: Name,
          last_name: Name,
          access_token: Token,
          refresh_token: Token,
          expires_at: Whole({
            minimum: 0,
            maximum: LATEST_SECONDS,
            description: "When the access token expires: seconds since the epoch, as Strava gives it.",
          }),
          scope: t.Optional(
            t.String({ maxLength: 500, description: "As Strava writes it: `read,activity:read_all`." }),
          ),
        }),
        detail: operation({
          tag: "Athletes",
          scope: "admin",
          summary: "Imports an athlete with tokens",
          description:
            "A known athlete gets these tokens in place of the old ones, and is connected again. Starts no sync.",
          answers: {
            200: { description: "Known already; the tokens were replaced.", schema: AthleteJson },
            201: { description: "Imported.", schema: AthleteJson },
          },
          refusals: BODY_REFUSALS,
        }),
      },
    )
    .get(
      "",
      ({ query }) => {
        const page = readPage(query);
        if (page === undefined) return refuseCursor();
        const rows = findAthletes(context.db, { status: query.status, q: query.q }, page.after?.[0] ?? 0, page.limit);
        return pageOf(rows, page.limit, { item: show, position: (row) => [row.id] });
      },
      {
        query: t.Object({
          ...PAGE_QUERY,
          status: t.Optional(Word(ATHLETE_STATUSES)),
          q: t.Optional(t.String({ maxLength: 200, description: "In the name, or the id at Strava." })),
        }),
        detail: operation({
          tag: "Athletes",
          scope: "read",
          summary: "Lists athletes",
          answers: { 200: { description: "A page of athletes, by id.", schema: PageOf(AthleteJson) } },
          refusals: LIST_REFUSALS,
        }),
      },
    )
    .get(
      "/:id",
      ({ params }) => {
        const id = parseId(params.id);
        const row = id === undefined ? undefined : readAthlete(context.db, athleteId(id));
        return row === undefined ? unknownThing("athlete") : show(row);
      },
      {
        params: AthleteId,
        detail: operation({
          tag: "Athletes",
          scope: "read",
          summary: "Shows an athlete",
          answers: { 200: { description: "The athlete.", schema: AthleteJson } },
          refusals: UNKNOWN,
        }),
      },
    )
    .patch(
      "/:id",
      ({ params, body, request }) => {
        const id = parseId(params.id);
        if (id === undefined) return unknownThing("athlete");
        const publish =
          body.publish === undefined
            ? {}
            : { publish: { value: body.publish, nowMs: context.clock.nowMs(), by: actorOf(request) } };
        const hidden = body.hidden === undefined ? {} : { hidden: body.hidden };
        const row = context.commits.now(() => {
          const changed = updateAthlete(context.db, athleteId(id), { ...publish, ...hidden });
          if (changed === undefined) return null;
          for (const action of actionsOf(body)) {
            recordByHand(context, actorOf(request), { action, target: `athlete:${id}` });
          }
          return changed;
        });
        return row === null ? unknownThing("athlete") : show(row);
      },
      {
        params: AthleteId,
        body: t.Object({
          publish: t.Optional(t.Boolean({ description: "The athlete's recorded consent: kept with time and actor." })),
          hidden: t.Optional(t.Boolean()),
        }),
        detail: operation({
          tag: "Athletes",
          scope: "admin",
          summary: "Records consent, or hides an athlete",
          answers: { 200: { description: "The athlete as it is now.", schema: AthleteJson } },
          refusals: { ...UNKNOWN, ...BODY_REFUSALS },
        }),
      },
    )
    .delete(
      "/:id",
      ({ params, request }) => {
        const id = parseId(params.id);
        const isErased = id !== undefined && forgetAthlete(context, processor, athleteId(id), { by: actorOf(request) });
        if (!isErased) return unknownThing("athlete");
        void scheduler.runNow(revokeJob);
        return status(202, { id, erased: true });
      },
      {
        params: AthleteId,
        detail: operation({
          tag: "Athletes",
          scope: "admin",
          summary: "Erases an athlete",
          description:
            "At once and for good. The grant at Strava is revoked next, and tried again until it is confirmed.",
          answers: {
            202: {
              description: "Erased; the revocation follows.",
              schema: t.Object({ id: t.Integer(), erased: t.Boolean() }),
            },
          },
          refusals: UNKNOWN,
        }),
      },
    );
}

/** What a change of an athlete is called in the audit. */
function actionsOf({ publish, hidden }: { publish?: boolean; hidden?: boolean }): readonly AuditAction[] {
  const consent =
    publish === undefined ? [] : ([publish ? "athlete.consent_given" : "athlete.consent_withdrawn"] as const);
  const showing = hidden === undefined ? [] : ([hidden ? "athlete.hidden" : "athlete.shown"] as const);
  return [...consent, ...showing];
}
