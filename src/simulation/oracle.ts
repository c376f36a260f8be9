import { BELIEVED_FOR_MS } from "../core/believed-time.ts";
import { ERASED_AFTER_MS } from "../core/freshness.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS } from "../core/units.ts";
import { type DaemonProcess, SEAL_KEY } from "./daemon-process.ts";
import { ProcessDied } from "./driver.ts";
import { checkCompletedSync } from "./ended-sync-checks.ts";
import { findGroundlessFailure } from "./failure-checks.ts";
import type { Found, StandingFound } from "./found.ts";
import { findLease, findLostLease, isStored } from "./leases.ts";
import { detailAskedFor, type Errand, isMetered } from "./network.ts";
import { findOverspending, isRefusedForOthers, isSpendingOfOthers } from "./quota-checks.ts";
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

/** What was answered is committed in the next turn, or not at all. */
const COMMITTED_WITHIN_MS = 50;
/** Strava's clock is known to a second and a half. */
const CLOCKS_DIFFER_MS = 2 * SECOND_MS;
/** How often rows are looked at. */
const LOOK_EVERY_MS = 10 * MINUTE_MS;
/** The first tick of the processor comes within a minute of a start; what it wakes needs a moment. */
const FIRST_TICK_MS = 62 * SECOND_MS;

type Taken = {
  readonly raceId: number;
  readonly syncId: number;
  readonly owner: string | null;
  readonly stravaId: number;
  readonly isPending: 0 | 1;
};

/** Looks on, and holds the daemon to its invariants. */
export class Oracle {
  readonly #scene: Scene;
  readonly #bornAtMs: number;
  readonly edits = new Map<number, { readonly name: string; readonly isHidden: boolean }>();
  /** Errands that processes were on when they died, or whose answer they may not have booked. */
  readonly lost: Errand[] = [];
  /** By activity: the race and the sync for which its detail was stored last, and when. */
  readonly #stored = new Map<number, { readonly raceId: number; readonly syncId: number; readonly atMs: number }>();
  /** When somebody last changed an athlete's activities at Strava, by Strava's id. */
  readonly #changed = new Map<number, number>();
  readonly #signedIn = new Map<number, number>();
  /** The last 429, and the quarter of Strava's in which it came. */
  #refusal: { readonly process: DaemonProcess; readonly quarter: number } | undefined;
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

