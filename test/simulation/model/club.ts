import type { LedgerEntry } from "../../../src/sandbox/ledger.ts";
import type { World } from "../../../src/simulation/world.ts";
import { athleteAt, openWorld, processOf } from "../../support/worlds.ts";
import { MAX_ATTEMPTS } from "./model.ts";

export const ATHLETES = 3;
/** One fewer than athletes: somebody has to stand in line. */
export const WORKERS = 2;
export const REQUESTS_IN_FLIGHT = 4;
/** A worker comes free within so long: two details side by side, and a token before them. */
export const A_BATCH_MS = 20_000;
/** An athlete's first turn comes within a tick; with two workers for three athletes, the third waits for a batch. */
export const TICK_MS = 62_000;

/** The real engine in a simulated world, and what can be seen of it from outside. */
export class Club {
  readonly world: World;
  /** What was seen last, to tell what has changed since. */
  readonly marks: Mark[];
  /** How many requests there had been when somebody else spent the quarter. */
  spentAt = 0;
  #names = 0;

  constructor() {
    this.world = openWorld({
      athletes: [
        { activities: 30, races: 9 },
        { activities: 12, races: 5 },
        { activities: 205, races: 7 },
      ],
      settings: {
        BROOMWAGON_ENRICHMENT_BATCH_SIZE: "2",
        BROOMWAGON_CONCURRENCY: String(WORKERS),
        BROOMWAGON_REQUESTS_IN_FLIGHT: String(REQUESTS_IN_FLIGHT),
        BROOMWAGON_MAX_ATTEMPTS: String(MAX_ATTEMPTS),
        BROOMWAGON_MAX_REMEDIES: "20",
      },
      // Slow, so that commands meet syncs in the middle.
      strava: { latencyMs: [2_000, 8_000], quarterLimit: 300, dayLimit: 5_000 },
    });
    // Events would lead to looks at single activities, beside the syncs that are watched.
    this.world.strava.setDelivery({ drop: 1 });
    this.marks = Array.from({ length: ATHLETES }, () => ({
      frozenRuns: undefined,
      silentSince: undefined,
      startedAt: 0,
      leasesTaken: 0,
    }));
  }

  get parts() {
    return processOf(this.world).parts;
  }

  /** The newest sync of an athlete. */
  sync(place: number): SyncSeen | undefined {
    const row = this.world.file.client
      .query<SyncSeen, [number]>(
        `SELECT id, status, paused_at_ms IS NOT NULL AS isPaused, batches_completed AS batchesCompleted,
           (SELECT total(runs) FROM batches WHERE sync_id = syncs.id) AS runs,
           (SELECT total(attempts) FROM batches WHERE sync_id = syncs.id) AS attempts,
           (SELECT count(*) FROM batches WHERE sync_id = syncs.id AND status = 'processing') AS processing,
           (SELECT count(*) FROM batches WHERE sync_id = syncs.id AND status IN ('pending', 'processing')) AS live
         FROM syncs WHERE athlete_id = ?1 ORDER BY id DESC LIMIT 1`,
      )
      .get(athleteAt(place));
    return row ?? undefined;
  }

  /** A number out of the rows. */
  count(sql: string, ...values: number[]): number {
    return this.world.file.client.query<{ n: number | null }, number[]>(sql).get(...values)?.n ?? 0;
  }

  /** Pages and details asked for, of one athlete or of all, since there had been so many requests. */
  asked(since = 0, place?: number): LedgerEntry[] {
    const stravaId = place === undefined ? undefined : this.stravaId(place);
    return this.world.strava
      .ledger()
      .slice(since)
      .filter(
        (entry) =>
          (entry.kind === "list" || entry.kind === "detail") && (stravaId === undefined || entry.stravaId === stravaId),
      );
  }

  /** How often Strava has answered the detail of an activity with 500. */
  failuresOf(activityId: number): number {
    return this.asked().filter((entry) => entry.activityId === activityId && entry.status === 500).length;
  }

  requests(): number {
    return this.world.strava.ledger().length;
  }

  stravaId(place: number): number {
    const person = this.world.strava.people()[place];
    if (person === undefined) throw new RangeError(`Nobody is at place ${place}`);
    return person.stravaId;
  }

  mark(place: number): Mark {
    const mark = this.marks[place];
    if (mark === undefined) throw new RangeError(`Nobody is at place ${place}`);
    return mark;
  }

  races(place: number): RaceSeen[] {
    return this.world.file.client
      .query<RaceSeen, [number]>(
        `SELECT strava_activity_id AS activityId, enrichment, enrichment_error AS error, attempts
         FROM races WHERE athlete_id = ?1 AND withdrawn_at_ms IS NULL ORDER BY start_at_ms DESC`,
      )
      .all(athleteAt(place));
  }

  /** Every race of an athlete is called something else at Strava: its detail has to be fetched again. */
  renameRaces(place: number): void {
    this.#names++;
    this.world.oracle.changedActivities(this.stravaId(place));
    for (const id of this.#racesAtStrava(place)) {
      this.world.strava.updateActivity(id, { name: `Race, version ${this.#names}` });
    }
  }

  /** Activities whose detail the sync in progress has not been given yet. */
  racesLeft(place: number): number[] {
    const given = new Set(
      this.asked(this.mark(place).startedAt, place)
        .filter(({ status }) => status === 200)
        .map(({ activityId }) => activityId),
    );
    return this.#racesAtStrava(place).filter((id) => !given.has(id));
  }

  #racesAtStrava(place: number): number[] {
    return this.world.strava
      .activities(this.stravaId(place))
      .filter(({ workout_type, type }) => workout_type === 1 && type === "Run")
      .map(({ id }) => id);
  }

  newestFinding(): number {
    return this.count("SELECT max(id) AS n FROM findings");
  }
}

type Mark = {
  /** Runs of the sync when it was paused, or the daemon was: none begins. */
  frozenRuns: number | undefined;
  /** How many requests there had been when the sync was cancelled: none of this athlete follows. */
  silentSince: number | undefined;
  /** How many requests there had been when the sync was started. */
  startedAt: number;
  /** Deeds of a hand, since ever: each may have cost its batch an attempt. */
  leasesTaken: number;
};

export type SyncSeen = {
  readonly id: number;
  readonly status: string;
  readonly isPaused: number;
  readonly batchesCompleted: number;
  readonly runs: number;
  readonly attempts: number;
  readonly processing: number;
  readonly live: number;
};

type RaceSeen = {
  readonly activityId: number;
  readonly enrichment: string;
  readonly error: string | null;
  readonly attempts: number;
};
