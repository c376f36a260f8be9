import { Elysia, status, t } from "elysia";
import { athleteId } from "../core/units.ts";
import { recordByHand } from "../sync/by-hand.ts";
import { startSync } from "../sync/start-sync.ts";
import { stopSyncOf } from "../sync/stop-sync.ts";
import { syncAll } from "../sync/sync-all.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { BODY_REFUSALS, operation, Word } from "./operation.ts";
import { refuse } from "./problem.ts";
import { refuseStart, refuseUnconfigured } from "./start-answers.ts";
import { SYNC_MODES } from "./sync-view.ts";

const Mode = t.Optional(Word(SYNC_MODES, "Left out: incremental once there was a complete list, else full."));
const AthleteId = t.Object({ id: t.String({ description: "`id` of the athlete." }) });

/** Starting and stopping syncs. */
export function syncStartRoutes({ context, processor, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" })
    .post(
      "/athletes/:id/sync",
      ({ params, body, request }) => {
        const id = parseId(params.id);
        if (id === undefined) return unknownThing("athlete");
        const { mode, restart } = body;
        const wanted = { athleteId: athleteId(id), syncClass: "manual", mode, restart, by: actorOf(request) } as const;
        const started = startSync(context, wanted, processor);
        if (started.outcome !== "started") return refuseStart(context, started);
        return status(202, { sync_id: String(started.syncId), athlete_id: id, mode: started.mode });
      },
      {
        params: AthleteId,
        body: t.Object({
          mode: Mode,
          restart: t.Optional(t.Boolean({ description: "Cancels the one in progress first." })),
        }),
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Starts a sync of an athlete",
          answers: {
            202: {
              description: "Started.",
              schema: t.Object({ sync_id: t.String(), athlete_id: t.Integer(), mode: Word(SYNC_MODES) }),
            },
          },
          refusals: {
            ...BODY_REFUSALS,
            404: "There is no such athlete.",
            409: "`sync_in_progress` (with the running `sync_id`), `needs_reconnect` or `strava_not_configured`.",
          },
        }),
      },
    )
    .post(
      "/athletes/:id/sync/stop",
      ({ params, request }) => {
        const id = parseId(params.id);
        const stopped = id === undefined ? undefined : stopSyncOf(context, processor, athleteId(id), actorOf(request));
        if (stopped === undefined || stopped.outcome === "unknown") return unknownThing("athlete");
        if (stopped.outcome === "not_in_progress") {
          return refuse(
            409,
            "no_sync_in_progress",
            "No sync of this athlete is in progress; nothing is to be stopped.",
          );
        }
        return status(200, { sync_id: String(stopped.syncId), status: "cancelled" as const });
      },
      {
        params: AthleteId,
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Cancels the sync of an athlete",
          answers: {
            200: {
              description: "Cancelled. What was stored stays; pending races are left to the next sync.",
              schema: t.Object({ sync_id: t.String(), status: t.Literal("cancelled") }),
            },
          },
          refusals: { 404: "There is no such athlete.", 409: "`no_sync_in_progress`." },
        }),
      },
    )
    .post(
      "/syncs",
      ({ body, request }) => {
        if (context.strava === undefined) return refuseUnconfigured();
        const { started, skipped } = syncAll(context, { syncClass: "manual", mode: body.mode }, processor);
        const detail = { mode: body.mode, started: started.length, skipped: skipped.length };
        context.commits.now(() => recordByHand(context, actorOf(request), { action: "syncs.started", detail }));
        return status(202, {
          started: started.map((one) => ({ athlete_id: one.athleteId, sync_id: String(one.syncId) })),
          skipped: skipped.map((one) => ({ athlete_id: one.athleteId, reason: one.reason })),
        });
      },
      {
        body: t.Object({ mode: Mode }),
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Starts a sync of each connected athlete",
          answers: {
            202: {
              description: "Which were started, and who was left out.",
              schema: t.Object({
                started: t.Array(t.Object({ athlete_id: t.Integer(), sync_id: t.String() })),
                skipped: t.Array(t.Object({ athlete_id: t.Integer(), reason: t.String() })),
              }),
            },
          },
          refusals: { ...BODY_REFUSALS, 409: "`strava_not_configured`." },
        }),
      },
    );
}
