import type { Database } from "bun:sqlite";
import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { EpochMs } from "../core/units.ts";

/** How many copies stay. A copy is as large as the database, and older ones have a newer to go back to. */
const COPIES_KEPT = 3;
const COPY_NAME = /^broomwagon-before-.+-(\d{8}T\d{9}Z)\.sqlite$/;

/**
 * Copies the database to `broomwagon-before-<migration>-<time>.sqlite` in `folder`, readable by its owner only, and on
 * the disk when this returns. By `VACUUM INTO`, because a plain copy of a WAL database may hold none of the newest rows.
 * @returns the path of the copy. @throws the file system's or SQLite's error, with no half copy left.
 */
export function copyBeforeMigration(
  client: Database,
  options: { folder: string; migration: string; nowMs: EpochMs },
): string {
  const time = new Date(options.nowMs).toISOString().replaceAll(/[-:.]/g, "");
  const path = join(options.folder, `broomwagon-before-${options.migration}-${time}.sqlite`);
  // VACUUM INTO takes an empty file, and leaves its permissions alone.
  closeSync(openSync(path, "wx", 0o600));
  try {
    client.run("VACUUM INTO ?", [path]);
    syncToDisk(path);
  } catch (error) {
    removeCopy(path);
    throw error;
  }
  return path;
}

/** Deletes all but the newest copies in `folder`. Other files, backups made by hand included, are never touched. */
export function dropOldCopies(folder: string): void {
  const newestFirst = readdirSync(folder)
    .flatMap((file) => {
      const time = COPY_NAME.exec(file)?.[1];
      return time === undefined ? [] : [{ file, time }];
    })
    .sort((a, b) => (a.time < b.time ? 1 : -1));
  for (const { file } of newestFirst.slice(COPIES_KEPT)) removeCopy(join(folder, file));
}

/** Deletes one copy, and the journal of one that was cut off. */
export function removeCopy(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}-journal`, { force: true });
}

/** SQLite does not wait for the disk when it vacuums into another file. */
function syncToDisk(path: string): void {
  const descriptor = openSync(path, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
