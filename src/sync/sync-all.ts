import type { SyncClass, SyncMode } from "../core/sync.ts";
import type { AthleteId, SyncId } from "../core/units.ts";
import { readAthletes } from "../db/athletes.ts";
import type { AthleteRow } from "../db/schema-athletes.ts";
import type { SyncContext } from "./context.ts";
import { type RunsBatches, startSync } from "./start-sync.ts";

export type StartedAll = {
  readonly started: readonly { readonly athleteId: AthleteId; readonly syncId: SyncId }[];
  readonly skipped: readonly { readonly athleteId: AthleteId; readonly reason: SkipReason }[];
};
export type SkipReason = "needs_reconnect" | "disconnected" | "sync_in_progress" | "strava_not_configured";

const PAGE = 100;

/** Starts one sync for each connected athlete, each in a transaction of its own; says who was left out, and why. */
export function syncAll(
  context: SyncContext,
  request: { syncClass: SyncClass; mode?: SyncMode | ((athlete: AthleteRow) => SyncMode) | undefined },
  processor: RunsBatches,
): StartedAll {
  const { syncClass, mode } = request;
  const started: { athleteId: AthleteId; syncId: SyncId }[] = [];
  const skipped: { athleteId: AthleteId; reason: SkipReason }[] = [];
  for (let afterId = 0; ; ) {
    const page = readAthletes(context.db, afterId, PAGE);
    for (const athlete of page) {
      const ofAthlete = typeof mode === "function" ? mode(athlete) : mode;
      const outcome = startOne(context, { syncClass, mode: ofAthlete, athleteId: athlete.id }, processor);
      if (typeof outcome === "number") started.push({ athleteId: athlete.id, syncId: outcome });
      else if (outcome !== "gone") {
        const reason = athlete.status === "disconnected" ? "disconnected" : outcome;
        skipped.push({ athleteId: athlete.id, reason });
      }
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return { started, skipped };
    afterId = last.id;
  }
}

function startOne(
  context: SyncContext,
  request: Parameters<typeof startSync>[1],
  processor: RunsBatches,
): SyncId | SkipReason | "gone" {
  const started = startSync(context, request, processor);
  switch (started.outcome) {
    case "started":
      return started.syncId;
    case "in_progress":
      return "sync_in_progress";
    case "athlete_unknown":
      return "gone";
    case "needs_reconnect":
    case "strava_not_configured":
      return started.outcome;
    default:
      return started satisfies never;
  }
}
