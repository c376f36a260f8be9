import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { seededDice } from "../../src/core/dice.ts";
import { type Clock, epochMs, HOUR_MS } from "../../src/core/units.ts";
import { createTracer } from "../../src/telemetry/create-tracer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";

const START_MS = Date.UTC(2025, 10, 17, 2);
const LIMIT_MS = 5_000;
/** Nothing listens there: port 1 needs privileges, and connections to it are refused at once. */
const DEAD_COLLECTOR = "http://127.0.0.1:1";

let receiver: OtlpReceiver;
let problems: string[];
beforeEach(() => {
  receiver = startOtlpReceiver();
  problems = [];
});
afterEach(() => receiver.stop());

const tracerFor = (env: Record<string, string>, clock: Clock = new FakeClock(START_MS), seed = 1) =>
  createTracer({
    env,
    clock,
    dice: seededDice(seed),
    version: "1.2.3",
    onProblem: (message) => problems.push(message),
  });
const exporting = (env: Record<string, string> = {}, clock?: Clock) =>
  tracerFor({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env }, clock);

describe("spans at the collector", () => {
  test("carry their parent, kind, times and typed attributes", async () => {
    const clock = new FakeClock(START_MS);
    const tracer = await exporting({}, clock);
    const root = tracer.startSpan("batch.run", { attributes: { "broomwagon.batch.type": "discovery" } });
    clock.jumpTo(START_MS + 40);
    const child = tracer.startSpan("strava.list_activities", { parent: root, kind: "client" });
    child.setAttributes({ page: 2, share: 0.5, last: false });
    clock.jumpTo(START_MS + 90);
    child.addEvent("retry", { attempt: 1 });
    clock.jumpTo(START_MS + 250);
    child.end();
    root.end();
    await tracer.shutdown(LIMIT_MS);

    const [first, second] = receiver.spans();
    expect(first).toMatchObject({
      name: "strava.list_activities",
      traceId: root.traceId,
      spanId: child.spanId,
      parentSpanId: root.spanId,
      kind: "client",
      attributes: { page: 2, share: 0.5, last: false },
      events: [{ name: "retry", timeMs: START_MS + 90, attributes: { attempt: 1 } }],
      status: { code: "unset" },
      startMs: START_MS + 40,
      endMs: START_MS + 250,
    });
    expect(second).toMatchObject({
      name: "batch.run",
      traceId: root.traceId,
      spanId: root.spanId,
      parentSpanId: "",
      kind: "internal",
      attributes: { "broomwagon.batch.type": "discovery" },
      startMs: START_MS,
      endMs: START_MS + 250,
    });
    expect(problems).toEqual([]);
  });

  test("a run of a batch is a trace of its own, linked to the run before", async () => {
    const tracer = await exporting();
    const before = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
    const root = tracer.startSpan("batch.run", { links: [before] });
    root.end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.spans()).toMatchObject([{ traceId: root.traceId, parentSpanId: "", links: [before] }]);
    expect(root.traceId).not.toBe(before.traceId);
  });

  test("a failed step says why", async () => {
    const tracer = await exporting();
    const span = tracer.startSpan("batch.run", {});
    span.fail("Strava answered 503 three times");
    span.end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.spans()).toMatchObject([{ status: { code: "error", message: "Strava answered 503 three times" } }]);
  });

  test("I10: hold no credential, even when one was set", async () => {
    const tracer = await exporting();
    const span = tracer.startSpan("strava.refresh", { attributes: { access_token: "abc", page: 1 } });
    span.addEvent("sent", { header: "Bearer abcdef123456" });
    span.fail("401 for Bearer abcdef123456");
    span.end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.spans()).toMatchObject([
      {
        attributes: { access_token: "[redacted]", page: 1 },
        events: [{ attributes: { header: "Bearer [redacted]" } }],
        status: { message: "401 for Bearer [redacted]" },
      },
    ]);
  });

  test("have their trace id from the dice, and their time from the clock even right after the epoch", async () => {
    const [one, two] = [await tracerFor({}, undefined, 9), await exporting({}, new FakeClock(5))];
    const again = await tracerFor({}, undefined, 9);
    expect(again.startSpan("batch.run", {}).traceId).toBe(one.startSpan("batch.run", {}).traceId);
    two.startSpan("batch.run", {}).end();
    await two.shutdown(LIMIT_MS);
    expect(receiver.spans()).toMatchObject([{ startMs: 5, endMs: 5 }]);
  });

  test("arrive without a shutdown too, once the delay of the queue has passed", async () => {
    const tracer = await exporting({ OTEL_BSP_SCHEDULE_DELAY: "1" }, systemClock);
    const span = tracer.startSpan("batch.run", {});
    span.end();
    expect(await receiver.waitForSpans(1)).toMatchObject([{ spanId: span.spanId }]);
    await tracer.shutdown(LIMIT_MS);
  });

  test("are counted out to the last of several batches at shutdown", async () => {
    const tracer = await exporting({ OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "2", OTEL_BSP_SCHEDULE_DELAY: "60000" });
    for (let count = 0; count < 7; count++) tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.spans()).toHaveLength(7);
  });
});

