import { StartError } from "../db/start-error.ts";
import { problemResponse } from "./problem.ts";

/** The port is another process's, or may not be used. */
export class PortError extends StartError {
  override readonly name = "PortError";
  constructor(host: string, port: number, options: { cause: unknown }) {
    super(
      "port_taken",
      `Broomwagon cannot listen on ${host} port ${port}: ${options.cause instanceof Error ? options.cause.message : String(options.cause)}. No athlete, sync or race was touched. End what uses the port, or give another one with BROOMWAGON_PORT (0 picks a free one).`,
      options,
    );
  }
}

/** What is thrown before any route is reached: a bug, told to the caller without saying anything of the inside. */
function onError(): Response {
  return problemResponse(
    500,
    "internal",
    "The request failed for a reason inside Broomwagon; its log says more. Try again, and report it if it stays.",
  );
}

export type Listener = {
  readonly url: string;
  readonly port: number;
  /** Lets answers in progress finish, until `stopNow`. */
  drain(): Promise<void>;
  stopNow(): Promise<void>;
};

/**
 * Listens in front of the API. Not through Elysia's own `listen`: that binds every interface with `reusePort`, so that
 * two daemons would share a port in silence, and Bun would cut a quiet stream after ten seconds.
 * @throws PortError.
 */
export function listen(options: {
  host: string;
  port: number;
  fetch: (request: Request) => Response | Promise<Response>;
}): Listener {
  const { host, port, fetch } = options;
  try {
    const server = Bun.serve({
      hostname: host,
      port,
      fetch,
      idleTimeout: 0,
      reusePort: false,
      development: false,
      error: onError,
    });
    const shownHost = host.includes(":") ? `[${host}]` : host;
    return {
      url: `http://${shownHost}:${server.port}`,
      port: server.port ?? port,
      drain: () => server.stop(false),
      stopNow: () => server.stop(true),
    };
  } catch (error) {
    throw new PortError(host, port, { cause: error });
  }
}
