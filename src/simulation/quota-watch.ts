import { DAY_MS, QUARTER_MS, SECOND_MS } from "../core/units.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Found } from "./found.ts";
import { type Errand, isMetered } from "./network.ts";
import { findOverspending, isRefusedForOthers, isSpendingOfOthers } from "./quota-checks.ts";
import type { Scene } from "./scene.ts";

/** Strava's clock is known to a second and a half. */
const CLOCKS_DIFFER_MS = 2 * SECOND_MS;

/** I5: follows requests, and holds the daemon to Strava's windows. */
export class QuotaWatch {
  readonly #scene: Scene;
  readonly #lost: readonly Errand[];
  /** The last 429, and the quarter of Strava's in which it came. */
  #refusal: { readonly process: DaemonProcess; readonly quarter: number } | undefined;

  /** @param lost errands that nobody may have booked, as they come to be known. */
  constructor(scene: Scene, lost: readonly Errand[]) {
    this.#scene = scene;
    this.#lost = lost;
  }

  /** Who was told to wait asks nothing more till the quarter is over. */
  sent({ process, method, path }: Errand): Found | undefined {
    if (this.#refusal?.process !== process || !isMetered(path)) return undefined;
    if (this.#refusal.quarter !== this.#quarterAtStrava() || this.#isClockDoubtful()) return undefined;
    return { invariant: "I5", says: `${method} ${path} is sent in the same quarter in which Strava had answered 429` };
  }

  heard(errand: Errand, status: number): Found | undefined {
    if (status !== 429) return isMetered(errand.path) ? this.#findOverspending(errand) : undefined;
    // Near the end of a quarter nobody knows of which one it was.
    if (isMetered(errand.path) && !this.#isNearReset()) {
      this.#refusal = { process: errand.process, quarter: this.#quarterAtStrava() };
    }
    // It may have been heard by a machine that slept meanwhile.
    if (isRefusedForOthers(this.#scene, errand.sentAtMs) || this.#paysForTheDead(errand)) return undefined;
    const says = `Strava refused ${errand.method} ${errand.path} (429), and nobody else spends its quota`;
    return { invariant: "I5", says };
  }

  #findOverspending({ sentAtMs }: Errand): Found | undefined {
    if (isSpendingOfOthers(this.#scene, sentAtMs)) return undefined;
    const unknown = this.#lost.filter((one) => isMetered(one.path) && one.sentAtMs >= startOfDay(sentAtMs)).length;
    return findOverspending(this.#scene, unknown);
  }

  /**
   * Whether an errand is the first that its process hears of after another died with requests in flight: what Strava had
   * counted of those nobody could book, and this answer is the first to tell.
   */
  #paysForTheDead({ process, sentAtMs }: Errand): boolean {
    const sinceMs = startOfDay(sentAtMs);
    const own = this.#scene.network.errands.filter((one) => one.process === process && isMetered(one.path));
    return (
      own.filter(({ heardAtMs }) => heardAtMs !== undefined).length === 1 &&
      this.#lost.some((one) => one.process !== process && isMetered(one.path) && one.sentAtMs >= sinceMs)
    );
  }

  #quarterAtStrava(): number {
    return Math.floor((this.#scene.time.nowMs() + this.#scene.plan.strava.skewMs) / QUARTER_MS);
  }

  #isNearReset(): boolean {
    const intoMs = (this.#scene.time.nowMs() + this.#scene.plan.strava.skewMs) % QUARTER_MS;
    return Math.min(intoMs, QUARTER_MS - intoMs) < CLOCKS_DIFFER_MS;
  }

  #isClockDoubtful(): boolean {
    return this.#scene.disturbances.was("wrong_clock", this.#scene.time.nowMs() - DAY_MS);
  }
}

const startOfDay = (atMs: number): number => Math.floor(atMs / DAY_MS) * DAY_MS;
