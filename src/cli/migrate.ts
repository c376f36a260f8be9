import { openDataDirectory } from "../db/data-directory.ts";
import { migrate as applyMigrations, migrationsFolder } from "../db/migrate.ts";
import { closeDatabase, openDatabase } from "../db/open.ts";
import type { Command } from "./command.ts";
import { loadSettings } from "./settings.ts";

export const migrate: Command = {
  name: "migrate",
  summary: "brings the database's schema up to date, without a daemon",
  details: `Applies the migrations that the database has not seen, all or none, and makes it when there is none. "serve" does the
same at its start. Refused while a daemon holds the data directory. A copy from before is kept beside the database.`,
  takesSettings: true,
  async run(given, world) {
    const { terminal, clock, version } = world;
    const { config } = loadSettings(given, world);
    const directory = openDataDirectory(config.dataDir);
    try {
      const db = openDatabase(directory.databasePath);
      try {
        const { applied, backup } = applyMigrations(db, {
          folder: migrationsFolder(),
          nowMs: clock.nowMs(),
          programVersion: version,
        });
        terminal.out(
          applied.length === 0
            ? `The schema of ${directory.databasePath} is up to date; nothing was changed.`
            : `Applied to ${directory.databasePath}: ${applied.join(", ")}.`,
        );
        if (backup !== undefined) terminal.out(`A copy from before is at ${backup}.`);
        return 0;
      } finally {
        closeDatabase(db);
      }
    } finally {
      directory.release();
    }
  },
};
