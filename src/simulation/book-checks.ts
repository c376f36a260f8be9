import { drizzle } from "drizzle-orm/bun-sqlite";
import { epochMs } from "../core/units.ts";
import { readDays } from "../db/packed-years.ts";
import type { Found } from "./found.ts";
import { isMetered } from "./network.ts";
import type { World } from "./world.ts";

const METERED_KINDS: ReadonlySet<string> = new Set(["list", "detail", "athlete", "clubs"]);

/** What a request is for, in words of Strava's and of ours. */
const KIND_OF: ReadonlyMap<string, string> = new Map([
  ["list", "lists"],
  ["discovery", "lists"],
  ["detail", "details"],
  ["enrichment", "details"],
  ["event", "details"],
]);

/** By whatever clock a day was counted. */
const [EARLIEST, LATEST] = [epochMs(0), epochMs(Date.UTC(2999, 0, 1))];

type Line = { phase: string; status: number; requests: number };

/** I12: our ledger is Strava's, but for requests whose outcome nobody learned. */
export function findWrongLedger(world: World): Found | undefined {
  // A token that nobody knows counts against nobody's quota at Strava, and was a request all the same.
  const stravas = world.strava.ledger().filter(({ kind, isDelivered }) => isDelivered && METERED_KINDS.has(kind));
  const ours = world.file.client
    .query<Line, []>(
      "SELECT phase, status, sum(requests) AS requests FROM quota_usage WHERE phase IN ('discovery', 'enrichment', 'event', 'club', 'probe') GROUP BY 1, 2",
    )
    .all();
  const differences = new Map<string, number>();
  const count = (kind: string, status: number, requests: number): void => {
    const key = `${status} to ${kind}`;
    if (status !== 0) differences.set(key, (differences.get(key) ?? 0) + requests);
  };
  for (const { kind, status } of stravas) count(KIND_OF.get(kind) ?? "other", status, 1);
  for (const { phase, status, requests } of ours) count(KIND_OF.get(phase) ?? "other", status, -requests);
  const allowed = world.oracle.lost.filter(({ path }) => isMetered(path)).length;
  let missing = 0;
  for (const [key, difference] of differences) {
    if (difference < 0) {
      return {
        invariant: "I12",
        says: `The ledger has ${-difference} more answers ${key} than Strava gave`,
      };
    }
    missing += difference;
  }
  if (missing <= allowed) return undefined;
  return {
    invariant: "I12",
    says: `${missing} answers are not in the ledger; ${allowed} may be missing, since processes died`,
  };
}

/** Counters that are kept as things happen, against a count of the rows. */
export function findWrongCounters(world: World): Found | undefined {
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
  if (!world.disturbances.was("rows_by_hand")) {
    const wrong = findWrongSums(world);
    if (wrong !== undefined) return wrong;
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
      // Who is given up gets no remedy, so that none has failed.
      "SELECT count(*) AS n FROM findings WHERE outcome = 'failed' AND sync_id IS NOT NULL AND own_restart = 0 AND settled_at_ms > detected_at_ms",
    ],
  ] as const;
  const names = counters.map(([name]) => name);
  const daysOf = readDays(drizzle({ client }), names, EARLIEST, LATEST);
  for (const [name, sql] of counters) {
    const total = count(`SELECT sum(value) AS n FROM counters WHERE name = '${name}' AND day_start_ms = 0`);
    const days = [...(daysOf.get(name)?.values() ?? [])].reduce((sum, value) => sum + value, 0);
    const rows = count(sql);
    if (total !== rows || days !== total) {
      return { invariant: "counters", says: `${name} is ${total} (${days} by day), and there are ${rows} rows` };
    }
  }
  const inItsWay = ["second_process", "wrong_clock", "held_up"] as const;
  const healthy = !inItsWay.some((what) => world.disturbances.was(what));
  const wrong = count("SELECT sum(value) AS n FROM counters WHERE name = 'false_remedies' AND day_start_ms = 0");
  return healthy && wrong > 0
    ? { invariant: "counters", says: `${wrong} remedies took batches from workers that were alive` }
    : undefined;
}

/** What a sync says of itself is what its batches add up to, and a batch settles no more races than it was made for. */
function findWrongSums({ file }: World): Found | undefined {
  const sync = file.client
    .query<{ id: number; what: string }, []>(
      `SELECT s.id, CASE
           WHEN s.batches_completed <> ifnull(sum(b.status = 'completed'), 0) THEN 'batches completed'
           WHEN s.requests < ifnull(sum(b.requests), 0) THEN 'requests'
           WHEN s.activities_listed > ifnull(sum(b.activities_fetched), 0) THEN 'activities listed'
         END AS what
       FROM syncs s LEFT JOIN batches b ON b.sync_id = s.id GROUP BY s.id HAVING what IS NOT NULL`,
    )
    .get();
  if (sync !== null)
    return { invariant: "counters", says: `The ${sync.what} of sync ${sync.id} are not those of its batches` };
  const batch = file.client
    .query<{ id: number; size: number; settled: number }, []>(
      "SELECT id, size, races_enriched + races_failed AS settled FROM batches WHERE type = 'enrichment' AND settled > size",
    )
    .get();
  return batch === null
    ? undefined
    : { invariant: "counters", says: `Batch ${batch.id} of ${batch.size} races says that it settled ${batch.settled}` };
}

/** What an erased athlete had is gone from the rows, and stays in the counters. */
const hasErased = ({ oracle, mayBeErased, disturbances }: World): boolean =>
  oracle.hasErased || mayBeErased || disturbances.was("rows_by_hand");
