import { afterEach, describe, expect, test } from "bun:test";
import { serveSandbox } from "../../src/sandbox/serve.ts";
import { subscribed } from "./subscriber.ts";
import { NOW, visit } from "./visit.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function serve() {
  const place = visit();
  const served = serveSandbox(place.sandbox, { port: 0 });
  stops.push(served.stop);
  const headers = { authorization: `Bearer ${place.athlete.accessToken}` };
  return { ...place, ...served, headers };
}

/** Everything that the server says to a request, byte by byte, until it closes the connection. */
function readRaw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let said = "";
    void Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(request),
        data: (_, chunk) => {
          said += chunk.toString();
        },
        close: () => resolve(said),
        connectError: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}

describe("on a port", () => {
  test("it listens on loopback and answers as in process", async () => {
    const { url, headers, athlete } = serve();
    expect(url).toStartWith("http://127.0.0.1:");
    const response = await fetch(`${url}/api/v3/athlete`, { headers });
    expect(await response.json()).toMatchObject({ id: athlete.stravaId, firstname: athlete.firstName });
    expect(response.headers.get("date")).toBe("Mon, 17 Nov 2025 09:07:00 GMT");
    expect(await (await fetch(`${url}/sandbox/athletes`)).json()).toHaveLength(2);
  });

  test("rate headers have the wire's own casing, and there is one date", async () => {
    const { url, headers } = serve();
    const head = `GET /api/v3/athlete HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${headers.authorization}\r\n\r\n`;
    const said = await readRaw(url, head);
    for (const line of [
      "X-Ratelimit-Limit: 200,2000",
      "X-Ratelimit-Usage: 1,1",
      "X-Readratelimit-Limit: 100,1000",
      "X-Readratelimit-Usage: 1,1",
    ]) {
      expect(said).toContain(`${line}\r\n`);
    }
    expect(said.match(/^date:/gim)).toHaveLength(1);
  });

  test.each(["reset", "lost_response"] as const)("a %s closes the connection without a byte", async (type) => {
    const { url, sandbox, headers } = serve();
    sandbox.injectFault({ times: 2, action: { type } });
    expect(await readRaw(url, "GET /api/v3/athlete HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
    const failure = await fetch(`${url}/api/v3/athlete`, { headers }).catch((error: unknown) => error);
    expect(failure).toHaveProperty("code", "ECONNRESET");
    expect((await fetch(`${url}/api/v3/athlete`, { headers })).status).toBe(200);
  });

  test("a hang lasts until the client goes away", async () => {
    const { url, sandbox, headers } = serve();
    sandbox.injectFault({ action: { type: "hang" } });
    const controller = new AbortController();
    const pending = fetch(`${url}/api/v3/athlete`, { headers, signal: controller.signal }).catch(
      (error: unknown) => error,
    );
    while (sandbox.ledger().length === 0) await fetch(`${url}/sandbox/quota`);
    controller.abort();
    expect(await pending).toHaveProperty("name", "AbortError");
  });

  test("stopping the server stops the events too", async () => {
    const place = await subscribed();
    const { stop } = serveSandbox(place.sandbox, { port: 0 });
    place.sandbox.addActivity(place.athlete.stravaId);
    expect(place.clock.nextDueMs()).toBe(NOW);
    await stop();
    expect(place.clock.nextDueMs()).toBeUndefined();
    expect(place.received).toEqual([]);
  });

  test("a port that is taken is refused", () => {
    const { url, sandbox } = serve();
    expect(() => serveSandbox(sandbox, { port: Number(new URL(url).port) })).toThrow();
  });
});
