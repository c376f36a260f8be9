CREATE TABLE `invites` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`label` text DEFAULT '' NOT NULL,
	`token_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`created_by` text DEFAULT '' NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`used_at_ms` integer,
	`used_by_athlete_id` integer
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `invites_hash` ON `invites` (`token_hash`);--> statement-breakpoint
CREATE TABLE `sign_ins` (
	`state_hash` text PRIMARY KEY NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`invite_id` integer
) STRICT;
--> statement-breakpoint
CREATE INDEX `sign_ins_expiry` ON `sign_ins` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `strava_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`received_at_ms` integer NOT NULL,
	`subscription_id` integer NOT NULL,
	`ours` integer DEFAULT 0 NOT NULL,
	`object_type` text NOT NULL,
	`object_id` integer NOT NULL,
	`aspect` text NOT NULL,
	`owner_id` integer NOT NULL,
	`event_time_s` integer NOT NULL,
	`deauthorized` integer DEFAULT 0 NOT NULL,
	`updates_hash` text DEFAULT '' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`run_after_ms` integer DEFAULT 0 NOT NULL,
	`error` text,
	`settled_at_ms` integer,
	`outcome` text,
	CONSTRAINT "strava_events_object" CHECK(object_type IN ('activity', 'athlete')),
	CONSTRAINT "strava_events_aspect" CHECK(aspect IN ('create', 'update', 'delete')),
	CONSTRAINT "strava_events_settled_has_outcome" CHECK((settled_at_ms IS NULL) = (outcome IS NULL))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `strava_events_same` ON `strava_events` (`object_type`,`object_id`,`aspect`,`owner_id`,`event_time_s`,`subscription_id`,`deauthorized`,`updates_hash`);--> statement-breakpoint
CREATE INDEX `strava_events_due` ON `strava_events` (`run_after_ms`,`id`) WHERE settled_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `strava_events_open_of_object` ON `strava_events` (`owner_id`,`object_id`) WHERE settled_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `strava_events_settled` ON `strava_events` (`settled_at_ms`) WHERE settled_at_ms IS NOT NULL;--> statement-breakpoint
ALTER TABLE `athletes` ADD `needs_reconnect_since_ms` integer;--> statement-breakpoint
ALTER TABLE `athletes` ADD `last_list_length` integer;--> statement-breakpoint
UPDATE `athletes` SET `needs_reconnect_since_ms` = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE `status` = 'needs_reconnect';--> statement-breakpoint
CREATE INDEX `athletes_needing_reconnect` ON `athletes` (`needs_reconnect_since_ms`) WHERE needs_reconnect_since_ms IS NOT NULL;--> statement-breakpoint
ALTER TABLE `races` ADD `not_found_in_sync_id` integer;--> statement-breakpoint
ALTER TABLE `races` ADD `wiped_at_ms` integer;--> statement-breakpoint
CREATE INDEX `races_withdrawn` ON `races` (`withdrawn_at_ms`) WHERE withdrawn_at_ms IS NOT NULL;