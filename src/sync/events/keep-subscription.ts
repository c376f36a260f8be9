import type { Fault } from "../../core/fault.ts";
import type { Subscription } from "../../core/strava-event.ts";
import { planSubscription } from "../../core/subscription.ts";
import { athleteId, type EpochMs } from "../../core/units.ts";
import { claimEventsOf } from "../../db/strava-events.ts";
import type { StravaClient } from "../../strava/client.ts";
import type { Reply } from "../../strava/reply.ts";
import { recordByHand } from "../by-hand.ts";
import type { SyncContext } from "../context.ts";
import { type KeepOutcome, LONGEST_CALLBACK, refused, switchedOff, TOO_LONG, taken } from "./keep-outcome.ts";
import type { EventProcessor } from "./process-events.ts";
import {
  isSwitchedOff,
  readSubscriptionNote,
  type SubscriptionNote,
  storeSubscriptionNote,
  switchOff,
  switchOn,
} from "./subscription-note.ts";
import { maskWebhookPath, WEBHOOK_PATH, type WebhookSecrets } from "./webhook-secrets.ts";

export type SubscriptionView = {
  readonly publicUrl: string | undefined;
  /** Whether the daemon sees to it that it is subscribed. */
  readonly isEnabled: boolean;
  readonly subscription: SubscriptionNote | undefined;
  /** When Strava last said what is subscribed. */
  readonly checkedAtMs: EpochMs | null;
  /** What keeps it from being subscribed, and the cure. */
  readonly problem: string | undefined;
};

export type SubscriptionKeeper = {
  /** The job's turn: sees that what should be subscribed is, and what should not be is not. Never rejects. */
  keep(): Promise<void>;
  /** Somebody wants it: subscribes, and goes on seeing to it. `replace` ends somebody else's subscription first. */
  create(how: { readonly replace: boolean; readonly by?: string }): Promise<KeepOutcome>;
  /** Nobody wants it any more: ends it, and remembers. */
  remove(how?: { readonly by?: string }): Promise<KeepOutcome>;
  view(): SubscriptionView;
};

const NEVER = new AbortController().signal;
const ASKER = { athleteId: athleteId(0), phase: "webhook", syncClass: "manual" } as const;

/**
 * Looks after the one subscription to Strava's events that an application may have: ours is created when it is missing
 * and replaced when its address is not ours any more. Somebody else's is never ended but by a person's word. Whatever
 * fails is told, and tried again at the next turn.
 */
