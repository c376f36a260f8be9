import type { FaultAction, FaultRule } from "../sandbox/faults.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Disturbances } from "./disturbances.ts";

/** What is told of a fault when a request meets it for the first time: in a word, what it does. */
type Note = (name: string) => void;

/** The faults at Strava that were set, and which of them a request has met: only those excuse anything. */
export class FaultsMet {
  readonly #strava: Sandbox;
  readonly #disturbances: Disturbances;
  readonly #note: Note;
  readonly #actions = new Map<string, FaultAction>();
  readonly #met = new Set<string>();
  /** So many lines of Strava's ledger have been looked at. */
  #seen = 0;

  constructor(strava: Sandbox, disturbances: Disturbances, note: Note) {
    this.#strava = strava;
    this.#disturbances = disturbances;
    this.#note = note;
  }

  set(rule: FaultRule): void {
    this.#actions.set(this.#strava.injectFault(rule), rule.action);
  }

  /** An answer has come, or has failed to. */
  learn(): void {
    if (this.#actions.size === 0) return;
    const lines = this.#strava.ledger();
    for (; this.#seen < lines.length; this.#seen++) {
      const id = lines[this.#seen]?.faultId;
      const action = id === undefined ? undefined : this.#actions.get(id);
      if (id === undefined || action === undefined) continue;
      this.#disturbances.faultMet(action);
      if (!this.#met.has(id)) this.#note(nameOf(action));
      this.#met.add(id);
    }
  }
}

const nameOf = (action: FaultAction): string =>
  action.type === "status" ? `Strava answers ${action.status}` : `Strava: ${action.type}`;
