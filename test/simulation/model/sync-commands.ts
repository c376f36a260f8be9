import { expect } from "bun:test";
import { MINUTE_MS, SECOND_MS, type SyncId } from "../../../src/core/units.ts";
import { happen } from "../../../src/simulation/happen.ts";
import { pauseSync, resumeSync } from "../../../src/sync/pause-sync.ts";
import { startSync } from "../../../src/sync/start-sync.ts";
import { stopSync } from "../../../src/sync/stop-sync.ts";
import { athleteAt } from "../../support/worlds.ts";
import { TICK_MS } from "./club.ts";
import { type Command, command, commandOn, expectAtWork, hasMoved, seen } from "./command.ts";
import { compare } from "./compare.ts";
import { athleteOf, canBeTold, isInProgress, isPaused, moves, placesThat } from "./model.ts";

/** Begins a sync, for which every race has to be fetched again; a second one of the same athlete is refused. */
export const start = (nth: number): Command =>
  commandOn(
    "start",
    nth,
    ({ daemon }) => daemon !== "down",
    (model, club, place) => {
      const { context, processor } = club.parts;
      const wasRunning = isInProgress(model, place);
      if (!wasRunning) {
        club.renameRaces(place);
        Object.assign(club.mark(place), {
          frozenRuns: undefined,
          silentSince: undefined,
          startedAt: club.requests(),
        });
      }
      const request = { athleteId: athleteAt(place), syncClass: "manual", mode: "full" } as const;
      expect(startSync(context, request, processor).outcome).toBe(wasRunning ? "in_progress" : "started");
      athleteOf(model, place).sync = "in_progress";
      if (model.daemon === "paused" && !wasRunning) club.mark(place).frozenRuns = 0;
    },
  );

/** A minute and its jobs. Whatever moves is at work, or done, or in line for a worker. */
export const tick = (): Command =>
  command(
    "tick",
    () => true,
    (model, club) => {
      const before = club.requests();
      const moving = placesThat(model, moves);
      const completed = moving.map((place) => club.sync(place)?.batchesCompleted ?? 0);
      club.world.runFor(TICK_MS);
      if (model.daemon === "down") expect(club.requests()).toBe(before);
      if (moving.length === 0) return;
      const isMoved = moving.some((place, nth) => hasMoved(club, place, completed[nth] ?? 0));
      expect({ moving, isMoved }).toEqual({ moving, isMoved: true });
    },
  );

/** The next batch of a sync is claimed within a tick, with a lease of this process. */
export const claim = (nth: number): Command =>
  commandOn("claim", nth, moves, (_, club, place) => {
    const { owner } = club.parts.context;
    const isClaimed = () => club.sync(place)?.processing === 1 || club.sync(place)?.status === "completed";
    expect(club.world.runUntil(isClaimed, TICK_MS)).toBe(true);
    const nowMs = club.world.time.nowMs();
    const foreign = "SELECT count(*) AS n FROM batches WHERE status = 'processing' AND (owner <> '";
    expect(club.count(`${foreign}${owner}' OR lease_expires_at_ms < ?1)`, nowMs)).toBe(0);
  });

/** A batch of a sync comes to its end: the count of completed ones rises by one. */
export const complete = (nth: number): Command =>
  commandOn("complete", nth, moves, (_, club, place) => {
    const before = club.sync(place)?.batchesCompleted ?? 0;
    const isDone = () => (club.sync(place)?.batchesCompleted ?? 0) > before;
    expect(club.world.runUntil(isDone, 3 * MINUTE_MS)).toBe(true);
    expect(club.sync(place)?.batchesCompleted).toBe(before + 1);
  });

/** Strava will answer the detail of one race that is still to come with 500, so often. */
export const fail = (nth: number, race: number, times: number): Command =>
  commandOn(
    `fail ${times} times race ${race} of`,
    nth,
    // Of three different things that fail, the breaker would take it for Strava's own trouble.
    (model, place) => isInProgress(model, place) && model.failing.size < 2,
    (model, club, place) => {
      const left = club.racesLeft(place);
      const activityId = left[race % Math.max(1, left.length)];
      if (activityId === undefined || model.failing.has(activityId)) return;
      const action = { type: "status", status: 500 } as const;
      const rule = { match: { kind: "detail", activityId }, times, action } as const;
      happen(club.world, { afterMs: 0, what: "strava_fault", rule });
      model.failing.set(activityId, club.failuresOf(activityId) + times);
      model.attemptsAtMost += times;
    },
  );

/** Nothing more of a sync is claimed, though time passes; what runs finishes. */
export const pause = (nth: number): Command =>
  commandOn(
    "pause",
    nth,
    (model, place) => canBeTold(model, place) && !isPaused(model, place),
    (model, club, place) => {
      const sync = seen(club, place);
      expect(pauseSync(club.parts.context, sync.id as SyncId).outcome).toBe("paused");
      athleteOf(model, place).isPaused = true;
      club.mark(place).frozenRuns = sync.runs;
      club.world.runFor(30 * SECOND_MS);
    },
  );

export const resume = (nth: number): Command =>
  commandOn("resume", nth, isPaused, (model, club, place) => {
    const { context, processor } = club.parts;
    if (model.daemon === "up") club.mark(place).frozenRuns = undefined;
    expect(resumeSync(context, seen(club, place).id as SyncId, processor.wake).outcome).toBe("resumed");
    athleteOf(model, place).isPaused = false;
    expectAtWork(model, club, [place]);
  });

/** A sync is over at once, and nothing more of it is asked for. */
export const cancel = (nth: number): Command =>
  commandOn("cancel", nth, canBeTold, (model, club, place) => {
    const { context, processor } = club.parts;
    expect(stopSync(context, processor, seen(club, place).id as SyncId).outcome).toBe("cancelled");
    athleteOf(model, place).sync = "cancelled";
    club.mark(place).silentSince = club.requests();
    compare(model, club);
    club.world.runFor(15 * SECOND_MS);
  });
