import type { ListedActivity } from "../core/activity.ts";
import type { Fault } from "../core/fault.ts";
import type { RateObservation } from "../core/rate-headers.ts";
import type { EpochMs } from "../core/units.ts";

/** What is known of any request, however it ended: enough for the quota's ledger, the skew of clocks and a span. */
export type ReplyHead = {
  /** What the headers say about the quota; undefined when they say nothing. */
  readonly rate: RateObservation | undefined;
  /** Strava's clock, from the `Date` header: whole seconds. */
  readonly dateMs: EpochMs | undefined;
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** From sending to the last byte that was waited for. */
  readonly durationMs: number;
  /** Of that, after the headers had come; left out: nothing. */
  readonly bodyMs?: number;
};

/** Strava's answer to one request: its value, or the fault that took its place. */
export type Reply<Value> = ReplyHead &
  ({ readonly ok: true; readonly value: Value } | { readonly ok: false; readonly fault: Fault });

/** One page of an athlete's activities. An item that cannot be read never hides the others. */
export type ActivityPage = {
  readonly activities: readonly ListedActivity[];
  readonly malformed: readonly MalformedItem[];
  /** Items in the body, readable or not. 0 is the end of the list; fewer than asked for is not. */
  readonly rawCount: number;
};

/** An item of a page that could not be read. */
export type MalformedItem = {
  /** Its place on the page, from 0. */
  readonly index: number;
  /** Where and why: `distance: expected a number, got a string`. Never the value itself. */
  readonly reason: string;
  /** Its id, where at least that could be read. */
  readonly stravaActivityId?: number;
};

/** A pair of tokens as Strava handed it out. Store it before using it: the old refresh token may be dead already. */
export type TokenGrant = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: EpochMs;
  /** What the athlete granted, as Strava writes it (`read,activity:read_all`); absent where the answer does not say. */
  readonly scope?: string;
};

/** What Strava hands out for a code: the pair, and whose it is. Only this answer says so. */
export type AuthorizationGrant = TokenGrant & {
  readonly athlete: { readonly stravaId: number; readonly firstName: string; readonly lastName: string };
};

/** One page of the clubs that an athlete is a member of. An empty one is the end of the list. */
export type ClubPage = { readonly clubIds: readonly number[] };
