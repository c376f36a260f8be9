/**
 * The demo's hand: breaks one sync as the incident of 2025-11-17 did, from outside, with a shell's means. 65 races need
 * enrichment, three batches of 15 complete, and for the other 20 there is no batch.
 */
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import { isBusy } from "../db/busy.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { pause } from "./world.ts";

/** What the hand did. */
export type Broken = {
  readonly syncId: string;
  /** Numbers of the batches that it deleted, within their sync. */
  readonly batchNumbers: readonly number[];
  readonly racesLeft: number;
  readonly atMs: EpochMs;
};

/** Batches that stay, as in the incident. */
const BATCHES_KEPT = 3;
/** A batch of races takes some tenths of a second: the hand must be quicker. */
const LOOK_EVERY_MS = 15;
/** Long enough that nothing takes the held batches before they are deleted. */
const HOLD_MS = 10 * MINUTE_MS;
/** It strikes only when the next health check is this far away, so that the stall can be seen before it is healed. */
const SEEN_FOR_MS = 4 * SECOND_MS;

/**
 * Waits for the athlete's enrichment batches, holds back those beyond the third, and deletes them once the three have
 * completed. (Deleted at once they would be made anew when the next batch ends: a sync heals itself then, too.)
 * @returns what it did; undefined when `signal` was aborted before.
 */
export async function breakOneSync(options: {
  databasePath: string;
  athleteId: number;
  healthPeriodMs: number;
  clock: Clock;
  signal: AbortSignal;
}): Promise<Broken | undefined> {
  const { athleteId, healthPeriodMs, clock, signal } = options;
  const db = openDatabase(options.databasePath, { mode: "write" });
  let held: Batch[] = [];
  try {
    for (; !signal.aborted; await pause(clock, LOOK_EVERY_MS, signal)) {
      if (held.length === 0) {
        held = tryNow(() => holdBack(db, athleteId, clock.nowMs())) ?? [];
        continue;
      }
      const isSeen = healthPeriodMs - (clock.nowMs() % healthPeriodMs) >= Math.min(SEEN_FOR_MS, healthPeriodMs / 2);
      const broken = isSeen ? tryNow(() => strike(db, held, clock.nowMs())) : undefined;
      if (broken !== undefined) return broken;
    }
    return undefined;
  } finally {
    closeDatabase(db);
  }
}

type Batch = { readonly id: number; readonly number: number; readonly syncId: number; readonly status: string };

/** The daemon's transactions are short: whatever met one is tried again at the next look. */
function tryNow<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isBusy(error)) return undefined;
    throw error;
  }
}

function holdBack(db: Db, athleteId: number, nowMs: EpochMs): Batch[] {
  return db.$client
    .transaction(() => {
      const batches = db.$client
        .query<Batch, [number]>(
          `SELECT b.id, b.number, b.sync_id AS syncId, b.status FROM batches b JOIN syncs s ON s.id = b.sync_id
           WHERE s.athlete_id = ? AND s.status = 'in_progress' AND b.type = 'enrichment' ORDER BY b.number`,
        )
        .all(athleteId);
      const beyond = batches.slice(BATCHES_KEPT);
      for (const { id } of beyond) {
        // As a backoff would: a wait without a reason would be a finding of its own.
        db.$client
          .query(
            "UPDATE batches SET run_after_ms = ?, waits_until_ms = ?, wait_reason = 'backoff' WHERE id = ? AND status = 'pending'",
          )
          .run(nowMs + HOLD_MS, nowMs + HOLD_MS, id);
      }
      return beyond;
    })
    .immediate();
}

/** Deletes the held batches once no other batch of the sync is live; undefined while one is. */
function strike(db: Db, held: readonly Batch[], nowMs: EpochMs): Broken | undefined {
  const syncId = held[0]?.syncId ?? 0;
  const ids = held.map(({ id }) => id);
  const places = ids.map(() => "?").join(", ");
  return db.$client
    .transaction(() => {
      const count = (sql: string, ...values: number[]) =>
        db.$client.query<{ count: number }, number[]>(sql).get(...values)?.count ?? 0;
      const othersLive = count(
        `SELECT count(*) AS count FROM batches WHERE sync_id = ? AND status IN ('pending', 'processing') AND id NOT IN (${places})`,
        syncId,
        ...ids,
      );
      if (othersLive > 0) return undefined;
      db.$client.query(`DELETE FROM batches WHERE id IN (${places})`).run(...ids);
      const racesLeft = count(
        "SELECT count(*) AS count FROM races WHERE enrichment = 'pending' AND athlete_id = (SELECT athlete_id FROM syncs WHERE id = ?)",
        syncId,
      );
      return { syncId: String(syncId), batchNumbers: held.map(({ number }) => number), racesLeft, atMs: nowMs };
    })
    .immediate();
}
