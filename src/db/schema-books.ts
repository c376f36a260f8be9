/**
 * The daemon's own books: quota, schedule, counters, settings, tokens of the admin API. The tables of syncing are in
 * `schema.ts`, and the same rules hold here.
 */
import { sql } from "drizzle-orm";
import { blob, check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { BatchStatus, BatchType } from "../core/batch.ts";
import type { SyncStatus } from "../core/sync.ts";
import type { AthleteId, EpochMs, SyncId } from "../core/units.ts";

/** Strava's budgets as last known: four rows. */
export const quotaWindows = sqliteTable(
  "quota_windows",
  {
    budget: text().notNull(),
    window: text().notNull(),
    startsAtMs: integer("starts_at_ms").$type<EpochMs>().notNull(),
    requestLimit: integer("request_limit").notNull(),
    used: integer().notNull(),
  },
  (window) => [
    primaryKey({ columns: [window.budget, window.window] }),
    check("quota_windows_keys", sql`budget IN ('overall', 'read') AND "window" IN ('quarter', 'day')`),
  ],
);

/** The ledger: every request to Strava, by day, athlete, phase and status (0: no answer). */
export const quotaUsage = sqliteTable(
  "quota_usage",
  {
    dayStartMs: integer("day_start_ms").$type<EpochMs>().notNull(),
    /** 0: no athlete's. No foreign key: what was spent stays counted. */
    athleteId: integer("athlete_id").$type<AthleteId>().notNull(),
    phase: text().notNull(),
    status: integer().notNull(),
    requests: integer().notNull(),
  },
  (usage) => [primaryKey({ columns: [usage.dayStartMs, usage.athleteId, usage.phase, usage.status] })],
);

export const schedule = sqliteTable("schedule", {
  job: text().primaryKey(),
  lastRunAtMs: integer("last_run_at_ms").$type<EpochMs>(),
  lastDurationMs: integer("last_duration_ms"),
  lastError: text("last_error"),
  runs: integer().notNull().default(0),
  missed: integer().notNull().default(0),
  overrun: integer().notNull().default(0),
});

/** Counted as it happens, by day, so that no page counts rows. Day 0: since ever. */
export const counters = sqliteTable(
  "counters",
  {
    name: text().notNull(),
    dayStartMs: integer("day_start_ms").$type<EpochMs>().notNull(),
    value: integer().notNull(),
  },
  (counter) => [primaryKey({ columns: [counter.name, counter.dayStartMs] })],
);

/**
 * How many batches a sync has, by type and status, so that no page counts them. Triggers keep it (see the migration), so
 * that it is true whoever changes batches. No foreign key: a batch whose sync a hand has deleted can still be cancelled.
 */
export const batchCounts = sqliteTable(
  "batch_counts",
  {
    syncId: integer("sync_id").$type<SyncId>().notNull(),
    type: text().$type<BatchType>().notNull(),
    status: text().$type<BatchStatus>().notNull(),
    count: integer().notNull(),
  },
  (counted) => [primaryKey({ columns: [counted.syncId, counted.type, counted.status] })],
);

/** How many syncs ended in each hour, by status, so that no page counts them. Kept by triggers, like `batch_counts`. */
export const endedSyncCounts = sqliteTable(
  "ended_sync_counts",
  {
    hourStartMs: integer("hour_start_ms").$type<EpochMs>().notNull(),
    status: text().$type<SyncStatus>().notNull(),
    count: integer().notNull(),
  },
  (counted) => [primaryKey({ columns: [counted.hourStartMs, counted.status] })],
);

/** What was counted more than a month ago: the days of all counters of a year, compressed (`db/packed-years.ts`). */
export const packedYears = sqliteTable("packed_years", {
  year: integer().primaryKey(),
  days: blob({ mode: "buffer" }).notNull(),
});

/** What the daemon itself remembers: the word that proves the key, when the database last took a write for a probe. */
export const settings = sqliteTable("settings", { name: text().primaryKey(), value: text().notNull() });

/** Who changed what by hand, and when: of what the API changes, all that no log of a sync tells. */
export const audit = sqliteTable(
  "audit",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    atMs: integer("at_ms").$type<EpochMs>().notNull(),
    /** `admin`, `token:3`, `runtime`, `command line`. */
    actor: text().notNull(),
    /** Few values: `thresholds.changed`. */
    action: text().notNull(),
    /** What it was done to: `athlete:3`; empty: the daemon. */
    target: text().notNull().default(""),
    /** JSON: from what to what. No names, no secrets. */
    detail: text().notNull().default("{}"),
  },
  // Serves pruneAudit.
  (entry) => [index("audit_at").on(entry.atMs)],
);

export type Scope = "read" | "operate" | "admin";

/** Bearer tokens of the admin API; only their hashes are kept. */
export const adminTokens = sqliteTable(
  "admin_tokens",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    label: text().notNull(),
    scope: text().$type<Scope>().notNull(),
    tokenHash: text("token_hash").notNull(),
    createdAtMs: integer("created_at_ms").$type<EpochMs>().notNull(),
    expiresAtMs: integer("expires_at_ms").$type<EpochMs>(),
    lastUsedAtMs: integer("last_used_at_ms").$type<EpochMs>(),
  },
  (token) => [
    uniqueIndex("admin_tokens_hash").on(token.tokenHash),
    check("admin_tokens_scope", sql`scope IN ('read', 'operate', 'admin')`),
  ],
);
