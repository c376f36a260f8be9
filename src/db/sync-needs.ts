import type { SyncNeed } from "../core/forecast.ts";
import type { SyncClass } from "../core/sync.ts";
import type { AthleteId, SyncId } from "../core/units.ts";
import type { Db } from "./open.ts";
import { statement } from "./statement.ts";

type NeedRow = {
  syncId: SyncId;
  athleteId: AthleteId;
  syncClass: SyncClass;
  isPaused: 0 | 1;
  isListing: 0 | 1;
  isBounded: 0 | 1;
  activitiesListed: number;
  lastListLength: number | null;
  racesPending: number;
  racesListed: number;
};

/** Reads rows of the syncs in progress and of their athletes' races only; races that a list has shown, while it is read. */
export const SYNC_NEEDS_SQL = `
  SELECT s.id AS syncId, s.athlete_id AS athleteId, s.class AS syncClass, s.paused_at_ms IS NOT NULL AS isPaused,
    s.phase = 'discovery' AND s.list_complete IS NOT 1 AS isListing, s.list_from_s IS NOT NULL AS isBounded,
    s.activities_listed AS activitiesListed, a.last_list_length AS lastListLength,
    (SELECT count(*) FROM races WHERE athlete_id = s.athlete_id AND enrichment = 'pending') AS racesPending,
    CASE WHEN s.phase = 'discovery' AND s.list_complete IS NOT 1 AND s.list_from_s IS NULL
      THEN (SELECT count(*) FROM races WHERE athlete_id = s.athlete_id AND seen_in_sync_id = s.id) ELSE 0 END AS racesListed
  FROM syncs s LEFT JOIN athletes a ON a.id = s.athlete_id
  WHERE s.status = 'in_progress' ORDER BY s.id`;
const needsStatement = statement<NeedRow, []>(SYNC_NEEDS_SQL);

/** What each sync in progress still needs, as far as its rows tell. */
export function readSyncNeeds(db: Db): SyncNeed[] {
  return needsStatement(db)
    .all()
    .map(({ isPaused, isListing, isBounded, activitiesListed, racesListed, lastListLength, ...need }) => ({
      ...need,
      isPaused: isPaused === 1,
      listing:
        isListing === 0
          ? undefined
          : {
              isBounded: isBounded === 1,
              activitiesListed,
              racesListed,
              lastListLength: lastListLength ?? undefined,
            },
    }));
}

const meanStatement = statement<{ mean: number | null }, []>("SELECT avg(last_list_length) AS mean FROM athletes");

/** The mean length of the club's complete lists; undefined before the first. */
export const meanListLength = (db: Db): number | undefined => meanStatement(db).get()?.mean ?? undefined;
