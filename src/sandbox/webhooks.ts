import { seededDice } from "../core/dice.ts";
import type { Clock, EpochMs, Fetch } from "../core/units.ts";
import type { SandboxActivity } from "./activity.ts";
import type { Answer } from "./answer.ts";
import type { Call } from "./call.ts";
import { type CallbackLine, checkCallback } from "./callback-check.ts";
import { EventDelivery } from "./event-delivery.ts";
import { deauthorization, eventsOfChange } from "./event-rules.ts";
import type { Application } from "./oauth-world.ts";
import { answerSubscription } from "./subscription-answers.ts";
import { Subscriptions } from "./subscriptions.ts";

/** The way from Strava to the application: its subscription, and the events that go there. */
export class Webhooks {
  readonly subscriptions = new Subscriptions();
  readonly delivery: EventDelivery;
  readonly #line: CallbackLine;
  readonly #nowMs: () => EpochMs;
  readonly #end = new AbortController();

  constructor(options: { clock: Clock; seed: number; deliver?: Fetch }, nowMs: () => EpochMs) {
    this.#nowMs = nowMs;
    this.#line = {
      clock: options.clock,
      // Dice of their own, so that events change nothing else.
      dice: seededDice(options.seed ^ EVENT_DICE),
      deliver: options.deliver ?? refuseDelivery,
      callOff: this.#end.signal,
    };
    this.delivery = new EventDelivery(this.#line, this.subscriptions, nowMs);
  }

  answer(call: Call, application: Application): Promise<Answer> {
    return answerSubscription(call, {
      application,
      subscriptions: this.subscriptions,
      checkCallback: (callback) => checkCallback(callback, this.#line),
      nowMs: this.#nowMs,
    });
  }

  /** Tells of an activity's change what its owner's grant lets the application see. */
  tellChange(
    before: SandboxActivity | undefined,
    after: SandboxActivity | undefined,
    scopesOf: (stravaId: number) => ReadonlySet<string>,
  ): void {
    const owner = (after ?? before)?.athlete.id;
    if (owner === undefined) return;
    for (const draft of eventsOfChange(before, after, scopesOf(owner))) this.delivery.send(draft);
  }

  /** By whomever: not known of a grant that the application itself gave back, and harder to bear this way. */
  tellRevoked(stravaId: number): void {
    this.delivery.send(deauthorization(stravaId));
  }

  /** Calls off what is on its way; nothing more is sent. */
  stop(): void {
    this.#end.abort();
  }
}

const EVENT_DICE = 0x0e7e_a7ed;

const refuseDelivery = (): Promise<never> =>
  Promise.reject(new TypeError("this sandbox was given no way to call back"));
