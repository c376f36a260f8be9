import type { Sandbox } from "../src/sandbox/sandbox.ts";
import type { StoredRace, SyncState } from "./kill-test-store.ts";

/**
 * Holds what is stored against what Strava has. The rule of what a race is stands here again on purpose: a fault in the
 * program's own must not excuse itself. @returns a sentence for each difference.
 */
export function judgeTruth(sandbox: Sandbox, stored: readonly StoredRace[], syncs: readonly SyncState[]): string[] {
  return sandbox.athletes().flatMap(({ stravaId }) => {
    const activities = sandbox.activities(stravaId);
    const races = activities.filter(({ type, workout_type }) => type === "Run" && workout_type === 1);
    const own = stored.filter((race) => race.stravaId === stravaId);
    const ids = new Set(races.map(({ id }) => id));
    return [
      ...judgeSyncs(stravaId, syncs, { activities: activities.length, races: races.length }),
      ...own
        .filter(({ activityId }) => !ids.has(activityId))
        .map(({ activityId }) => `${activityId} is stored and is no race`),
      ...races.flatMap(({ id }) => judgeRace(id, sandbox.detail(id) ?? {}, own)),
    ];
  });
}

function judgeSyncs(
  stravaId: number,
  syncs: readonly SyncState[],
  truth: { activities: number; races: number },
): string[] {
  const own = syncs.filter((sync) => sync.stravaId === stravaId);
  const [sync] = own;
  if (sync === undefined || own.length !== 1) return [`athlete ${stravaId} has ${own.length} syncs, not 1`];
  const { status, activitiesListed, racesEnriched } = sync;
  return [
    ...(status === "completed" ? [] : [`the sync of athlete ${stravaId} is ${status}`]),
    ...differences(
      `the sync of athlete ${stravaId}`,
      { activitiesListed, racesEnriched },
      {
        activitiesListed: truth.activities,
        racesEnriched: truth.races,
      },
    ),
  ];
}

function judgeRace(
  activityId: number,
  detail: Readonly<Record<string, unknown>>,
  own: readonly StoredRace[],
): string[] {
  const held = own.filter((race) => race.activityId === activityId);
  const [race] = held;
  if (race === undefined || held.length !== 1) return [`race ${activityId} is stored ${held.length} times`];
  const { name, distance, movingSeconds, startAtMs, polyline, description, enrichment, error, withdrawnAtMs } = race;
  const map =
    typeof detail.map === "object" && detail.map !== null && "polyline" in detail.map ? detail.map : undefined;
  return differences(
    `race ${activityId}`,
    { name, distance, movingSeconds, startAtMs, polyline, description, enrichment, error, withdrawnAtMs },
    {
      name: detail.name,
      distance: detail.distance,
      movingSeconds: detail.moving_time,
      startAtMs: Date.parse(String(detail.start_date)),
      // Strava writes "" where there is no line.
      polyline: map?.polyline || null,
      description: detail.description,
      enrichment: "enriched",
      error: null,
      withdrawnAtMs: null,
    },
  );
}

function differences(
  what: string,
  held: Readonly<Record<string, unknown>>,
  truth: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(truth)
    .filter(([field, value]) => held[field] !== value)
    .map(([field, value]) => `${what}: ${field} is ${brief(held[field])}, not ${brief(value)}`);
}

const brief = (value: unknown): string => String(JSON.stringify(value)).slice(0, 120);
