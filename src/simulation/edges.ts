/** A process, as edges know it. */
export type Holder = { isAlive(): boolean };

/** Where the outside can meet the daemon: what happens at one of these edges can be counted, and something done there. */
export const EDGES = [
  "call", // of the database's driver: any statement
  "write", // a statement that changes something
  "begin", // a transaction that writes is about to begin
  "commit", // it is about to commit
  "committed", // it has
  "timer", // one of the daemon's timers fires
  "request", // it is about to send one, to Strava or to whoever is told of troubles
  "answered", // Strava has acted and counted, and the answer is about to arrive
] as const;
export type Edge = (typeof EDGES)[number];

/** What happens there, to whoever comes by. */
export type Spring = (holder: Holder) => void;

type Trap = { readonly edge: Edge; left: number; readonly spring: Spring };

/** Traps at edges: each springs at the nth time, once. What it throws is thrown at the edge. */
export class Edges {
  #traps: Trap[] = [];
  readonly #counts = new Map<Edge, number>();
  readonly #commits = new WeakMap<Holder, number>();
  readonly #afterCommit: () => void;

  /** @param afterCommit is called after each commit, before anything else comes by. */
  constructor(afterCommit: () => void = () => {}) {
    this.#afterCommit = afterCommit;
  }

  /** @param nth 1: the next time. @returns how to take it away */
  set(edge: Edge, nth: number, spring: Spring): () => void {
    const trap: Trap = { edge, left: nth, spring };
    this.#traps.push(trap);
    return () => this.#remove(trap);
  }

  /** Takes all traps away. */
  clear(): void {
    this.#traps = [];
  }

  /** How often something has happened at an edge. */
  count(edge: Edge): number {
    return this.#counts.get(edge) ?? 0;
  }

  /** How many transactions of a process have been committed. */
  commitsOf(holder: Holder): number {
    return this.#commits.get(holder) ?? 0;
  }

  pass(edge: Edge, holder: Holder): void {
    this.#counts.set(edge, this.count(edge) + 1);
    if (edge === "committed") {
      this.#commits.set(holder, this.commitsOf(holder) + 1);
      this.#afterCommit();
    }
    if (this.#traps.length === 0) return;
    for (const trap of this.#traps) {
      if (trap.edge !== edge || --trap.left > 0) continue;
      this.#remove(trap);
      // What it throws is thrown here; those behind it spring at the next time.
      trap.spring(holder);
    }
  }

  #remove(trap: Trap): void {
    this.#traps = this.#traps.filter((other) => other !== trap);
  }
}