describe("the standard variables", () => {
  test("name the service, add to the resource, and set headers and compression", async () => {
    const tracer = await exporting({
      OTEL_SERVICE_NAME: "club",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=attic,team=a%20b",
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=one,x-shared=common",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-shared=traces",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    });
    tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.spans()[0]?.resource).toMatchObject({
      "service.name": "club",
      "service.version": "1.2.3",
      "deployment.environment.name": "attic",
      team: "a b",
    });
    const [request] = receiver.requests();
    expect(request?.path).toBe("/v1/traces");
    expect(request?.headers.get("x-tenant")).toBe("one");
    expect(request?.headers.get("x-shared")).toBe("traces");
    expect(request?.headers.get("content-type")).toBe("application/x-protobuf");
    expect(request?.headers.get("content-encoding")).toBe("gzip");
  });

  test("the service is broomwagon where nothing else is said, and no command line leaks", async () => {
    const tracer = await exporting();
    tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    const resource = receiver.spans()[0]?.resource ?? {};
    expect(resource["service.name"]).toBe("broomwagon");
    expect(Object.keys(resource).filter((key) => key.startsWith("process.") || key.startsWith("host."))).toEqual([]);
  });

  test("an address for traces is taken as it stands", async () => {
    const tracer = await tracerFor({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/custom` });
    tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.requests().map(({ path }) => path)).toEqual(["/custom"]);
  });

  test.each([
    ["OTEL_SDK_DISABLED", "true"],
    ["OTEL_TRACES_EXPORTER", "none"],
    ["OTEL_TRACES_SAMPLER", "always_off"],
    ["OTEL_TRACES_SAMPLER", "parentbased_always_off"],
  ])("%s=%s: spans keep their ids and nothing is sent", async (variable, value) => {
    const tracer = await exporting({ [variable]: value });
    const root = tracer.startSpan("batch.run", {});
    const child = tracer.startSpan("step", { parent: root });
    child.end();
    root.end();
    await tracer.shutdown(LIMIT_MS);
    expect(root.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(child.traceId).toBe(root.traceId);
    expect(child.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(receiver.requests()).toEqual([]);
  });

  test("a ratio keeps or drops whole traces, children with their roots", async () => {
    const tracer = await exporting({
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.5",
    });
    const roots = Array.from({ length: 200 }, () => {
      const root = tracer.startSpan("batch.run", {});
      // A parent that is known only by its ids gets the same verdict as the span itself.
      const parent = { traceId: root.traceId, spanId: root.spanId };
      for (const name of ["first", "second"]) tracer.startSpan(name, { parent }).end();
      root.end();
      return root;
    });
    await tracer.shutdown(LIMIT_MS);
    const sizes = roots.map(({ traceId }) => receiver.spans().filter((span) => span.traceId === traceId).length);
    expect(new Set(sizes)).toEqual(new Set([0, 3]));
    const kept = sizes.filter((size) => size === 3).length;
    expect(kept).toBeGreaterThan(70);
    expect(kept).toBeLessThan(130);
  });
});

describe("a collector that fails", () => {
  test("that is dead costs one notice, however many exports fail, and another an hour later", async () => {
    const clock = new FakeClock(START_MS);
    let tries = 0;
    const tracer = await createTracer({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: DEAD_COLLECTOR, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "1" },
      clock,
      dice: seededDice(1),
      fetch: async () => {
        tries++;
        throw Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
      },
      version: "1.2.3",
      onProblem: (message) => problems.push(message),
    });
    const failExport = async () => {
      tracer.startSpan("batch.run", {}).end();
      await clock.advance(10_000); // the time limit of one export, retries included
    };
    for (let count = 0; count < 3; count++) await failExport();
    expect(problems).toEqual([
      `Traces cannot be sent to ${DEAD_COLLECTOR}/v1/traces: ConnectionRefused. ` +
        "Spans are lost until it works again; nothing else suffers.",
    ]);
    expect(tries).toBe(3 * 4); // at 0, 1, 3 and 7 s: the next would be at 15 s, past the limit
    clock.jumpTo(START_MS + 10_000 + HOUR_MS - 10_001); // the first notice came 10 s in; this export ends 1 ms too early
    await failExport();
    expect(problems).toHaveLength(1);
    await failExport();
    expect(problems).toHaveLength(2);
    await Promise.all([tracer.shutdown(1_000), clock.advance(1_000)]);
  });

  test("that is dead in earnest, with nothing listening, ends in a notice too", async () => {
    const clock = new FakeClock(START_MS);
    const tracer = await tracerFor({ OTEL_EXPORTER_OTLP_ENDPOINT: DEAD_COLLECTOR }, clock);
    tracer.startSpan("batch.run", {}).end();
    const down = tracer.shutdown(500);
    while (problems.length === 0) await clock.advance(100);
    await down;
    expect(problems).toHaveLength(1);
    expect(clock.nextDueMs()).toBeUndefined();
  });

  test("that is away for a moment loses nothing", async () => {
    const clock = new FakeClock(START_MS);
    let tries = 0;
    const tracer = await createTracer({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
      clock,
      dice: seededDice(1),
      fetch: async (request) =>
        ++tries === 1 ? new Response(null, { status: 503, headers: { "retry-after": "3" } }) : await fetch(request),
      version: "1.2.3",
      onProblem: (message) => problems.push(message),
    });
    const span = tracer.startSpan("batch.run", {});
    span.end();
    const down = tracer.shutdown(LIMIT_MS);
    await clock.advance(2_999);
    expect(tries).toBe(1);
    await clock.advance(1);
    expect(tries).toBe(2);
    while (receiver.spans().length === 0) await clock.advance(0);
    await down;
    expect(receiver.spans()).toMatchObject([{ spanId: span.spanId }]);
    expect(problems).toEqual([]);
  });

  test("that refuses is asked once, and named without the secrets of its address", async () => {
    receiver.answerWith(401);
    const address = receiver.url.replace("http://", "http://user:hush@");
    const tracer = await tracerFor({ OTEL_EXPORTER_OTLP_ENDPOINT: address });
    tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    expect(receiver.requests()).toHaveLength(1);
    expect(problems).toEqual([expect.stringContaining("it answered 401")]);
    expect(problems[0]).not.toContain("hush");
  });

  test("that never answers holds a shutdown no longer than its limit", async () => {
    let reached = 0;
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        reached++;
        return new Promise<Response>(() => {});
      },
    });
    const clock = new FakeClock(START_MS);
    const tracer = await tracerFor({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${silent.port}` }, clock);
    tracer.startSpan("batch.run", {}).end();
    let isDown = false;
    const down = tracer.shutdown(500).then(() => {
      isDown = true;
    });
    while (reached === 0) await clock.advance(0);
    await clock.advance(499);
    expect(isDown).toBe(false);
    await clock.advance(1);
    expect(isDown).toBe(true);
    await down;
    // The request under way is called off: no timer of the export is left to keep the process alive.
    while (clock.nextDueMs() !== undefined) await clock.advance(0);
    await silent.stop(true);
  });

  test("shutdown with nothing to say returns at once, and spans after it do no harm", async () => {
    const tracer = await tracerFor({ OTEL_EXPORTER_OTLP_ENDPOINT: DEAD_COLLECTOR });
    await tracer.shutdown(LIMIT_MS);
    tracer.startSpan("batch.run", {}).end();
    await tracer.shutdown(LIMIT_MS);
    expect(problems).toEqual([]);
  });
});

test("an end that comes twice, and what follows it, changes nothing", async () => {
  const clock = new FakeClock(START_MS);
  const tracer = await exporting({}, clock);
  const span = tracer.startSpan("batch.run", {});
  span.end();
  clock.jumpTo(START_MS + 1_000);
  span.setAttributes({ late: true });
  span.fail("late");
  span.end();
  await tracer.shutdown(LIMIT_MS);
  expect(receiver.spans()).toMatchObject([{ endMs: epochMs(START_MS), status: { code: "unset" }, attributes: {} }]);
  expect(receiver.spans()).toHaveLength(1);
});
