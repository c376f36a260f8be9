import { HOUR_MS, MINUTE_MS } from "../core/units.ts";
import type { Found } from "./found.ts";
import { findLease, findLostLease, isStored } from "./leases.ts";
import { detailAskedFor, type Errand } from "./network.ts";
import type { Scene } from "./scene.ts";

/** What was answered is committed in the next turn, or not at all. */
const COMMITTED_WITHIN_MS = 50;

type Taken = {
  readonly raceId: number;
  readonly syncId: number;
  readonly owner: string | null;
  readonly stravaId: number;
  readonly isPending: 0 | 1;
};

/** What else is known of syncs and athletes, in true time; 0: nothing. */
type Known = {
  /** When a sync started. */
  startedAtMs(syncId: number): number;
  /** When what Strava shows of somebody may last have changed, by Strava's id. */
  changedAtMs(stravaId: number): number;
};

type Stored = { readonly raceId: number; readonly syncId: number; readonly atMs: number };

/** I3, I4: follows the details that are asked for, each to its row. */
export class DetailWatch {
  readonly #scene: Scene;
  readonly #known: Known;
  readonly #must: (found: Found) => void;
  /** By activity: the race and the sync for which its detail was stored last, and when. */
  readonly #stored = new Map<number, Stored>();

  /** @param must is told of what shows only later. */
  constructor(scene: Scene, known: Known, must: (found: Found) => void) {
    this.#scene = scene;
    this.#known = known;
    this.#must = must;
  }

  /** A hand may have turned back what was stored: it is asked for again, whenever its turn comes. */
  forget(): void {
    this.#stored.clear();
  }

