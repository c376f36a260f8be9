CREATE TABLE `batch_counts` (
	`sync_id` integer NOT NULL,
	`type` text NOT NULL,
	`status` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`sync_id`, `type`, `status`)
) STRICT;
--> statement-breakpoint
CREATE TABLE `ended_sync_counts` (
	`hour_start_ms` integer NOT NULL,
	`status` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`hour_start_ms`, `status`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `athletes_unknown` ON `athletes` (`id`) WHERE status NOT IN ('connected', 'needs_reconnect', 'disconnected');--> statement-breakpoint
CREATE INDEX `races_pending_by_batch` ON `races` (`athlete_id`,`batch_id`) WHERE enrichment = 'pending';--> statement-breakpoint
CREATE TRIGGER `batch_counts_insert` AFTER INSERT ON `batches` BEGIN
	INSERT INTO `batch_counts` SELECT NEW.`sync_id`, NEW.`type`, NEW.`status`, 0
		WHERE NOT EXISTS (SELECT 1 FROM `batch_counts` WHERE `sync_id` = NEW.`sync_id` AND `type` = NEW.`type` AND `status` = NEW.`status`);
	UPDATE `batch_counts` SET `count` = `count` + 1 WHERE `sync_id` = NEW.`sync_id` AND `type` = NEW.`type` AND `status` = NEW.`status`;
END;--> statement-breakpoint
CREATE TRIGGER `batch_counts_update` AFTER UPDATE OF `sync_id`, `type`, `status` ON `batches`
WHEN OLD.`sync_id` <> NEW.`sync_id` OR OLD.`type` <> NEW.`type` OR OLD.`status` <> NEW.`status` BEGIN
	UPDATE `batch_counts` SET `count` = `count` - 1 WHERE `sync_id` = OLD.`sync_id` AND `type` = OLD.`type` AND `status` = OLD.`status`;
	INSERT INTO `batch_counts` SELECT NEW.`sync_id`, NEW.`type`, NEW.`status`, 0
		WHERE NOT EXISTS (SELECT 1 FROM `batch_counts` WHERE `sync_id` = NEW.`sync_id` AND `type` = NEW.`type` AND `status` = NEW.`status`);
	UPDATE `batch_counts` SET `count` = `count` + 1 WHERE `sync_id` = NEW.`sync_id` AND `type` = NEW.`type` AND `status` = NEW.`status`;
END;--> statement-breakpoint
CREATE TRIGGER `batch_counts_delete` AFTER DELETE ON `batches` BEGIN
	UPDATE `batch_counts` SET `count` = `count` - 1 WHERE `sync_id` = OLD.`sync_id` AND `type` = OLD.`type` AND `status` = OLD.`status`;
END;--> statement-breakpoint
CREATE TRIGGER `batch_counts_forget` AFTER DELETE ON `syncs` BEGIN
	DELETE FROM `batch_counts` WHERE `sync_id` = OLD.`id`;
END;--> statement-breakpoint
CREATE TRIGGER `ended_sync_counts_insert` AFTER INSERT ON `syncs`
WHEN NEW.`status` <> 'in_progress' AND NEW.`completed_at_ms` IS NOT NULL BEGIN
	INSERT INTO `ended_sync_counts` SELECT NEW.`completed_at_ms` / 3600000 * 3600000, NEW.`status`, 0
		WHERE NOT EXISTS (SELECT 1 FROM `ended_sync_counts` WHERE `hour_start_ms` = NEW.`completed_at_ms` / 3600000 * 3600000 AND `status` = NEW.`status`);
	UPDATE `ended_sync_counts` SET `count` = `count` + 1 WHERE `hour_start_ms` = NEW.`completed_at_ms` / 3600000 * 3600000 AND `status` = NEW.`status`;
END;--> statement-breakpoint
CREATE TRIGGER `ended_sync_counts_end` AFTER UPDATE OF `status`, `completed_at_ms` ON `syncs`
WHEN NEW.`status` <> 'in_progress' AND NEW.`completed_at_ms` IS NOT NULL BEGIN
	INSERT INTO `ended_sync_counts` SELECT NEW.`completed_at_ms` / 3600000 * 3600000, NEW.`status`, 0
		WHERE NOT EXISTS (SELECT 1 FROM `ended_sync_counts` WHERE `hour_start_ms` = NEW.`completed_at_ms` / 3600000 * 3600000 AND `status` = NEW.`status`);
	UPDATE `ended_sync_counts` SET `count` = `count` + 1 WHERE `hour_start_ms` = NEW.`completed_at_ms` / 3600000 * 3600000 AND `status` = NEW.`status`;
END;--> statement-breakpoint
CREATE TRIGGER `ended_sync_counts_change` AFTER UPDATE OF `status`, `completed_at_ms` ON `syncs`
WHEN OLD.`status` <> 'in_progress' AND OLD.`completed_at_ms` IS NOT NULL BEGIN
	UPDATE `ended_sync_counts` SET `count` = `count` - 1 WHERE `hour_start_ms` = OLD.`completed_at_ms` / 3600000 * 3600000 AND `status` = OLD.`status`;
	DELETE FROM `ended_sync_counts` WHERE `hour_start_ms` = OLD.`completed_at_ms` / 3600000 * 3600000 AND `status` = OLD.`status` AND `count` < 1;
END;--> statement-breakpoint
CREATE TRIGGER `ended_sync_counts_delete` AFTER DELETE ON `syncs`
WHEN OLD.`status` <> 'in_progress' AND OLD.`completed_at_ms` IS NOT NULL BEGIN
	UPDATE `ended_sync_counts` SET `count` = `count` - 1 WHERE `hour_start_ms` = OLD.`completed_at_ms` / 3600000 * 3600000 AND `status` = OLD.`status`;
	DELETE FROM `ended_sync_counts` WHERE `hour_start_ms` = OLD.`completed_at_ms` / 3600000 * 3600000 AND `status` = OLD.`status` AND `count` < 1;
END;--> statement-breakpoint
INSERT INTO `batch_counts` SELECT `sync_id`, `type`, `status`, count(*) FROM `batches` GROUP BY `sync_id`, `type`, `status`;--> statement-breakpoint
INSERT INTO `ended_sync_counts` SELECT `completed_at_ms` / 3600000 * 3600000, `status`, count(*) FROM `syncs`
	WHERE `status` <> 'in_progress' AND `completed_at_ms` IS NOT NULL GROUP BY 1, 2;
