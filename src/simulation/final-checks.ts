import type { SandboxActivity } from "../sandbox/activity.ts";
import { findOverspentAttempts } from "./attempt-checks.ts";
import { CLIENT_SECRET } from "./daemon-process.ts";
import type { Disturbance } from "./disturbances.ts";
import { isRaceAtStrava } from "./race-at-strava.ts";
import type { Found } from "./standing-checks.ts";
import type { World } from "./world.ts";

/** What must hold once all is quiet: everything is where it belongs, and all books agree. */
export function checkFinally(world: World): Found | undefined {
  return (
    findPendingRaces(world) ??
    findUntruth(world) ??
    findLostEdit(world) ??
    findWrongLedger(world) ??
    findWrongCounters(world) ??
    findOverspentAttempts(world) ??
    findNeedlessHealing(world) ??
    findSilentFailure(world) ??
    findUndelivered(world) ??
    findSecret(world) ??
    findDamage(world)
  );
}

type Athlete = { id: number; stravaId: number; status: string };
const athletesOf = ({ file }: World): Athlete[] =>
  file.client.query<Athlete, []>("SELECT id, strava_id AS stravaId, status FROM athletes ORDER BY id").all();

/** I1. */
function findPendingRaces({ file }: World): Found | undefined {
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
function findUntruth(world: World): Found | undefined {
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
    for (const activity of world.strava.activities(stravaId)) {
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
      // What was never at Strava (a hand added it) is told to be unavailable, and is no lie.
      if (race.enrichment !== "unavailable") {
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
function findLostEdit({ oracle, file }: World): Found | undefined {
  for (const [id, edit] of oracle.edits) {
    const row = file.client
      .query<{ name: string | null; hidden: number }, [number]>(
        "SELECT edited_name AS name, hidden FROM races WHERE id = ?1",
      )
      .get(id);
    if (row === null) continue;
    if (row.name !== edit.name || row.hidden !== (edit.isHidden ? 1 : 0)) {
      return { invariant: "I9", says: `Race ${id} was edited by a person, and the edit is gone` };
    }
  }
  return undefined;
}

const METERED_KINDS: ReadonlySet<string> = new Set(["list", "detail", "athlete", "clubs"]);

type Line = { athlete: number | null; status: number; requests: number };

/** I12: our ledger is Strava's, but for requests whose outcome nobody learned. */
function findWrongLedger(world: World): Found | undefined {
  // A token that nobody knows counts against nobody's quota at Strava, and was a request all the same.
  const stravas = world.strava.ledger().filter(({ kind, isDelivered }) => isDelivered && METERED_KINDS.has(kind));
  const ours = world.file.client
    .query<Line, []>(
      "SELECT athlete_id AS athlete, status, sum(requests) AS requests FROM quota_usage WHERE phase IN ('discovery', 'enrichment', 'event', 'club', 'probe') GROUP BY 1, 2",
    )
    .all();
  const byStatus = new Map<number, number>();
  for (const { status } of stravas) byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  for (const { status, requests } of ours) byStatus.set(status, (byStatus.get(status) ?? 0) - requests);
  byStatus.delete(0);
  const allowed = world.oracle.lost.length;
  for (const [status, difference] of byStatus) {
    if (Math.abs(difference) > allowed) {
      return {
        invariant: "I12",
        says: `Of answers with status ${status} Strava counts ${difference} more than the ledger; ${allowed} may be missing, since processes died`,
      };
    }
  }
  return undefined;
}

/** Counters that are kept as things happen, against a count of the rows. */
function findWrongCounters(world: World): Found | undefined {
  const { client } = world.file;
  const count = (sql: string): number => client.query<{ n: number | null }, []>(sql).get()?.n ?? 0;
  const kept = [
    [
      "batches of each sync",
      "SELECT count(*) AS n FROM (SELECT sync_id, type, status, count(*) AS c FROM batches GROUP BY 1, 2, 3) b FULL JOIN (SELECT * FROM batch_counts WHERE count <> 0) k ON k.sync_id = b.sync_id AND k.type = b.type AND k.status = b.status WHERE b.c IS NOT k.count",
    ],
    [
      "ended syncs of each hour",
      "SELECT count(*) AS n FROM (SELECT completed_at_ms / 3600000 * 3600000 AS h, status AS st, count(*) AS c FROM syncs WHERE status <> 'in_progress' AND completed_at_ms IS NOT NULL GROUP BY 1, 2) s FULL JOIN ended_sync_counts k ON k.hour_start_ms = s.h AND k.status = s.st WHERE s.c IS NOT k.count",
    ],
  ] as const;
  for (const [what, sql] of kept) {
    if (count(sql) > 0) return { invariant: "counters", says: `The kept counts of ${what} are not those of the rows` };
  }
  if (world.disturbances.was("rows_by_hand") || hasErased(world)) return undefined;
  const counters = [
    ["syncs_started", "SELECT count(*) AS n FROM syncs"],
    ["syncs_completed", "SELECT count(*) AS n FROM syncs WHERE status = 'completed'"],
    ["syncs_failed", "SELECT count(*) AS n FROM syncs WHERE status = 'failed'"],
    ["syncs_cancelled", "SELECT count(*) AS n FROM syncs WHERE status = 'cancelled'"],
    ["batches_completed", "SELECT count(*) AS n FROM batches WHERE status = 'completed'"],
    [
      "remedies_verified",
      "SELECT count(*) AS n FROM findings WHERE outcome = 'verified' AND sync_id IS NOT NULL AND own_restart = 0",
    ],
    [
      "remedies_failed",
      "SELECT count(*) AS n FROM findings WHERE outcome = 'failed' AND sync_id IS NOT NULL AND own_restart = 0",
    ],
  ] as const;
  for (const [name, sql] of counters) {
    const total = count(`SELECT sum(value) AS n FROM counters WHERE name = '${name}' AND day_start_ms = 0`);
    const days = count(`SELECT sum(value) AS n FROM counters WHERE name = '${name}' AND day_start_ms > 0`);
    const rows = count(sql);
    if (total !== rows || days !== total) {
      return { invariant: "counters", says: `${name} is ${total} (${days} by day), and there are ${rows} rows` };
    }
  }
  const healthy = !world.disturbances.was("second_process") && !world.disturbances.was("wrong_clock");
  const wrong = count("SELECT sum(value) AS n FROM counters WHERE name = 'false_remedies' AND day_start_ms = 0");
  return healthy && wrong > 0
    ? { invariant: "counters", says: `${wrong} remedies took batches from workers that were alive` }
    : undefined;
}

const ANYTHING = ["second_process", "database_fails", "wrong_clock", "hung"] as const;

/** What may bring a finding about, beside a hand in the rows: for what the plan leaves undone there is no excuse. */
const CAUSES: Readonly<Record<string, readonly Disturbance[]>> = {
  missing_enrichment_batches: [],
  missing_discovery_batch: [],
  unfinished_completion: [],
  unfinished_races: [],
  exhausted_batches: [],
  stray_batch: [],
  stray_race: [],
  twin_batches: [],
  far_wait: ["wrong_clock"],
};

/** A daemon that nothing disturbs never needs to be healed: what it heals then, it did to itself. */
function findNeedlessHealing({ file, disturbances }: World): Found | undefined {
  if (disturbances.was("rows_by_hand")) return undefined;
  const needless = file.client
    .query<{ kind: string; message: string }, []>(
      "SELECT kind, message FROM findings WHERE kind NOT IN ('left_by_former_process', 'slow_check') ORDER BY id",
    )
    .all()
    .find(({ kind }) => !(CAUSES[kind] ?? ANYTHING).some((what) => disturbances.was(what)));
  if (needless === undefined) return undefined;
  const says = `Nothing brings this about, and healing found ${needless.kind}: ${needless.message}`;
  return { invariant: "healing", says };
}

/** What an erased athlete had is gone from the rows, and stays in the counters. */
const hasErased = ({ plan, disturbances }: World): boolean =>
  plan.happenings.some(({ what }) => what === "erase_athlete" || what === "revoke") || disturbances.was("rows_by_hand");

/** I8: whoever looks after the club hears of a sync that failed. */
function findSilentFailure({ file, disturbances }: World): Found | undefined {
  if (disturbances.was("rows_by_hand") || disturbances.was("wrong_clock")) return undefined;
  const silent = file.client
    .query<{ id: number }, []>(
      `SELECT s.id FROM syncs s WHERE s.status = 'failed' AND NOT EXISTS (
         SELECT 1 FROM alert_troubles t WHERE t.rule IN ('sync_failed', 'needs_reconnect') AND t.subject = 'athlete:' || s.athlete_id
           AND t.opened_at_ms <= s.completed_at_ms AND t.last_seen_at_ms >= s.completed_at_ms)`,
    )
    .get();
  return silent === null
    ? undefined
    : { invariant: "I8", says: `Sync ${silent.id} failed, and no trouble was opened for it` };
}

/** The receiver is there at the end, so that everything has been delivered. */
function findUndelivered({ file }: World): Found | undefined {
  const { n } = file.client
    .query<{ n: number }, []>("SELECT count(*) AS n FROM alert_messages WHERE settled_at_ms IS NULL")
    .get() ?? { n: 0 };
  return n === 0 ? undefined : { invariant: "alerts", says: `${n} messages have not been delivered` };
}

/** Strava's tokens: 40 hexadecimal digits. Ids of traces have 32, of spans 16. */
const TOKEN = /\b[0-9a-f]{40}\b/;

/** I10. */
function findSecret({ oracle, strava }: World): Found | undefined {
  const text = oracle.log.join("\n");
  const token = TOKEN.exec(text)?.[0];
  if (token !== undefined) return { invariant: "I10", says: `A log line shows the token ${token}` };
  const people = strava.athletes();
  const secrets = [
    CLIENT_SECRET,
    ...oracle.tokens.all(),
    ...people.flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]),
    ...people.flatMap(({ firstName, lastName }) => [`${firstName} ${lastName}`]),
  ];
  const shown = secrets.find((secret) => secret !== "" && text.includes(secret));
  return shown === undefined ? undefined : { invariant: "I10", says: `A log line shows ${shown}` };
}

function findDamage({ file, disturbances }: World): Found | undefined {
  const [orphan] = file.client.query<{ table: string }, []>("PRAGMA foreign_key_check").all();
  if (orphan !== undefined && !disturbances.was("rows_by_hand"))
    return { invariant: "database", says: `A row of ${orphan.table} belongs to nothing that is there` };
  const integrity = file.client
    .query<{ integrity_check: string }, []>("PRAGMA integrity_check(1)")
    .get()?.integrity_check;
  // What a hand wrote past the checks is no damage.
  if (disturbances.was("rows_by_hand") && integrity?.startsWith("CHECK constraint")) return undefined;
  return integrity === "ok" ? undefined : { invariant: "database", says: `The database is damaged: ${integrity}` };
}
