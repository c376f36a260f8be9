import { Elysia, t } from "elysia";
import { INCIDENT, type Incident } from "../core/incident.ts";
import { syncId } from "../core/units.ts";
import { inReadTransaction } from "../db/transaction.ts";
import { exportIncident } from "../health/incidents/export.ts";
import type { RouteDeps } from "./deps.ts";
import { parseId, unknownThing } from "./identifiers.ts";
import { operation } from "./operation.ts";

/** `GET /api/admin/syncs/:sync_id/incident`: what happened in a sync, as a file to keep, hand on and replay. */
export function incidentRoutes(deps: RouteDeps) {
  return new Elysia({ prefix: "/api/admin/syncs" }).get(
    "/:sync_id/incident",
    ({ params }) => {
      const id = parseId(params.sync_id);
      return (id === undefined ? undefined : write(deps, id)) ?? unknownThing("sync");
    },
    {
      params: t.Object({ sync_id: t.String() }),
      detail: operation({
        tag: "Syncs",
        scope: "read",
        summary: "Writes down what happened in a sync, to be replayed",
        description:
          "A timeline of the sync, its batches, its races by made-up numbers, findings, log, quota and settings. Holds no token, no name, nothing of a race's contents and no id of Strava's. `broomwagon incident replay` reads it.",
        answers: { 200: { description: "The incident file.", schema: t.Unsafe<Incident>(INCIDENT.schema) } },
        refusals: { 404: "There is no such sync." },
      }),
    },
  );
}

function write({ context, monitor, incidentConfig, version }: RouteDeps, id: number): Incident | undefined {
  const { lastCheckAtMs } = monitor.view();
  return inReadTransaction(context.db, () => {
    return exportIncident(context, syncId(id), { config: incidentConfig(), programVersion: version, lastCheckAtMs });
  });
}
