import { findOverspentAttempts } from "./attempt-checks.ts";
import { findWrongCounters, findWrongLedger } from "./book-checks.ts";
import { ADMIN_TOKEN, CLIENT_SECRET } from "./daemon-process.ts";
import { findUndelivered } from "./delivery-checks.ts";
import type { Disturbance } from "./disturbances.ts";
import type { Found } from "./found.ts";
import { findToldTwice } from "./standing-checks.ts";
import { findLostEdit, findPendingRaces, findUntruth } from "./truth-checks.ts";
import type { World } from "./world.ts";

/** What must hold once all is quiet: everything is where it belongs, and all books agree. */
export function checkFinally(world: World): Found | undefined {
  return (
    findPendingRaces(world) ??
    findUntruth(world) ??
    findLostEdit(world) ??
    findWrongLedger(world) ??
    checkBooks(world) ??
    findUnjudged(world) ??
    findSilentFailure(world) ??
    findToldTwice(world) ??
    findUndelivered(world) ??
    findSecret(world) ??
    findDamage(world)
  );
}

/** What the daemon's own rows say of it at any moment, as long as nobody else has written in them. */
export function checkBooks(world: World): Found | undefined {
  return findWrongCounters(world) ?? findOverspentAttempts(world) ?? findNeedlessHealing(world);
}

const ANYTHING = ["second_process", "database_fails", "wrong_clock", "held_up", "hung"] as const;

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

/** Whether a remedy has helped is told at the latest when its sync has ended. */
function findUnjudged({ file }: World): Found | undefined {
  const open = file.client
    .query<{ id: number; kind: string }, []>(
      `SELECT f.id, f.kind FROM findings f JOIN syncs s ON s.id = f.sync_id
       WHERE f.outcome IN ('pending', 'proposed') AND s.status <> 'in_progress'`,
    )
    .get();
  return open === null
    ? undefined
    : { invariant: "healing", says: `Finding ${open.id} (${open.kind}) is open, and its sync has ended` };
}

/** I8: whoever looks after the club hears of each sync that failed, and why. */
function findSilentFailure({ file, disturbances }: World): Found | undefined {
  // A hand gives no reason, and by a clock that was wrong what was heard of later may seem to have been earlier.
  const isExact = !disturbances.was("rows_by_hand") && !disturbances.was("wrong_clock");
  const [heardOf, reason] = isExact ? ["AND t.last_seen_at_ms >= s.completed_at_ms", "s.error"] : ["", "'by hand'"];
  const silent = file.client
    .query<{ id: number; error: string | null }, []>(
      `SELECT s.id, ${reason} AS error FROM syncs s WHERE s.status = 'failed' AND (ifnull(${reason}, '') = '' OR NOT EXISTS (
         SELECT 1 FROM alert_troubles t
         WHERE t.rule IN ('sync_failed', 'needs_reconnect') AND t.subject = 'athlete:' || s.athlete_id ${heardOf}))`,
    )
    .get();
  if (silent === null) return undefined;
  const lacks = silent.error ? `(${silent.error}), and no trouble was opened for it` : "without a reason";
  return { invariant: "I8", says: `Sync ${silent.id} failed ${lacks}` };
}

/** Strava's tokens: 40 hexadecimal digits. Ids of traces have 32, of spans 16. */
const TOKEN = /\b[0-9a-f]{40}\b/;

/** I10. */
function findSecret({ oracle, overheard, strava, file }: World): Found | undefined {
  const people = strava.athletes();
  const secrets = [
    CLIENT_SECRET,
    ADMIN_TOKEN,
    ...oracle.tokens.all(),
    ...people.flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]),
    ...people.flatMap(({ firstName, lastName }) => [`${firstName} ${lastName}`]),
  ];
  for (const [place, text] of [...overheard.places(), ["row", wordsInRows(file)] as const]) {
    const shown = TOKEN.exec(text)?.[0] ?? secrets.find((secret) => secret !== "" && text.includes(secret));
    if (shown !== undefined) return { invariant: "I10", says: `In a ${place} stands ${shown}` };
  }
  return undefined;
}

/** Whatever sentence stands in a row: reasons, messages, evidence. What is sealed, and whose names they are, is not looked at. */
function wordsInRows({ client }: World["file"]): string {
  const columns = [
    "ifnull(enrichment_error, '') || ifnull(withdrawn_reason, '') FROM races",
    "error FROM batches",
    "ifnull(error, '') || warnings FROM syncs",
    "message FROM sync_logs",
    "message || evidence || remedy FROM findings",
    "error FROM strava_events",
    "error FROM revocations",
    "content || ifnull(error, '') FROM alert_messages",
    "message FROM alert_troubles",
    "status_reason FROM athletes",
    "last_error FROM schedule",
  ];
  return columns
    .map(
      (column) =>
        client
          .query<{ words: string | null }, []>(
            `SELECT group_concat(DISTINCT words) AS words FROM (SELECT ${column.replace(" FROM ", " AS words FROM ")})`,
          )
          .get()?.words ?? "",
    )
    .join("\n");
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
