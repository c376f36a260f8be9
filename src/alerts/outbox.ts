import { afterDelivery, type DeliveryResult } from "../core/delivery.ts";
import { type EpochMs, SECOND_MS } from "../core/units.ts";
import { noteChannelFailed, noteChannelSent, readChannel } from "../db/alert-channels.ts";
import { nextMessageDueAtMs, postponeMessage, readNextDueMessages, settleMessage } from "../db/alert-messages.ts";
import type { AlertChannelRow, AlertMessageRow } from "../db/schema-alerts.ts";
import type { Seal } from "../db/seal.ts";
import type { SyncContext } from "../sync/context.ts";
import { settleWithin } from "../sync/settle-within.ts";
import { openSettings } from "./channel-settings.ts";
import { readContent } from "./content.ts";
import type { Reach } from "./post.ts";
import { send } from "./send.ts";

export type Outbox = {
  /** Messages may be due: looks in the next turn of the event loop. */
  wake(): void;
  /** Tries to deliver a message now, whatever becomes of it, and says what did. It is settled then. */
  deliverOnce(message: AlertMessageRow): Promise<DeliveryResult>;
  /** Begins no delivery any more; those under way get so long, and are called off then. They are due at the next start. */
  stop(limitMs: number): Promise<void>;
};

/** One of each channel at once: a receiver that hangs holds up nobody's messages but its own. */
const DELIVERIES_AT_ONCE = 4;
/** A delivery takes at most so long, from the name of the host to the answer. */
export const DELIVERY_LIMIT_MS = 15 * SECOND_MS;
/** After an error that nobody foresaw (a full disk): again, but not in a tight loop. */
const RETRY_MS = 5 * SECOND_MS;
const WRITE_BACK_MS = SECOND_MS / 2;

/**
 * Delivers what stands in the outbox, a few messages at once. A message is settled by the commit after its receiver took
 * it: whoever dies in between sends it again, under the same id.
 */
