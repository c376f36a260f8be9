import { expect } from "bun:test";
import type fc from "fast-check";
import { A_BATCH_MS, type Club, type SyncSeen } from "./club.ts";
import { compare } from "./compare.ts";
import { type AboutAthlete, type Model, moves, placesThat } from "./model.ts";

export type Command = fc.Command<Model, Club>;

/** A command: when it makes sense, and what it does, changes in the model, and must find. Compared after each. */
export function command(
  name: string,
  check: (model: Model) => boolean,
  act: (model: Model, club: Club) => void,
): Command {
  return {
    check,
    run(model, club) {
      try {
        act(model, club);
      } catch (error) {
        const { breach } = club.world.oracle;
        // Time stands still once an invariant is broken: what does not come about then is not the point.
        throw breach === undefined ? error : new Error(JSON.stringify(breach));
      }
      compare(model, club);
    },
    toString: () => name,
  };
}

/** A command about one of the athletes of whom something is true: the nth, wrapped around, so that most draws make sense. */
export function commandOn(
  name: string,
  nth: number,
  are: AboutAthlete,
  act: (model: Model, club: Club, place: number) => void,
): Command {
  return command(
    `${name} #${nth}`,
    (model) => placesThat(model, are).length > 0,
    (model, club) => {
      const places = placesThat(model, are);
      const place = places[nth % places.length];
      if (place !== undefined) act(model, club, place);
    },
  );
}

/** Who may go on does so as soon as a worker is free, and waits for no tick. */
export function expectAtWork(model: Model, club: Club, places: readonly number[]): void {
  const waiting = () =>
    places.filter((place) => moves(model, place) && !hasMoved(club, place, Number.POSITIVE_INFINITY));
  club.world.runUntil(() => waiting().length === 0, A_BATCH_MS);
  expect(waiting()).toEqual([]);
}

export function seen(club: Club, place: number): SyncSeen {
  const sync = club.sync(place);
  if (sync === undefined) throw new Error(`No sync of athlete ${place}`);
  return sync;
}

/** Whether a batch of a sync runs, or has completed since there had been so many. */
export function hasMoved(club: Club, place: number, completedBefore: number): boolean {
  const sync = club.sync(place);
  return (
    sync === undefined || sync.status === "completed" || sync.batchesCompleted > completedBefore || sync.processing > 0
  );
}
