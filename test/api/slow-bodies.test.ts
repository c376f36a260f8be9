import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { type Listener, listen } from "../../src/api/listen.ts";
import { createTestApi } from "../support/api.ts";
import { callbackPath, inboxOf, passing, subscribedApi } from "../support/webhooks.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const AUTHORIZATION = { authorization: "Bearer admin-token-of-the-test" };
/** A body that begins and never ends. */
const halfSent = () =>
  new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"label":')) });

function served(fetch: (request: Request) => Promise<Response>): Listener {
  const listener = listen({ host: "127.0.0.1", port: 0, fetch });
  ends.push(() => listener.stopNow());
  return listener;
}

/** A caller by hand, who may stop in the middle. */
function call(
  listener: Listener,
  text: string,
): { socket: Socket; answered: Promise<string>; isClosed: () => boolean } {
  const socket = connect(listener.port, "127.0.0.1");
  ends.push(() => socket.destroy());
  let closed = false;
  let heard = "";
  const answered = new Promise<string>((resolve) => {
    socket.on("data", (data) => {
      heard += data;
    });
    socket.on("close", () => {
      closed = true;
      resolve(heard);
    });
  });
  socket.write(text);
  return { socket, answered, isClosed: () => closed };
}

test("a body has 10 s to come: then it is 408, and the connection is given up", async () => {
  const { api, engine } = createTestApi({ started: false });
  const request = new Request("http://localhost/api/admin/tokens", {
    method: "POST",
    headers: AUTHORIZATION,
    body: halfSent(),
  });
  let answer: Response | undefined;
  void api.fetch(request).then((response) => {
    answer = response;
  });
  await engine.clock.advance(9_999);
  expect(answer).toBeUndefined();
  await engine.clock.advance(1);
  expect(answer?.status).toBe(408);
  expect(answer?.headers.get("connection")).toBe("close");
  expect(await answer?.json()).toMatchObject({ status: 408, code: "body_too_slow" });
});

test("half-sent bodies of strangers do not stay open: the listener closes each connection with its answer", async () => {
  const self = await subscribedApi();
  let arrived = 0;
  const listener = served((request) => {
    arrived++;
    return self.api.fetch(request);
  });
  const head = `POST ${callbackPath(self)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`;
  const calls = Array.from({ length: 20 }, () => call(listener, head));
  while (arrived < calls.length) await new Promise((resolve) => setImmediate(resolve));
  await self.engine.clock.advance(10_000);
  for (const { answered } of calls) expect(await answered).toStartWith("HTTP/1.1 408 ");
  expect(inboxOf(self.engine)).toEqual([]);
});

test("whoever does not know the secret of the path is answered before any of the body is read", async () => {
  const self = await subscribedApi();
  const stranger = new Request("http://localhost/webhooks/strava/guess", { method: "POST", body: halfSent() });
  const answer = await passing(self.engine, self.api.fetch(stranger), 1_000);
  expect([answer.status, answer.headers.get("connection")]).toEqual([404, "close"]);
  expect(await answer.json()).toMatchObject({ code: "route_unknown" });
});

test("a GET that announces a body is answered, and its connection is not kept for it", async () => {
  const self = await subscribedApi();
  const listener = served((request) => self.api.fetch(request));
  const head = "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nx";
  const answer = await call(listener, head).answered;
  expect(answer).toStartWith("HTTP/1.1 200 ");
  expect(answer.toLowerCase()).toContain("connection: close");
});
