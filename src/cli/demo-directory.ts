import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dataDirectoryPaths, openDataDirectory } from "../db/data-directory.ts";
import { FailedError } from "./failures.ts";

/** The data directory of one demo. */
export type DemoDirectory = {
  readonly path: string;
  /** Where the daemon's log goes, so that the demo's own words stay readable. */
  readonly logPath: string;
  /** Removes the directory, when the demo made it. */
  discard(): void;
};

/** Says that whatever lies beside it may be wiped by the next demo. */
const MARK = "broomwagon-demo.txt";
const MARK_TEXT = 'This directory belongs to "broomwagon demo": each demo wipes the one before.\n';

/**
 * Takes a fresh directory: a new one under `tempDirectory`, or `configured`, when somebody named one. That one must be
 * new, without a database, or a former demo's, which is wiped: never a real club's.
 * @throws FailedError when it holds anything of a real daemon; SecondDaemonError, UnwritableDirectoryError.
 */
export function takeDemoDirectory(configured: string | undefined, tempDirectory: string): DemoDirectory {
  const { path } = dataDirectoryPaths(configured ?? mkdtempSync(join(tempDirectory, "broomwagon-demo-")));
  if (configured !== undefined) refuseReal(path);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (existsSync(join(path, MARK))) wipe(path);
  writeFileSync(join(path, MARK), MARK_TEXT);
  return {
    path,
    logPath: join(path, "daemon.log"),
    discard: () => {
      if (configured === undefined) rmSync(path, { recursive: true, force: true });
    },
  };
}

function refuseReal(path: string): void {
  const { databasePath, keyPath } = dataDirectoryPaths(path);
  const real = [databasePath, keyPath].find(existsSync);
  if (real === undefined || existsSync(join(path, MARK))) return;
  throw new FailedError(
    `${real} is no demo's: a demo begins with an empty directory and touches no real club. Unset BROOMWAGON_DATA_DIR, or name a new directory.`,
  );
}

/** Only under the lock, so that a demo that still runs keeps its ground; and only what Broomwagon makes. */
function wipe(path: string): void {
  const directory = openDataDirectory(path);
  try {
    for (const name of readdirSync(path)) {
      const isOurs = name.startsWith("broomwagon") && name !== MARK && !name.startsWith("broomwagon.lock");
      if (isOurs || name === "daemon.log") rmSync(join(path, name), { force: true });
    }
  } finally {
    directory.release();
  }
}
