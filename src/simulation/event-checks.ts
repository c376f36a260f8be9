import { SECOND_MS } from "../core/units.ts";
import { readObject } from "../db/stored-json.ts";
import type { Found } from "./found.ts";
import { isRaceAtStrava, shownOf } from "./race-at-strava.ts";
import type { World } from "./world.ts";

/** The last thing that Strava told of an activity, as it was posted; times in seconds of Strava's clock. */
type Told = { object_type: string; object_id: number; owner_id: number; event_time: number; aspect_type: string };
type Row = { status: string; outcome: string | null };
type Held = { withdrawn: 0 | 1; name: string };

/** What is told of and could not be asked for, or was not to be believed, is left to the next list. */
const LEFT_TO_THE_LIST = new Set(["not_connected", "foreign_subscription", "needs_reconnect", "refused", "given_up"]);

/**
 * I11: what Strava told of last, and was delivered and settled, is held as Strava shows it now; nobody has to wait for the next
 * list. Whose access was taken back, and who was told so, is not connected any more.
 */
export function findUnheededEvent(world: World): Found | undefined {
  if (world.disturbances.was("rows_by_hand")) return undefined;
  const last = new Map<number, Told>();
  for (const { body, outcome } of world.strava.events()) {
    const told = readObject(body) as Partial<Told>;
    if (told.object_type !== "activity" || typeof told.object_id !== "number") continue;
    // A later one that was lost leaves nothing to be said of the activity.
    if (outcome === "delivered") last.set(told.object_id, told as Told);
    else last.delete(told.object_id);
  }
  for (const told of last.values()) {
    const says = findUnheeded(world, told);
    if (says !== undefined) return { invariant: "I11", says };
  }
  return findUnheededRevocation(world);
}

function findUnheeded(world: World, told: Told): string | undefined {
  const { file, strava, disturbances, curses, config, plan } = world;
  const toldAtMs = told.event_time * SECOND_MS - plan.strava.skewMs;
  const inItsWay = ["strava_faults", "wrong_clock"] as const;
  if (curses.has(told.object_id) || inItsWay.some((what) => disturbances.was(what, toldAtMs))) return undefined;
  const row = file.client
    .query<Row, [number, number, number]>(
      `SELECT a.status, e.outcome FROM strava_events e JOIN athletes a ON a.strava_id = e.owner_id
       WHERE e.object_type = 'activity' AND e.object_id = ?1 AND e.owner_id = ?2 AND e.event_time_s = ?3 ORDER BY e.id DESC LIMIT 1`,
    )
    .get(told.object_id, told.owner_id, told.event_time);
  // Whoever was erased meanwhile took what was told of them along.
  if (row?.outcome == null || row.status !== "connected" || LEFT_TO_THE_LIST.has(row.outcome)) return undefined;
  if (world.oracle.signedIn(told.owner_id) >= toldAtMs) return undefined;
  if (world.oracle.lastChangedUntold(told.object_id) >= toldAtMs) return undefined;
  const held = file.client
    .query<Held, [number, number]>(
      `SELECT r.withdrawn_at_ms IS NOT NULL AS withdrawn, r.name FROM races r JOIN athletes a ON a.id = r.athlete_id
       WHERE r.strava_activity_id = ?1 AND a.strava_id = ?2`,
    )
    .get(told.object_id, told.owner_id);
  const isHeld = held !== null && held.withdrawn === 0;
  const activity = shownOf(strava, told.owner_id).find(({ id }) => id === told.object_id);
  const where = `Strava told of activity ${told.object_id} (${told.aspect_type}: ${row.outcome})`;
  if (activity === undefined || !isRaceAtStrava(activity, config))
    return isHeld ? `${where}, which is no race to be held, and it is held` : undefined;
  if (!isHeld) return `${where}, which is a race, and it is not held`;
  return held.name === activity.name ? undefined : `${where}, and it is held with a former name`;
}

function findUnheededRevocation({ file, strava, disturbances }: World): Found | undefined {
  if (disturbances.was("strava_faults")) return undefined;
  for (const { stravaId, isConnected } of strava.people()) {
    if (isConnected) continue;
    const athlete = file.client
      .query<{ id: number; outcome: string }, [number]>(
        `SELECT a.id, e.outcome FROM athletes a JOIN strava_events e ON e.owner_id = a.strava_id
         WHERE a.strava_id = ?1 AND a.status = 'connected' AND e.deauthorized = 1 AND e.outcome NOT IN ('false_alarm', 'foreign_subscription')`,
      )
      .get(stravaId);
    if (athlete !== null) {
      const says = `Athlete ${athlete.id} took the access back, Strava told so (${athlete.outcome}), and they are connected`;
      return { invariant: "I11", says };
    }
  }
  return undefined;
}
