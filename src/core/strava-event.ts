import type { EpochMs } from "./units.ts";

/** What one of Strava's events is about. */
export type StravaObject = "activity" | "athlete";
/** What it says happened. */
export type StravaAspect = "create" | "update" | "delete";

/**
 * An event as Strava delivers it, parsed. A hint: it says where to look, and never what is true. What it says that
 * changed is left out but for one thing, the access that an athlete took back, since that alone needs another look; a hash
 * of the rest tells apart what is the same in all else.
 * @see https://developers.strava.com/docs/webhooks/
 */
export type StravaEvent = {
  readonly subscriptionId: number;
  readonly objectType: StravaObject;
  /** Strava's id of the activity or the athlete. */
  readonly objectId: number;
  readonly aspect: StravaAspect;
  /** Strava's id of the athlete. */
  readonly ownerId: number;
  readonly eventTimeSeconds: number;
  /** It says that the athlete took the access back. */
  readonly isDeauthorized: boolean;
  /** Of what it says that changed; empty where it says nothing. Event times are whole seconds, and people are faster. */
  readonly updatesHash: string;
};

/** What came of an event, in a word. */
export type EventOutcome =
  | "foreign_subscription" // not of our subscription: forged, or meant for somebody else
  | "no_matter" // of an athlete, and not that the access was taken back
  | "not_connected" // nothing can be asked until the athlete connects again, and then everything is listed
  | "nothing_held" // gone, and we never had it
  | "stored" // the activity is a race, and is held as Strava showed it
  | "no_race" // it is none, or not any more
  | "withdrawn"
  | "not_found" // Strava did not show it, however often it was asked, and we never had it
  | "wrong_athlete" // the activity is somebody else's: nothing was kept
  | "refused" // Strava will not answer this, now or later
  | "needs_reconnect" // Strava lets us in no more for this athlete
  | "false_alarm" // the access that was said to be taken back is good
  | "given_up"; // Strava could not be asked for too long

/** A subscription to events, as Strava shows it. */
export type Subscription = {
  readonly id: number;
  readonly callbackUrl: string;
  /** null where the answer does not say. */
  readonly createdAtMs: EpochMs | null;
};
