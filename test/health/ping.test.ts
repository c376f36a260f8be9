import { expect, test } from "bun:test";
import { createPing, type Ping } from "../../src/health/ping.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { FakeClock } from "../support/fake-clock.ts";

const URL_GIVEN = "https://ping.test/6f2e-secret?rid=7";
type Outside = {
  clock: FakeClock;
  ping: Ping;
  asked: string[];
  lines: string[];
  requests: Request[];
  /** Answers the oldest request that waits. */
  answer: (response?: Response | Error) => Promise<void>;
};

function outside(url = URL_GIVEN): Outside {
  const clock = new FakeClock(Date.UTC(2025, 10, 17));
  const lines: string[] = [];
  const requests: Request[] = [];
  const waiting: { resolve: (response: Response) => void; reject: (error: Error) => void }[] = [];
  const log = createLog({ write: (line) => lines.push(line), clock, level: "info", format: "json" });
  const asked: string[] = [];
  const ping = createPing({
    url,
    clock,
    log,
    fetch: (request) => {
      asked.push(`${request.method} ${request.url}`);
      requests.push(request);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
  });
  return {
    clock,
    ping,
    asked,
    lines,
    requests,
    async answer(response = new Response("OK")) {
      const first = waiting.shift();
      if (response instanceof Error) first?.reject(response);
      else first?.resolve(response);
      await clock.advance(0);
    },
  };
}

const eventsOf = (lines: string[]): string[] => lines.map((line) => JSON.parse(line).event);

test("start, success and failure have their addresses, and a query stays behind the path", async () => {
  const { ping, asked, answer } = outside();
  ping.tell("start");
  await answer();
  ping.tell("success");
  await answer();
  ping.tell("fail");
  await answer();
  expect(asked).toEqual([
    "GET https://ping.test/6f2e-secret/start?rid=7",
    "GET https://ping.test/6f2e-secret?rid=7",
    "GET https://ping.test/6f2e-secret/fail?rid=7",
  ]);
  const slashed = outside("https://ping.test/a/");
  slashed.ping.tell("fail");
  expect(slashed.asked).toEqual(["GET https://ping.test/a/fail"]);
});

test("one after the other: a success waits for its start, and the next start displaces nothing", async () => {
  const { ping, asked, answer } = outside();
  const paths = () => asked.map((one) => new URL(one.slice(4)).pathname.replace("/6f2e-secret", ""));
  ping.tell("start");
  ping.tell("success");
  ping.tell("start");
  expect(paths()).toEqual(["/start"]);
  await answer();
  expect(paths()).toEqual(["/start", ""]);
  ping.tell("start");
  ping.tell("fail");
  await answer();
  expect(paths()).toEqual(["/start", "", "/fail"]);
  await answer();
  expect(paths()).toHaveLength(3);
});

test("no answer within ten seconds is a failure, the request is called off, and the next ping goes out", async () => {
  const { ping, clock, lines, requests, asked } = outside();
  ping.tell("start");
  ping.tell("success");
  await clock.advance(9_999);
  expect(ping.view()).toEqual({ answeredAtMs: null, isFailing: false });
  expect(requests[0]?.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(ping.view().isFailing).toBe(true);
  expect(requests[0]?.signal.aborted).toBe(true);
  expect(asked).toHaveLength(2);
  expect(lines).toHaveLength(1);
});

test("each change is logged once, and never with the address", async () => {
  const { ping, lines, answer, clock } = outside();
  const tell = async (response?: Response | Error) => {
    ping.tell("success");
    await answer(response);
  };
  await tell(new Error(`Unable to connect to ${URL_GIVEN}`));
  await tell(new Response("", { status: 503 }));
  await tell(new Response("", { status: 302, headers: { location: "http://169.254.169.254/" } }));
  expect(eventsOf(lines)).toEqual(["ping.failed"]);
  expect(ping.view()).toEqual({ answeredAtMs: null, isFailing: true });
  await clock.advance(5);
  await tell();
  await tell();
  expect(eventsOf(lines)).toEqual(["ping.failed", "ping.mended"]);
  expect(ping.view()).toEqual({ answeredAtMs: clock.nowMs(), isFailing: false });
  await tell(new Response("", { status: 404 }));
  expect(eventsOf(lines)).toEqual(["ping.failed", "ping.mended", "ping.failed"]);
  expect(lines.join()).toContain("404");
  expect(lines.join()).not.toContain("6f2e-secret");
});

test("a redirect is not followed", async () => {
  const { ping, requests, answer, asked } = outside();
  ping.tell("success");
  expect(requests[0]?.redirect).toBe("manual");
  await answer(new Response("", { status: 301, headers: { location: "https://elsewhere.test/" } }));
  expect(asked).toHaveLength(1);
});

test("telling returns at once and never throws, whatever the address does", () => {
  const clock = new FakeClock(0);
  const log = createLog({ write: () => {}, clock, level: "info", format: "json" });
  const fetch = () => {
    throw new TypeError("broken");
  };
  const ping = createPing({ url: URL_GIVEN, fetch, clock, log });
  expect(ping.tell("start")).toBeUndefined();
});
