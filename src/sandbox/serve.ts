import type { Sandbox } from "./sandbox-contract.ts";

/**
 * Serves a sandbox on a port of its own. A connection that a fault resets is closed without an answer.
 * @param options port 0 picks a free one; the host name is 127.0.0.1 unless given
 * @returns the address, without a slash at the end, and what stops it, and the sandbox, at once
 * @throws when the port is taken
 */
export function serveSandbox(
  sandbox: Sandbox,
  options: { port: number; hostname?: string },
): { url: string; stop(): Promise<void> } {
  const server = Bun.serve({
    port: options.port,
    hostname: options.hostname ?? "127.0.0.1",
    idleTimeout: 0,
    reusePort: false,
    fetch: (request) =>
      sandbox.fetch(request).catch((cause: unknown) => {
        const isWanted =
          request.signal.aborted || (cause instanceof Error && "code" in cause && cause.code === "ECONNRESET");
        if (isWanted) return resetConnection();
        throw cause;
      }),
  });
  const stop = () => {
    sandbox.stop();
    return server.stop(true);
  };
  return { url: server.url.origin, stop };
}

/**
 * Bun closes the socket without a word when the body fails before its first byte. The reason is left out: Bun would
 * print it as an error of the sandbox's own, and a reset on demand is none.
 */
function resetConnection(): Response {
  return new Response(new ReadableStream({ pull: (controller) => controller.error(undefined) }));
}
