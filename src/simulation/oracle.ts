import { BELIEVED_FOR_MS } from "../core/believed-time.ts";
import { ERASED_AFTER_MS } from "../core/freshness.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/units.ts";
import { type DaemonProcess, SEAL_KEY } from "./daemon-process.ts";
import { DetailWatch } from "./detail-watch.ts";
import { ProcessDied } from "./driver.ts";
import { checkCompletedSync } from "./ended-sync-checks.ts";
import { findGroundlessFailure } from "./failure-checks.ts";
import type { Found, StandingFound } from "./found.ts";
import type { Errand } from "./network.ts";
import { QuotaWatch } from "./quota-watch.ts";
import type { Scene } from "./scene.ts";
import { checkStanding, findRevivedBatch, findTwoSyncs } from "./standing-checks.ts";
import { findLeftAtStart } from "./start-checks.ts";
import { StoredTokens } from "./stored-tokens.ts";
import { Withdrawals } from "./withdrawal-checks.ts";

/** What must hold and does not, for the first time. */
export type Breach = {
  /** `I1` to `I12` as in ARCHITECTURE.md, or a word: `liveness`, `healing`, `attempts`, `tokens`, `counters`, `alerts`, `lost`, `uncaught`; `simulator` where it is the simulation's own. */
  readonly invariant: string;
  readonly says: string;
  readonly atMs: number;
};

/** How often rows are looked at. */
const LOOK_EVERY_MS = 10 * MINUTE_MS;
/** The first tick of the processor comes within a minute of a start; what it wakes needs a moment. */
const FIRST_TICK_MS = 62 * SECOND_MS;

