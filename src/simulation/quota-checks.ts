import { QUOTA_BUDGETS, QUOTA_WINDOWS } from "../core/quota.ts";
import { DAY_MS, QUARTER_MS, SECOND_MS } from "../core/units.ts";
import type { Disturbance } from "./disturbances.ts";
import type { Found, StandingFound } from "./found.ts";
import { isMetered } from "./network.ts";
import type { Scene } from "./scene.ts";

/** What spends beside the daemon, or keeps it from knowing what is spent. */
export const SPENDERS: readonly Disturbance[] = ["others_spend", "clock_set_forward", "second_process", "quota_faults"];

/** Whether somebody else has had a part in what is spent of the windows that a moment lies in. */
export function isSpendingOfOthers({ disturbances }: Scene, atMs: number): boolean {
  const dayMs = Math.floor(atMs / DAY_MS) * DAY_MS;
  return SPENDERS.some((what) => disturbances.was(what, dayMs - QUARTER_MS));
}

/** Whether somebody else has had a part in a refusal that has just come: in the day's windows, where one of these is full. */
export function isRefusedForOthers(scene: Scene, sentAtMs: number): boolean {
  const usage = scene.strava.quota();
  const isDayFull = QUOTA_BUDGETS.some((budget) => usage[budget].day.used >= usage[budget].day.limit);
  if (isDayFull) return isSpendingOfOthers(scene, sentAtMs);
  const quarterMs = Math.floor(sentAtMs / QUARTER_MS) * QUARTER_MS;
  return SPENDERS.some((what) => scene.disturbances.was(what, quarterMs - QUARTER_MS));
}

/**
 * I5: the headroom of each window is left to others, as Strava counts.
 * @param unknown requests of processes that died, which nobody could book.
 */
export function findOverspending({ strava, config }: Scene, unknown: number): Found | undefined {
  const usage = strava.quota();
  for (const budget of QUOTA_BUDGETS) {
    for (const window of QUOTA_WINDOWS) {
      const { used, limit } = usage[budget][window];
      if (used <= Math.max(limit - config.quotaHeadroom, 1) + unknown) continue;
      const says = `Of ${limit} requests (${budget}, ${window}) ${used} are spent, and ${config.quotaHeadroom} were to be left`;
      return { invariant: "I5", says };
    }
  }
  return undefined;
}

/** I6: whoever waits for the quota waits for a window that is full at Strava, too: with what was sent, and perhaps never arrived. */
export function findUntrueHold(scene: Scene): StandingFound | undefined {
  const { plan, daemon, machine, strava, config, time, disturbances, network } = scene;
  if (daemon === undefined || machine.isAsleep() || isSpendingOfOthers(scene, time.nowMs())) return undefined;
  if (disturbances.was("wrong_clock", time.nowMs() - DAY_MS)) return undefined;
  // An answer that is heard after a sleep tells of a window that has ended meanwhile.
  if (disturbances.was("held_up", time.nowMs() - QUARTER_MS)) return undefined;
  const hold = daemon.parts.context.governor.hold("manual");
  if (hold?.reason !== "quota_15min" && hold?.reason !== "quota_daily") return undefined;
  const window = hold.reason === "quota_daily" ? "day" : "quarter";
  const usage = strava.quota();
  const windowMs = window === "day" ? DAY_MS : QUARTER_MS;
  // Windows are of Strava's clock.
  const { skewMs } = plan.strava;
  const sinceMs = Math.floor((time.nowMs() + skewMs) / windowMs) * windowMs - skewMs - SECOND_MS;
  const unanswered = network.errands.filter(
    ({ path, status, sentAtMs }) => status === 0 && sentAtMs >= sinceMs && isMetered(path),
  );
  const isFull = QUOTA_BUDGETS.some((budget) => {
    const { used, limit } = usage[budget][window];
    return used + unanswered.length >= limit - config.quotaHeadroom;
  });
  if (isFull) return undefined;
  const { used, limit } = usage.read[window];
  const says = `Everybody waits for the quota (${hold.reason}), and of ${limit} reads ${used} are spent`;
  return { invariant: "I6", says, graceMs: 10 * SECOND_MS, key: `untrue ${hold.reason}` };
}
