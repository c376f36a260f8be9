import { type Dice, type EpochSeconds, epochSeconds } from "../core/units.ts";
import {
  type ActivityPatch,
  completeActivity,
  type DetailFields,
  patchActivity,
  type SandboxActivity,
  splitPatch,
} from "./activity.ts";
import { synthesiseDetail } from "./activity-detail.ts";
import { activityIdAt } from "./activity-ids.ts";
import type { Member } from "./club.ts";

/**
 * One place in an athlete's list. Without an activity it is hidden: paging counts it and the answer leaves it out,
 * which is how a page comes to be short in the middle of the list.
 */
export type Slot = { readonly startSeconds: EpochSeconds; readonly activity: SandboxActivity | undefined };

/** Called after an upload (without `before`), an edit, and a deletion (without `after`). */
type OnChange = (before: SandboxActivity | undefined, after: SandboxActivity | undefined) => void;

/** What Strava truly holds: activities by id, and each athlete's list in order, sorted once after a change. */
export class ActivityStore {
  readonly #dice: Dice;
  readonly #activities = new Map<number, SandboxActivity>();
  readonly #details = new Map<number, DetailFields>();
  readonly #shelves = new Map<number, Shelf>();
  #lastId = 0;

  readonly #onChange: OnChange;

  constructor(members: readonly Member[], dice: Dice, onChange: OnChange) {
    this.#dice = dice;
    this.#onChange = onChange;
    for (const member of members) {
      this.#shelves.set(member.stravaId, { ids: new Set(), hiddenSlots: [], all: undefined, shared: undefined });
    }
    for (const member of members) {
      for (const { activity, detail } of member.activities) this.#store(activity, detail);
    }
  }

  find(activityId: number): SandboxActivity | undefined {
    return this.#activities.get(activityId);
  }

  detail(activityId: number): Record<string, unknown> | undefined {
    const activity = this.#activities.get(activityId);
    return activity && synthesiseDetail(activity, this.#details.get(activityId));
  }

  newestFirst(stravaId: number): SandboxActivity[] {
    return this.slots(stravaId, { onlyMe: true }).flatMap((slot) => slot.activity ?? []);
  }

  /** The athlete's list, newest first; without those that only they may see unless `onlyMe`. */
  slots(stravaId: number, { onlyMe }: { onlyMe: boolean }): readonly Slot[] {
    const shelf = this.#shelf(stravaId);
    shelf.all ??= this.#sort(shelf);
    if (onlyMe) return shelf.all;
    shelf.shared ??= shelf.all.filter(({ activity }) => activity?.visibility !== "only_me");
    return shelf.shared;
  }

  add(stravaId: number, patch: ActivityPatch, nowMs: number): SandboxActivity {
    const { listed, detail } = splitPatch(patch);
    const id = patch.id ?? Math.max(activityIdAt(nowMs), this.#lastId + 1 + Math.floor(this.#dice() * 1_000));
    const activity = completeActivity(id, stravaId, nowMs, listed);
    this.#store(activity, detail);
    this.#onChange(undefined, activity);
    return activity;
  }

  update(activityId: number, patch: ActivityPatch): SandboxActivity | undefined {
    const activity = this.#activities.get(activityId);
    if (activity === undefined) return undefined;
    const { listed, detail } = splitPatch(patch);
    const patched = patchActivity(activity, { ...listed, id: activityId, athlete: activity.athlete });
    this.#store(patched, { ...this.#details.get(activityId), ...detail });
    this.#onChange(activity, patched);
    return patched;
  }

  remove(activityId: number): boolean {
    const activity = this.#activities.get(activityId);
    if (activity === undefined) return false;
    this.#activities.delete(activityId);
    this.#details.delete(activityId);
    const shelf = this.#shelf(activity.athlete.id);
    shelf.ids.delete(activityId);
    forgetOrder(shelf);
    this.#onChange(activity, undefined);
    return true;
  }

  /** Hides slots right behind the last item that the page may still show, at the same second. */
  shortenPage(stravaId: number, { page, size, perPage }: { page: number; size: number; perPage: number }): void {
    const slots = this.slots(stravaId, { onlyMe: true });
    const neighbour = slots[(page - 1) * perPage + Math.max(0, size - 1)];
    if (neighbour === undefined)
      throw new RangeError(`athlete ${stravaId} has no page ${page} of ${perPage} to shorten`);
    const startSeconds = size === 0 ? epochSeconds(neighbour.startSeconds + 1) : neighbour.startSeconds;
    const shelf = this.#shelf(stravaId);
    for (let slot = size; slot < perPage; slot++) shelf.hiddenSlots.push({ startSeconds, activity: undefined });
    forgetOrder(shelf);
  }

  #store(activity: SandboxActivity, detail: DetailFields): void {
    const shelf = this.#shelf(activity.athlete.id);
    this.#activities.set(activity.id, activity);
    if (Object.keys(detail).length > 0) this.#details.set(activity.id, detail);
    shelf.ids.add(activity.id);
    if (activity.id < FAR_ID) this.#lastId = Math.max(this.#lastId, activity.id);
    forgetOrder(shelf);
  }

  #shelf(stravaId: number): Shelf {
    const shelf = this.#shelves.get(stravaId);
    if (shelf === undefined) throw new RangeError(`the sandbox has no athlete ${stravaId}; see athletes()`);
    return shelf;
  }

  #sort(shelf: Shelf): Slot[] {
    const slots: Slot[] = [...shelf.hiddenSlots];
    for (const id of shelf.ids) {
      const activity = this.#activities.get(id);
      if (activity === undefined) continue;
      slots.push({ startSeconds: epochSeconds(Date.parse(activity.start_date) / 1_000), activity });
    }
    // Hidden slots go behind the activities of their second, so that a shortened page keeps those it showed.
    return slots.sort((a, b) => b.startSeconds - a.startSeconds || (b.activity?.id ?? 0) - (a.activity?.id ?? 0));
  }
}

type Shelf = {
  readonly ids: Set<number>;
  readonly hiddenSlots: Slot[];
  /** The sorted list, until the next change. */
  all: readonly Slot[] | undefined;
  /** The same without `only_me`. */
  shared: readonly Slot[] | undefined;
};

/** Ids from here on were given by a test, and the next upload's does not follow them: soon none would be exact. */
const FAR_ID = 1e14;

function forgetOrder(shelf: Shelf): void {
  shelf.all = undefined;
  shelf.shared = undefined;
}