/** Looks on, and holds the daemon to its invariants. */
export class Oracle {
  readonly #scene: Scene;
  readonly #bornAtMs: number;
  readonly edits = new Map<number, { readonly name: string; readonly isHidden: boolean }>();
  /** Errands that processes were on when they died, or whose answer they may not have booked. */
  readonly lost: Errand[] = [];
  readonly #quota: QuotaWatch;
  readonly #details: DetailWatch;
  /** When somebody last changed an athlete's activities at Strava, by Strava's id. */
  readonly #changed = new Map<number, number>();
  readonly #signedIn = new Map<number, number>();
  #handActedAtMs = 0;
  /** When syncs started, truly. */
  readonly #started = new Map<number, number>();
  readonly tokens = new StoredTokens(SEAL_KEY);
  readonly #withdrawals = new Withdrawals();
  /** When an activity was last changed in a way that Strava tells nobody of. */
  readonly #changedUntold = new Map<number, number>();
  /** Whether somebody has been erased, for whatever reason. */
  hasErased = false;
  readonly #dead = new Set<DaemonProcess>();
  breach: Breach | undefined;
  refusals = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#bornAtMs = scene.time.nowMs();
    this.#quota = new QuotaWatch(scene, this.lost);
    const known = {
      startedAtMs: (syncId: number) => this.#started.get(syncId) ?? 0,
      changedAtMs: (stravaId: number) => Math.max(this.#changed.get(stravaId) ?? 0, this.signedIn(stravaId)),
    };
    this.#details = new DetailWatch(scene, known, (found) => this.must(found));
    scene.outside.after(LOOK_EVERY_MS, () => this.#look());
  }

  break(invariant: string, says: string): void {
    if (this.breach !== undefined) return;
    this.breach = { invariant, says, atMs: this.#scene.time.nowMs() };
    this.#scene.diary.note(`BROKEN ${invariant}: ${says}`);
  }

  started(process: DaemonProcess): void {
    this.#scene.outside.after(FIRST_TICK_MS, () => {
      if (process === this.#scene.daemon && this.breach === undefined) this.must(findLeftAtStart(this.#scene, process));
    });
  }

  /** @param how one that has stopped had committed all that it had heard. */
  died(process: DaemonProcess, how: "killed" | "stopped"): void {
    if (this.#dead.has(process)) return;
    this.#dead.add(process);
    const commits = this.#scene.edges.commitsOf(process);
    for (const errand of this.#scene.network.errands) {
      if (errand.process !== process) continue;
      // Heard, and perhaps not yet committed: the next commit may have been somebody else's.
      // Who stops commits what it has heard, unless the disk refuses to the last.
      const isBooked =
        how === "stopped"
          ? !this.#scene.disturbances.was("database_fails", errand.sentAtMs)
          : commits > errand.commitsBefore + 1;
      if (errand.heardAtMs === undefined || !isBooked) this.lost.push(errand);
    }
  }

  heardLine(line: string): void {
    this.must(this.#checkAfter(line));
  }

  must(found: Found | undefined): void {
    if (found !== undefined) this.break(found.invariant, found.says);
  }

  /** What has just been committed, and is told of, is looked at. */
  #checkAfter(line: string): Found | undefined {
    if (line.includes('"event":"sync.failed"')) return this.#findGroundlessFailure(line);
    if (line.includes('"event":"athlete.erased')) this.hasErased = true;
    if (line.includes('"event":"requests.stuck"')) return { invariant: "liveness", says: `It says of itself: ${line}` };
    if (line.includes('"event":"athlete.erased"')) return this.#findErasedForNothing();
    if (line.includes('"event":"athlete.erased_by_clock"')) return this.#findErasedEarly();
    if (line.includes('"event":"batch.completed"')) return this.#findWithdrawnWrongly();
    const isStart = line.includes('"event":"sync.started"');
    if (!isStart && !line.includes('"event":"sync.completed"')) return undefined;
    const { sync_id: syncId } = JSON.parse(line) as { sync_id: number };
    if (isStart) {
      this.#started.set(syncId, this.#scene.time.nowMs());
      return undefined;
    }
    const startedAtMs = this.#started.get(syncId);
    // One that nobody told of: its start is known by a clock that may be wrong.
    if (startedAtMs === undefined) return undefined;
    return checkCompletedSync(this.#scene, { syncId, startedAtMs }, (stravaId) => this.#changed.get(stravaId) ?? 0);
  }

  #findGroundlessFailure(line: string): Found | undefined {
    const { sync_id: syncId } = JSON.parse(line) as { sync_id: number };
    const startedAtMs = this.#started.get(syncId);
    if (startedAtMs === undefined) return undefined;
    const deaths = [...this.#dead].filter((process) => process.startedAtMs >= startedAtMs).length + 1;
    return findGroundlessFailure(this.#scene, { syncId, startedAtMs, deaths });
  }

  #findWithdrawnWrongly(): Found | undefined {
    return this.#withdrawals.findWrong(
      this.#scene,
      // Of a sync that nobody told of it is not known when it started.
      (stravaId, syncId) => (this.#changed.get(stravaId) ?? 0) >= (this.#started.get(syncId) ?? 0),
    );
  }

  /** A notice that is false erases nobody, unless Strava confirms it falsely, too. */
  #findErasedForNothing(): Found | undefined {
    const { mayBeErased, disturbances, time } = this.#scene;
    if (mayBeErased || this.#isOldEnough() || disturbances.was("strava_faults", time.nowMs() - HOUR_MS))
      return undefined;
    return { invariant: "lost", says: "Somebody was erased, and nobody asked for it or took the access back" };
  }

  /** Access that was lost in this life cannot have been gone for a month before a month of it has passed. */
  #findErasedEarly(): Found | undefined {
    if (this.#isOldEnough()) return undefined;
    const day = Math.ceil((this.#scene.time.nowMs() - this.#bornAtMs) / DAY_MS);
    return {
      invariant: "lost",
      says: `Somebody was erased because their access had been gone for long, on day ${day}`,
    };
  }

  /** Whether somebody's access can have been gone for a month. */
  #isOldEnough(): boolean {
    return this.#scene.time.nowMs() - this.#bornAtMs >= ERASED_AFTER_MS - BELIEVED_FOR_MS;
  }

  /** When somebody last signed in, by Strava's id: what is connected anew is listed anew. */
  signedIn(stravaId: number): number {
    return this.#signedIn.get(stravaId) ?? 0;
  }

  /** Somebody is about to sign in: what is shown of them may be more or less from then on. */
  signsIn(stravaId: number): void {
    this.#signedIn.set(stravaId, this.#scene.time.nowMs());
    this.changedActivities(stravaId);
  }

  /** Somebody changes an athlete's activities at Strava. */
  changedActivities(stravaId: number): void {
    this.#changed.set(stravaId, this.#scene.time.nowMs());
  }

  /** Somebody changes an activity, and Strava tells nobody. */
  changedUntold(activityId: number): void {
    this.#changedUntold.set(activityId, this.#scene.time.nowMs());
  }

  /** When an activity was last changed without a word of Strava's; 0: never. */
  lastChangedUntold(activityId: number): number {
    return this.#changedUntold.get(activityId) ?? 0;
  }

  /** What holds in every state that is committed (I2, I3), and costs little to look at. */
  lookAfterCommit(): void {
    this.must(findTwoSyncs(this.#scene) ?? findRevivedBatch(this.#scene));
  }

  /** What the next connection, or a hand, would make forgotten is looked at before. */
  lookAtBatches(): void {
    this.must(findRevivedBatch(this.#scene));
  }

  handActed(): void {
    this.#details.forget();
    this.#handActedAtMs = this.#scene.time.nowMs();
  }

  /** A timer's work threw. */
  threw(error: unknown): void {
    if (!(error instanceof ProcessDied)) this.break("uncaught", `A timer's work threw: ${describe(error)}`);
  }

  sawServerError(says: string): void {
    const sinceMs = this.#scene.time.nowMs() - HOUR_MS;
    const excuses = ["database_fails", "rows_by_hand"] as const;
    if (!excuses.some((what) => this.#scene.disturbances.was(what, sinceMs))) this.break("server_error", says);
  }

  edited(race: number, edit: { readonly name: string; readonly hidden: boolean }): void {
    this.edits.set(race, { name: edit.name, isHidden: edit.hidden });
  }

  /** A request of ours is sent. */
  sent(errand: Errand): void {
    this.#checkToken(errand);
    this.must(this.#quota.sent(errand));
    this.must(this.#details.sent(errand));
  }

  /** One is answered, or has failed (0). */
  heard(errand: Errand, status: number): void {
    if (status === 429) this.refusals++;
    this.must(this.#quota.heard(errand, status));
    if (status === 200) this.#details.heard(errand);
  }

  /** What is not stored is lost with the process, and where Strava rotates, the athlete with it. */
  #checkToken({ path, bearer }: Errand): void {
    this.tokens.look(this.#scene.file.client);
    // The clubs of somebody who signs in are asked for before anything of theirs is stored.
    if (bearer === null || !/^\/api\/v3\/(athlete\/)?activities/.test(path)) return;
    if (!this.tokens.has(bearer)) this.break("tokens", `GET ${path} carries a token that is not stored`);
  }

  #look(): void {
    if (this.breach !== undefined) return;
    this.#scene.outside.after(LOOK_EVERY_MS, () => this.#look());
    this.must(this.#findWithdrawnWrongly());
    const found = checkStanding(this.#scene);
    if (found?.graceMs === 0) this.break(found.invariant, found.says);
    else if (found !== undefined) this.#scene.outside.after(found.graceMs, () => this.#lookAgain(found));
  }

  /** What ends by itself within a moment (a hold that is just over) was nothing. */
  #lookAgain(before: StandingFound): void {
    if (this.breach !== undefined) return;
    // What a hand has done again meanwhile has as long to end as at first.
    const handAgoMs = this.#scene.time.nowMs() - this.#handActedAtMs;
    if (handAgoMs < before.graceMs) {
      this.#scene.outside.after(before.graceMs - handAgoMs, () => this.#lookAgain(before));
      return;
    }
    const found = checkStanding(this.#scene);
    if (found?.key === before.key) this.break(found.invariant, found.says);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
}
