import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Readable and writable by its owner only. */
export const PRIVATE_MODE = 0o600;

/**
 * Writes `content` to `path` so that only its owner can read it and a reader sees the old file or the whole new one,
 * after a power cut too. One writer at a time: whoever holds the data directory.
 */
export function writePrivateFile(path: string, content: string): void {
  const draft = `${path}.new`;
  try {
    const descriptor = openSync(draft, "w", PRIVATE_MODE);
    try {
      // A draft left by a process that died keeps its old permissions otherwise.
      fchmodSync(descriptor, PRIVATE_MODE);
      writeSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** The new name itself is on the disk only when its directory is. Windows cannot open one, and needs no such thing. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
