import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units.ts";
import type { LedgerEntry } from "../../src/sandbox/ledger.ts";
import type { DaemonProcess } from "../../src/simulation/daemon-process.ts";
import { ProcessDied } from "../../src/simulation/driver.ts";
import type { Edge } from "../../src/simulation/edges.ts";
import { checkFinally } from "../../src/simulation/final-checks.ts";
import { signIn } from "../../src/simulation/happen-to-athletes.ts";
import type { Errand } from "../../src/simulation/network.ts";
import type { World } from "../../src/simulation/world.ts";
import { type EndedSync, openWorld, syncToItsEnd, type WorldOptions } from "./worlds.ts";

/** A sync of one athlete, from its start to its end, during which the daemon can be killed. */
export type CrashCase = {
  readonly name: string;
  readonly mode: "full" | "incremental";
  readonly world: WorldOptions;
  /** What comes before the sync. */
  readonly before?: (world: World) => void;
  /** Where a process that dies may take with it what nobody else has: the athlete then has to sign in again. */
  readonly mayNeedSignIn?: boolean;
};

/** Where a process dies: just before a transaction begins, before it is committed, or right after. */
export const COMMIT_EDGES = ["begin", "commit", "committed"] as const satisfies readonly Edge[];

const TWO_PAGES = { activities: 230, races: 24 };
const SMALL_BATCHES = { BROOMWAGON_ENRICHMENT_BATCH_SIZE: "5" };

export const CRASH_CASES: readonly CrashCase[] = [
  {
    name: "a full sync of two pages and 24 races",
    mode: "full",
    world: { athletes: [TWO_PAGES], settings: SMALL_BATCHES },
  },
  {
    name: "an incremental sync of two pages, after edits, a deletion and late uploads that no event told of",
    mode: "incremental",
    world: { athletes: [TWO_PAGES], spanDays: 300, settings: { ...SMALL_BATCHES, BROOMWAGON_RESCAN: "280d" } },
    before: changeBetweenSyncs,
  },
  {
    name: "a full sync that waits for quota, twice",
    mode: "full",
    world: { athletes: [TWO_PAGES], settings: SMALL_BATCHES, strava: { quarterLimit: 12, dayLimit: 200 } },
  },
  {
    name: "a full sync that refreshes its token",
    mode: "full",
    world: { athletes: [{ activities: 30, races: 4 }], settings: SMALL_BATCHES },
    before: expireTokens,
  },
  {
    name: "a full sync that refreshes its token, where Strava rotates refresh tokens",
    mode: "full",
    world: {
      athletes: [{ activities: 30, races: 4 }],
      settings: SMALL_BATCHES,
      strava: { rotatesTokens: true },
    },
    before: expireTokens,
    mayNeedSignIn: true,
  },
];

function expireTokens({ strava }: World): void {
  for (const { stravaId } of strava.people()) strava.expireAccessToken(stravaId);
}

/** A whole sync, and then a day of changes at Strava whose events are lost: only the list can tell of them. */
function changeBetweenSyncs(world: World): void {
  const { strava } = world;
  syncToItsEnd(world, { place: 0, mode: "full", limitMs: HOUR_MS });
  strava.setDelivery({ drop: 1 });
  world.runFor(3 * HOUR_MS);
  for (const { stravaId } of strava.people()) {
    world.oracle.changedActivities(stravaId);
    const recent = strava.activities(stravaId).slice(0, 190);
    const races = recent.filter(({ workout_type }) => workout_type === 1);
    for (const { id, name } of races.slice(0, 6)) strava.updateActivity(id, { name: `${name.slice(0, 40)}!` });
    for (const { id } of races.slice(6, 7)) strava.deleteActivity(id);
    for (const { id } of races.slice(7, 8)) strava.updateActivity(id, { workout_type: 0 });
    for (const [nth, daysAgo] of [1, 12, 120].entries()) {
      const start = new Date(world.time.nowMs() - daysAgo * DAY_MS).toISOString().replace(/\.\d+Z$/, "Z");
      strava.addActivity(stravaId, {
        name: `Late ${nth}`,
        start_date: start,
        start_date_local: start,
        workout_type: 1,
      });
    }
  }
}

/** What a case comes to when nobody dies. */
export type Undisturbed = {
  /** How often each edge was passed from the start of the sync to its end. */
  readonly passes: Readonly<Record<(typeof EDGES_OF_A_SYNC)[number], number>>;
  readonly wrong: readonly string[];
};

/** All edges at which a script may kill. */
export const EDGES_OF_A_SYNC = [...COMMIT_EDGES, "request", "answered"] as const satisfies readonly Edge[];

export function runUndisturbed(crashCase: CrashCase): Undisturbed {
  return within(crashCase, (world) => {
    const before = EDGES_OF_A_SYNC.map((edge) => world.edges.count(edge));
    const asked = world.strava.ledger().length;
    const sync = syncToItsEnd(world, { place: 0, mode: crashCase.mode, limitMs: LIMIT_MS });
    const passed = EDGES_OF_A_SYNC.map((edge, place) => [edge, world.edges.count(edge) - (before[place] ?? 0)]);
    const wrong = judge(world, sync, crashCase, asked);
    return { passes: Object.fromEntries(passed) as Undisturbed["passes"], wrong };
  });
}

export type Crashed = {
  /** Sentences about what is not as it must be. */
  readonly wrong: readonly string[];
  /** Requests whose answers died with the process: in flight, or not yet committed. */
  readonly lost: number;
  /** Requests that Strava had answered well, and that were sent once more. */
  readonly askedAgain: number;
  readonly neededSignIn: boolean;
};

