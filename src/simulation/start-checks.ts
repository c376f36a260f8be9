import type { DaemonProcess } from "./daemon-process.ts";
import type { Found } from "./found.ts";
import type { Scene } from "./scene.ts";

/** I7: what was due when a process started goes on within a tick of its processor. */
export function findLeftAtStart(scene: Scene, { parts, startedAtMs }: DaemonProcess): Found | undefined {
  const { file, machine, disturbances, rival } = scene;
  const { processor, context } = parts;
  const isFree = processor.view().isClaiming && processor.view().running < context.rules.concurrency;
  if (machine.isAsleep() || !isFree || context.governor.hold("schedule") !== undefined) return undefined;
  const inItsWay = ["wrong_clock", "held_up", "database_fails"] as const;
  if (inItsWay.some((what) => disturbances.was(what, startedAtMs))) return undefined;
  const abandoned = file.client
    .query<{ id: number }, [string, number]>(
      "SELECT id FROM batches WHERE status = 'processing' AND owner <> ?1 AND leased_at_ms < ?2",
    )
    .get(context.owner, startedAtMs);
  if (abandoned !== null && rival === undefined && !disturbances.was("rows_by_hand")) {
    const says = `Batch ${abandoned.id} was left by a process that died, and nobody has taken it up a minute later`;
    return { invariant: "I7", says };
  }
  const left = file.client
    .query<{ id: number }, [number]>(
      `SELECT b.id FROM batches b JOIN syncs s ON s.id = b.sync_id
       WHERE b.status = 'pending' AND b.run_after_ms <= ?1 AND b.created_at_ms < ?1 AND ifnull(b.leased_at_ms, 0) < ?1
         AND s.status = 'in_progress' AND s.paused_at_ms IS NULL AND b.type = s.phase
         AND NOT EXISTS (SELECT 1 FROM batches o WHERE o.sync_id = s.id AND o.status = 'processing')
         AND ifnull(s.last_activity_at_ms, 0) < ?1`,
    )
    .get(startedAtMs);
  if (left === null) return undefined;
  return { invariant: "I7", says: `Batch ${left.id} was due at the start, and nobody has claimed it a minute later` };
}
