import type { FindingJson } from "../api/finding-view.ts";
import type { SyncJson } from "../api/sync-view.ts";
import { type Clock, SECOND_MS } from "../core/units.ts";
import type { DaemonClient } from "./daemon-client.ts";
import type { Broken } from "./demo-hand.ts";
import type { Paint } from "./paint.ts";
import type { SyncStatusAnswer } from "./status-answers.ts";
import { athleteName, renderEnd } from "./sync-line.ts";
import { isEnded } from "./sync-progress.ts";
import { clockTime, spellDuration } from "./time-words.ts";
import { pause } from "./world.ts";

/** What was seen so far: what a demo promises to show. */
export type Seen = { hasCompletedSync: boolean; hasVerifiedFinding: boolean };

export type Story = {
  readonly seen: Readonly<Seen>;
  /** One sentence, with the time before it. */
  tell(sentence: string): void;
  /** From now on the broken sync is told of, stage by stage. */
  tellOfBroken(broken: Broken): void;
  /** Asks the daemon again and again and tells what has changed, until `signal` is aborted. */
  follow(daemon: DaemonClient, signal: AbortSignal): Promise<void>;
};

/** Often enough that no stage is missed: the shortest, a batch, takes some tenths of a second. */
const LOOK_EVERY_MS = SECOND_MS / 5;

/** Tells in plain sentences what a demo's daemon does, as its API shows it: nothing is told that was not seen there. */
export function createStory(options: {
  out: (text: string) => void;
  clock: Clock;
  timeZone: string;
  paint: Paint;
  /** Called once, when all that a demo promises was shown. */
  whenShown: () => Promise<void>;
}): Story {
  const { out, clock, timeZone, paint, whenShown } = options;
  const seen: Seen = { hasCompletedSync: false, hasVerifiedFinding: false };
  const told = new Set<string>();
  let broken: Broken | undefined;

  function tell(sentence: string): void {
    const nowMs = clock.nowMs();
    out(`${paint.dim(clockTime(nowMs, { nowMs, timeZone }))}  ${sentence}`);
  }

  function tellOnce(key: string, sentence: () => string): void {
    if (told.has(key)) return;
    told.add(key);
    tell(sentence());
  }

  const sinceBroken = () => spellDuration(clock.nowMs() - (broken?.atMs ?? clock.nowMs()));

  function tellOfEnd(sync: SyncJson): void {
    if (sync.status === "completed") seen.hasCompletedSync = true;
    const drawing = { nowMs: clock.nowMs(), timeZone, paint };
    tellOnce(`end ${sync.sync_id}`, () => `Sync ${sync.sync_id} of ${athleteName(sync)} ${renderEnd(sync, drawing)}.`);
  }

  function tellOfStall({ sync_id, status, health, activities_synced, activities_expected }: SyncJson): void {
    if (status !== "stalled") return;
    tellOnce(
      `stall ${sync_id}`,
      () =>
        `${paint.red("Stalled.")} sync-status says of sync ${sync_id}: ${activities_synced} of ${activities_expected} races, ${health.completed_batches} of ${health.total_batches} batches completed, ${health.pending_batches} pending. ${paint.yellow(`"${health.warning}"`)}`,
    );
  }

  function tellOfFinding({ id, kind, message, evidence, remedy, outcome, sync_id }: FindingJson): void {
    if (outcome === "verified") seen.hasVerifiedFinding = true;
    const made = evidence.batches_to_create;
    const whatWasDone = typeof made === "number" ? `created ${made} batches` : `did this: ${remedy}`;
    tellOnce(
      `finding ${id}`,
      () =>
        `${paint.cyan("Found.")} The health check found ${paint.bold(kind)} (finding ${id}): ${message} It ${whatWasDone}.`,
    );
    if (outcome !== "verified" && outcome !== "failed" && outcome !== "superseded") return;
    tellOnce(`settled ${id}`, () =>
      outcome === "verified"
        ? `${paint.green("Verified.")} A later check saw that the remedy of finding ${id} worked: sync ${sync_id} has gone on since. From the break to this verdict it took ${sinceBroken()}, and nobody touched it.`
        : `Finding ${id} is ${outcome}.`,
    );
  }

  async function look(daemon: DaemonClient): Promise<void> {
    const { active, recent } = await daemon.get<SyncStatusAnswer>("/api/admin/sync-status");
    if (broken !== undefined) {
      const { syncId } = broken;
      active.filter(({ sync_id }) => sync_id === syncId).forEach(tellOfStall);
      const path = `/api/admin/health/findings?sync_id=${syncId}`;
      const { items } = await daemon.get<{ items: readonly FindingJson[] }>(path);
      [...items].reverse().forEach(tellOfFinding);
    }
    [...recent].reverse().filter(isEnded).forEach(tellOfEnd);
  }

  return {
    seen,
    tell,
    tellOfBroken(done) {
      broken = done;
      tell(
        `${paint.yellow("Broken on purpose.")} A hand in the database has deleted batches ${done.batchNumbers.join(" and ")} of sync ${done.syncId}: ${done.racesLeft} races are left, no batch will ever take them.`,
      );
    },
    async follow(daemon, signal) {
      let isShown = false;
      while (!signal.aborted) {
        await look(daemon);
        if (!isShown && seen.hasCompletedSync && seen.hasVerifiedFinding) {
          isShown = true;
          await whenShown();
        }
        await pause(clock, LOOK_EVERY_MS, signal);
      }
    },
  };
}
