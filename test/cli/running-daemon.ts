import { join } from "node:path";
import { pause } from "../../src/cli/world.ts";
import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/core/units.ts";
import { type RuntimeInfo, readRuntimeFile } from "../../src/db/runtime-file.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

/** `serve`, running within a test's process, in a world of its own, on a free port. */
export type RunningDaemon = {
  readonly world: TestWorld;
  /** Where it listens. */
  readonly address: string;
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body?: unknown): Promise<ApiAnswer>;
  /** Sends what Ctrl-C sends. @returns the exit code. */
  end(): Promise<number>;
};

// biome-ignore lint/suspicious/noExplicitAny: answers are whatever JSON a test expects of them.
export type ApiAnswer = { readonly status: number; readonly body: any };

const START_LIMIT_MS = 10_000;

/** Starts it on a data directory; throws with what it said when it does not listen. */
export async function aDaemon(
  directory: string,
  options: { args?: readonly string[]; clock?: Clock; env?: Readonly<Record<string, string>> } = {},
): Promise<RunningDaemon> {
  const { args = [], clock = systemClock, env = {} } = options;
  const world = createTestWorld({
    clock,
    fetch: (request) => fetch(request),
    env: { BROOMWAGON_DATA_DIR: directory, ...env },
  });
  let exitCode: number | undefined;
  const exited = world.run("serve", "--port", "0", ...args).then((code) => {
    exitCode = code;
    world.discard();
    return code;
  });
  let runtime: RuntimeInfo | undefined;
  for (const startMs = systemClock.nowMs(); runtime === undefined; await pause(systemClock, 2)) {
    if (exitCode !== undefined || systemClock.nowMs() > startMs + START_LIMIT_MS)
      throw new Error(`The daemon did not start (${exitCode}): ${world.errors.join("\n")}`);
    runtime = readRuntimeFile(join(directory, "runtime.json"));
  }
  const { address, token } = runtime;
  const ask = async (path: string, init: RequestInit): Promise<ApiAnswer> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${address}${path}`, { ...init, headers });
    return { status: answer.status, body: await answer.json() };
  };
  return {
    world,
    address,
    get: (path) => ask(path, {}),
    post: (path, body) => ask(path, { method: "POST", ...(body === undefined ? {} : { body: JSON.stringify(body) }) }),
    end: () => {
      world.interrupt();
      return exited;
    },
  };
}
