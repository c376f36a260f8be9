CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at_ms` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`target` text DEFAULT '' NOT NULL,
	`detail` text DEFAULT '{}' NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `audit_at` ON `audit` (`at_ms`);--> statement-breakpoint
CREATE TABLE `counter_years` (
	`name` text NOT NULL,
	`year` integer NOT NULL,
	`days` text NOT NULL,
	PRIMARY KEY(`name`, `year`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `alert_channels` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`key_id` text NOT NULL,
	`settings_sealed` text NOT NULL,
	`is_enabled` integer DEFAULT 1 NOT NULL,
	`created_at_ms` integer NOT NULL,
	`created_by` text DEFAULT '' NOT NULL,
	`last_sent_at_ms` integer,
	`last_failed_at_ms` integer,
	`last_error` text,
	CONSTRAINT "alert_channels_kind" CHECK(kind IN ('webhook', 'ntfy', 'slack', 'discord', 'email')),
	CONSTRAINT "alert_channels_flags" CHECK(is_enabled IN (0, 1))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `alert_channels_name` ON `alert_channels` (`name`);--> statement-breakpoint
CREATE TABLE `alert_messages` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`trouble_id` integer,
	`channel_id` integer NOT NULL,
	`kind` text NOT NULL,
	`content` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`run_after_ms` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`error` text,
	`settled_at_ms` integer,
	`outcome` text,
	CONSTRAINT "alert_messages_kind" CHECK(kind IN ('alert', 'reminder', 'recovery', 'test')),
	CONSTRAINT "alert_messages_outcome" CHECK(outcome IN ('delivered', 'given_up')),
	CONSTRAINT "alert_messages_settled_has_outcome" CHECK((settled_at_ms IS NULL) = (outcome IS NULL))
) STRICT;
--> statement-breakpoint
CREATE INDEX `alert_messages_due` ON `alert_messages` (`run_after_ms`,`id`) WHERE settled_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `alert_messages_settled` ON `alert_messages` (`settled_at_ms`) WHERE settled_at_ms IS NOT NULL;--> statement-breakpoint
CREATE INDEX `alert_messages_of_channel` ON `alert_messages` (`channel_id`,`id`);--> statement-breakpoint
CREATE TABLE `alert_troubles` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`rule` text NOT NULL,
	`subject` text NOT NULL,
	`message` text NOT NULL,
	`opened_at_ms` integer NOT NULL,
	`last_seen_at_ms` integer NOT NULL,
	`occurrences` integer DEFAULT 1 NOT NULL,
	`notified_at_ms` integer,
	`closed_at_ms` integer,
	`settled_at_ms` integer,
	`trace_id` text,
	CONSTRAINT "alert_troubles_settled_is_closed" CHECK(settled_at_ms IS NULL OR closed_at_ms IS NOT NULL)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `alert_troubles_unsettled` ON `alert_troubles` (`rule`,`subject`) WHERE settled_at_ms IS NULL;--> statement-breakpoint
CREATE INDEX `alert_troubles_settled` ON `alert_troubles` (`settled_at_ms`) WHERE settled_at_ms IS NOT NULL;