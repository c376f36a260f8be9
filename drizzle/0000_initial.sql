CREATE TABLE `athletes` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`strava_id` integer NOT NULL,
	`first_name` text DEFAULT '' NOT NULL,
	`last_name` text DEFAULT '' NOT NULL,
	`status` text DEFAULT 'connected' NOT NULL,
	`status_reason` text,
	`scope` text DEFAULT '' NOT NULL,
	`publish` integer DEFAULT 0 NOT NULL,
	`publish_changed_at_ms` integer,
	`publish_changed_by` text,
	`hidden` integer DEFAULT 0 NOT NULL,
	`created_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`emptied_at_ms` integer,
	`last_complete_list_at_ms` integer,
	`last_synced_at_ms` integer,
	`last_served_at_ms` integer DEFAULT 0 NOT NULL,
	CONSTRAINT "athletes_status" CHECK(status IN ('connected', 'needs_reconnect', 'disconnected')),
	CONSTRAINT "athletes_flags" CHECK(publish IN (0, 1) AND hidden IN (0, 1))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `athletes_strava_id` ON `athletes` (`strava_id`);--> statement-breakpoint
CREATE TABLE `batches` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`sync_id` integer NOT NULL,
	`number` integer NOT NULL,
	`type` text NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`size` integer DEFAULT 1 NOT NULL,
	`runs` integer DEFAULT 0 NOT NULL,
	`run_after_ms` integer DEFAULT 0 NOT NULL,
	`wait_reason` text,
	`waits_until_ms` integer,
	`lease_token` text,
	`lease_expires_at_ms` integer,
	`leased_at_ms` integer,
	`heartbeat_at_ms` integer,
	`owner` text,
	`deaths` integer DEFAULT 0 NOT NULL,
	`exhausted` integer DEFAULT 0 NOT NULL,
	`created_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`started_at_ms` integer,
	`completed_at_ms` integer,
	`error` text,
	`requests` integer DEFAULT 0 NOT NULL,
	`activities_fetched` integer DEFAULT 0 NOT NULL,
	`races_added` integer DEFAULT 0 NOT NULL,
	`races_enriched` integer DEFAULT 0 NOT NULL,
	`races_failed` integer DEFAULT 0 NOT NULL,
	`trace_id` text,
	`span_id` text,
	FOREIGN KEY (`sync_id`) REFERENCES `syncs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "batches_type" CHECK(type IN ('discovery', 'enrichment')),
	CONSTRAINT "batches_status" CHECK(status IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
	CONSTRAINT "batches_processing_has_lease" CHECK((status = 'processing') = (lease_token IS NOT NULL AND lease_expires_at_ms IS NOT NULL)),
	CONSTRAINT "batches_ended_has_time" CHECK((status IN ('completed', 'failed', 'cancelled')) = (completed_at_ms IS NOT NULL)),
	CONSTRAINT "batches_counts" CHECK(size >= 1 AND runs >= 0),
	CONSTRAINT "batches_wait_reason" CHECK(wait_reason IN ('quota_15min', 'quota_daily', 'quota_reserve', 'backoff', 'strava_unavailable', 'app_inactive'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `batches_number` ON `batches` (`sync_id`,`number`);--> statement-breakpoint
CREATE UNIQUE INDEX `batches_one_live_page` ON `batches` (`sync_id`) WHERE type = 'discovery' AND status IN ('pending', 'processing');--> statement-breakpoint
CREATE INDEX `batches_live` ON `batches` (`sync_id`,`status`,`run_after_ms`,`number`) WHERE status IN ('pending', 'processing');--> statement-breakpoint
CREATE INDEX `batches_due` ON `batches` (`run_after_ms`) WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX `batches_processing` ON `batches` (`id`) WHERE status = 'processing';--> statement-breakpoint
CREATE INDEX `batches_unknown` ON `batches` (`id`) WHERE status NOT IN ('pending', 'processing', 'completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE TABLE `findings` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`sync_id` integer,
	`athlete_id` integer,
	`batch_id` integer,
	`detected_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`began_at_ms` integer,
	`message` text DEFAULT '' NOT NULL,
	`evidence` text DEFAULT '{}' NOT NULL,
	`remedy` text DEFAULT 'null' NOT NULL,
	`remedied_at_ms` integer,
	`batches_completed_before` integer DEFAULT 0 NOT NULL,
	`own_restart` integer DEFAULT 0 NOT NULL,
	`false_remedy` integer DEFAULT 0 NOT NULL,
	`outcome` text DEFAULT 'pending' NOT NULL,
	`settled_at_ms` integer,
	`trace_id` text,
	CONSTRAINT "findings_outcome" CHECK(outcome IN ('proposed', 'pending', 'verified', 'failed', 'superseded')),
	CONSTRAINT "findings_settled_has_time" CHECK((outcome IN ('proposed', 'pending')) = (settled_at_ms IS NULL))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `findings_one_open_a_trouble` ON `findings` (`kind`,ifnull(sync_id, 0),ifnull(batch_id, 0)) WHERE outcome IN ('proposed', 'pending');--> statement-breakpoint
