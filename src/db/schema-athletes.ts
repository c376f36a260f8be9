/** The tables of athletes: who they are, their tokens, and the grants that are left to revoke. As in `schema.ts`. */
import { sql } from "drizzle-orm";
import { check, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { AthleteId, EpochMs } from "../core/units.ts";

/** The moment of the insert, for rows that a hand adds; our own inserts give the clock's time. */
export const now = sql`(CAST(unixepoch('subsec') * 1000 AS INTEGER))`;

export type AthleteStatus = "connected" | "needs_reconnect" | "disconnected";

export const athletes = sqliteTable(
  "athletes",
  {
    id: integer().$type<AthleteId>().primaryKey({ autoIncrement: true }),
    stravaId: integer("strava_id").notNull(),
    firstName: text("first_name").notNull().default(""),
    lastName: text("last_name").notNull().default(""),
    status: text().$type<AthleteStatus>().notNull().default("connected"),
    /** Why the athlete must reconnect, in plain words; null while nothing is wrong. */
    statusReason: text("status_reason"),
    /** Since when Strava lets us in no more: the clock of the erasure runs from then. */
    needsReconnectSinceMs: integer("needs_reconnect_since_ms").$type<EpochMs>(),
    scope: text().notNull().default(""),
    publish: integer().notNull().default(0),
    publishChangedAtMs: integer("publish_changed_at_ms").$type<EpochMs>(),
    publishChangedBy: text("publish_changed_by"),
    hidden: integer().notNull().default(0),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull().default(now),
    /** When a complete list first showed none of the races that we hold; believed when a second one says so too. */
    emptiedAtMs: integer("emptied_at_ms").$type<EpochMs>(),
    /** When Strava last showed us this athlete's whole list: the end of what it showed, about when its sync began. */
    lastCompleteListAtMs: integer("last_complete_list_at_ms").$type<EpochMs>(),
    /** How many activities that list had: what the next one is expected to cost. */
    lastListLength: integer("last_list_length"),
    lastSyncedAtMs: integer("last_synced_at_ms").$type<EpochMs>(),
    /** When a batch of this athlete was last claimed: who waited longest is served first. */
    lastServedAtMs: integer("last_served_at_ms").$type<EpochMs>().notNull().default(sql`0`),
  },
  (athlete) => [
    uniqueIndex("athletes_strava_id").on(athlete.stravaId),
    // Serves readLongLost: whose access has been gone for so long that they are erased.
    index("athletes_needing_reconnect")
      .on(athlete.needsReconnectSinceMs)
      .where(sql`needs_reconnect_since_ms IS NOT NULL`),
    // Serves mendUnknownStates: empty, unless a hand wrote a word that is no status.
    index("athletes_unknown").on(athlete.id).where(sql`status NOT IN ('connected', 'needs_reconnect', 'disconnected')`),
    check("athletes_status", sql`status IN ('connected', 'needs_reconnect', 'disconnected')`),
    check("athletes_flags", sql`publish IN (0, 1) AND hidden IN (0, 1)`),
  ],
);

/** Strava's tokens, sealed (AES-256-GCM); which key sealed them is `key_id`. */
export const stravaTokens = sqliteTable("strava_tokens", {
  athleteId: integer("athlete_id")
    .$type<AthleteId>()
    .primaryKey()
    .references(() => athletes.id, { onDelete: "cascade" }),
  keyId: text("key_id").notNull(),
  accessTokenSealed: text("access_token_sealed").notNull(),
  refreshTokenSealed: text("refresh_token_sealed").notNull(),
  expiresAtMs: integer("expires_at_ms").$type<EpochMs>().notNull(),
  updatedAtMs: integer("updated_at_ms").$type<EpochMs>().notNull(),
  /** Since when a newer pair has been asked for, and no answer heard: Strava may have replaced this one. */
  refreshAskedAtMs: integer("refresh_asked_at_ms").$type<EpochMs>(),
});

/** Grants that Strava still has to be told to revoke: all that outlives an erased athlete, until it confirms. */
export const revocations = sqliteTable(
  "revocations",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    keyId: text("key_id").notNull(),
    /** Binds the sealed token to what it was sealed for. */
    sealContext: text("seal_context").notNull(),
    tokenSealed: text("token_sealed").notNull(),
    attempts: integer().notNull().default(0),
    runAfterMs: integer("run_after_ms").$type<EpochMs>().notNull().default(sql`0`),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull().default(now),
    error: text(),
  },
  // Serves readDueRevocations.
  (revocation) => [index("revocations_due").on(revocation.runAfterMs)],
);

export type AthleteRow = typeof athletes.$inferSelect;
