import type { Config } from "../config.ts";
import { SECOND_MS } from "../core/units.ts";
import { dataDirectoryPaths } from "../db/data-directory.ts";
import { type RuntimeInfo, readRuntimeFile } from "../db/runtime-file.ts";
import { FailedError } from "./failures.ts";
import type { World } from "./world.ts";

/** A running daemon, asked over HTTP as anybody else would. Paths begin with a slash; answers are parsed JSON. */
export type DaemonClient = {
  /** Where it listens, without a slash at the end. */
  readonly address: string;
  /** @throws FailedError for any answer but a 2xx, with the daemon's own words, and when there is none. */
  get<Answer>(path: string): Promise<Answer>;
  /** @throws FailedError as `get` does. */
  post<Answer>(path: string, body: unknown): Promise<Answer>;
  /** @throws FailedError as `get` does. */
  delete<Answer>(path: string): Promise<Answer>;
};

/** The daemon answered, and refused. `code` is the stable one of its problem document. */
export class RefusedError extends FailedError {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    /** The whole problem document. */
    readonly problem: Readonly<Record<string, unknown>>,
  ) {
    super(detail);
  }
}

/** Nobody answers at the daemon's address. */
export class UnreachableError extends FailedError {}

/** Longer than any answer of a healthy daemon takes; a health check over a large club is the slowest. */
const ANSWER_LIMIT_MS = 60 * SECOND_MS;

/**
 * Finds the daemon that holds the configured data directory by its `runtime.json`.
 * @throws FailedError when none runs there, with what to do about it.
 */
export function findDaemon(config: Pick<Config, "dataDir">, world: Pick<World, "fetch" | "clock">): DaemonClient {
  const { path, runtimePath } = dataDirectoryPaths(config.dataDir);
  const runtime = readRuntime(runtimePath);
  if (runtime === undefined) {
    throw new UnreachableError(
      `No daemon runs on the data directory ${path}. Start one with "broomwagon serve", or set BROOMWAGON_DATA_DIR to the directory of the one that runs.`,
    );
  }
  return createDaemonClient({ ...runtime, dataDir: path }, world);
}

/** Talks to a daemon whose address and token are known. */
export function createDaemonClient(
  daemon: RuntimeInfo & { readonly dataDir: string },
  { fetch, clock }: Pick<World, "fetch" | "clock">,
): DaemonClient {
  const address = daemon.address.replace(/\/+$/, "");

  async function ask(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<unknown> {
    const limit = new AbortController();
    const callOff = clock.after(ANSWER_LIMIT_MS, () => limit.abort());
    try {
      const response = await fetch(
        new Request(`${address}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${daemon.token}`,
            accept: "application/json",
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: limit.signal,
        }),
      );
      const text = await response.text();
      if (!response.ok) throw refusal(response.status, text, address);
      return text === "" ? undefined : JSON.parse(text);
    } catch (error) {
      if (error instanceof FailedError) throw error;
      throw new UnreachableError(
        `The daemon on ${daemon.dataDir} (process ${daemon.pid}) does not answer at ${address}: it may have been killed or be ending. Start it again with "broomwagon serve"; nothing that it had done is lost.`,
        { cause: error },
      );
    } finally {
      callOff();
    }
  }

  return {
    address,
    // The daemon is this very program, so its answers have the shapes that `src/api` declares.
    get: <Answer>(path: string) => ask("GET", path) as Promise<Answer>,
    post: <Answer>(path: string, body: unknown) => ask("POST", path, body) as Promise<Answer>,
    delete: <Answer>(path: string) => ask("DELETE", path) as Promise<Answer>,
  };
}

function readRuntime(path: string): RuntimeInfo | undefined {
  try {
    return readRuntimeFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedError(
      `${path} cannot be read (${reason}). Run this as the user that runs the daemon, or use its API with a token of your own.`,
      { cause: error },
    );
  }
}

function refusal(status: number, text: string, address: string): FailedError {
  const problem = parseProblem(text);
  if (problem === undefined) {
    return new FailedError(
      `What answers at ${address} is no Broomwagon (it answered ${status}). Another program may have taken its port: start the daemon again.`,
    );
  }
  if (status === 401) {
    return new FailedError(
      `What answers at ${address} does not know the token of this data directory: the daemon that wrote it is gone. Start it again with "broomwagon serve".`,
    );
  }
  return new RefusedError(status, String(problem.code), String(problem.detail), problem);
}

function parseProblem(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isProblem = typeof value === "object" && value !== null && "code" in value && "detail" in value;
    return isProblem ? { ...value } : undefined;
  } catch {
    return undefined; // Not JSON: whatever answered is not ours.
  }
}
