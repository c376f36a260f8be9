import { describe, expect, test } from "bun:test";
import { seededDice } from "../../src/core/dice.ts";
import { createIdTracer } from "../../src/telemetry/tracing.ts";

describe("a tracer that exports nothing", () => {
  test("gives each root a trace of its own, and a child the trace of its parent", () => {
    const tracer = createIdTracer(seededDice(1));
    const root = tracer.startSpan("batch.run", {});
    const child = tracer.startSpan("strava.list_activities", { parent: root });
    const other = tracer.startSpan("batch.run", {});

    expect(root.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(root.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(child.traceId).toBe(root.traceId);
    expect(new Set([root.spanId, child.spanId, other.spanId]).size).toBe(3);
    expect(other.traceId).not.toBe(root.traceId);
  });

  test("makes the same ids for the same seed, so that a simulation replays", () => {
    const ids = (seed: number) => {
      const tracer = createIdTracer(seededDice(seed));
      const root = tracer.startSpan("batch.run", {});
      return [root.traceId, root.spanId, tracer.startSpan("step", { parent: root }).spanId];
    };
    expect(ids(7)).toEqual(ids(7));
    expect(ids(7)).not.toEqual(ids(8));
  });

  test("never makes an id of zeros, which collectors drop as invalid", () => {
    const span = createIdTracer(() => 0).startSpan("batch.run", {});
    expect(span.traceId).toBe(`${"0".repeat(31)}1`);
    expect(span.spanId).toBe(`${"0".repeat(15)}1`);
  });

  test("takes everything a span can be told, and shuts down at once", async () => {
    const tracer = createIdTracer(seededDice(1));
    const span = tracer.startSpan("batch.run", { attributes: { "broomwagon.batch.id": 1 }, kind: "client" });
    span.setAttributes({ a: 1 });
    span.addEvent("retry");
    span.fail("nothing came");
    span.end();
    span.end();
    await tracer.shutdown(0);
  });
});
