import { endOfListed } from "../core/sync.ts";
import { epochMs, HOUR_MS, SECOND_MS, type SyncId } from "../core/units.ts";
import { noteListRead, readAthlete } from "../db/athletes.ts";
import { forgetListed } from "../db/listed-activities.ts";
import { askAgainForMissing } from "../db/missing-races.ts";
import { countVanished, type ListedRange, withdrawVanished } from "../db/races.ts";
import { addWarning, readSync } from "../db/syncs.ts";
import type { SyncContext } from "./context.ts";
import { recordEvent } from "./record.ts";

/** A list that shows none of the races that we hold is believed when another, so much later, says the same. */
const BELIEVED_AFTER_MS = HOUR_MS;

/**
 * A sync has read its range to the end: what the range no longer shows is withdrawn, since nothing else may withdraw
 * (never a 401, a 403 or an outage). A list that would withdraw everything is not believed at once. Inside the
 * transaction that stores the last page.
 */
export function finishList(context: SyncContext, syncId: SyncId): void {
  const { db, clock } = context;
  const sync = readSync(db, syncId);
  const athlete = sync === undefined ? undefined : readAthlete(db, sync.athleteId);
  if (sync === undefined || athlete === undefined) return;
  const nowMs = clock.nowMs();
  const listedToMs = epochMs(endOfListed(sync, context.governor.view().skewMs) * SECOND_MS);
  const range: ListedRange = {
    athleteId: athlete.id,
    syncId,
    fromMs: epochMs((sync.listFromSeconds ?? 0) * SECOND_MS),
    toMs: listedToMs,
  };
  forgetListed(db, syncId);
  // Also of an incremental sync, where nothing was listed before and it had no bound to stop at.
  const isComplete = sync.listFromSeconds === null;
  const list = isComplete ? { reachedMs: listedToMs, length: sync.activitiesListed } : null;
  const { held, seen, vanished } = countVanished(db, range);
  const wouldEmpty = held > 0 && vanished === held;
  // A doubt that a clock has dated in the future, before it was set back, begins now.
  const emptiedAtMs = epochMs(Math.min(athlete.emptiedAtMs ?? sync.startedAtMs, sync.startedAtMs));
  if (wouldEmpty && sync.startedAtMs - emptiedAtMs < BELIEVED_AFTER_MS) {
    noteListRead(db, athlete.id, list, emptiedAtMs);
    const warning = `The list shows none of the ${held} races held; they stay until a second complete list, an hour later, says so too.`;
    addWarning(db, syncId, warning);
    recordEvent(context, {
      syncId,
      level: "warn",
      event: "list.not_believed",
      message: warning,
      traceId: sync.traceId ?? undefined,
    });
    return;
  }
  const withdrawn = vanished === 0 ? 0 : withdrawVanished(db, range, nowMs);
  if (sync.listFromSeconds !== null) askAgainForMissing(db, athlete.id, syncId, nowMs);
  // A bounded list that shows none of the races says nothing about a doubt that a whole list has raised.
  const isDoubtSettled = isComplete || seen > 0;
  noteListRead(db, athlete.id, list, isDoubtSettled ? null : athlete.emptiedAtMs);
  if (withdrawn > 0) {
    recordEvent(context, {
      syncId,
      event: "races.withdrawn",
      message: `${withdrawn} races are no longer in the list and were withdrawn.`,
      traceId: sync.traceId ?? undefined,
    });
  }
}
