/**
 * What is told to whom: channels, troubles that are open, and the outbox. Rooms below the alerts write troubles here, in the
 * transaction that makes them, and know nothing of channels. The same rules hold as in `schema.ts`.
 */
import { sql } from "drizzle-orm";
import { check, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { EpochMs } from "../core/units.ts";

export type AlertChannelKind = "webhook" | "ntfy" | "slack" | "discord" | "email";
export type AlertMessageKind = "alert" | "reminder" | "recovery" | "test";

/** Where alerts go. Addresses and secrets are sealed: an address of Slack's or Discord's is a secret itself. */
export const alertChannels = sqliteTable(
  "alert_channels",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    kind: text().$type<AlertChannelKind>().notNull(),
    keyId: text("key_id").notNull(),
    settingsSealed: text("settings_sealed").notNull(),
    isEnabled: integer("is_enabled").notNull().default(1),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull(),
    createdBy: text("created_by").notNull().default(""),
    lastSentAtMs: integer("last_sent_at_ms").$type<EpochMs>(),
    lastFailedAtMs: integer("last_failed_at_ms").$type<EpochMs>(),
    lastError: text("last_error"),
  },
  (channel) => [
    uniqueIndex("alert_channels_name").on(channel.name),
    check("alert_channels_kind", sql`kind IN ('webhook', 'ntfy', 'slack', 'discord', 'email')`),
    check("alert_channels_flags", sql`is_enabled IN (0, 1)`),
  ],
);

/** Troubles that a rule speaks of, from first seen to told over: one at a time for each rule and subject. */
export const alertTroubles = sqliteTable(
  "alert_troubles",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    rule: text().notNull(),
    /** What it is about: `sync:7`, `athlete:3`, `application`. */
    subject: text().notNull(),
    /** A sentence: what is wrong and what to do. No names, no secrets. */
    message: text().notNull(),
    openedAtMs: integer("opened_at_ms").$type<EpochMs>().notNull(),
    lastSeenAtMs: integer("last_seen_at_ms").$type<EpochMs>().notNull(),
    occurrences: integer().notNull().default(1),
    /** When somebody was last told of it; null: nobody yet. */
    notifiedAtMs: integer("notified_at_ms").$type<EpochMs>(),
    /** Over since then; it opens again if it comes back before it is settled. */
    closedAtMs: integer("closed_at_ms").$type<EpochMs>(),
    /** When nothing was left to be told of it: its recovery note is in the outbox, or nobody has to hear. */
    settledAtMs: integer("settled_at_ms").$type<EpochMs>(),
    traceId: text("trace_id"),
  },
  (trouble) => [
    // One trouble that is not settled a rule and subject; serves the rules' own pass too.
    uniqueIndex("alert_troubles_unsettled").on(trouble.rule, trouble.subject).where(sql`settled_at_ms IS NULL`),
    // Serves pruneHistory.
    index("alert_troubles_settled").on(trouble.settledAtMs).where(sql`settled_at_ms IS NOT NULL`),
    check("alert_troubles_settled_is_closed", sql`settled_at_ms IS NULL OR closed_at_ms IS NOT NULL`),
  ],
);

/** The outbox: each message to each channel, kept until it is delivered or given up, and a while after. */
export const alertMessages = sqliteTable(
  "alert_messages",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** No foreign key: a message outlives what it speaks of. */
    troubleId: integer("trouble_id"),
    channelId: integer("channel_id").notNull(),
    kind: text().$type<AlertMessageKind>().notNull(),
    /** JSON: what is said, the same for every kind of channel. */
    content: text().notNull(),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull(),
    runAfterMs: integer("run_after_ms").$type<EpochMs>().notNull(),
    attempts: integer().notNull().default(0),
    error: text(),
    settledAtMs: integer("settled_at_ms").$type<EpochMs>(),
    /** `delivered` or `given_up`, once it is settled. */
    outcome: text(),
  },
  (message) => [
    // Serves readNextDueMessages and nextMessageDueAtMs.
    index("alert_messages_due").on(message.runAfterMs, message.id).where(sql`settled_at_ms IS NULL`),
    // Serves pruneHistory.
    index("alert_messages_settled").on(message.settledAtMs).where(sql`settled_at_ms IS NOT NULL`),
    // Serves the deliveries of one channel.
    index("alert_messages_of_channel").on(message.channelId, message.id),
    check("alert_messages_kind", sql`kind IN ('alert', 'reminder', 'recovery', 'test')`),
    check("alert_messages_outcome", sql`outcome IN ('delivered', 'given_up')`),
    check("alert_messages_settled_has_outcome", sql`(settled_at_ms IS NULL) = (outcome IS NULL)`),
  ],
);

export type AlertChannelRow = typeof alertChannels.$inferSelect;
export type AlertTroubleRow = typeof alertTroubles.$inferSelect;
export type AlertMessageRow = typeof alertMessages.$inferSelect;
