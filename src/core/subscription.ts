import type { Subscription } from "./strava-event.ts";

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
