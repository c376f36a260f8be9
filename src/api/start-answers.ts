import { readSync } from "../db/syncs.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Started } from "../sync/start-sync.ts";
import { unknownThing } from "./identifiers.ts";
import { refuse } from "./problem.ts";

/** The answer to a sync that was not started. */
export function refuseStart(context: SyncContext, refused: Exclude<Started, { outcome: "started" }>) {
  switch (refused.outcome) {
    case "athlete_unknown":
      return unknownThing("athlete");
    case "strava_not_configured":
      return refuseUnconfigured();
    case "needs_reconnect":
      return refuse(
        409,
        "needs_reconnect",
        `${refused.reason} The athlete must connect again: send them the link ${context.links.reconnect()}, or import them with new tokens.`,
      );
    case "in_progress": {
      const traceId = readSync(context.db, refused.syncId)?.traceId ?? null;
      return refuse(
        409,
        "sync_in_progress",
        'A sync of this athlete is in progress. Wait for it, stop it, or send {"restart": true}.',
        { sync_id: String(refused.syncId), ...(traceId === null ? {} : { trace_id: traceId }) },
      );
    }
    default:
      return refused satisfies never;
  }
}

/** 409: nobody gave the application's credentials. */
export const refuseUnconfigured = () =>
  refuse(
    409,
    "strava_not_configured",
    "Set STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET (from https://www.strava.com/settings/api) and restart the daemon.",
  );
