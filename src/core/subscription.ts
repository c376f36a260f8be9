import type { Subscription } from "./strava-event.ts";

/** The subscriptions that are known to be ours. */
export type OurSubscriptions = {
  /** undefined while none is known: before the answer that says so, or after Strava has ended it. */
  readonly currentId: number | undefined;
  /** Those that were, of late: Strava may still send what it could not deliver. */
  readonly formerIds: readonly number[];
};

/** Whose a subscription is; `unknown` while none of ours is known that it could differ from. */
export type Whose = "ours" | "foreign" | "unknown";

/** Judges an event's subscription, once and when it comes: ours may be another by the time it is looked at. */
export function judgeSubscription(id: number, { currentId, formerIds }: OurSubscriptions): Whose {
  if (id === currentId || formerIds.includes(id)) return "ours";
  return currentId === undefined ? "unknown" : "foreign";
}

/** What is to be done about the one subscription that Strava allows. */
export type SubscriptionStep =
  | { readonly step: "keep"; readonly subscription: Subscription } // ours, as it should be
  | { readonly step: "create" }
  | { readonly step: "replace"; readonly id: number } // ours from before: its address is not ours any more
  | { readonly step: "taken"; readonly subscription: Subscription }; // somebody else's: only a person may end it

/**
 * What is to be done, from what Strava lists. Ours is the one with our callback; one of ours from before is known by its
 * id, or by an address under which nobody but this daemon is reached.
 * @param ours.callbackPrefix the callback without its unguessable end.
 * @param ours.knownId the subscription that was ours when we last looked.
 */
export function planSubscription(
  listed: readonly Subscription[],
  ours: { readonly callbackUrl: string; readonly callbackPrefix: string; readonly knownId: number | undefined },
): SubscriptionStep {
  const current = listed.find(({ callbackUrl }) => callbackUrl === ours.callbackUrl);
  if (current !== undefined) return { step: "keep", subscription: current };
  const former = listed.find((one) => isFormer(one, ours));
  if (former !== undefined) return { step: "replace", id: former.id };
  const [foreign] = listed;
  return foreign === undefined ? { step: "create" } : { step: "taken", subscription: foreign };
}

function isFormer(one: Subscription, ours: { callbackPrefix: string; knownId: number | undefined }): boolean {
  return one.id === ours.knownId || one.callbackUrl.startsWith(ours.callbackPrefix);
}
