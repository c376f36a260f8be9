/**
 * What the engine is held to, as plain values: each command changes them by what it should do, and the engine is
 * compared with them after each.
 */
export type Model = {
  readonly athletes: readonly AthleteModel[];
  daemon: "up" | "paused" | "down";
  /** A person has paused it: so it is after its next start, too. */
  isPausedOverRestarts: boolean;
  /** When the daemon began: for a minute, nothing is judged by its age. */
  startedAtMs: number;
  /** Strava's quarter is spent by somebody else until then. */
  heldUntilMs: number;
  /** So many requests may be refused meanwhile: those that were out, and one for each occasion to forget. */
  refusalsAtMost: number;
  nowMs: number;
  /** Attempts of batches that were spent for a reason so far, at most: failed details, and leases taken by a hand. */
  attemptsAtMost: number;
  /** Activities whose detail Strava answers with 500 next, and which of its failures since ever is the last. */
  readonly failing: Map<number, number>;
};

/** The newest sync of an athlete. It completes by itself, where nothing keeps it from going on. */
export type AthleteModel = { sync: "none" | "in_progress" | "completed" | "cancelled"; isPaused: boolean };

/** Tries of a detail, and of a batch. */
export const MAX_ATTEMPTS = 3;

export function createModel(athletes: number, nowMs: number): Model {
  return {
    athletes: Array.from({ length: athletes }, () => ({ sync: "none", isPaused: false })),
    daemon: "up",
    isPausedOverRestarts: false,
    startedAtMs: nowMs,
    heldUntilMs: 0,
    refusalsAtMost: 0,
    nowMs,
    attemptsAtMost: 0,
    failing: new Map(),
  };
}

export const isHeld = ({ heldUntilMs, nowMs }: Model): boolean => nowMs < heldUntilMs;

/** Whether the sync of an athlete moves when time passes. */
export function moves(model: Model, place: number): boolean {
  return isInProgress(model, place) && !athleteOf(model, place).isPaused && model.daemon === "up" && !isHeld(model);
}

export const isInProgress = (model: Model, place: number): boolean => athleteOf(model, place).sync === "in_progress";

/** In progress, and the daemon is there to be told what to do with it. */
export const canBeTold = (model: Model, place: number): boolean =>
  model.daemon !== "down" && isInProgress(model, place);

export const isPaused = (model: Model, place: number): boolean =>
  canBeTold(model, place) && athleteOf(model, place).isPaused;

/** A statement about an athlete of the model. */
export type AboutAthlete = (model: Model, place: number) => boolean;

/** The athletes of whom something is true, by their places. */
export const placesThat = (model: Model, are: AboutAthlete): number[] =>
  [...model.athletes.keys()].filter((place) => are(model, place));

export function athleteOf({ athletes }: Model, place: number): AthleteModel {
  const athlete = athletes[place % athletes.length];
  if (athlete === undefined) throw new RangeError("A club of nobody");
  return athlete;
}
