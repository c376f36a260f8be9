import { DEATHS_TILL_EXHAUSTED } from "../core/batch.ts";
import type { Disturbance } from "./disturbances.ts";
import type { Found } from "./found.ts";
import { detailAskedFor } from "./network.ts";
import type { Scene } from "./scene.ts";

/** What a sync may fail by, beside the access that is gone and deaths of the process. */
const GROUNDS: readonly Disturbance[] = ["strava_faults", "rows_by_hand", "database_fails", "second_process", "hung"];

/**
 * A sync fails by something, and never for nothing.
 * @param failed.deaths how many processes have died since the sync started.
 */
export function findGroundlessFailure(
  { file, disturbances }: Scene,
  failed: { syncId: number; startedAtMs: number; deaths: number },
): Found | undefined {
  const { syncId, startedAtMs, deaths } = failed;
  if (deaths >= DEATHS_TILL_EXHAUSTED || GROUNDS.some((what) => disturbances.was(what, startedAtMs))) return undefined;
  const sync = file.client
    .query<{ status: string; error: string | null }, [number]>(
      "SELECT a.status, s.error FROM syncs s JOIN athletes a ON a.id = s.athlete_id WHERE s.id = ?1",
    )
    .get(syncId);
  if (sync === null || sync.status !== "connected") return undefined;
  return { invariant: "I8", says: `Sync ${syncId} has failed, and nothing stood in its way: ${sync.error}` };
}

type GivenUp = { id: number; attempts: number };

/** What is given up has had all its attempts, or an answer that no other try would change. */
export function findEarlyGivingUp(scene: Scene): Found | undefined {
  const { file, config, disturbances, curses } = scene;
  if (disturbances.was("rows_by_hand")) return undefined;
  const batch = file.client
    .query<GivenUp, [number, number]>(
      "SELECT id, attempts FROM batches WHERE status = 'failed' AND attempts < ?1 AND deaths < ?2",
    )
    .get(config.maxAttempts, DEATHS_TILL_EXHAUSTED);
  if (batch !== null) {
    const says = `Batch ${batch.id} has failed after ${batch.attempts} attempts of ${config.maxAttempts}`;
    return { invariant: "attempts", says };
  }
  const races = file.client
    .query<GivenUp & { activityId: number; error: string }, [number]>(
      `SELECT id, attempts, strava_activity_id AS activityId, enrichment_error AS error FROM races
       WHERE enrichment = 'failed' AND attempts < ?1 AND withdrawn_at_ms IS NULL`,
    )
    .all(config.maxAttempts);
  for (const { id, attempts, activityId, error } of races) {
    if (curses.has(activityId) || wasAnsweredForGood(scene, activityId)) continue;
    const says = `Race ${id} has failed after ${attempts} attempts of ${config.maxAttempts}: ${error}`;
    return { invariant: "attempts", says };
  }
  return undefined;
}

/** Whether an answer to the detail of an activity was one that no other try would change. */
function wasAnsweredForGood({ network, disturbances }: Scene, activityId: number): boolean {
  return network.errands.some(
    (errand) =>
      detailAskedFor(errand) === activityId &&
      ((errand.status >= 400 && errand.status < 500 && ![401, 404, 429].includes(errand.status)) ||
        // It may have been somebody else's.
        (errand.status === 200 && disturbances.was("strava_faults", errand.sentAtMs))),
  );
}
