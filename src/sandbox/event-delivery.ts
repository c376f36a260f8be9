import { type EpochMs, MINUTE_MS, toEpochSeconds } from "../core/units.ts";
import { CALLBACK_LIMIT_MS, type CallbackLine } from "./callback-check.ts";
import type { EventDraft } from "./event-rules.ts";
import { type DurationWish, rollDurationMs } from "./roll-duration.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { withinTime } from "./time-limit.ts";

/** What Strava posts to a subscriber. */
export type StravaEvent = EventDraft & { readonly subscription_id: number; readonly event_time: number };

/** One event on its way. */
export type SentEvent = {
  /** What is posted: JSON, unless a test sends something else. */
  readonly body: string;
  readonly attempts: readonly DeliveryAttempt[];
  readonly outcome:
    | "pending" // waits for its delay, for an answer, or for its next try
    | "held" // until `releaseEvents`
    | "delivered" // answered with 200 within 2 s
    | "dropped" // lost on its way by `setDelivery`; nothing was tried
    | "given_up"; // three tries failed, or the subscription was gone
};

/** One try; without a status there was no answer within 2 s. */
export type DeliveryAttempt = { readonly atMs: EpochMs; readonly status?: number };

/** What happens to events from now on. At first: all are delivered, once, in order, at once. */
export type DeliveryLevers = {
  /** The share of events that is lost, from 0 to 1. */
  readonly drop: number;
  /** The share that is sent twice, each copy with a delay of its own. */
  readonly double: number;
  /** Until the first try. A range puts events out of order. */
  readonly delayMs: DurationWish;
  /** They wait for `releaseEvents`. */
  readonly hold: boolean;
};

export type ReleaseOrder = "in_order" | "reversed" | "shuffled";

/** Tries in all, and the time between them (seen by brevet-top-strava-webhook). */
const TRIES = 3;
const RETRY_AFTER_MS = 2 * MINUTE_MS;

/** Brings events to the application's callback, in a later turn of the event loop, and remembers the newest. */
export class EventDelivery {
  readonly #line: CallbackLine;
  readonly #subscriptions: Subscriptions;
  readonly #nowMs: () => EpochMs;
  readonly #timers = new Set<() => void>();
  #levers: DeliveryLevers = { drop: 0, double: 0, delayMs: 0, hold: false };
  #deliveries: Delivery[] = [];

  constructor(line: CallbackLine, subscriptions: Subscriptions, nowMs: () => EpochMs) {
    this.#line = line;
    this.#subscriptions = subscriptions;
    this.#nowMs = nowMs;
    line.callOff.addEventListener("abort", () => {
      for (const cancel of this.#timers) cancel();
    });
  }

  setLevers(levers: Partial<DeliveryLevers>): void {
    this.#levers = { ...this.#levers, ...levers };
  }

  /** Nothing is sent while nobody has subscribed. */
  send(draft: EventDraft): void {
    const event = this.#address(draft);
    if (event === undefined) return;
    const copies = this.#happens(this.#levers.double) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delivery = this.#record(JSON.stringify(event), event.subscription_id);
      if (this.#happens(this.#levers.drop)) delivery.outcome = "dropped";
      else if (this.#levers.hold) delivery.outcome = "held";
      else this.#schedule(delivery, rollDurationMs(this.#line.dice, this.#levers.delayMs));
    }
  }

  /** One try, at once, whatever the levers say. @throws RangeError when nobody has subscribed */
  async sendNow(body: string | Partial<StravaEvent>): Promise<DeliveryAttempt> {
    const subscription = this.#subscriptions.current();
    if (subscription === undefined) throw new RangeError("nobody has subscribed to the sandbox's events");
    const text = typeof body === "string" ? body : JSON.stringify({ ...this.#address(EMPTY_EVENT), ...body });
    const delivery = this.#record(text, subscription.id);
    await this.#try(delivery, subscription.callbackUrl);
    if (delivery.outcome === "pending") delivery.outcome = "given_up";
    const [attempt = { atMs: this.#nowMs() }] = delivery.attempts;
    return attempt;
  }

  /** @returns how many were held */
  release(order: ReleaseOrder): number {
    const held = this.#deliveries.filter(({ outcome }) => outcome === "held");
    if (order === "reversed") held.reverse();
    if (order === "shuffled") shuffle(held, this.#line.dice);
    for (const delivery of held) {
      delivery.outcome = "pending";
      this.#schedule(delivery, 0);
    }
    return held.length;
  }

  /** Every event so far, oldest first (the last 10,000). */
  sent(): SentEvent[] {
    return this.#deliveries
      .slice(-KEPT)
      .map(({ body, attempts, outcome }) => ({ body, attempts: [...attempts], outcome }));
  }

  #address(draft: EventDraft): StravaEvent | undefined {
    const subscription = this.#subscriptions.current();
    return subscription && { ...draft, subscription_id: subscription.id, event_time: toEpochSeconds(this.#nowMs()) };
  }

  #happens(share: number): boolean {
    return share > 0 && this.#line.dice() < share;
  }

  #record(body: string, subscriptionId: number): Delivery {
    const delivery: Delivery = { body, subscriptionId, attempts: [], outcome: "pending" };
    this.#deliveries.push(delivery);
    if (this.#deliveries.length >= 2 * KEPT) this.#deliveries = this.#deliveries.slice(-KEPT);
    return delivery;
  }

  #schedule(delivery: Delivery, delayMs: number): void {
    if (this.#line.callOff.aborted) return;
    const cancel = this.#line.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      void this.#deliver(delivery);
    });
    this.#timers.add(cancel);
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const subscription = this.#subscriptions.current();
    if (subscription?.id !== delivery.subscriptionId) {
      delivery.outcome = "given_up";
      return;
    }
    await this.#try(delivery, subscription.callbackUrl);
    if (delivery.outcome !== "pending") return;
    if (delivery.attempts.length < TRIES) this.#schedule(delivery, RETRY_AFTER_MS);
    else delivery.outcome = "given_up";
  }

  async #try(delivery: Delivery, callbackUrl: string): Promise<void> {
    const { clock, deliver, callOff } = this.#line;
    const atMs = this.#nowMs();
    const post = { method: "POST", headers: JSON_HEADERS, body: delivery.body, redirect: "manual" } as const;
    const answer = await withinTime({ clock, limitMs: CALLBACK_LIMIT_MS, callOff }, (signal) =>
      deliver(new Request(callbackUrl, { ...post, signal })),
    );
    const isAnswered = answer.outcome === "done";
    delivery.attempts.push(isAnswered ? { atMs, status: answer.value.status } : { atMs });
    if (isAnswered && answer.value.status === 200) delivery.outcome = "delivered";
  }
}

type Delivery = {
  readonly body: string;
  readonly subscriptionId: number;
  readonly attempts: DeliveryAttempt[];
  outcome: SentEvent["outcome"];
};

const JSON_HEADERS = { "Content-Type": "application/json" };
const KEPT = 10_000;

/** What an event is that a test gives in part. */
const EMPTY_EVENT: EventDraft = {
  object_type: "activity",
  object_id: 0,
  aspect_type: "create",
  updates: {},
  owner_id: 0,
};

function shuffle<T>(list: T[], dice: CallbackLine["dice"]): void {
  for (let place = list.length - 1; place > 0; place--) {
    const other = Math.floor(dice() * (place + 1));
    const [a, b] = [list[place], list[other]];
    if (a !== undefined && b !== undefined) [list[place], list[other]] = [b, a];
  }
}