/** Kills the daemon at the nth pass of an edge, starts it again a few seconds later, and lets the sync come to its end. */
export function runWithCrash(crashCase: CrashCase, edge: Edge, nth: number): Crashed {
  return within(crashCase, (world) => {
    const asked = world.strava.ledger().length;
    let death: Death | undefined;
    world.edges.set(edge, nth, (holder) => {
      world.crash(holder as DaemonProcess, DOWN_MS, `at ${edge} ${nth}`);
      // What it had not committed is rolled back once this is thrown.
      world.outside.after(1, () => {
        death = { held: detailsHeld(world), asked: world.strava.ledger().length };
      });
      throw new ProcessDied();
    });
    let sync = syncToItsEnd(world, { place: 0, mode: crashCase.mode, limitMs: LIMIT_MS });
    const neededSignIn = crashCase.mayNeedSignIn === true && hasLostTokens(world, sync);
    if (neededSignIn) sync = syncToItsEnd(world, { place: 0, start: signInAgain, limitMs: LIMIT_MS });
    const wrong = [
      ...judge(world, sync, crashCase, asked),
      ...(death === undefined ? ["the daemon did not die"] : judgeDeath(world, death)),
    ];
    const again = askedAgain(world, asked).reduce((sum, { times }) => sum + times, 0);
    return { wrong, lost: world.oracle.lost.length, askedAgain: again, neededSignIn };
  });
}

/** Longer than what is in flight, shorter than a lease. */
const DOWN_MS = 4 * SECOND_MS;
const LIMIT_MS = 2 * HOUR_MS;

function within<T>({ world: options, before }: CrashCase, work: (world: World) => T): T {
  const world = openWorld(options);
  try {
    before?.(world);
    return work(world);
  } finally {
    world.close();
  }
}

/** Strava rotated, and the only copy of the new pair died with the process: the sync says so, and only the athlete can help. */
function hasLostTokens(world: World, { status }: EndedSync): boolean {
  return status === "failed" && world.oracle.lost.some(({ path }) => path === "/oauth/token");
}

function signInAgain(world: World): void {
  for (const person of world.strava.people()) void signIn(world, person).catch(() => {});
}

/** What must be true once a sync has ended. @param asked how many requests there had been before it. */
function judge(world: World, sync: EndedSync, { mode }: CrashCase, asked: number): string[] {
  const { file, strava, oracle } = world;
  // The books of the last requests go with the next commit.
  world.runFor(2 * MINUTE_MS);
  const untrue = oracle.breach ?? checkFinally(world);
  const count = (sql: string): number => file.client.query<{ n: number }, [number]>(sql).get(sync.id)?.n ?? 0;
  const attempts = count("SELECT sum(attempts) AS n FROM batches WHERE sync_id = ?1");
  const open = count("SELECT count(*) AS n FROM batches WHERE sync_id = ?1 AND status <> 'completed'");
  const activities = strava.people().flatMap(({ stravaId }) => strava.activities(stravaId));
  const races = activities.filter(({ workout_type, type }) => workout_type === 1 && type === "Run");
  const hasAll = sync.listed === activities.length && sync.enriched === races.length;
  const excess = askedAgain(world, asked).filter(({ path, times }) => times > lostOf(world, path));
  return [
    ...(sync.status === "completed" ? [] : [`the sync is ${sync.status}: ${sync.error}`]),
    ...(untrue === undefined ? [] : [`${untrue.invariant}: ${untrue.says}`]),
    ...(mode === "incremental" || hasAll
      ? []
      : [`${sync.listed} activities were listed, ${sync.enriched} races enriched`]),
    ...(attempts === 0 ? [] : [`${attempts} attempts were spent`]),
    ...(open === 0 ? [] : [`${open} batches are not completed`]),
    ...excess.map(
      ({ path, times }) => `${path} was asked for ${times} times more than once, and lost ${lostOf(world, path)}`,
    ),
  ];
}

/** The rows as they were on the disk just after a death, and how many requests there had been. */
type Death = { readonly held: readonly number[]; readonly asked: number };

/** What was on the disk is not asked for again. */
function judgeDeath(world: World, { held, asked }: Death): string[] {
  const after = new Set(answeredWell(world, asked).map(({ activityId }) => activityId));
  return held.filter((id) => after.has(id)).map((id) => `the detail of ${id} was held, and asked for again`);
}

/** Details that the sync in progress has stored. */
function detailsHeld({ file }: World): number[] {
  return file.client
    .query<{ id: number }, []>(
      `SELECT strava_activity_id AS id FROM races
       WHERE enrichment = 'enriched' AND settled_in_sync_id = (SELECT id FROM syncs WHERE status = 'in_progress')`,
    )
    .all()
    .map(({ id }) => id);
}

/** Requests that were answered well more than once since there had been `asked`. */
function askedAgain(world: World, asked: number): { path: string; times: number }[] {
  const times = new Map<string, number>();
  for (const { path } of answeredWell(world, asked)) times.set(path, (times.get(path) ?? -1) + 1);
  return [...times].map(([path, again]) => ({ path, times: again })).filter((one) => one.times > 0);
}

/** Pages, details and tokens that Strava gave away. */
function answeredWell({ strava }: World, asked: number): LedgerEntry[] {
  return strava
    .ledger()
    .slice(asked)
    .filter(({ kind, status }) => status === 200 && (kind === "list" || kind === "detail" || kind === "token"));
}

function lostOf({ oracle }: World, path: string): number {
  return oracle.lost.filter((errand: Errand) => errand.path === path).length;
}
