import type { SyncJson } from "../api/sync-view.ts";
import { SECOND_MS } from "../core/units.ts";
import { type DaemonClient, UnreachableError } from "./daemon-client.ts";
import { isEnded, type SyncProgress } from "./sync-progress.ts";
import { pause, type World } from "./world.ts";

/** How following some syncs came to its end. */
export type Followed =
  | { outcome: "ended"; syncs: readonly SyncJson[] } // each of them has ended
  | { outcome: "interrupted"; syncs: readonly SyncJson[] }; // somebody pressed Ctrl-C; the syncs go on

/** What `sync-status` says, as far as it matters here. */
type StatusAnswer = { readonly active: readonly SyncJson[]; readonly recent: readonly SyncJson[] };

/** Often enough to be watched, seldom enough to cost nothing. */
const LOOK_EVERY_MS = SECOND_MS / 2;
/** A daemon that is being restarted is back within this. */
const PATIENCE_MS = 20 * SECOND_MS;

/**
 * Watches syncs till the end of each, through a restart of the daemon too.
 * @param find gives the daemon anew: after a restart it has another token, and maybe another address.
 * @throws FailedError when the daemon stays away.
 */
export async function followSyncs(
  syncIds: readonly string[],
  options: { find: () => DaemonClient; progress: SyncProgress; world: Pick<World, "clock">; interruption: AbortSignal },
): Promise<Followed> {
  const { find, progress, world, interruption } = options;
  let syncs: readonly SyncJson[] = [];
  let awaySinceMs: number | undefined;
  while (!interruption.aborted) {
    try {
      syncs = await readSyncs(find(), syncIds, syncs);
      awaySinceMs = undefined;
      progress.show(syncs);
      if (syncs.every(isEnded)) return { outcome: "ended", syncs };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      awaySinceMs ??= world.clock.nowMs();
      if (world.clock.nowMs() - awaySinceMs > PATIENCE_MS) throw error;
    }
    await pause(world.clock, LOOK_EVERY_MS, interruption);
  }
  return { outcome: "interrupted", syncs };
}

/** One request for all that run; one each for those that ended so long ago that the status no longer names them. */
async function readSyncs(
  daemon: DaemonClient,
  syncIds: readonly string[],
  before: readonly SyncJson[],
): Promise<readonly SyncJson[]> {
  const status = await daemon.get<StatusAnswer>("/api/admin/sync-status");
  const known = new Map(
    [...before.filter(isEnded), ...status.recent, ...status.active].map((one) => [one.sync_id, one]),
  );
  const syncs: SyncJson[] = [];
  for (const id of syncIds) syncs.push(known.get(id) ?? (await daemon.get<SyncJson>(`/api/admin/syncs/${id}`)));
  return syncs;
}
