import { closeDatabase, type Db } from "../src/db/open.ts";
import type { Answers, Work } from "./bench-engine.ts";

/** The same batches by hand: read the races, fetch them side by side, write them in one transaction. Nothing else. */
export async function runLoop(db: Db, work: Work, answers: Answers): Promise<number> {
  const client = db.$client;
  const batches = client
    .query<{ id: number; syncId: number }, []>("SELECT id, sync_id AS syncId FROM batches ORDER BY id")
    .all();
  const racesOf = client.query<{ id: number; activityId: number }, [number]>(
    "SELECT id, strava_activity_id AS activityId FROM races WHERE batch_id = ?1 AND enrichment = 'pending'",
  );
  const storeRace = client.query(
    `UPDATE races SET name = ?2, sport_type = ?3, distance_m = ?4, moving_s = ?5, elapsed_s = ?6, elevation_gain_m = ?7, start_at_ms = ?8,
       start_local = ?9, timezone = ?10, utc_offset_s = ?11, visibility = ?12, summary_polyline = ?13, polyline = ?14, description = ?15,
       enrichment = 'enriched', enriched_at_ms = ?16, last_seen_at_ms = ?16 WHERE id = ?1`,
  );
  const endBatch = client.query(
    "UPDATE batches SET status = 'completed', completed_at_ms = ?2, started_at_ms = ?2, races_enriched = ?3, requests = ?3 WHERE id = ?1",
  );
  const touchSync = client.query(
    "UPDATE syncs SET requests = requests + ?2, last_progress_at_ms = ?3, last_activity_at_ms = ?3 WHERE id = ?1",
  );
  const endSyncs = client.query(
    "UPDATE syncs SET status = 'completed', completed_at_ms = ?1 WHERE status = 'in_progress'",
  );
  type Detail = Record<string, string | number | null> & {
    id: number;
    map: { polyline: string; summary_polyline: string };
  };
  const store = client.transaction(
    (batch: { id: number; syncId: number }, races: { id: number }[], details: Detail[]) => {
      const nowMs = Date.now();
      for (const [index, race] of races.entries()) {
        const detail = details[index];
        if (detail === undefined) continue;
        storeRace.run(
          race.id,
          detail.name ?? "",
          detail.sport_type ?? "",
          detail.distance ?? 0,
          detail.moving_time ?? 0,
          detail.elapsed_time ?? 0,
          detail.total_elevation_gain ?? 0,
          Date.parse(String(detail.start_date)),
          String(detail.start_date_local),
          detail.timezone ?? "",
          detail.utc_offset ?? 0,
          detail.visibility ?? "",
          detail.map.summary_polyline,
          detail.map.polyline,
          detail.description ?? "",
          nowMs,
        );
      }
      endBatch.run(batch.id, nowMs, races.length);
      touchSync.run(batch.syncId, races.length, nowMs);
    },
  );

  const startedMs = performance.now();
  for (const batch of batches) {
    const races = racesOf.all(batch.id);
    const details = await Promise.all(races.map((race) => get(answers, race.activityId)));
    store(batch, races, details as Detail[]);
  }
  endSyncs.run(Date.now());
  const seconds = (performance.now() - startedMs) / 1000;
  const left = client
    .query<{ count: number }, []>("SELECT count(*) AS count FROM races WHERE enrichment <> 'enriched'")
    .get()?.count;
  if (left !== 0) throw new Error(`The loop left ${left} of ${work.batches * work.batchSize} races`);
  closeDatabase(db);
  return seconds;
}

async function get(answers: Answers, activityId: number): Promise<unknown> {
  const request = new Request(`http://127.0.0.1/api/v3/activities/${activityId}`, {
    headers: { authorization: "Bearer access" },
  });
  const response = await answers.fetch(request);
  return response.json();
}
