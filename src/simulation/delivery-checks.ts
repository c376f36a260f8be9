import { GIVE_UP_AFTER_MS } from "../core/delivery.ts";
import type { Found } from "./found.ts";
import type { World } from "./world.ts";

type Message = { id: number; webhookId: string; outcome: string | null; triedMs: number };

/** Who is to be told has been told, at the end, when the receiver is there; or it was tried for a day. */
export function findUndelivered({ file, receiver, disturbances }: World): Found | undefined {
  const messages = file.client
    .query<Message, []>(
      "SELECT id, content ->> 'id' AS webhookId, outcome, settled_at_ms - created_at_ms AS triedMs FROM alert_messages ORDER BY id",
    )
    .all();
  for (const { id, webhookId, outcome, triedMs } of messages) {
    if (outcome === null) return { invariant: "alerts", says: `Message ${id} has not been delivered` };
    if (outcome === "delivered" && !receiver.has(webhookId))
      return { invariant: "alerts", says: `Message ${id} is said to be delivered, and nobody has received it` };
    if (outcome === "given_up" && triedMs < GIVE_UP_AFTER_MS && !disturbances.was("wrong_clock"))
      return { invariant: "alerts", says: `Message ${id} was given up after ${Math.round(triedMs / 60_000)} min` };
  }
  return undefined;
}
