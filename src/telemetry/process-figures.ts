import { readdirSync, readFileSync } from "node:fs";

/** What this process uses of its machine. */
export type ProcessFigures = {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** undefined where the system does not tell. */
  readonly openFiles: number | undefined;
};

/** Reads them now: from /proc where there is one, since what Bun says of its memory may be too little. */
export function readProcessFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    residentBytes: residentBytes() ?? process.memoryUsage().rss,
    cpuSeconds: (user + system) / 1_000_000,
    openFiles: openFiles(),
  };
}

function residentBytes(): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc("/proc/self/status"))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}

/** Empty where there is no such file. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
