import { SECOND_MS } from "../core/units.ts";
import { bringToAnEnd } from "./bring-to-an-end.ts";
import { happen } from "./happen.ts";
import { askApi } from "./happen-by-persons.ts";
import type { Breach } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { RECEIVER_URL } from "./receiver.ts";
import { World } from "./world.ts";

/** What a run came to. */
export type Ran = {
  /** Of the diary: the same plan gives the same. */
  readonly digest: string;
  readonly lines: number;
  readonly breach: Breach | undefined;
  readonly simulatedMs: number;
  readonly figures: Figures;
};

export type Figures = {
  readonly happenings: Readonly<Record<string, number>>;
  readonly crashes: number;
  readonly requests: number;
  readonly refusals: number;
  readonly commits: number;
  readonly syncs: number;
  readonly races: number;
  readonly findings: Readonly<Record<string, number>>;
  readonly alerts: number;
};

/** Runs a plan to its end, or to the first thing that does not hold. @param listen is given the diary, line by line. */
export function runPlan(plan: Plan, listen?: (line: string) => void): Ran {
  const world = new World(plan, listen);
  try {
    try {
      begin(world);
      for (const happening of plan.happenings) {
        world.outside.after(happening.afterMs, () => happen(world, happening));
      }
      world.runFor(plan.durationMs);
      if (world.oracle.breach === undefined) bringToAnEnd(world);
    } catch (error) {
      // What broke before stands; else it is the simulation's own bug.
      world.oracle.break("simulator", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return resultOf(world);
  } finally {
    world.close();
  }
}

/** The club's first minute: the daemon starts, and its admin imports the athletes and makes a channel. */
function begin(world: World): void {
  // Every third club's alerts find nobody for half of the time.
  if (world.plan.seed % 3 === 0) world.receiver.beAway(world.plan.durationMs / 2);
  world.start();
  world.runFor(SECOND_MS);
  world.await(
    askApi(world, "POST", "/api/admin/alerts/channels", { name: "hook", kind: "webhook", url: RECEIVER_URL }),
  );
  for (const {
    stravaId,
    firstName,
    lastName,
    accessToken,
    refreshToken,
    expiresAtSeconds,
    scope,
  } of world.strava.athletes()) {
    world.await(
      askApi(world, "POST", "/api/admin/athletes", {
        strava_id: stravaId,
        first_name: firstName,
        last_name: lastName,
        access_token: accessToken,
        refresh_token: refreshToken,
        expires_at: expiresAtSeconds,
        scope,
      }),
    );
  }
}

function resultOf(world: World): Ran {
  const { file, plan, oracle, network, edges, receiver, diary, time } = world;
  const count = (sql: string): number => file.client.query<{ n: number }, []>(sql).get()?.n ?? 0;
  const findings = file.client
    .query<{ kind: string; n: number }, []>("SELECT kind, count(*) AS n FROM findings GROUP BY kind ORDER BY kind")
    .all();
  return {
    breach: oracle.breach,
    simulatedMs: time.nowMs() - plan.startMs,
    lines: diary.lines,
    digest: diary.digest(),
    figures: {
      happenings: { ...world.happened },
      crashes: Math.max(0, world.starts - 1),
      requests: network.errands.length,
      refusals: oracle.refusals,
      commits: edges.count("committed"),
      syncs: count("SELECT sum(value) AS n FROM counters WHERE name = 'syncs_started' AND day_start_ms = 0"),
      races: count("SELECT count(*) AS n FROM races"),
      findings: Object.fromEntries(findings.map(({ kind, n }) => [kind, n])),
      alerts: receiver.received,
    },
  };
}
