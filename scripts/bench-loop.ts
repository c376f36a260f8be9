import type { DetailedActivity } from "../src/core/activity.ts";
import { closeDatabase, type Db } from "../src/db/open.ts";
import { type Answers, clientOf, type Measured, percentiles, type Work } from "./bench-engine.ts";

/**
 * The same batches by hand: read the races, fetch them side by side through the same client, write them in one
 * transaction. No claims, leases, fences, ledger, plan or completion: what is compared is everything that the engine
 * puts around the work.
 */
export async function runLoop(db: Db, work: Work, answers: Answers): Promise<Measured> {
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
  const store = client.transaction(
    (batch: { id: number; syncId: number }, races: { id: number }[], details: DetailedActivity[]) => {
      const nowMs = Date.now();
      for (const [index, race] of races.entries()) {
        const detail = details[index];
        if (detail === undefined) continue;
        storeRace.run(
          race.id,
          detail.name,
          detail.sportType,
          detail.distanceMeters,
          detail.movingSeconds,
          detail.elapsedSeconds,
          detail.elevationGainMeters,
          detail.startMs,
          detail.startLocal,
          detail.timezone,
          detail.utcOffsetSeconds,
          detail.visibility,
          detail.summaryPolyline,
          detail.polyline,
          detail.description,
          nowMs,
        );
      }
      endBatch.run(batch.id, nowMs, races.length);
      touchSync.run(batch.syncId, races.length, nowMs);
    },
  );

  const strava = clientOf(answers.fetch);
  const { signal } = new AbortController();
  const delaysMs: number[] = [];
  answers.arrivedMs.clear();
  const startedMs = performance.now();
  for (const batch of batches) {
    const races = racesOf.all(batch.id);
    const replies = await Promise.all(races.map((race) => strava.getActivity("access", race.activityId, signal)));
    store(
      batch,
      races,
      replies.flatMap((reply) => (reply.ok ? [reply.value] : [])),
    );
    const committedMs = performance.now();
    for (const { activityId } of races) delaysMs.push(committedMs - (answers.arrivedMs.get(activityId) ?? committedMs));
  }
  endSyncs.run(Date.now());
  const seconds = (performance.now() - startedMs) / 1000;
  const left = client
    .query<{ count: number }, []>("SELECT count(*) AS count FROM races WHERE enrichment <> 'enriched'")
    .get()?.count;
  if (left !== 0) throw new Error(`The loop left ${left} of ${work.batches * work.batchSize} races`);
  closeDatabase(db);
  return { seconds, ...percentiles(delaysMs) };
}
