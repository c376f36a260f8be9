import type { ClubForecast } from "../core/forecast.ts";
import { type EpochMs, SECOND_MS, type SyncId } from "../core/units.ts";
import type { SyncContext } from "../sync/context.ts";

/**
 * When each sync in progress will likely be done. A page shows many syncs, and all come from one forecast: it is made anew when
 * something was committed since, or a second has passed.
 */
export function createCompletionTimes(deps: {
  context: Pick<SyncContext, "clock" | "commits">;
  forecast: () => ClubForecast;
}): (syncId: SyncId) => EpochMs | undefined {
  const { context, forecast } = deps;
  let made = { transaction: -1, second: -1, times: new Map<SyncId, EpochMs | undefined>() };
  return (syncId) => {
    const transaction = context.commits.transaction();
    const second = Math.floor(context.clock.nowMs() / SECOND_MS);
    if (made.transaction !== transaction || made.second !== second) {
      const times = new Map(forecast().syncs.map((sync) => [sync.syncId, sync.doneAt.likelyMs]));
      made = { transaction, second, times };
    }
    return made.times.get(syncId);
  };
}
