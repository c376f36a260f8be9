import { ERASED_AFTER_MS, FORGOTTEN_AFTER_MS, WIPED_AFTER_MS } from "../../core/freshness.ts";
import { type EpochMs, HOUR_MS, plusMs } from "../../core/units.ts";
import { markReconnectTimes, readLongLost } from "../../db/athletes.ts";
import { deleteTombstones, wipeWithdrawn } from "../../db/race-clocks.ts";
import { believedNow, rememberBelieved } from "../believed-now.ts";
import type { SyncContext } from "../context.ts";
import type { Processor } from "../processor.ts";
import { forgetAthlete } from "./forget-athlete.ts";

/** A transaction touches at most so many rows. */
const ROWS_A_STEP = 50;

export type KeptTerms = { readonly wiped: number; readonly forgotten: number; readonly erased: number };

/**
 * Keeps the clocks of Strava's terms: wipes what was withdrawn two days ago, deletes its rows after thirty, and erases
 * athletes whose access has been gone for thirty. What is merely stale, because Strava could not be reached, is never wiped.
 * A clock that was set far ahead destroys nothing by itself (`core/believed-time.ts`).
 */
export async function keepTerms(context: SyncContext, processor: Processor): Promise<KeptTerms> {
  const { db, clock, commits, log } = context;
  const nowMs = clock.nowMs();
  const believedMs = believedNow(context);
  if (nowMs - believedMs > HOUR_MS) {
    log.warn(
      "terms.clock_doubted",
      "Our clock is far ahead of what is known of the time: by it alone nothing is wiped or erased.",
      {
        believed_ms: believedMs,
      },
    );
  }
  const before = (durationMs: number): EpochMs => plusMs(believedMs, -durationMs);
  const wiped = await inSteps(context, () => wipeWithdrawn(db, before(WIPED_AFTER_MS), nowMs, ROWS_A_STEP));
  const forgotten = await inSteps(context, () => deleteTombstones(db, before(FORGOTTEN_AFTER_MS), ROWS_A_STEP));
  await commits.soon(() => {
    rememberBelieved(db, believedMs);
    // A status that a hand set has no time yet: its clock begins now.
    markReconnectTimes(db, nowMs);
  });
  let erased = 0;
  for (const athleteId of readLongLost(db, before(ERASED_AFTER_MS), ROWS_A_STEP)) {
    if (!forgetAthlete(context, processor, athleteId)) continue;
    erased++;
    log.warn("athlete.erased_by_clock", "An athlete whose access had been gone for 30 days was erased.", {
      athlete_id: athleteId,
    });
  }
  if (wiped + forgotten > 0) {
    log.info("races.wiped", `${wiped} withdrawn races were wiped, and the rows of ${forgotten} deleted.`);
  }
  return { wiped, forgotten, erased };
}

async function inSteps({ commits }: SyncContext, step: () => number): Promise<number> {
  let total = 0;
  for (;;) {
    const done = await commits.soon(step);
    total += done;
    if (done < ROWS_A_STEP) return total;
  }
}
