import type { SyncClass } from "../../src/core/sync.ts";
import { epochMs, type SyncId } from "../../src/core/units.ts";
import { type RaceRow, races, type SyncRow } from "../../src/db/schema.ts";
import { readSync } from "../../src/db/syncs.ts";
import type { ActivityPatch } from "../../src/sandbox/activity.ts";
import type { RequestKind } from "../../src/sandbox/ledger.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { startSync } from "../../src/sync/start-sync.ts";
import { emptyDb } from "./database.ts";
import { createTestEngine, START_MS, type TestEngine, type TestEngineOptions } from "./engine.ts";

/** Tagged as a race by its athlete. */
export const RACE: ActivityPatch = { workout_type: 1 };

const DAY_MS = 24 * 3_600_000;

/** Plain runs, one a day, the newest a day ago; those at the places given (0: the newest) are races. */
export function dailyRuns(count: number, raceAt: readonly number[] = []): ActivityPatch[] {
  return Array.from({ length: count }, (_, place) => (raceAt.includes(place) ? RACE : {}));
}

/** An activity that starts so long before the tests do. */
export function startedAgo(agoMs: number, patch: ActivityPatch = {}): ActivityPatch {
  return { ...patch, start_date: stravaTime(START_MS - agoMs) };
}

/** As Strava writes a time: UTC, whole seconds. */
export const stravaTime = (atMs: number): string =>
  new Date(epochMs(Math.floor(atMs / 1_000) * 1_000)).toISOString().replace(".000Z", "Z");

/** An engine whose club is one athlete with just these activities, and more quota than any test asks for. */
export function engineWith(
  activities: readonly ActivityPatch[],
  options: TestEngineOptions & { readonly scope?: string } = {},
): TestEngine {
  const { scope, sandbox, ...rest } = options;
  const athlete = { activities, ...(scope === undefined ? {} : { scope }) };
  return createTestEngine({
    db: emptyDb(),
    ...rest,
    sandbox: { quota: PLENTY, club: { athletes: [athlete] }, ...sandbox },
  });
}

/** More quota than any test asks for. */
export const PLENTY: NonNullable<SandboxOptions["quota"]> = {
  overall: { quarter: 20_000, day: 200_000 },
  read: { quarter: 10_000, day: 100_000 },
};

/** Starts a sync and lets time pass until it has ended. */
export async function syncToEnd(
  engine: TestEngine,
  options: { n?: number; mode?: "full" | "incremental" } = {},
): Promise<SyncRow> {
  const { n = 0, mode } = options;
  const syncId = engine.start(n, mode === undefined ? {} : { mode });
  return untilEnded(engine, syncId);
}

/** Lets time pass, from one timer to the next, until a sync has ended; throws when it does not within a day. */
export async function untilEnded(engine: TestEngine, syncId: SyncId): Promise<SyncRow> {
  const limitMs = engine.clock.nowMs() + DAY_MS;
  for (;;) {
    const sync = syncOf(engine, syncId);
    if (sync.status !== "in_progress") return sync;
    const dueMs = engine.clock.nextDueMs();
    if (dueMs === undefined || dueMs > limitMs) throw new Error(`Sync ${syncId} does not end by itself`);
    await engine.clock.advance(Math.max(0, dueMs - engine.clock.nowMs()));
  }
}

/** Starts a sync of a class of the n-th athlete. */
export function startOfClass(engine: TestEngine, n: number, syncClass: SyncClass): SyncId {
  const started = startSync(engine.context, { athleteId: engine.athlete(n), syncClass }, engine.processor);
  if (started.outcome !== "started") throw new Error(`The sync did not start: ${started.outcome}`);
  return started.syncId;
}

/** A sync that must be there. */
export function syncOf(engine: TestEngine, syncId: SyncId): SyncRow {
  const sync = readSync(engine.db, syncId);
  if (sync === undefined) throw new Error(`There is no sync ${syncId}`);
  return sync;
}

/** Every race held, withdrawn ones too, the newest first. */
export function heldRaces(engine: TestEngine): RaceRow[] {
  return engine.db
    .select()
    .from(races)
    .all()
    .sort((a, b) => b.startAtMs - a.startAtMs || b.stravaActivityId - a.stravaActivityId);
}

/** The one race held of an activity. */
export function raceOf(engine: TestEngine, stravaActivityId: number): RaceRow {
  const held = heldRaces(engine).filter((race) => race.stravaActivityId === stravaActivityId);
  const [race] = held;
  if (race === undefined || held.length > 1)
    throw new Error(`Activity ${stravaActivityId} is held ${held.length} times`);
  return race;
}

/** How many requests of a kind Strava has had. */
export function requestsOf(engine: TestEngine, kind: RequestKind): number {
  return engine.sandbox.ledger().filter((entry) => entry.kind === kind).length;
}

/** The n-th athlete at Strava. */
export function stravaIdOf(engine: TestEngine, n = 0): number {
  const athlete = engine.sandbox.athletes()[n];
  if (athlete === undefined) throw new Error(`The club has no athlete ${n}`);
  return athlete.stravaId;
}

/** The place-th activity of the n-th athlete, newest first. */
export function activityIdAt(engine: TestEngine, place: number, n = 0): number {
  const activity = engine.sandbox.activities(stravaIdOf(engine, n))[place];
  if (activity === undefined) throw new Error(`There is no activity at place ${place}`);
  return activity.id;
}

/** Attempts spent by all batches. */
export function attemptsSpent(engine: TestEngine): number {
  return (
    engine.db.$client.query<{ spent: number }, []>("SELECT ifnull(sum(attempts), 0) AS spent FROM batches").get()
      ?.spent ?? -1
  );
}
