import { readFileSync } from "node:fs";
import { writePrivateFile } from "./private-file.ts";

/** How commands find the daemon that holds a data directory. */
export type RuntimeInfo = {
  /** Where it listens, as a URL: `http://127.0.0.1:8720`. */
  readonly address: string;
  readonly pid: number;
  /** A bearer token with every right, good while the daemon runs. Never printed. */
  readonly token: string;
};

/** Says in `runtime.json` how to reach this daemon: readable by its owner only, and whole or not there. */
export function writeRuntimeFile(path: string, info: RuntimeInfo): void {
  writePrivateFile(path, `${JSON.stringify({ address: info.address, pid: info.pid, token: info.token })}\n`);
}

/**
 * Reads what a daemon said of itself; undefined when there is no such file or it says nothing of use. The daemon may be
 * gone since (killed): only asking it tells.
 * @throws the file system's error when the file is there and cannot be read, for instance as another user.
 */
export function readRuntimeFile(path: string): RuntimeInfo | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  return parseRuntimeInfo(text);
}

function parseRuntimeInfo(text: string): RuntimeInfo | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // Torn or edited: as good as none.
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("address" in value && "pid" in value && "token" in value)) return undefined;
  const { address, pid, token } = value;
  if (typeof address !== "string" || typeof pid !== "number" || typeof token !== "string") return undefined;
  return { address, pid, token };
}
