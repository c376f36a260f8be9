/** Where an application that has as many athletes as it may is told so. */
export type CapacityRefusal =
  | "authorization" // the athlete gets a 403 page instead of the way back: what users report
  | "exchange"; // the application gets a 403 for the code: unconfirmed, so a client has to bear it

/** How many athletes may be connected to the application at once. */
export class Capacity {
  #limit = Number.POSITIVE_INFINITY;
  #refusesAt: CapacityRefusal = "authorization";

  set(limit: number, refusesAt: CapacityRefusal): void {
    this.#limit = limit;
    this.#refusesAt = refusesAt;
  }

  /** @param connected who has a place already; whoever is among them is never refused */
  refuses(stravaId: number, step: CapacityRefusal, connected: Iterable<number>): boolean {
    if (step !== this.#refusesAt) return false;
    const places = new Set(connected);
    return !places.has(stravaId) && places.size >= this.#limit;
  }
}
