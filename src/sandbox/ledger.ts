import type { EpochMs } from "../core/units.ts";

/** What a request is for. */
export type RequestKind =
  | "list" // GET /athlete/activities
  | "detail" // GET /activities/{id}
  | "athlete" // GET /athlete
  | "clubs" // GET /athlete/clubs
  | "subscription" // POST, GET /push_subscriptions, DELETE /push_subscriptions/{id}
  | "upload" // POST /activities, POST /uploads: not counted as reads
  | "authorize" // GET and POST /oauth/authorize: the page where an athlete lets an application in
  | "token" // POST /oauth/token
  | "revoke" // POST /oauth/revoke
  | "deauthorize" // POST /oauth/deauthorize
  | "other";

/** One request, as Strava saw it. */
export type LedgerEntry = {
  readonly atMs: EpochMs;
  readonly method: string;
  /** With the query. Tokens travel in headers and bodies, so none is in here. */
  readonly path: string;
  readonly kind: RequestKind;
  /** Whose token it came with, where that was good or, for a refresh, known. */
  readonly stravaId?: number;
  readonly activityId?: number;
  /** Of a list request. */
  readonly page?: number;
  /** What was answered; 0 when a fault kept Strava from acting at all. */
  status: number;
  /** Whether it counted against the quota. */
  isCounted: boolean;
  /** Whether the answer was handed over; false for resets, for hangs, and where the client gave up waiting. */
  isDelivered: boolean;
  /** The rule that interfered. */
  faultId?: string;
};

/** Remembers the newest requests in order. */
export class Ledger {
  #entries: LedgerEntry[] = [];

  add(entry: LedgerEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= 2 * KEPT) this.#entries = this.#entries.slice(-KEPT);
  }

  entries(): LedgerEntry[] {
    return this.#entries.slice(-KEPT);
  }

  clear(): void {
    this.#entries = [];
  }
}

/** More than any simulated week asks for; a sandbox that runs alone for months still stays bounded. */
const KEPT = 500_000;
