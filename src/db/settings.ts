import { eq } from "drizzle-orm";
import type { Db } from "./open.ts";
import { settings } from "./schema-books.ts";
import { statement } from "./statement.ts";

/** What the daemon itself remembers between two starts. */
export type SettingName =
  | "key_check"
  // When Strava last said that this application may connect no more athletes.
  | "capacity_reached_at_ms"
  // When readiness last wrote, to see whether anything can be written.
  | "probed_at_ms"
  // Whether a person holds the whole daemon: "yes" or "no".
  | "paused"
  // What somebody changed of the rules for alerts, as JSON.
  | "alert_rules"
  // The last starts of the daemon, as a JSON array: what an incident file tells of it.
  | "daemon_starts"
  // What the governor knows beside the quota's windows.
  | "governor"
  // Strava's events: the unguessable part of the path and the token of the handshake, both sealed.
  | "webhook_path_secret"
  | "webhook_verify_token"
  // The subscription as it was last seen, as JSON; "1" when somebody switched it off.
  | "webhook_subscription"
  | "webhook_switched_off"
  // Those that were ours of late, as JSON.
  | "webhook_former_subscriptions"
  // What a person set in place of the configured thresholds of healing, as JSON.
  | "thresholds"
  // What the time was believed to be when it was last asked whether something has been kept for long enough.
  | "believed_time_ms";

export function readSetting(db: Db, name: SettingName): string | undefined {
  return readValue(db).get(name)?.value;
}

const readValue = statement<{ value: string }, [SettingName]>("SELECT value FROM settings WHERE name = ?1");

export function storeSetting(db: Db, name: SettingName, value: string): void {
  storeValue(db).run(name, value);
}

/** What the governor knows is written with a commit every few minutes, for years. */
const storeValue = statement<unknown, [SettingName, string]>(
  "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
);

export function deleteSetting(db: Db, name: SettingName): void {
  db.delete(settings).where(eq(settings.name, name)).run();
}