  /** I3, I4: a detail is asked for once at a time, and not again once it is stored. */
  sent(errand: Errand): Found | undefined {
    const id = detailAskedFor(errand);
    if (id === undefined) return undefined;
    errand.lease = findLease(this.#scene, id, errand.process.parts.context.owner);
    const twin = this.#scene.network.errands.find(
      (other) =>
        other !== errand &&
        other.path === errand.path &&
        other.process === errand.process &&
        other.heardAtMs === undefined &&
        errand.sentAtMs - other.sentAtMs < MINUTE_MS,
    );
    const taken = this.#takenRace(id);
    if (taken === undefined) return undefined;
    const { syncId } = taken;
    if (
      twin !== undefined &&
      !this.#isLookedAt(id) &&
      !this.#scene.disturbances.was("second_process", errand.sentAtMs - HOUR_MS) &&
      // Who runs a batch whose row a hand took away learns of it with the answer, which is then dropped.
      !this.#scene.disturbances.was("rows_by_hand", errand.sentAtMs - MINUTE_MS)
    ) {
      return { invariant: "I3", says: `The detail of activity ${id} is asked for twice at once` };
    }
    const stored = this.#stored.get(id);
    if (stored?.raceId !== taken.raceId || this.#isLookedAt(id) || this.#mayAskAgain(id)) return undefined;
    if (stored.syncId === syncId) {
      const says = `The detail of activity ${id} was stored in sync ${syncId}, and is asked for again`;
      return { invariant: "I4", says };
    }
    if (this.#mayHaveChanged(taken.stravaId, stored)) return undefined;
    const says = `The detail of activity ${id} was stored in sync ${stored.syncId}, nothing has changed since, and sync ${syncId} asks for it again`;
    return { invariant: "I4", says };
  }

  /**
   * I4: what was answered is committed at once: a death costs no more than what was in flight. I3: and by nobody from whom
   * its batch was taken meanwhile.
   */
  heard(errand: Errand): void {
    const activityId = detailAskedFor(errand);
    if (activityId === undefined) return;
    const taken = this.#takenRace(activityId);
    const isForSync = taken !== undefined && taken.owner === errand.process.parts.context.owner;
    const wasLookedAt = this.#isLookedAt(activityId);
    const lost = findLostLease(this.#scene, errand.lease, activityId);
    this.#scene.outside.after(COMMITTED_WITHIN_MS, () => {
      this.#noteStored(activityId);
      if (wasLookedAt || this.#isLookedAt(activityId)) return;
      if (lost !== undefined && isStored(this.#scene, activityId) && !this.#isHeardByAnother(errand)) {
        const says = `The detail of activity ${activityId} was stored by process ${errand.process.number}, from whom batch ${lost.batchId} had been taken`;
        return this.#must({ invariant: "I3", says });
      }
      if (!isForSync || this.#mayBeUncommitted(errand, activityId)) return;
      const now = this.#takenRace(activityId);
      if (now?.isPending !== 1 || now.owner !== taken.owner || now.syncId !== taken.syncId) return;
      const says = `The detail of activity ${activityId} was answered, and is not stored ${COMMITTED_WITHIN_MS} ms later`;
      this.#must({ invariant: "I4", says });
    });
  }

  /** Whether the same answer was heard by others within the moment in which it is stored. */
  #isHeardByAnother(errand: Errand): boolean {
    const sinceMs = this.#scene.time.nowMs() - 2 * COMMITTED_WITHIN_MS;
    return this.#scene.network.errands.some(
      (other) => other !== errand && other.path === errand.path && (other.heardAtMs ?? 0) >= sinceMs,
    );
  }

  #mayBeUncommitted({ process }: Errand, activityId: number): boolean {
    const sinceMs = this.#scene.time.nowMs() - MINUTE_MS;
    const excuses = ["rows_by_hand", "wrong_clock", "held_up"] as const;
    return (
      !process.isAlive() ||
      this.#scene.machine.isAsleep() ||
      this.#mayAskAgain(activityId) ||
      excuses.some((what) => this.#scene.disturbances.was(what, sinceMs))
    );
  }

  #noteStored(activityId: number): void {
    const row = this.#scene.file.client
      .query<{ raceId: number; syncId: number | null }, [number]>(
        "SELECT id AS raceId, settled_in_sync_id AS syncId FROM races WHERE strava_activity_id = ?1 AND enrichment = 'enriched'",
      )
      .get(activityId);
    if (row === null || row.syncId === null) return;
    const { raceId, syncId } = row;
    this.#stored.set(activityId, { raceId, syncId, atMs: this.#scene.time.nowMs() });
  }

  /** The race that an activity is, where a batch is at work that it belongs to. */
  #takenRace(activityId: number): Taken | undefined {
    return (
      this.#scene.file.client
        .query<Taken, [number]>(
          `SELECT r.id AS raceId, b.sync_id AS syncId, b.owner, a.strava_id AS stravaId, r.enrichment = 'pending' AS isPending
           FROM races r JOIN batches b ON b.id = r.batch_id JOIN athletes a ON a.id = r.athlete_id
           WHERE r.strava_activity_id = ?1 AND b.status = 'processing' AND b.type = 'enrichment'`,
        )
        .get(activityId) ?? undefined
    );
  }

  /** Whether an event leads to a look at an activity, which is beside any sync. */
  #isLookedAt(activityId: number): boolean {
    return (
      this.#scene.file.client
        .query<unknown, [number]>("SELECT 1 FROM strava_events WHERE object_id = ?1 AND settled_at_ms IS NULL")
        .get(activityId) !== null
    );
  }

  #mayAskAgain(activityId: number): boolean {
    const sinceMs = this.#scene.time.nowMs() - HOUR_MS;
    const excuses = ["second_process", "database_fails", "strava_faults"] as const;
    return this.#scene.curses.has(activityId) || excuses.some((what) => this.#scene.disturbances.was(what, sinceMs));
  }

  /** Whether anything may have made a stored detail doubtful since what it is a detail of was listed. */
  #mayHaveChanged(stravaId: number, stored: Stored): boolean {
    const excuses = ["strava_faults", "wrong_clock", "second_process", "database_fails"] as const;
    // A sync may be paused for days between its list and its details.
    const listedMs = Math.min(this.#known.startedAtMs(stored.syncId), stored.atMs - HOUR_MS);
    return (
      this.#known.changedAtMs(stravaId) >= listedMs ||
      excuses.some((what) => this.#scene.disturbances.was(what, stored.atMs - HOUR_MS))
    );
  }
}
