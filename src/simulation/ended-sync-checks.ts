import type { SandboxActivity } from "../sandbox/activity.ts";
import type { Found } from "./found.ts";
import { isRaceAtStrava, shownOf } from "./race-at-strava.ts";
import type { Scene } from "./scene.ts";

type Completed = { athlete: number; stravaId: number; fromMs: number; listed: 0 | 1 };

/** What is said of the moments around a sync's start proves nothing: clocks differ a little. */
const DOUBT_MS = 5 * 60_000;

/**
 * I1, I11: a sync that has just completed leaves no race pending, and what its list showed is held. Where its athlete's
 * activities have changed since it started, or something stood in its way, it proves nothing.
 * @param started.startedAtMs truly, whatever the clock of its daemon said.
 * @param changedAtMs when something last changed of an athlete's activities, by Strava's id.
 */
export function checkCompletedSync(
  scene: Scene,
  started: { syncId: number; startedAtMs: number },
  changedAtMs: (stravaId: number) => number,
): Found | undefined {
  const { syncId, startedAtMs } = started;
  const sync = scene.file.client
    .query<Completed, [number]>(
      `SELECT s.athlete_id AS athlete, a.strava_id AS stravaId,
         ifnull(s.list_from_s, 0) * 1000 AS fromMs,
         EXISTS (SELECT 1 FROM batches b WHERE b.sync_id = s.id AND b.type = 'discovery' AND b.status = 'completed') AS listed
       FROM syncs s JOIN athletes a ON a.id = s.athlete_id WHERE s.id = ?1 AND s.status = 'completed'`,
    )
    .get(syncId);
  if (sync === null) return undefined;
  const { stravaId } = sync;
  if (!scene.disturbances.was("rows_by_hand", startedAtMs) && hasPendingRaces(scene, sync))
    return { invariant: "I1", says: `Sync ${syncId} has completed, and its athlete has races pending` };
  const inItsWay = ["rows_by_hand", "wrong_clock", "strava_faults"] as const;
  if (inItsWay.some((what) => scene.disturbances.was(what, startedAtMs))) return undefined;
  if (sync.listed === 0 || changedAtMs(stravaId) >= startedAtMs) return undefined;
  return findLostRace(scene, sync, started) ?? findGhost(scene, sync, syncId);
}

const hasPendingRaces = ({ file }: Scene, { athlete }: Completed): boolean =>
  file.client.query("SELECT 1 FROM races WHERE athlete_id = ?1 AND enrichment = 'pending'").get(athlete) !== null;

type Row = { activityId: number; withdrawn: string | null; name: string };

function rowsOf({ file }: Scene, { athlete }: Completed): readonly Row[] {
  return file.client
    .query<Row, [number]>(
      `SELECT strava_activity_id AS activityId, name, iif(withdrawn_at_ms IS NULL, NULL, ifnull(withdrawn_reason, '')) AS withdrawn
       FROM races WHERE athlete_id = ?1`,
    )
    .all(athlete);
}

function findLostRace(
  scene: Scene,
  sync: Completed,
  { syncId, startedAtMs }: { syncId: number; startedAtMs: number },
): Found | undefined {
  const held = new Map(rowsOf(scene, sync).map((row) => [row.activityId, row]));
  for (const activity of racesOf(scene, sync, startedAtMs)) {
    if (scene.curses.has(activity.id)) continue;
    const row = held.get(activity.id);
    const where = `activity ${activity.id} of athlete ${sync.athlete}`;
    if (row === undefined) return { invariant: "I11", says: `Sync ${syncId} has completed, and ${where} is missing` };
    // A detail that was not to be had twice is withdrawn whatever the list shows.
    if (row.withdrawn !== null && row.withdrawn !== "no longer shown") {
      return { invariant: "I11", says: `Sync ${syncId} has completed, and ${where} is withdrawn: ${row.withdrawn}` };
    }
    if (row.withdrawn === null && row.name !== activity.name) {
      return { invariant: "I11", says: `Sync ${syncId} has completed, and ${where} still has a former name` };
    }
  }
  return undefined;
}

/** A list without any race is not believed at once: it says nothing. Nor does a race that a hand added. */
function findGhost(scene: Scene, sync: Completed, syncId: number): Found | undefined {
  const shown = new Set(
    shownOf(scene.strava, sync.stravaId)
      .filter((one) => isRaceAtStrava(one, scene.config))
      .map(({ id }) => id),
  );
  if (sync.fromMs > 0 || shown.size === 0 || scene.disturbances.was("rows_by_hand")) return undefined;
  const ghost = rowsOf(scene, sync).find(({ activityId, withdrawn }) => withdrawn === null && !shown.has(activityId));
  return ghost === undefined
    ? undefined
    : {
        invariant: "I11",
        says: `Sync ${syncId} has completed, and activity ${ghost.activityId} is held, which Strava lists no more`,
      };
}

/** The races that the list of a sync showed for certain. */
function racesOf(scene: Scene, { stravaId, fromMs }: Completed, startedAtMs: number): readonly SandboxActivity[] {
  return shownOf(scene.strava, stravaId).filter((activity) => {
    const beganAtMs = Date.parse(activity.start_date);
    return beganAtMs >= fromMs && beganAtMs < startedAtMs - DOUBT_MS && isRaceAtStrava(activity, scene.config);
  });
}
