/**
 * The data directory: the database, the key, and what a running daemon says of itself. One daemon at a time holds it.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isBusy, OPENING_BUSY_TIMEOUT_MS } from "./busy.ts";
import { PRIVATE_MODE } from "./private-file.ts";
import { readRuntimeFile } from "./runtime-file.ts";
import { StartError } from "./start-error.ts";

/** Where things are in a data directory. All absolute; none needs to exist. */
export type DataDirectoryPaths = {
  readonly path: string;
  readonly databasePath: string;
  readonly keyPath: string;
  readonly runtimePath: string;
};

/** A data directory that this process holds, until it releases it or dies. */
export type DataDirectory = DataDirectoryPaths & {
  /** Removes `runtime.json`, then lets others in. Calling it again does nothing. */
  release(): void;
};

/** Nothing can be written in the data directory. */
export class UnwritableDirectoryError extends StartError {
  override readonly name = "UnwritableDirectoryError";
  constructor(
    readonly path: string,
    options: { cause: unknown },
  ) {
    super(
      "data_dir_unwritable",
      `Nothing can be written in the data directory ${path}: ${cure(options.cause)}`,
      options,
    );
  }
}

/** Another process holds the data directory, and is alive. */
export class SecondDaemonError extends StartError {
  override readonly name = "SecondDaemonError";
  constructor(
    readonly path: string,
    readonly pid: number | undefined,
    options: { cause: unknown },
  ) {
    const holder = pid === undefined ? "Another process" : `Another Broomwagon (process ${pid})`;
    super(
      "second_daemon",
      `${holder} holds the data directory ${path}. Nothing was changed. Stop it first, or give this one a directory of its own with BROOMWAGON_DATA_DIR.`,
      options,
    );
  }
}

/** Names the files of the data directory at `path`, without looking at it: for commands that run beside a daemon. */
export function dataDirectoryPaths(path: string): DataDirectoryPaths {
  const absolute = resolve(path);
  return {
    path: absolute,
    databasePath: join(absolute, "broomwagon.sqlite"),
    keyPath: join(absolute, "broomwagon.key"),
    runtimePath: join(absolute, "runtime.json"),
  };
}

/**
 * Makes the data directory at `path` when it is missing (for its owner only), and takes it for this process. What a
 * killed daemon said of itself is removed: it no longer holds.
 * @throws UnwritableDirectoryError, SecondDaemonError.
 */
export function openDataDirectory(path: string): DataDirectory {
  const paths = dataDirectoryPaths(path);
  makeWritable(paths.path);
  const unlock = takeLock(paths);
  let isHeld = true;
  const release = () => {
    if (!isHeld) return;
    isHeld = false;
    rmSync(paths.runtimePath, { force: true });
    unlock();
  };
  rmSync(paths.runtimePath, { force: true });
  return { ...paths, release };
}

function makeWritable(path: string): void {
  // With the process in its name: a second one that is about to be refused must not disturb the first.
  const probePath = join(path, `.broomwagon-probe-${process.pid}`);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    // Tried, not asked for: permissions say nothing of read-only file systems and full disks.
    writeFileSync(probePath, "probe", { mode: PRIVATE_MODE });
    rmSync(probePath, { force: true });
  } catch (error) {
    throw new UnwritableDirectoryError(path, { cause: error });
  }
}

/**
 * An open exclusive transaction on a small SQLite file of its own. The operating system drops the lock with the process,
 * however it dies; a file with a pid in it would outlive it. On the database itself it would keep out every reader.
 * Nothing else may open that file in this process: closing it would drop the lock.
 */
function takeLock(paths: DataDirectoryPaths): () => void {
  const lockPath = join(paths.path, "broomwagon.lock");
  let client: Database | undefined;
  try {
    client = new Database(lockPath, { create: true, readwrite: true });
    client.run(`PRAGMA busy_timeout = ${OPENING_BUSY_TIMEOUT_MS}`);
    client.run("BEGIN EXCLUSIVE");
  } catch (error) {
    client?.close();
    if (isBusy(error))
      throw new SecondDaemonError(paths.path, readRuntimeFile(paths.runtimePath)?.pid, { cause: error });
    throw new UnwritableDirectoryError(paths.path, { cause: error });
  }
  const lock = client;
  heldLocks.add(lock);
  return () => {
    heldLocks.delete(lock);
    lock.run("ROLLBACK");
    lock.close();
  };
}

/**
 * Keeps the locks reachable. Bun closes a connection that is garbage collected, and a caller that lives as long as its
 * process has no reason to keep what it got: the directory would be free while the daemon runs.
 */
const heldLocks = new Set<Database>();

function cure(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return "permission denied. Give it to the user that runs Broomwagon (chown), or set BROOMWAGON_DATA_DIR to a directory of that user.";
    case "EROFS":
      return "its file system is read-only. Mount it writable, or set BROOMWAGON_DATA_DIR to another directory.";
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full. Free some space and start again.";
    case "EEXIST":
    case "ENOTDIR":
      return "a file stands in its way. Move that file, or set BROOMWAGON_DATA_DIR to another directory.";
    case "SQLITE_NOTADB":
      return "the file broomwagon.lock in it is not the lock that Broomwagon made. Delete that file: it holds no data.";
    default:
      return `${cause instanceof Error ? cause.message : String(cause)}. Put that right, or set BROOMWAGON_DATA_DIR to another directory.`;
  }
}
