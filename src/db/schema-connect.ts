/**
 * What connects athletes and Strava to the daemon: sign-ins under way, invitations, and the inbox of Strava's events. The
 * same rules hold here as in `schema.ts`.
 */
import { sql } from "drizzle-orm";
import { check, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { StravaAspect, StravaObject } from "../core/strava-event.ts";
import type { AthleteId, EpochMs } from "../core/units.ts";

/** Sign-ins that Strava has not sent back yet. The state itself is only in the athlete's browser; here is its hash. */
export const signIns = sqliteTable(
  "sign_ins",
  {
    stateHash: text("state_hash").primaryKey(),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull(),
    expiresAtMs: integer("expires_at_ms").$type<EpochMs>().notNull(),
    /** The invitation that it began with. */
    inviteId: integer("invite_id"),
    /** Since when its code is exchanged for tokens, which are not stored yet. */
    exchangeAskedAtMs: integer("exchange_asked_at_ms").$type<EpochMs>(),
  },
  // Serves deleteExpiredSignIns.
  (signIn) => [index("sign_ins_expiry").on(signIn.expiresAtMs)],
);

/** Invitations to connect: each good once, and until it expires. Only their hashes are kept. */
export const invites = sqliteTable(
  "invites",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    label: text().notNull().default(""),
    tokenHash: text("token_hash").notNull(),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull(),
    createdBy: text("created_by").notNull().default(""),
    expiresAtMs: integer("expires_at_ms").$type<EpochMs>().notNull(),
    usedAtMs: integer("used_at_ms").$type<EpochMs>(),
    /** Whom it brought in. No foreign key: an erased athlete leaves the invitation used. */
    usedByAthleteId: integer("used_by_athlete_id").$type<AthleteId>(),
  },
  (invite) => [uniqueIndex("invites_hash").on(invite.tokenHash)],
);

/**
 * Events that Strava has told of, stored before they are acknowledged. They are hints: each starts a look, and none is
 * ever taken for the truth. Settled ones stay for a while, so that one that is delivered twice is looked at once.
 */
export const stravaEvents = sqliteTable(
  "strava_events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    receivedAtMs: integer("received_at_ms").$type<EpochMs>().notNull(),
    subscriptionId: integer("subscription_id").notNull(),
    /** 1 when that subscription was ours when it came; 0 while nobody can say. */
    ours: integer().notNull().default(0),
    objectType: text("object_type").$type<StravaObject>().notNull(),
    /** Strava's id of the activity or athlete. */
    objectId: integer("object_id").notNull(),
    aspect: text().$type<StravaAspect>().notNull(),
    /** Strava's id of the athlete. */
    ownerId: integer("owner_id").notNull(),
    eventTimeSeconds: integer("event_time_s").notNull(),
    /** 1 when it says that the athlete took the access back. */
    deauthorized: integer().notNull().default(0),
    /** Of what it says that changed, which is not kept itself: two edits in one second are two events. */
    updatesHash: text("updates_hash").notNull().default(""),
    attempts: integer().notNull().default(0),
    runAfterMs: integer("run_after_ms").$type<EpochMs>().notNull().default(sql`0`),
    error: text(),
    settledAtMs: integer("settled_at_ms").$type<EpochMs>(),
    /** What came of it, in a word. */
    outcome: text(),
  },
  (event) => [
    // The same event, delivered again.
    uniqueIndex("strava_events_same").on(
      event.objectType,
      event.objectId,
      event.aspect,
      event.ownerId,
      event.eventTimeSeconds,
      event.subscriptionId,
      event.deauthorized,
      event.updatesHash,
    ),
    // Serves readDueEvents.
    index("strava_events_due").on(event.runAfterMs, event.id).where(sql`settled_at_ms IS NULL`),
    // Serves settleEventsOf: what else waits for the same look.
    index("strava_events_open_of_object").on(event.ownerId, event.objectId).where(sql`settled_at_ms IS NULL`),
    // Serves pruneEvents.
    index("strava_events_settled").on(event.settledAtMs).where(sql`settled_at_ms IS NOT NULL`),
    check("strava_events_object", sql`object_type IN ('activity', 'athlete')`),
    check("strava_events_aspect", sql`aspect IN ('create', 'update', 'delete')`),
    check("strava_events_settled_has_outcome", sql`(settled_at_ms IS NULL) = (outcome IS NULL)`),
  ],
);

export type InviteRow = typeof invites.$inferSelect;
export type StravaEventRow = typeof stravaEvents.$inferSelect;
