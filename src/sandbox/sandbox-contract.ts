import type { Clock, Dice, Fetch } from "../core/units.ts";
import type { ActivityPatch, SandboxActivity } from "./activity.ts";
import type { CapacityRefusal } from "./capacity.ts";
import type { ClubSpec } from "./club.ts";
import type { DeliveryAttempt, DeliveryLevers, ReleaseOrder, SentEvent, StravaEvent } from "./event-delivery.ts";
import type { FaultRule } from "./faults.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { OtherClientHabits } from "./other-client.ts";
import type { QuotaLimits, QuotaUsage } from "./quota-windows.ts";
import type { Recording } from "./recording.ts";
import type { DurationWish } from "./roll-duration.ts";
import type { Subscription } from "./subscriptions.ts";
import type { SandboxAthlete, SandboxPerson } from "./token-grants.ts";
import type { Wording } from "./wording.ts";

/**
 * A faithful fake of Strava, as a syncing daemon meets it: in process through `fetch`, or on a port through
 * `serveSandbox`. Its time is the clock's, its choices the seed's: the same options and calls give the same bytes.
 */
export type Sandbox = {
  /** Answers one request as Strava would: the API under /api/v3, OAuth under /oauth, control under /sandbox/. Any host. */
  readonly fetch: Fetch;
  /** Who lets or let the application in, with the tokens that an admin would import; current ones, after refreshes too. */
  athletes(): SandboxAthlete[];
  /** Everybody with an account, in the club's order: those too who never let the application in. */
  people(): SandboxPerson[];
  /** An athlete's activities, newest first. Change them through the three calls below, which keep the order right. */
  activities(stravaId: number): SandboxActivity[];
  /** What a detail request answers to an athlete who may see it; undefined for an unknown id. */
  detail(activityId: number): Record<string, unknown> | undefined;
  /** Uploads an activity now: newest id, any start. What is left out is a plain run that starts now. */
  addActivity(stravaId: number, patch?: ActivityPatch): SandboxActivity;
  /** Edits an activity; undefined when there is none. */
  updateActivity(activityId: number, patch: ActivityPatch): SandboxActivity | undefined;
  /** False when there was none. */
  deleteActivity(activityId: number): boolean;
  /**
   * Makes one page short in the middle of the list: slots that paging counts and the answer leaves out, so that page
   * `page` (from 1) of the unfiltered list holds `size` of `perPage` (200) items, and no item is lost.
   */
  shortenPage(stravaId: number, short: { page: number; size: number; perPage?: number }): void;
  /** @returns the rule's id. Rules are looked at in order; the first that fires takes the request. */
  injectFault(rule: FaultRule): string;
  clearFaults(): void;
  /** Lets every hanging request go on: it is then answered as usual. @returns how many. */
  releaseHangs(): number;
  /** Every request so far, oldest first (the last 500,000). */
  ledger(): LedgerEntry[];
  clearLedger(): void;
  /** Strava changes the application's limits; usage stands. */
  setQuota(limits: { overall?: Partial<QuotaLimits>; read?: Partial<QuotaLimits> }): void;
  /** Another client of the same application makes requests: adds to both windows of the counters given. */
  spendQuota(spent: { overall?: number; read?: number }): void;
  /** Another client reads at random moments from now on; a share of 0 ends it. Their number and time follow from the seed. */
  otherClient(habits: OtherClientHabits): void;
  /** Limits and usage as of now: the truth behind the headers. */
  quota(): QuotaUsage;
  /** Every access token of the athlete dies now, before its time; the refresh token lives. */
  expireAccessToken(stravaId: number): void;
  /** The athlete takes back the grant: every token is dead. */
  revokeGrant(stravaId: number): void;
  /** The athlete connects again: a new pair of tokens, the scope as it was unless given. */
  grantAgain(stravaId: number, scope?: string): SandboxAthlete;
  /**
   * What the authorize page would hand over when the athlete agrees: a code to exchange, good once, for ten minutes. The
   * scope is what the athlete had, or is ready to allow, unless given; the capacity is not looked at.
   */
  authorize(stravaId: number, options?: { scope?: string }): string;
  /**
   * So many athletes with a live grant are allowed, from now on; no bound at first. Whoever would be one more is refused
   * on the authorize page (403, a page), or, if so asked, when the code is exchanged (403, JSON).
   */
  setCapacity(athletes: number, refuseAt?: CapacityRefusal): void;
  /** The ids of Strava's clubs that an athlete is in. */
  clubs(stravaId: number): number[];
  setClubs(stravaId: number, clubIds: readonly number[]): void;
  /** Where the application wants to be told of events; undefined when it has not subscribed. */
  subscription(): Subscription | undefined;
  /**
   * Every event so far, oldest first (the last 10,000): what the calls above did to activities and grants, where
   * somebody has subscribed and the athlete's grant lets the application know of it.
   */
  events(): SentEvent[];
  /** Loses, doubles, delays or holds events from now on. What is left out stays as it is. */
  setDelivery(levers: Partial<DeliveryLevers>): void;
  /** Sends what was held. @returns how many */
  releaseEvents(order?: ReleaseOrder): number;
  /**
   * Posts to the subscriber once, at once: a text as it is, or an event whose fields are made up where they are left
   * out. @throws RangeError when nobody has subscribed
   */
  sendEvent(body: string | Partial<StravaEvent>): Promise<DeliveryAttempt>;
  /** Calls off what is on its way to the application; nothing more is sent to it. Requests are answered all the same. */
  stop(): void;
  /** Changes how refusals are worded, where more than one way was seen. What is left out stays as it is. */
  setWording(wording: Partial<Wording>): void;
  /** Whether a refresh that makes a new access token makes a new refresh token too, and kills the old one. */
  setRotation(isOn: boolean): void;
};

