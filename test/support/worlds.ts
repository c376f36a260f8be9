import { type AthleteId, athleteId, DAY_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import { ProcessDied } from "../../src/simulation/driver.ts";
import type { AthletePlan, Plan, StravaPlan } from "../../src/simulation/plan.ts";
import { World } from "../../src/simulation/world.ts";
import { importAthlete } from "../../src/sync/athletes/import-athlete.ts";
import { startSync } from "../../src/sync/start-sync.ts";

/** 2025-11-17 09:00:05 UTC: a Monday, a quarter of an hour has just begun, and no nightly job is near. */
const START_MS = Date.UTC(2025, 10, 17, 9, 0, 5);

export type WorldOptions = {
  readonly athletes: readonly Partial<AthletePlan>[];
  readonly spanDays?: number;
  readonly settings?: Readonly<Record<string, string>>;
  readonly strava?: Partial<StravaPlan>;
};

/** A plan made by hand in which nothing happens: what befalls the world, the test does. */
function planOf({ athletes, spanDays = 400, settings = {}, strava = {} }: WorldOptions): Plan {
  return {
    seed: 1,
    startMs: START_MS,
    // Whatever a test does to the world is in this time.
    durationMs: 7 * DAY_MS,
    club: {
      athletes: athletes.map((one) => ({ activities: 20, races: 5, together: 1, shortPage: 0, ...one })),
      spanDays,
    },
    settings,
    strava: {
      quarterLimit: 100,
      dayLimit: 1_000,
      rotatesTokens: false,
      latencyMs: [50, 400],
      skewMs: 0,
      beforeInclusive: false,
      refusesFutureBefore: true,
      ...strava,
    },
    happenings: [],
  };
}

/** A simulated world with a daemon that is up and idle, and knows every athlete. */
export function openWorld(options: WorldOptions): World {
  const world = new World(planOf(options));
  world.start();
  world.runFor(SECOND_MS);
  const { context } = processOf(world).parts;
  for (const athlete of world.strava.athletes()) importAthlete(context, athlete);
  world.runFor(SECOND_MS);
  return world;
}

/** The daemon. @throws Error while it is down. */
export function processOf(world: World): NonNullable<World["daemon"]> {
  if (world.daemon === undefined) throw new Error("The daemon is down");
  return world.daemon;
}

/** Runs something that dies with the process; undefined when that happened. */
export function unlessItDies<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProcessDied) return undefined;
    throw error;
  }
}

/** The athlete at a place of the club. */
export const athleteAt = (place: number): AthleteId => athleteId(place + 1);

export type EndedSync = {
  readonly id: number;
  readonly status: string;
  readonly error: string | null;
  readonly listed: number;
  readonly enriched: number;
};

/** How a sync comes about: a person starts it, or something else makes the daemon do so. */
type Start = { readonly mode: "full" | "incremental" } | { readonly start: (world: World) => void };

/**
 * Starts a sync of the athlete at a place, again where the daemon died before it stood, and lets time pass until it has
 * ended. @throws Error when it does not within the limit, or an invariant breaks.
 */
export function syncToItsEnd(
  world: World,
  wish: Start & { readonly place: number; readonly limitMs: number },
): EndedSync {
  const endMs = world.time.nowMs() + wish.limitMs;
  const lastId = newestSync(world, wish.place)?.id ?? 0;
  const started = (): EndedSync | undefined => {
    const sync = newestSync(world, wish.place);
    return sync === undefined || sync.id === lastId ? undefined : sync;
  };
  const ended = (): EndedSync | undefined =>
    world.daemon === undefined || started()?.status === "in_progress" ? undefined : started();
  while (world.time.nowMs() < endMs && world.oracle.breach === undefined) {
    if (started() === undefined && world.daemon !== undefined) begin(world, wish);
    world.runUntil(() => ended() !== undefined, MINUTE_MS);
    const sync = ended();
    if (sync !== undefined) return sync;
  }
  throw new Error(`No sync came to its end: ${JSON.stringify(world.oracle.breach ?? started())}`);
}

function begin(world: World, wish: Start & { readonly place: number }): void {
  if ("start" in wish) {
    wish.start(world);
    return;
  }
  const { context, processor } = processOf(world).parts;
  const request = { athleteId: athleteAt(wish.place), syncClass: "manual", mode: wish.mode } as const;
  unlessItDies(() => startSync(context, request, processor));
}

/** The newest sync of the athlete at a place. */
export function newestSync({ file }: World, place: number): EndedSync | undefined {
  const row = file.client
    .query<EndedSync, [number]>(
      `SELECT id, status, error, activities_listed AS listed, races_enriched AS enriched
       FROM syncs WHERE athlete_id = ?1 ORDER BY id DESC LIMIT 1`,
    )
    .get(athleteAt(place));
  return row ?? undefined;
}
