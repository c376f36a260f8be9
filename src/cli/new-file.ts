import { closeSync, openSync, writeSync } from "node:fs";
import { PRIVATE_MODE, writePrivateFile } from "../db/private-file.ts";
import { FailedError } from "./failures.ts";

/**
 * Writes a file that only its owner can read. One that is there already stays, unless `replace` is set.
 * @throws FailedError, with what to do, when it is there or cannot be written.
 */
export function writeNewFile(path: string, content: string, { replace }: { replace: boolean }): void {
  try {
    if (replace) {
      writePrivateFile(path, content);
      return;
    }
    const descriptor = openSync(path, "wx", PRIVATE_MODE);
    try {
      writeSync(descriptor, content);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST")
      throw new FailedError(`${path} is there already; it was left as it is. Name another file, or say --force.`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(`${path} cannot be written: ${reason}.`, { cause: error });
  }
}
