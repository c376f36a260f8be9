import type { SandboxActivity } from "../sandbox/activity.ts";
import type { Found } from "./found.ts";
import { isMadeUp } from "./hand.ts";
import { isRaceAtStrava, shownOf } from "./race-at-strava.ts";
import type { World } from "./world.ts";

type Athlete = { id: number; stravaId: number; status: string };
const athletesOf = ({ file }: World): Athlete[] =>
  file.client.query<Athlete, []>("SELECT id, strava_id AS stravaId, status FROM athletes ORDER BY id").all();

/** I1. */
export function findPendingRaces({ file }: World): Found | undefined {
  const pending = file.client
    .query<{ athlete: number; count: number }, []>(
      "SELECT athlete_id AS athlete, count(*) AS count FROM races WHERE enrichment = 'pending' GROUP BY athlete_id",
    )
    .get();
  return pending === null
    ? undefined
    : {
        invariant: "I1",
        says: `Athlete ${pending.athlete} has ${pending.count} races pending, and no sync is left for them`,
      };
}

type Race = {
  id: number;
  activityId: number;
  name: string;
  distance: number;
  moving: number;
  elapsed: number;
  startMs: number;
  visibility: string;
  enrichment: string;
  error: string | null;
  polyline: string | null;
  description: string | null;
};

/** I11: after a full sync, the races that are held are those that Strava lists to the athlete's token, as it shows them. */
export function findUntruth(world: World): Found | undefined {
  for (const { id, stravaId, status } of athletesOf(world)) {
    if (status !== "connected")
      return { invariant: "liveness", says: `Athlete ${id} is ${status} after signing in again` };
    const held = new Map(
      world.file.client
        .query<Race, [number]>(
          `SELECT id, strava_activity_id AS activityId, name, distance_m AS distance, moving_s AS moving, elapsed_s AS elapsed,
             start_at_ms AS startMs, visibility, enrichment, enrichment_error AS error, polyline, description
           FROM races WHERE athlete_id = ?1 AND withdrawn_at_ms IS NULL`,
        )
        .all(id)
        .map((race) => [race.activityId, race]),
    );
    for (const activity of shownOf(world.strava, stravaId)) {
      if (!isRaceAtStrava(activity, world.config)) continue;
      const race = held.get(activity.id);
      held.delete(activity.id);
      // To a detail that is gone twice, Strava is taken at its word, whatever the list shows.
      if (race === undefined && world.curses.has(activity.id)) continue;
      const problem = race === undefined ? "is missing" : differenceOf(race, activity, world);
      if (problem !== undefined)
        return { invariant: "I11", says: `Activity ${activity.id} of athlete ${id} ${problem}` };
    }
    for (const race of held.values()) {
      // What a hand made up is told to be unavailable, and is no lie.
      if (race.enrichment !== "unavailable" || !isMadeUp(race.activityId)) {
        return {
          invariant: "I11",
          says: `Race ${race.id} of athlete ${id} (${race.enrichment}) is held, and Strava lists no such race`,
        };
      }
    }
  }
  return undefined;
}

function differenceOf(race: Race, activity: SandboxActivity, { strava, curses }: World): string | undefined {
  if (race.enrichment !== "enriched") {
    const isExplained = race.enrichment === "unavailable" || race.error !== null;
    if (isExplained && curses.has(activity.id)) return undefined;
    return `is ${race.enrichment} (${race.error ?? "no reason"})`;
  }
  const shown = {
    name: activity.name,
    distance: activity.distance,
    moving: activity.moving_time,
    elapsed: activity.elapsed_time,
    startMs: Date.parse(activity.start_date),
    visibility: activity.visibility,
  };
  for (const [field, value] of Object.entries(shown)) {
    const heldValue = race[field as keyof typeof shown];
    if (heldValue !== value) return `has ${field} ${JSON.stringify(heldValue)}, and at Strava ${JSON.stringify(value)}`;
  }
  if (curses.has(activity.id)) return "is enriched, though its detail was never given";
  const detail = strava.detail(activity.id) as {
    description?: string | null;
    map?: { polyline?: string | null } | null;
  };
  if ((detail.description ?? null) !== race.description) return "has another description than its detail";
  const polyline = detail.map?.polyline ?? null;
  return (polyline === "" ? null : polyline) === (race.polyline === "" ? null : race.polyline)
    ? undefined
    : "has another track than its detail";
}

/** I9. */
export function findLostEdit({ oracle, file, mayBeErased, disturbances }: World): Found | undefined {
  const mayBeGone = mayBeErased || disturbances.was("rows_by_hand");
  for (const [id, edit] of oracle.edits) {
    const row = file.client
      .query<{ name: string | null; hidden: number }, [number]>(
        "SELECT edited_name AS name, hidden FROM races WHERE id = ?1",
      )
      .get(id);
    if (row === null && mayBeGone) continue;
    if (row?.name !== edit.name || row.hidden !== (edit.isHidden ? 1 : 0)) {
      return { invariant: "I9", says: `Race ${id} was edited by a person, and the edit is gone` };
    }
  }
  return undefined;
}
