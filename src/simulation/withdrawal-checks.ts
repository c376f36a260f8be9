import type { Found } from "./found.ts";
import { shownOf } from "./race-at-strava.ts";
import type { Scene } from "./scene.ts";

type Withdrawn = { readonly stravaId: number; readonly activityId: number; readonly syncId: number };

/**
 * I11: a race is withdrawn as vanished only where Strava lists it no more. One that was, and that Strava has begun to show
 * again since (it was made public, or the athlete allows more), is withdrawn until the next list.
 */
export class Withdrawals {
  readonly #rightful = new Set<number>();

  /**
   * Must be asked after every batch of a list: what Strava does not show then is remembered.
   * @param mayHaveChanged whether what Strava shows of somebody may have changed since a sync of theirs started.
   */
  findWrong({ file, strava }: Scene, mayHaveChanged: (stravaId: number, syncId: number) => boolean): Found | undefined {
    const withdrawn = file.client
      .query<Withdrawn, []>(
        `SELECT a.strava_id AS stravaId, r.strava_activity_id AS activityId,
           (SELECT max(s.id) FROM syncs s WHERE s.athlete_id = a.id) AS syncId
         FROM races r JOIN athletes a ON a.id = r.athlete_id
         WHERE r.withdrawn_at_ms IS NOT NULL AND r.withdrawn_reason = 'no longer in the list'`,
      )
      .all();
    const ids = new Set(withdrawn.map(({ activityId }) => activityId));
    for (const activityId of this.#rightful) if (!ids.has(activityId)) this.#rightful.delete(activityId);
    for (const { stravaId, activityId, syncId } of withdrawn) {
      if (this.#rightful.has(activityId)) continue;
      const isShown = shownOf(strava, stravaId).some(({ id }) => id === activityId);
      if (isShown && !mayHaveChanged(stravaId, syncId)) {
        return {
          invariant: "I11",
          says: `Activity ${activityId} is withdrawn as no longer in the list, and it is in the list`,
        };
      }
      this.#rightful.add(activityId);
    }
    return undefined;
  }
}
