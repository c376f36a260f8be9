import { type EpochMs, epochMs } from "../../core/units.ts";
import type { Db } from "../../db/open.ts";
import { deleteSetting, readSetting, storeSetting } from "../../db/settings.ts";
import { readObject } from "../../db/stored-json.ts";

/** What was last seen of our subscription: what events are held against, also right after a start. */
export type SubscriptionNote = {
  readonly id: number;
  /** Its callback without the secret in it. */
  readonly maskedUrl: string;
  readonly createdAtMs: EpochMs | null;
  /** When Strava last showed it. */
  readonly checkedAtMs: EpochMs;
};

/** undefined when none of ours is known. */
export function readSubscriptionNote(db: Db): SubscriptionNote | undefined {
  const text = readSetting(db, "webhook_subscription");
  const { id, masked_url: maskedUrl, created_at_ms: createdAtMs, checked_at_ms: checkedAtMs } = readObject(text ?? "");
  if (typeof id !== "number" || typeof maskedUrl !== "string" || typeof checkedAtMs !== "number") return undefined;
  return {
    id,
    maskedUrl,
    createdAtMs: typeof createdAtMs === "number" ? epochMs(createdAtMs) : null,
    checkedAtMs: epochMs(checkedAtMs),
  };
}

/** Stores what was seen; undefined: none of ours is there. Inside a transaction. */
export function storeSubscriptionNote(db: Db, note: SubscriptionNote | undefined): void {
  if (note === undefined) {
    deleteSetting(db, "webhook_subscription");
    return;
  }
  const { id, maskedUrl, createdAtMs, checkedAtMs } = note;
  const stored = { id, masked_url: maskedUrl, created_at_ms: createdAtMs, checked_at_ms: checkedAtMs };
  storeSetting(db, "webhook_subscription", JSON.stringify(stored));
}

/** Whether somebody switched the subscription off. */
export const isSwitchedOff = (db: Db): boolean => readSetting(db, "webhook_switched_off") === "1";

/** Remembers that nothing is subscribed by itself (any more). Inside a transaction. */
export function switchOff(db: Db): void {
  storeSetting(db, "webhook_switched_off", "1");
}

/** Inside a transaction. */
export function switchOn(db: Db): void {
  deleteSetting(db, "webhook_switched_off");
}
