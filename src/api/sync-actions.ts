import { Elysia, status, t } from "elysia";
import { type SyncId, syncId } from "../core/units.ts";
import { pauseSync, resumeSync } from "../sync/pause-sync.ts";
import { retryFailed } from "../sync/start-sync.ts";
import { stopSync } from "../sync/stop-sync.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { operation } from "./operation.ts";
import { refuse } from "./problem.ts";
import { refuseStart } from "./start-answers.ts";

const SyncIdParam = t.Object({ sync_id: t.String() });
const REFUSALS = { 404: "There is no such sync.", 409: "`sync_ended`: it is not in progress." };

/** What a person can do with one sync. */
export function syncActionRoutes({ context, processor, actorOf }: RouteDeps) {
  const wake = () => processor.wake();
  return new Elysia({ prefix: "/api/admin/syncs" })
    .post(
      "/:sync_id/pause",
      ({ params, request }) => {
        const id = syncIdOf(params.sync_id);
        const paused = id === undefined ? undefined : pauseSync(context, id, actorOf(request));
        if (paused === undefined || paused.outcome === "unknown") return unknownThing("sync");
        if (paused.outcome === "not_in_progress") return refuseEnded();
        return { sync_id: params.sync_id, paused: true, changed: paused.isChanged };
      },
      {
        params: SyncIdParam,
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Pauses a sync",
          description: "Nothing more of it is claimed; a batch that runs finishes.",
          answers: {
            200: {
              description: "It is paused; `changed` is false when it was already.",
              schema: t.Object({ sync_id: t.String(), paused: t.Boolean(), changed: t.Boolean() }),
            },
          },
          refusals: REFUSALS,
        }),
      },
    )
    .post(
      "/:sync_id/resume",
      ({ params, request }) => {
        const id = syncIdOf(params.sync_id);
        const resumed = id === undefined ? undefined : resumeSync(context, id, wake, actorOf(request));
        if (resumed === undefined || resumed.outcome === "unknown") return unknownThing("sync");
        if (resumed.outcome === "not_in_progress") return refuseEnded();
        const { isChanged, madeDue } = resumed;
        return { sync_id: params.sync_id, paused: false, changed: isChanged, batches_made_due: madeDue };
      },
      {
        params: SyncIdParam,
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Resumes a sync, and makes what waits due at once",
          description: "The quota still decides when requests go out.",
          answers: {
            200: {
              description: "It goes on; `changed` is false when it was not paused.",
              schema: t.Object({
                sync_id: t.String(),
                paused: t.Boolean(),
                changed: t.Boolean(),
                batches_made_due: t.Integer(),
              }),
            },
          },
          refusals: REFUSALS,
        }),
      },
    )
    .post(
      "/:sync_id/cancel",
      ({ params, request }) => {
        const id = syncIdOf(params.sync_id);
        const stopped = id === undefined ? undefined : stopSync(context, processor, id, actorOf(request));
        if (stopped === undefined || stopped.outcome === "unknown") return unknownThing("sync");
        if (stopped.outcome === "not_in_progress") return refuseEnded();
        return { sync_id: params.sync_id, status: "cancelled" as const };
      },
      {
        params: SyncIdParam,
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Cancels a sync",
          answers: {
            200: {
              description: "Cancelled.",
              schema: t.Object({ sync_id: t.String(), status: t.Literal("cancelled") }),
            },
          },
          refusals: REFUSALS,
        }),
      },
    )
    .post(
      "/:sync_id/retry-failed",
      ({ params, request }) => {
        const id = syncIdOf(params.sync_id);
        const retried = id === undefined ? undefined : retryFailed(context, id, processor, actorOf(request));
        if (retried === undefined || retried.outcome === "sync_unknown") return unknownThing("sync");
        if (retried.outcome === "nothing_failed") {
          return refuse(409, "nothing_failed", "No race of this athlete has failed; there is nothing to try again.");
        }
        if (retried.outcome !== "started") return refuseStart(context, retried);
        return status(202, { sync_id: String(retried.syncId), races: retried.races });
      },
      {
        params: SyncIdParam,
        detail: operation({
          tag: "Syncs",
          scope: "operate",
          summary: "Starts a sync over just the races that failed",
          answers: {
            202: { description: "Started.", schema: t.Object({ sync_id: t.String(), races: t.Integer() }) },
          },
          refusals: {
            404: "There is no such sync.",
            409: "`nothing_failed`, `sync_in_progress` (with the running `sync_id`), `needs_reconnect` or `strava_not_configured`.",
          },
        }),
      },
    );
}

function syncIdOf(text: string): SyncId | undefined {
  const id = parseId(text);
  return id === undefined ? undefined : syncId(id);
}

const refuseEnded = () =>
  refuse(409, "sync_ended", "The sync has ended; start a new one with POST /api/admin/athletes/:id/sync.");
