/**
 * The units that everything counts in. Times are milliseconds since the epoch, UTC; durations are milliseconds unless
 * the name says otherwise; distances are meters. Ids are branded, so that a batch is never taken for a sync.
 */
declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Milliseconds since the epoch, UTC. */
export type EpochMs = Branded<number, "EpochMs">;
/** Seconds since the epoch, UTC: the resolution of Strava's list filters. */
export type EpochSeconds = Branded<number, "EpochSeconds">;
/** Our id of an athlete (`athletes.id`), not Strava's. */
export type AthleteId = Branded<number, "AthleteId">;
export type SyncId = Branded<number, "SyncId">;
export type BatchId = Branded<number, "BatchId">;
export type RaceId = Branded<number, "RaceId">;
export type FindingId = Branded<number, "FindingId">;
/** Proof of a worker's time-limited right to a batch: random for each claim. */
export type LeaseToken = Branded<string, "LeaseToken">;

export const epochMs = (value: number): EpochMs => value as EpochMs;
export const epochSeconds = (value: number): EpochSeconds => value as EpochSeconds;
export const athleteId = (value: number): AthleteId => value as AthleteId;
export const syncId = (value: number): SyncId => value as SyncId;
export const batchId = (value: number): BatchId => value as BatchId;
export const raceId = (value: number): RaceId => value as RaceId;
export const findingId = (value: number): FindingId => value as FindingId;
export const leaseToken = (value: string): LeaseToken => value as LeaseToken;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Strava's short quota window. */
export const QUARTER_MS = 15 * MINUTE_MS;

/** Moves a point in time by a duration. */
export const plusMs = (time: EpochMs, durationMs: number): EpochMs => (time + durationMs) as EpochMs;
/** Rounds down to whole seconds, as Strava's filters compare. */
export const toEpochSeconds = (time: EpochMs): EpochSeconds => Math.floor(time / SECOND_MS) as EpochSeconds;

/**
 * The world as a part may know it: time, timers and dice. The daemon gets the machine's; tests and simulations give
 * their own, so that a week runs in a second and replays from a seed.
 */
export type Clock = {
  /** The moment it is now. */
  nowMs(): EpochMs;
  /** Calls `work` once, `delayMs` from now (0: in a later turn of the event loop). Returns how to call it off. */
  after(delayMs: number, work: () => void): () => void;
};
/** A number in [0, 1), as `Math.random` gives it. */
export type Dice = () => number;
/** The part of `fetch` that Broomwagon uses. */
export type Fetch = (request: Request) => Promise<Response>;
