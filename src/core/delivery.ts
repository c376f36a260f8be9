import { withJitter } from "./batch.ts";
import { DAY_MS, type EpochMs, epochMs, MINUTE_MS, plusMs, SECOND_MS } from "./units.ts";

/** What came of one try to deliver a message. */
export type DeliveryResult =
  | {
      readonly delivered: true;
      /** A sentence, where only some got it. Another try would give the others a second copy. */
      readonly shortfall?: string;
    }
  | {
      readonly delivered: false;
      /** A sentence fit to be shown: no address, no secret, nothing of what the other side said but its status. */
      readonly reason: string;
      /** So long the other side asks us to wait. */
      readonly retryAfterMs?: number | undefined;
      /** Another try cannot help: the channel is gone. */
      readonly isFinal?: true;
    };

/** What becomes of a message after a try. */
export type AfterDelivery =
  | { readonly is: "delivered" }
  | { readonly is: "due"; readonly atMs: EpochMs }
  | { readonly is: "given_up" };

const FIRST_BACKOFF_MS = 5 * SECOND_MS;
const LONGEST_BACKOFF_MS = 30 * MINUTE_MS;
/** What nobody took for a day is old news. */
export const GIVE_UP_AFTER_MS = DAY_MS;

/** No message waits longer for its next try: what is due later was put off by a clock that was ahead. */
export const LONGEST_DELIVERY_WAIT_MS = withJitter(LONGEST_BACKOFF_MS, 1);

/** How long after the n-th try that failed the next one comes, before jitter. */
export const deliveryBackoffMs = (attempts: number): number =>
  Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempts - 1));

/**
 * Decides after a try: the last one is made when the time is up, and then it is given up.
 * @param message.attempts tries so far, this one among them. @param at.jitter in [0, 1), from the dice.
 */
export function afterDelivery(
  result: DeliveryResult,
  message: { readonly attempts: number; readonly createdAtMs: EpochMs },
  at: { readonly nowMs: EpochMs; readonly jitter: number },
): AfterDelivery {
  if (result.delivered) return { is: "delivered" };
  const lastAtMs = plusMs(message.createdAtMs, GIVE_UP_AFTER_MS);
  if (result.isFinal === true || at.nowMs >= lastAtMs) return { is: "given_up" };
  const backoffMs = withJitter(deliveryBackoffMs(message.attempts), at.jitter);
  const asked = Math.min(result.retryAfterMs ?? 0, LONGEST_BACKOFF_MS);
  return { is: "due", atMs: epochMs(Math.min(lastAtMs, at.nowMs + Math.max(backoffMs, asked))) };
}
