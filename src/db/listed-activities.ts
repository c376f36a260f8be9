import type { SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

const listStatement = statement<unknown, [number, number]>(
  "INSERT OR IGNORE INTO listed_activities (sync_id, strava_activity_id) VALUES (?1, ?2)",
);

/** Notes that a sync has listed an activity; false when it had before, on a page that overlaps this one. */
export function noteListed(db: Db, syncId: SyncId, stravaActivityId: number): boolean {
  return listStatement(db).run(syncId, stravaActivityId).changes > 0;
}

const forgetListedStatement = statement<unknown, [number]>("DELETE FROM listed_activities WHERE sync_id = ?1");

/** The list is complete, or the sync has ended: nobody counts any more. */
export function forgetListed(db: Db, syncId: SyncId): void {
  forgetListedStatement(db).run(syncId);
}
