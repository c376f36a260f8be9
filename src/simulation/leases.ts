import type { Lease } from "./network.ts";
import type { Scene } from "./scene.ts";

/** The lease under which a worker of an owner asks for the detail of an activity; undefined where no batch of his holds it. */
export function findLease({ file }: Scene, activityId: number, owner: string): Lease | undefined {
  return (
    file.client
      .query<Lease, [number, string]>(
        `SELECT b.id AS batchId, b.lease_token AS token FROM races r JOIN batches b ON b.id = r.batch_id
         WHERE r.strava_activity_id = ?1 AND b.status = 'processing' AND b.owner = ?2 AND b.lease_token IS NOT NULL`,
      )
      .get(activityId, owner) ?? undefined
  );
}

/** @returns the lease where it is not held any more, and its activity's race is not enriched yet. */
export function findLostLease(scene: Scene, lease: Lease | undefined, activityId: number): Lease | undefined {
  if (lease === undefined || isStored(scene, activityId)) return undefined;
  const held = scene.file.client
    .query<unknown, [number, string]>(
      "SELECT 1 FROM batches WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'",
    )
    .get(lease.batchId, lease.token);
  return held === null ? lease : undefined;
}

/** Whether the race that an activity is has its detail. */
export const isStored = ({ file }: Scene, activityId: number): boolean =>
  file.client.query("SELECT 1 FROM races WHERE strava_activity_id = ?1 AND enrichment = 'enriched'").get(activityId) !==
  null;