CREATE INDEX `findings_open` ON `findings` (`sync_id`,`id`) WHERE outcome IN ('proposed', 'pending');--> statement-breakpoint
CREATE INDEX `findings_of_sync` ON `findings` (`sync_id`,`detected_at_ms`);--> statement-breakpoint
CREATE INDEX `findings_settled` ON `findings` (`settled_at_ms`) WHERE settled_at_ms IS NOT NULL;--> statement-breakpoint
CREATE TABLE `listed_activities` (
	`sync_id` integer NOT NULL,
	`strava_activity_id` integer NOT NULL,
	PRIMARY KEY(`sync_id`, `strava_activity_id`),
	FOREIGN KEY (`sync_id`) REFERENCES `syncs`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE TABLE `races` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`athlete_id` integer NOT NULL,
	`strava_activity_id` integer NOT NULL,
	`name` text DEFAULT '' NOT NULL,
	`sport_type` text DEFAULT '' NOT NULL,
	`distance_m` real DEFAULT 0 NOT NULL,
	`moving_s` integer DEFAULT 0 NOT NULL,
	`elapsed_s` integer DEFAULT 0 NOT NULL,
	`elevation_gain_m` real,
	`start_at_ms` integer DEFAULT 0 NOT NULL,
	`start_local` text DEFAULT '' NOT NULL,
	`timezone` text,
	`utc_offset_s` real,
	`visibility` text DEFAULT 'only_me' NOT NULL,
	`summary_polyline` text,
	`fingerprint` text DEFAULT '' NOT NULL,
	`polyline` text,
	`description` text,
	`enrichment` text DEFAULT 'pending' NOT NULL,
	`enrichment_error` text,
	`enriched_at_ms` integer,
	`attempts` integer DEFAULT 0 NOT NULL,
	`batch_id` integer,
	`first_seen_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`last_seen_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`settled_in_sync_id` integer,
	`seen_in_sync_id` integer,
	`withdrawn_at_ms` integer,
	`withdrawn_reason` text,
	`hidden` integer DEFAULT 0 NOT NULL,
	`edited_name` text,
	`edited_distance_m` real,
	`edited_moving_s` integer,
	FOREIGN KEY (`athlete_id`) REFERENCES `athletes`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "races_enrichment" CHECK(enrichment IN ('pending', 'enriched', 'unavailable', 'failed')),
	CONSTRAINT "races_visibility" CHECK(visibility IN ('everyone', 'followers_only', 'only_me')),
	CONSTRAINT "races_failed_has_reason" CHECK(enrichment <> 'failed' OR enrichment_error IS NOT NULL),
	CONSTRAINT "races_hidden" CHECK(hidden IN (0, 1))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `races_activity` ON `races` (`athlete_id`,`strava_activity_id`);--> statement-breakpoint
CREATE INDEX `races_pending` ON `races` (`athlete_id`,`start_at_ms`,`id`) WHERE enrichment = 'pending';--> statement-breakpoint
CREATE INDEX `races_of_batch` ON `races` (`batch_id`,`enrichment`);--> statement-breakpoint
CREATE INDEX `races_of_athlete` ON `races` (`athlete_id`,`start_at_ms`);--> statement-breakpoint
CREATE INDEX `races_unknown` ON `races` (`id`) WHERE enrichment NOT IN ('pending', 'enriched', 'unavailable', 'failed');--> statement-breakpoint
CREATE INDEX `races_newest` ON `races` (`start_at_ms`,`id`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_id` text NOT NULL,
	`seal_context` text NOT NULL,
	`token_sealed` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`run_after_ms` integer DEFAULT 0 NOT NULL,
	`created_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`error` text
) STRICT;
--> statement-breakpoint
CREATE INDEX `revocations_due` ON `revocations` (`run_after_ms`);--> statement-breakpoint
CREATE TABLE `strava_tokens` (
	`athlete_id` integer PRIMARY KEY NOT NULL,
	`key_id` text NOT NULL,
	`access_token_sealed` text NOT NULL,
	`refresh_token_sealed` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	FOREIGN KEY (`athlete_id`) REFERENCES `athletes`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE TABLE `sync_logs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`sync_id` integer NOT NULL,
	`batch_id` integer,
	`at_ms` integer NOT NULL,
	`level` text NOT NULL,
	`event` text NOT NULL,
	`message` text NOT NULL,
	`trace_id` text,
	FOREIGN KEY (`sync_id`) REFERENCES `syncs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "sync_logs_level" CHECK(level IN ('debug', 'info', 'warn', 'error'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `sync_logs_of_sync` ON `sync_logs` (`sync_id`,`id`);--> statement-breakpoint
CREATE TABLE `syncs` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`athlete_id` integer NOT NULL,
	`mode` text DEFAULT 'full' NOT NULL,
	`class` text DEFAULT 'schedule' NOT NULL,
	`class_rank` integer DEFAULT 3 NOT NULL,
	`phase` text DEFAULT 'discovery' NOT NULL,
	`status` text DEFAULT 'in_progress' NOT NULL,
	`started_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`completed_at_ms` integer,
	`paused_at_ms` integer,
	`list_complete` integer,
	`list_from_s` integer,
	`cursor_before_s` integer DEFAULT (unixepoch()) NOT NULL,
	`cursor_page` integer DEFAULT 1 NOT NULL,
	`cursor_resume_before_s` integer,
	`activities_listed` integer DEFAULT 0 NOT NULL,
	`races_enriched` integer DEFAULT 0 NOT NULL,
	`races_failed` integer DEFAULT 0 NOT NULL,
	`requests` integer DEFAULT 0 NOT NULL,
	`batches_completed` integer DEFAULT 0 NOT NULL,
	`last_activity_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`last_progress_at_ms` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL,
	`served_at_ms` integer DEFAULT 0 NOT NULL,
	`error` text,
	`warnings` text DEFAULT '[]' NOT NULL,
	`trace_id` text,
	FOREIGN KEY (`athlete_id`) REFERENCES `athletes`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "syncs_mode" CHECK(mode IN ('full', 'incremental')),
	CONSTRAINT "syncs_class" CHECK(class IN ('manual', 'event', 'connect', 'schedule')),
	CONSTRAINT "syncs_phase" CHECK(phase IN ('discovery', 'enrichment')),
	CONSTRAINT "syncs_status" CHECK(status IN ('in_progress', 'completed', 'failed', 'cancelled')),
	CONSTRAINT "syncs_ended_has_time" CHECK((status = 'in_progress') = (completed_at_ms IS NULL)),
	CONSTRAINT "syncs_list_complete" CHECK(list_complete IN (0, 1)),
	CONSTRAINT "syncs_cursor" CHECK(cursor_page >= 1)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `syncs_one_in_progress_per_athlete` ON `syncs` (`athlete_id`) WHERE status = 'in_progress';--> statement-breakpoint
CREATE INDEX `syncs_serving_order` ON `syncs` (`class_rank`,`served_at_ms`,`id`) WHERE status = 'in_progress';--> statement-breakpoint
CREATE INDEX `syncs_in_progress` ON `syncs` (`id`) WHERE status = 'in_progress';--> statement-breakpoint
CREATE INDEX `syncs_ended` ON `syncs` (`completed_at_ms`,`id`) WHERE status <> 'in_progress';--> statement-breakpoint
CREATE INDEX `syncs_of_athlete` ON `syncs` (`athlete_id`,`id`);--> statement-breakpoint
CREATE INDEX `syncs_unknown` ON `syncs` (`id`) WHERE status NOT IN ('in_progress', 'completed', 'failed', 'cancelled') OR (status <> 'in_progress' AND completed_at_ms IS NULL);--> statement-breakpoint
CREATE TABLE `admin_tokens` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`label` text NOT NULL,
	`scope` text NOT NULL,
	`token_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer,
	`last_used_at_ms` integer,
	CONSTRAINT "admin_tokens_scope" CHECK(scope IN ('read', 'operate', 'admin'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `admin_tokens_hash` ON `admin_tokens` (`token_hash`);--> statement-breakpoint
CREATE TABLE `counters` (
	`name` text NOT NULL,
	`day_start_ms` integer NOT NULL,
	`value` integer NOT NULL,
	PRIMARY KEY(`name`, `day_start_ms`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `quota_usage` (
	`day_start_ms` integer NOT NULL,
	`athlete_id` integer NOT NULL,
	`phase` text NOT NULL,
	`status` integer NOT NULL,
	`requests` integer NOT NULL,
	PRIMARY KEY(`day_start_ms`, `athlete_id`, `phase`, `status`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `quota_windows` (
	`budget` text NOT NULL,
	`window` text NOT NULL,
	`starts_at_ms` integer NOT NULL,
	`request_limit` integer NOT NULL,
	`used` integer NOT NULL,
	PRIMARY KEY(`budget`, `window`),
	CONSTRAINT "quota_windows_keys" CHECK(budget IN ('overall', 'read') AND "window" IN ('quarter', 'day'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `schedule` (
	`job` text PRIMARY KEY NOT NULL,
	`last_run_at_ms` integer,
	`last_duration_ms` integer,
	`last_error` text,
	`runs` integer DEFAULT 0 NOT NULL,
	`missed` integer DEFAULT 0 NOT NULL,
	`overrun` integer DEFAULT 0 NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `settings` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) STRICT;