export function createOutbox(context: SyncContext, parts: { seal: Seal; reach: Reach }): Outbox {
  const { db, clock, dice, commits, log } = context;
  const active = new Map<number, { channelId: number; abort: () => void; done: Promise<unknown> }>();
  let isScheduled = false;
  let isStopping = false;
  let callOffTimer = (): void => {};

  function wake(): void {
    if (isScheduled || isStopping) return;
    isScheduled = true;
    clock.after(0, pass);
  }

  function pass(): void {
    callOffTimer();
    isScheduled = false;
    // By then the database may be closed.
    if (isStopping) return;
    try {
      deliverDue();
    } catch (error) {
      log.error("alert.pass_failed", `The outbox could not be read just now: ${String(error)}`);
      callOffTimer = clock.after(RETRY_MS, wake);
    }
  }

  function deliverDue(): void {
    const busy = new Set([...active.values()].map(({ channelId }) => channelId));
    const due = readNextDueMessages(db, clock.nowMs()).filter(({ channelId }) => !busy.has(channelId));
    for (const message of due.slice(0, Math.max(0, DELIVERIES_AT_ONCE - active.size))) void deliver(message);
    const nextMs = nextMessageDueAtMs(db, clock.nowMs());
    if (nextMs !== undefined) callOffTimer = clock.after(nextMs - clock.nowMs(), wake);
  }

  /** Never rejects. */
  async function deliver(message: AlertMessageRow): Promise<void> {
    const channel = readChannel(db, message.channelId);
    const attempt = begin(message, channel);
    try {
      const result = await attempt.result;
      // Called off by the stop: nobody knows whether it arrived, so it is sent again.
      if (attempt.isCalledOff()) return;
      await commits.soon(() => record(message, channel, result));
    } catch (error) {
      log.error("alert.delivery_not_recorded", `What became of message ${message.id} could not be stored: ${error}`);
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    } finally {
      active.delete(message.id);
      wake();
    }
  }

  function begin(message: AlertMessageRow, channel: AlertChannelRow | undefined) {
    const controller = new AbortController();
    let isCalledOff = false;
    const abort = () => {
      isCalledOff = true;
      controller.abort("stopping");
    };
    const result = attempt(message, channel, controller);
    active.set(message.id, { channelId: message.channelId, abort, done: result.catch(() => undefined) });
    return { result, isCalledOff: () => isCalledOff };
  }

  async function attempt(
    message: AlertMessageRow,
    channel: AlertChannelRow | undefined,
    controller: AbortController,
  ): Promise<DeliveryResult> {
    if (channel === undefined) return { delivered: false, reason: "The channel is gone.", isFinal: true };
    if (channel.isEnabled === 0 && message.kind !== "test")
      return { delivered: false, reason: "The channel was switched off.", isFinal: true };
    const settings = openSettings(parts.seal, channel);
    if (settings === undefined)
      return { delivered: false, reason: "The channel's settings do not open: give them again." };
    const { signal } = controller;
    const sent = send(parts.reach, settings, readContent(message.content), { nowMs: clock.nowMs(), signal });
    try {
      return await unlessLate(sent, controller);
    } catch (error) {
      log.error("alert.send_failed", `Message ${message.id} could not be sent: ${String(error)}`);
      return { delivered: false, reason: "It could not be sent: a fault of Broomwagon's own, which its log tells." };
    }
  }

  /** However long a part of it hangs, the name's look-up too. */
  function unlessLate(sent: Promise<DeliveryResult>, controller: AbortController): Promise<DeliveryResult> {
    return new Promise((resolve, reject) => {
      const late = () => resolve({ delivered: false, reason: "It did not answer in time." });
      const callOff = clock.after(DELIVERY_LIMIT_MS, () => controller.abort("late"));
      controller.signal.addEventListener("abort", late, { once: true });
      sent.finally(callOff).then(resolve, reject);
    });
  }

  /** Inside a transaction. */
  function record(message: AlertMessageRow, channel: AlertChannelRow | undefined, result: DeliveryResult): void {
    const nowMs = clock.nowMs();
    const attempts = message.attempts + 1;
    const after =
      message.kind === "test" && !result.delivered
        ? ({ is: "given_up" } as const)
        : afterDelivery(result, { ...message, attempts }, { nowMs, jitter: dice() });
    const error = result.delivered ? (result.shortfall ?? null) : result.reason;
    if (after.is === "due") postponeMessage(db, message.id, { attempts, runAfterMs: after.atMs, error: error ?? "" });
    else settleMessage(db, message.id, { outcome: after.is, attempts, error, nowMs });
    if (channel !== undefined) noteChannel(channel.id, { isSent: result.delivered, error }, nowMs);
    commits.afterCommit(() => tell(message, attempts, after.is, error));
  }

  /** One that only some got was sent, and failed. */
  function noteChannel(id: number, end: { isSent: boolean; error: string | null }, nowMs: EpochMs): void {
    if (end.isSent) noteChannelSent(db, id, nowMs);
    if (end.error !== null) noteChannelFailed(db, id, end.error, nowMs);
  }

  function tell(
    { id, channelId, kind }: AlertMessageRow,
    attempts: number,
    is: "delivered" | "due" | "given_up",
    error: string | null,
  ): void {
    const fields = { message_id: id, channel_id: channelId, kind, attempts };
    if (is === "delivered" && error !== null)
      log.warn("alert.partly_delivered", `Message ${id} to channel ${channelId} reached only some: ${error}`, fields);
    else if (is === "delivered")
      log.info("alert.delivered", `Message ${id} was delivered to channel ${channelId}.`, fields);
    else if (is === "due")
      log.warn("alert.not_delivered", `Message ${id} was not delivered to channel ${channelId}: ${error}`, fields);
    else log.error("alert.given_up", `Message ${id} to channel ${channelId} was given up: ${error}`, fields);
  }

  return {
    wake,
    async deliverOnce(message) {
      const channel = readChannel(db, message.channelId);
      const { result, isCalledOff } = begin(message, channel);
      try {
        const settled = await result;
        if (!isCalledOff()) await commits.soon(() => record(message, channel, settled));
        return settled;
      } finally {
        active.delete(message.id);
        // What became due for this channel meanwhile waits for it alone.
        wake();
      }
    },
    async stop(limitMs) {
      isStopping = true;
      callOffTimer();
      const allDone = Promise.all([...active.values()].map(({ done }) => done));
      await settleWithin(clock, limitMs, allDone);
      for (const delivery of active.values()) delivery.abort();
      await settleWithin(clock, WRITE_BACK_MS, allDone);
    },
  };
}
