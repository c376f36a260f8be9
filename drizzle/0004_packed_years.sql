CREATE TABLE `packed_years` (
	`year` integer PRIMARY KEY NOT NULL,
	`days` blob NOT NULL
) STRICT;
--> statement-breakpoint
INSERT INTO `packed_years` SELECT `year`, CAST(json_group_object(`name`, `days`) AS BLOB) FROM `counter_years` GROUP BY `year`;--> statement-breakpoint
DROP TABLE `counter_years`;
