import { toStravaTime } from "./activity.ts";

/** Where an application wants to be told of events. */
export type Subscription = {
  readonly id: number;
  readonly callbackUrl: string;
  readonly createdAtMs: number;
};

/** The webhook subscription of the application: at most one, as with Strava. */
export class Subscriptions {
  #current: Subscription | undefined;
  #lastId = 262_000;

  current(): Subscription | undefined {
    return this.#current;
  }

  create(callbackUrl: string, nowMs: number): Subscription {
    this.#current = { id: ++this.#lastId, callbackUrl, createdAtMs: nowMs };
    return this.#current;
  }

  /** False when there was none of this id. */
  remove(id: number): boolean {
    if (this.#current?.id !== id) return false;
    this.#current = undefined;
    return true;
  }
}

/** As Strava shows it; recorded in strava-ruby-client's `webhooks/*.yml`. */
export function showSubscription({ id, callbackUrl, createdAtMs }: Subscription, clientId: string): unknown {
  return {
    id,
    resource_state: 2,
    application_id: Number(clientId),
    callback_url: callbackUrl,
    created_at: toStravaTime(createdAtMs),
    updated_at: toStravaTime(createdAtMs),
  };
}