export function createSubscriptionKeeper(
  context: SyncContext,
  parts: { secrets: WebhookSecrets; inbox: Pick<EventProcessor, "wake"> },
): SubscriptionKeeper {
  const { secrets, inbox } = parts;
  const { db, clock, commits, governor, log, strava } = context;
  const { publicUrl } = context.links;
  let problem: string | undefined;
  let checkedAtMs: EpochMs | null = null;
  let tail: Promise<unknown> = Promise.resolve();

  /** One after the other: a person and the job must not both create one. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = tail.then(work);
    tail = result.catch(() => undefined);
    return result;
  }

  async function ask<T>(send: (strava: StravaClient) => Promise<Reply<T>>, client: StravaClient): Promise<Reply<T>> {
    return (await governor.requestUnmetered(ASKER, () => send(client))).reply;
  }

  async function list(client: StravaClient): Promise<Reply<readonly Subscription[]>> {
    const reply = await ask((one) => one.listSubscriptions(NEVER), client);
    if (reply.ok) checkedAtMs = clock.nowMs();
    return reply;
  }

  async function subscribe(client: StravaClient, base: string, how: { replace: boolean }): Promise<KeepOutcome> {
    const listed = await list(client);
    if (!listed.ok) return refused(listed.fault);
    // Stored before Strava is asked: it calls back before it answers, and shows the token.
    const { pathSecret, verifyToken } = await commits.soon(() => secrets.ensure());
    const callbackPrefix = `${base}${WEBHOOK_PATH}/`;
    const callbackUrl = `${callbackPrefix}${pathSecret}`;
    const knownId = readSubscriptionNote(db)?.id;
    const step = planSubscription(listed.value, { callbackUrl, callbackPrefix, knownId });
    if (step.step === "keep") {
      await note(step.subscription);
      return { outcome: "kept" };
    }
    // Whatever was ours is not, as things stand.
    await commits.soon(() => storeSubscriptionNote(db, undefined, clock.nowMs()));
    if (step.step === "taken" && !how.replace) return taken(step.subscription);
    if (step.step !== "create") {
      const ended = await end(client, step.step === "taken" ? step.subscription.id : step.id);
      if (ended !== undefined) return refused(ended);
    }
    if (callbackUrl.length > LONGEST_CALLBACK) return TOO_LONG;
    const created = await ask((one) => one.createSubscription(callbackUrl, verifyToken, NEVER), client);
    if (!created.ok) return refused(created.fault, maskWebhookPath(callbackUrl));
    await note(created.value);
    return { outcome: "created" };
  }

  async function unsubscribe(client: StravaClient): Promise<KeepOutcome> {
    const listed = await list(client);
    const knownId = readSubscriptionNote(db)?.id;
    if (!listed.ok) return knownId === undefined ? switchedOff(listed.fault) : refused(listed.fault);
    const prefix = publicUrl === undefined ? undefined : `${publicUrl}${WEBHOOK_PATH}/`;
    const isOurs = ({ id, callbackUrl }: Subscription) =>
      id === knownId || (prefix !== undefined && callbackUrl.startsWith(prefix));
    for (const { id } of listed.value.filter(isOurs)) {
      const fault = await end(client, id);
      if (fault !== undefined) return refused(fault);
    }
    await commits.soon(() => storeSubscriptionNote(db, undefined, clock.nowMs()));
    return { outcome: "removed" };
  }

  /** Why it could not be ended; undefined once it is. One that is gone is ended. */
  async function end(client: StravaClient, id: number): Promise<Fault | undefined> {
    const reply = await ask((one) => one.deleteSubscription(id, NEVER), client);
    return reply.ok || reply.fault.kind === "not_found" ? undefined : reply.fault;
  }

  function note({ id, callbackUrl, createdAtMs }: Subscription): Promise<void> {
    const maskedUrl = maskWebhookPath(callbackUrl);
    return commits.soon(() => {
      const nowMs = clock.nowMs();
      const isNew = readSubscriptionNote(db)?.id !== id;
      storeSubscriptionNote(db, { id, maskedUrl, createdAtMs, checkedAtMs: nowMs }, nowMs);
      if (!isNew) return;
      // Its first events may have come before this answer.
      claimEventsOf(db, id, nowMs);
      commits.afterCommit(() => inbox.wake());
    });
  }

  /** Remembers what is wrong for whoever asks, and logs each change once. */
  function tell(outcome: KeepOutcome): KeepOutcome {
    const before = problem;
    problem = "message" in outcome ? outcome.message : undefined;
    if (problem !== undefined && problem !== before) log.warn("webhook.problem", problem);
    if (outcome.outcome === "created") log.info("webhook.created", "Strava will tell of what changes from now on.");
    else if (outcome.outcome === "removed") log.info("webhook.removed", "Strava tells of nothing any more.");
    else if (problem === undefined && before !== undefined)
      log.info("webhook.mended", "The subscription to Strava's events is as it should be.");
    return outcome;
  }

  async function turn(): Promise<void> {
    if (strava === undefined) return;
    const isOff = isSwitchedOff(db);
    if (isOff && readSubscriptionNote(db) !== undefined) tell(await unsubscribe(strava));
    if (!isOff && publicUrl !== undefined) tell(await subscribe(strava, publicUrl, { replace: false }));
  }

  return {
    keep: () =>
      inTurn(turn).catch((error: unknown) => {
        log.error("webhook.failed", `The subscription to Strava's events could not be looked after: ${String(error)}`);
      }),
    create: (how) =>
      inTurn(async () => {
        if (publicUrl === undefined) return { outcome: "public_url_missing" };
        if (strava === undefined) return { outcome: "strava_not_configured" };
        await commits.soon(() => {
          switchOn(db);
          recordByHand(context, how.by, { action: "webhook.switched_on", detail: { replace: how.replace } });
        });
        return tell(await subscribe(strava, publicUrl, how));
      }),
    remove: (how = {}) =>
      inTurn(async () => {
        if (strava === undefined) return { outcome: "strava_not_configured" };
        await commits.soon(() => {
          switchOff(db);
          recordByHand(context, how.by, { action: "webhook.switched_off" });
        });
        return tell(await unsubscribe(strava));
      }),
    view() {
      const subscription = readSubscriptionNote(db);
      return {
        publicUrl,
        isEnabled: publicUrl !== undefined && strava !== undefined && !isSwitchedOff(db),
        subscription,
        checkedAtMs: checkedAtMs ?? subscription?.checkedAtMs ?? null,
        problem,
      };
    },
  };
}
