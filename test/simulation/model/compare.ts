import { expect } from "bun:test";
import type { Club } from "./club.ts";
import { ATHLETES } from "./club.ts";
import { isHeld, MAX_ATTEMPTS, type Model } from "./model.ts";

/**
 * Compares the engine with the model: what must be so is, and what must not happen has not. A sync that the model lets
 * go on may have completed.
 */
export function compare(model: Model, club: Club): void {
  const { world } = club;
  model.nowMs = world.time.nowMs();
  expect(world.oracle.breach).toBeUndefined();
  expect(world.daemon === undefined).toBe(model.daemon === "down");
  for (const [activityId, last] of model.failing)
    if (club.failuresOf(activityId) >= last) model.failing.delete(activityId);
  for (let place = 0; place < ATHLETES; place++) compareSync(model, club, place);
  compareAttempts(model, club);
  compareRefusals(model, club);
}

function compareSync(model: Model, club: Club, place: number): void {
  const athlete = model.athletes[place];
  if (athlete === undefined) return;
  const sync = club.sync(place);
  const mark = club.mark(place);
  if (athlete.sync === "in_progress" && sync?.status === "completed") athlete.sync = "completed";
  expect({ place, sync: sync?.status ?? "none" }).toEqual({ place, sync: athlete.sync });
  if (sync === undefined) return;
  // A batch that ran when it was paused may have been its last: then nothing is left to be paused.
  if (athlete.sync === "in_progress") expect(sync.isPaused === 1).toBe(athlete.isPaused);
  else athlete.isPaused = false;
  // I3: a batch of an athlete is run by one worker, which is of this process.
  expect(sync.processing).toBeLessThanOrEqual(1);
  if (mark.frozenRuns !== undefined) expect({ place, runs: sync.runs }).toEqual({ place, runs: mark.frozenRuns });
  if (mark.silentSince !== undefined) expect(club.asked(mark.silentSince, place)).toEqual([]);
  if (athlete.sync === "cancelled") expect(sync.live).toBe(0);
  compareRaces(club, place, athlete.sync === "completed");
}

/**
 * I1, and what `fail` did: a race fails at its last try and not before, says why, and takes no other with it. A lease that
 * a hand took may have cost an attempt of its batch, and one that has spent all of them fails its last race.
 */
function compareRaces(club: Club, place: number, isCompleted: boolean): void {
  const { startedAt, leasesTaken } = club.mark(place);
  const asked = club.asked(startedAt, place);
  for (const { activityId, enrichment, attempts, error } of club.races(place)) {
    const failures = asked.filter((entry) => entry.activityId === activityId && entry.status === 500).length;
    expect(attempts).toBeLessThanOrEqual(club.failuresOf(activityId));
    if (isCompleted)
      expect({ activityId, isSettled: enrichment !== "pending" }).toEqual({ activityId, isSettled: true });
    if (isCompleted && failures + leasesTaken < MAX_ATTEMPTS)
      expect({ activityId, enrichment }).toEqual({ activityId, enrichment: "enriched" });
    if (enrichment === "failed") {
      expect(attempts + leasesTaken).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
      if (leasesTaken === 0) expect(error).toContain("500");
      expect(error).not.toBeNull();
    } else {
      expect(attempts).toBeLessThan(MAX_ATTEMPTS);
    }
  }
}

/** A quota wait, a pause, a cancellation and the daemon's death spend none. */
function compareAttempts(model: Model, club: Club): void {
  expect(club.count("SELECT total(attempts) AS n FROM batches")).toBeLessThanOrEqual(model.attemptsAtMost);
}

/** Once the daemon has been told that the quarter is spent, it asks for nothing till the reset. */
function compareRefusals(model: Model, club: Club): void {
  if (!isHeld(model)) return;
  const refusals = club.asked(club.spentAt).filter(({ status }) => status === 429).length;
  expect(refusals).toBeLessThanOrEqual(model.refusalsAtMost);
}
