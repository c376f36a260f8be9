import { GIVE_UP_AFTER_MS } from "../core/delivery.ts";
import type { Found, StandingFound } from "./found.ts";
import type { Scene } from "./scene.ts";
import type { World } from "./world.ts";

type Message = { id: number; webhookId: string; outcome: string | null; triedMs: number };

/** I8: a trouble is told of once to each channel, and then only reminded of. */
export function findToldTwice({ file }: Scene): StandingFound | undefined {
  const twice = file.client
    .query<{ trouble: number; count: number }, []>(
      `SELECT trouble_id AS trouble, count(*) AS count FROM alert_messages
       WHERE kind = 'alert' AND trouble_id IS NOT NULL GROUP BY trouble_id, channel_id HAVING count(*) > 1`,
    )
    .get();
  if (twice === null) return undefined;
  const says = `Trouble ${twice.trouble} was told of ${twice.count} times as if it were new`;
  return { invariant: "I8", says, graceMs: 0, key: `told ${twice.trouble}` };
}

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