  /** A hand may have turned back what was stored: it is asked for again, whenever its turn comes. */
  handActed(): void {
    this.#stored.clear();
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

  /** I3, I4: a detail is asked for once at a time, and not again once it is stored. */
  sent(errand: Errand): void {
    this.#checkToken(errand);
    this.#checkPatience(errand);
    const id = detailAskedFor(errand);
    if (id === undefined) return;
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
    if (taken === undefined) return;
    const { syncId } = taken;
    if (
      twin !== undefined &&
      !this.#isLookedAt(id) &&
      !this.#scene.disturbances.was("second_process", errand.sentAtMs - HOUR_MS) &&
      // Who runs a batch whose row a hand took away learns of it with the answer, which is then dropped.
      !this.#scene.disturbances.was("rows_by_hand", errand.sentAtMs - MINUTE_MS)
    ) {
      this.break("I3", `The detail of activity ${id} is asked for twice at once`);
    }
    const stored = this.#stored.get(id);
    if (stored?.raceId !== taken.raceId || this.#isLookedAt(id) || this.#mayAskAgain(id)) return;
    if (stored.syncId === syncId) {
      this.break("I4", `The detail of activity ${id} was stored in sync ${syncId}, and is asked for again`);
    } else if (!this.#mayHaveChanged(taken.stravaId, stored)) {
      const says = `The detail of activity ${id} was stored in sync ${stored.syncId}, nothing has changed since, and sync ${syncId} asks for it again`;
      this.break("I4", says);
    }
  }

  /** What is not stored is lost with the process, and where Strava rotates, the athlete with it. */
  #checkToken({ path, bearer }: Errand): void {
    this.tokens.look(this.#scene.file.client);
    // The clubs of somebody who signs in are asked for before anything of theirs is stored.
    if (bearer === null || !/^\/api\/v3\/(athlete\/)?activities/.test(path)) return;
    if (!this.tokens.has(bearer)) this.break("tokens", `GET ${path} carries a token that is not stored`);
  }

  /** I5: who was told to wait asks nothing more till the quarter is over. */
  #checkPatience({ process, method, path }: Errand): void {
    if (this.#refusal?.process !== process || !isMetered(path)) return;
    if (this.#refusal.quarter !== this.#quarterAtStrava() || this.#isClockDoubtful()) return;
    this.break("I5", `${method} ${path} is sent in the same quarter in which Strava had answered 429`);
  }

  #quarterAtStrava(): number {
    return Math.floor((this.#scene.time.nowMs() + this.#scene.plan.strava.skewMs) / QUARTER_MS);
  }

  #isNearReset(): boolean {
    const intoMs = (this.#scene.time.nowMs() + this.#scene.plan.strava.skewMs) % QUARTER_MS;
    return Math.min(intoMs, QUARTER_MS - intoMs) < CLOCKS_DIFFER_MS;
  }

  #isClockDoubtful(): boolean {
    const sinceMs = this.#scene.time.nowMs() - DAY_MS;
    return this.#scene.disturbances.was("wrong_clock", sinceMs);
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
  #mayHaveChanged(stravaId: number, stored: { readonly syncId: number; readonly atMs: number }): boolean {
    const excuses = ["strava_faults", "wrong_clock", "second_process", "database_fails"] as const;
    // A sync may be paused for days between its list and its details.
    const listedMs = Math.min(this.#started.get(stored.syncId) ?? 0, stored.atMs - HOUR_MS);
    const lastMs = Math.max(this.#changed.get(stravaId) ?? 0, this.signedIn(stravaId));
    return lastMs >= listedMs || excuses.some((what) => this.#scene.disturbances.was(what, stored.atMs - HOUR_MS));
  }

  heard(errand: Errand, status: number): void {
    if (isMetered(errand.path) && status !== 429) this.#checkSpending(errand);
    const id = detailAskedFor(errand);
    if (id !== undefined && status === 200) this.#awaitStored(errand, id);
    if (status !== 429) return;
    this.refusals++;
    // Near the end of a quarter nobody knows of which one it was.
    if (isMetered(errand.path) && !this.#isNearReset()) {
      this.#refusal = { process: errand.process, quarter: this.#quarterAtStrava() };
    }
    // It may have been heard by a machine that slept meanwhile.
    if (!isRefusedForOthers(this.#scene, errand.sentAtMs) && !this.#paysForTheDead(errand))
      this.break("I5", `Strava refused ${errand.method} ${errand.path} (429), and nobody else spends its quota`);
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
      this.lost.some((one) => one.process !== process && isMetered(one.path) && one.sentAtMs >= sinceMs)
    );
  }

  #checkSpending({ sentAtMs }: Errand): void {
    if (isSpendingOfOthers(this.#scene, sentAtMs)) return;
    const unknown = this.lost.filter((one) => isMetered(one.path) && one.sentAtMs >= startOfDay(sentAtMs)).length;
    this.must(findOverspending(this.#scene, unknown));
  }

  /**
   * I4: what was answered is committed at once: a death costs no more than what was in flight. I3: and by nobody from whom
   * its batch was taken meanwhile.
   */
  #awaitStored(errand: Errand, activityId: number): void {
    const taken = this.#takenRace(activityId);
    const isForSync = taken !== undefined && taken.owner === errand.process.parts.context.owner;
    const wasLookedAt = this.#isLookedAt(activityId);
    const lost = findLostLease(this.#scene, errand.lease, activityId);
    this.#scene.outside.after(COMMITTED_WITHIN_MS, () => {
      this.#noteStored(activityId);
      if (wasLookedAt || this.#isLookedAt(activityId)) return;
      if (lost !== undefined && isStored(this.#scene, activityId) && !this.#isHeardByAnother(errand)) {
        const says = `The detail of activity ${activityId} was stored by process ${errand.process.number}, from whom batch ${lost.batchId} had been taken`;
        return this.break("I3", says);
      }
      if (!isForSync || this.#mayBeUncommitted(errand, activityId)) return;
      const now = this.#takenRace(activityId);
      if (now?.isPending !== 1 || now.owner !== taken.owner || now.syncId !== taken.syncId) return;
      this.break(
        "I4",
        `The detail of activity ${activityId} was answered, and is not stored ${COMMITTED_WITHIN_MS} ms later`,
      );
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

const startOfDay = (atMs: number): number => Math.floor(atMs / DAY_MS) * DAY_MS;

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
}