export type SandboxOptions = {
  readonly clock: Clock;
  readonly seed: number;
  readonly club: ClubSpec | Recording;
  /** Strava's defaults unless given: overall 200 and 2,000, read 100 and 1,000. */
  readonly quota?: { readonly overall?: Partial<QuotaLimits>; readonly read?: Partial<QuotaLimits> };
  /** The application that may refresh and revoke; "12345" and "sandbox-secret" unless given. */
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** Where athletes may be led back to, beside localhost and 127.0.0.1: this host and those below it. Anywhere unless given. */
  readonly callbackDomain?: string;
  readonly rotateRefreshTokens?: boolean;
  /** Whether `before` takes in its own second. Unknown of the real Strava, so no client may depend on it. */
  readonly beforeInclusive?: boolean;
  /** Whether `before` in the future is a bad request. Unknown of the real Strava, so no client may depend on it. */
  readonly refuseFutureBefore?: boolean;
  /** How refusals are worded: "Resource Not Found", and "overall rate limit", unless given. */
  readonly wording?: Partial<Wording>;
  /** Where the API is: `/api/v3` unless given, or nothing, for a host that serves nothing else. */
  readonly apiPath?: string;
  /** What a wrong client is answered: both were seen. 401 unless given. */
  readonly wrongClientStatus?: 400 | 401;
  /** How long an answer takes; Strava acts at once, the answer is late. None unless given. */
  readonly latencyMs?: DurationWish | ((dice: Dice) => number);
  /** How long a request is on its way before Strava sees it. No time unless given. */
  readonly travelMs?: DurationWish;
  /** How far Strava's clock is ahead of `clock`: its windows, tokens and `Date` header. */
  readonly skewMs?: number;
  /** Reaches the application: for the check of a subscription, and for events. Without it no subscription comes about. */
  readonly deliver?: Fetch;
  /** Set where the handed clock can be moved: then POST /sandbox/clock moves it. */
  readonly moveClock?: (durationMs: number) => void | Promise<void>;
};
