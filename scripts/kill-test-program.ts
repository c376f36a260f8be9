import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pause } from "../src/cli/world.ts";
import { systemClock } from "../src/clock.ts";
import { SECOND_MS } from "../src/core/units.ts";
import { dataDirectoryPaths } from "../src/db/data-directory.ts";
import { readRuntimeFile } from "../src/db/runtime-file.ts";

/** The real program, `serve`, as a process of its own. */
export type Program = {
  /** Where it listens, once it does. @throws when it ends or is silent for `START_LIMIT_MS` instead. */
  address(): Promise<string>;
  /** SIGKILL; resolves when the process is gone. @throws when it was gone before. */
  kill(): Promise<void>;
  /** SIGTERM. @returns the exit code, and how long the end took. */
  stop(): Promise<{ exitCode: number; tookMs: number }>;
};

export type ProgramPlace = {
  /** What to run: the compiled program, or the runtime with `src/main.ts`. */
  readonly command: readonly string[];
  /** For the data and the log. */
  readonly folder: string;
  readonly stravaUrl: string;
  readonly adminToken: string;
};

const START_LIMIT_MS = 30 * SECOND_MS;
/** The contract's ten seconds, and what a busy machine takes to notice. */
const STOP_LIMIT_MS = 12 * SECOND_MS;

/** Starts it, with a configuration that holds nothing of this process's own. Does not wait for anything. */
export function startProgram({ command, folder, stravaUrl, adminToken }: ProgramPlace): Program {
  const { runtimePath } = dataDirectoryPaths(dataFolder(folder));
  const log = openSync(logPath(folder), "a");
  const child = Bun.spawn([...command, "serve"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: folder,
      BROOMWAGON_DATA_DIR: dataFolder(folder),
      BROOMWAGON_PORT: "0",
      BROOMWAGON_ADMIN_TOKEN: adminToken,
      BROOMWAGON_STRAVA_API_URL: `${stravaUrl}/api/v3`,
      BROOMWAGON_STRAVA_OAUTH_URL: `${stravaUrl}/oauth`,
      STRAVA_CLIENT_ID: "12345",
      STRAVA_CLIENT_SECRET: "sandbox-secret",
    },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const gone = (): Error =>
    new Error(`The program ended by itself (${child.exitCode ?? child.signalCode}):\n${lastLines(folder)}`);
  const isGone = () => child.exitCode !== null || child.signalCode !== null;
  return {
    async address() {
      const limitMs = systemClock.nowMs() + START_LIMIT_MS;
      while (!isGone() && systemClock.nowMs() < limitMs) {
        // What a killed one said of itself stays until the next has the directory.
        const runtime = readRuntimeFile(runtimePath);
        if (runtime?.pid === child.pid) return runtime.address;
        await pause(systemClock, 10);
      }
      throw isGone() ? gone() : new Error(`The program did not start:\n${lastLines(folder)}`);
    },
    async kill() {
      if (isGone()) throw gone();
      child.kill("SIGKILL");
      await child.exited;
    },
    async stop() {
      if (isGone()) throw gone();
      const startMs = systemClock.nowMs();
      child.kill("SIGTERM");
      const callOff = systemClock.after(STOP_LIMIT_MS, () => child.kill("SIGKILL"));
      const exitCode = await child.exited;
      callOff();
      return { exitCode, tookMs: systemClock.nowMs() - startMs };
    },
  };
}

/** The data directory within the test's folder. */
export const dataFolder = (folder: string): string => join(folder, "data");

const logPath = (folder: string): string => join(folder, "program.log");

function lastLines(folder: string): string {
  return readFileSync(logPath(folder), "utf8").trimEnd().split("\n").slice(-20).join("\n");
}
