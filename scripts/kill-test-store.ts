import { closeDatabase, openDatabase } from "../src/db/open.ts";

/** What the database holds, read beside the program or over its dead body, without a byte being written. */
export type StoreState = {
  readonly syncs: readonly SyncState[];
  /** How many batches some process holds, or held when it died. */
  readonly processing: number;
  /** Strava's ids of the races that have no detail yet. */
  readonly pendingRaces: ReadonlySet<number>;
  readonly racesHeld: number;
  /** Deaths in a row, without progress, of the live batch that met the most. */
  readonly deathsInARow: number;
};

export type SyncState = {
  readonly stravaId: number;
  readonly phase: string;
  readonly status: string;
  readonly activitiesListed: number;
  readonly racesEnriched: number;
  readonly beforeSeconds: number;
  readonly page: number;
};

/** Reads what decides about kills. */
export function readState(databasePath: string): StoreState {
  return looking(databasePath, (all) => ({
    syncs: all<SyncState>(
      `SELECT a.strava_id AS stravaId, s.phase, s.status, s.activities_listed AS activitiesListed,
         s.races_enriched AS racesEnriched, s.cursor_before_s AS beforeSeconds, s.cursor_page AS page
       FROM syncs s JOIN athletes a ON a.id = s.athlete_id ORDER BY s.id`,
    ),
    processing: all("SELECT 1 FROM batches WHERE status = 'processing'").length,
    pendingRaces: new Set(
      all<{ id: number }>("SELECT strava_activity_id AS id FROM races WHERE enrichment = 'pending'").map(
        ({ id }) => id,
      ),
    ),
    racesHeld: all("SELECT 1 FROM races").length,
    deathsInARow:
      all<{ deaths: number | null }>(
        "SELECT max(deaths) AS deaths FROM batches WHERE status IN ('pending', 'processing')",
      )[0]?.deaths ?? 0,
  }));
}

/** Where the syncs are: in discovery as long as one of them is; undefined when none is in progress. */
export function phaseOf({ syncs }: StoreState): "discovery" | "enrichment" | undefined {
  const live = syncs.filter(({ status }) => status === "in_progress");
  if (live.length === 0) return undefined;
  return live.some(({ phase }) => phase === "discovery") ? "discovery" : "enrichment";
}

export type StoredRace = {
  readonly stravaId: number;
  readonly activityId: number;
  readonly name: string;
  readonly distance: number;
  readonly movingSeconds: number;
  readonly startAtMs: number;
  readonly polyline: string | null;
  readonly description: string | null;
  readonly enrichment: string;
  readonly error: string | null;
  readonly withdrawnAtMs: number | null;
};

/** Every race, of every athlete. */
export function readRaces(databasePath: string): readonly StoredRace[] {
  return looking(databasePath, (all) =>
    all<StoredRace>(
      `SELECT a.strava_id AS stravaId, r.strava_activity_id AS activityId, r.name, r.distance_m AS distance,
         r.moving_s AS movingSeconds, r.start_at_ms AS startAtMs, r.polyline, r.description, r.enrichment,
         r.enrichment_error AS error,
         r.withdrawn_at_ms AS withdrawnAtMs
       FROM races r JOIN athletes a ON a.id = r.athlete_id`,
    ),
  );
}

/** How many attempts all batches have spent: a death of the process spends none. */
export function readAttempts(databasePath: string): number {
  return looking(
    databasePath,
    (all) => all<{ spent: number }>("SELECT sum(attempts) AS spent FROM batches")[0]?.spent ?? 0,
  );
}

type All = <Row>(sql: string) => Row[];

function looking<T>(databasePath: string, look: (all: All) => T): T {
  const db = openDatabase(databasePath, { mode: "read" });
  try {
    // One transaction, so that all that is read is of one moment.
    return db.$client.transaction(() => look(<Row>(sql: string) => db.$client.query<Row, []>(sql).all()))();
  } finally {
    closeDatabase(db);
  }
}
