import { eq } from "drizzle-orm";
import type { Db } from "./open.ts";
import { settings } from "./schema-books.ts";

/** What the daemon itself remembers between two starts. */
export type SettingName =
  | "key_check"
  // When Strava last said that this application may connect no more athletes.
  | "capacity_reached_at_ms"
  // When readiness last wrote, to see whether anything can be written.
  | "probed_at_ms"
  // Whether a person holds the whole daemon: "yes" or "no".
  | "paused"
  // What the governor knows beside the quota's windows.
  | "governor";

export function readSetting(db: Db, name: SettingName): string | undefined {
  return db.select({ value: settings.value }).from(settings).where(eq(settings.name, name)).get()?.value;
}

export function storeSetting(db: Db, name: SettingName, value: string): void {
  db.insert(settings).values({ name, value }).onConflictDoUpdate({ target: settings.name, set: { value } }).run();
}
