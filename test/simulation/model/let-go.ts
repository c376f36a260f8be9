import { expect } from "bun:test";
import { HOUR_MS, MINUTE_MS, SECOND_MS, type SyncId } from "../../../src/core/units.ts";
import { checkFinally } from "../../../src/simulation/final-checks.ts";
import { askApi } from "../../../src/simulation/happen-by-persons.ts";
import { resumeSync } from "../../../src/sync/pause-sync.ts";
import { retryFailed, startSync } from "../../../src/sync/start-sync.ts";
import { athleteAt } from "../../support/worlds.ts";
import { ATHLETES, type Club } from "./club.ts";
import { compare } from "./compare.ts";
import type { Model } from "./model.ts";

/** Everything that keeps syncs from going on ends: then each completes, and what is held is what Strava has. */
export function letGo(model: Model, club: Club): void {
  const { world } = club;
  if (model.daemon === "down") world.start();
  expect(world.runUntil(() => world.daemon !== undefined, MINUTE_MS)).toBe(true);
  club.world.await(askApi(world, "POST", "/api/admin/resume"));
  model.daemon = "up";
  for (const [place, athlete] of model.athletes.entries()) {
    const mark = club.mark(place);
    mark.frozenRuns = undefined;
    if (athlete.sync !== "in_progress") continue;
    const { context, processor } = club.parts;
    resumeSync(context, club.sync(place)?.id as SyncId, processor.wake);
    athlete.isPaused = false;
  }
  // It waits for a reset at most.
  model.heldUntilMs = 0;
  expect(world.runUntil(() => isQuiet(club), HOUR_MS)).toBe(true);
  compare(model, club);
  // Details that failed to the last fail no longer.
  world.strava.clearFaults();
  for (let place = 0; place < ATHLETES; place++) retryAndReadAll(model, club, place);
  expect(checkFinally(world)).toBeUndefined();
}

/** What failed is tried again, and the whole list is read once more. */
function retryAndReadAll(model: Model, club: Club, place: number): void {
  const { world } = club;
  const { context, processor } = club.parts;
  const mark = club.mark(place);
  Object.assign(mark, { silentSince: undefined, startedAt: club.requests() });
  const last = club.sync(place);
  if (last !== undefined) retryFailed(context, last.id as SyncId, processor);
  expect(world.runUntil(() => isQuiet(club), HOUR_MS)).toBe(true);
  const request = { athleteId: athleteAt(place), syncClass: "manual", mode: "full" } as const;
  expect(startSync(context, request, processor).outcome).toBe("started");
  expect(world.runUntil(() => isQuiet(club), HOUR_MS)).toBe(true);
  world.runFor(2 * MINUTE_MS + SECOND_MS);
  const athlete = model.athletes[place];
  if (athlete !== undefined) athlete.sync = "completed";
  compare(model, club);
}

const isQuiet = (club: Club): boolean =>
  club.count("SELECT count(*) AS n FROM syncs WHERE status = 'in_progress'") === 0;
