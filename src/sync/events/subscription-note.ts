import type { OurSubscriptions } from "../../core/subscription.ts";
import { DAY_MS, type EpochMs, epochMs } from "../../core/units.ts";
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

/** So long a subscription that was ours is remembered: longer than Strava goes on delivering what it could not. */
const FORMER_KEPT_MS = 7 * DAY_MS;
/** Where something makes a new one at every turn, the oldest are forgotten. */
const FORMER_KEPT = 100;

/** Stores what was seen; undefined: none of ours is there. The one before is remembered. Inside a transaction. */
export function storeSubscriptionNote(db: Db, note: SubscriptionNote | undefined, nowMs: EpochMs): void {
  const before = readSubscriptionNote(db);
  if (before !== undefined && before.id !== note?.id) rememberFormer(db, before.id, nowMs);
  if (note === undefined) {
    deleteSetting(db, "webhook_subscription");
    return;
  }
  const { id, maskedUrl, createdAtMs, checkedAtMs } = note;
  const stored = { id, masked_url: maskedUrl, created_at_ms: createdAtMs, checked_at_ms: checkedAtMs };
  storeSetting(db, "webhook_subscription", JSON.stringify(stored));
}

/** The subscriptions that are ours, and that were until a week ago. */
export function readOurSubscriptions(db: Db, nowMs: EpochMs): OurSubscriptions {
  return { currentId: readSubscriptionNote(db)?.id, formerIds: readFormer(db, nowMs).map(({ id }) => id) };
}

type Former = { readonly id: number; readonly until_ms: number };

function rememberFormer(db: Db, id: number, nowMs: EpochMs): void {
  const others = readFormer(db, nowMs).filter((one) => one.id !== id);
  const former: Former[] = [...others, { id, until_ms: nowMs + FORMER_KEPT_MS }].slice(-FORMER_KEPT);
  storeSetting(db, "webhook_former_subscriptions", JSON.stringify({ former }));
}

function readFormer(db: Db, nowMs: EpochMs): readonly Former[] {
  const { former } = readObject(readSetting(db, "webhook_former_subscriptions") ?? "");
  return Array.isArray(former) ? former.filter(isFormer).filter((one) => one.until_ms > nowMs) : [];
}

function isFormer(value: unknown): value is Former {
  if (typeof value !== "object" || value === null || !("id" in value) || !("until_ms" in value)) return false;
  return typeof value.id === "number" && typeof value.until_ms === "number";
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
