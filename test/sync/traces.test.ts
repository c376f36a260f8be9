import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { seededDice } from "../../src/core/dice.ts";
import { readBatches } from "../../src/db/batches.ts";
import { readSyncLogs } from "../../src/db/sync-logs.ts";
import { createTracer } from "../../src/telemetry/create-tracer.ts";
import { createTestEngine, type TestEngineOptions } from "../support/engine.ts";
import { byHand, countRaces, stepUntil, tickMinutes } from "../support/hand.ts";
import { startOtlpReceiver } from "../support/otlp-receiver.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** An engine whose spans go to a real HTTP receiver, which decodes them. */
async function traced(options: TestEngineOptions = {}, env: Record<string, string> = {}) {
  const receiver = startOtlpReceiver();
  stops.push(() => receiver.stop());
  const problems: string[] = [];
  const tracer = await createTracer({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env },
    clock: systemClock,
    dice: seededDice(3),
    version: "test",
    onProblem: (message) => problems.push(message),
  });
  const engine = createTestEngine({
    sandbox: { club: { athletes: 1, activitiesEach: 60, racesEach: 18 }, latencyMs: 50 },
    ...options,
    tracer,
  });
  return { engine, receiver, problems, flush: (limitMs = 5_000) => tracer.shutdown(limitMs) };
}

test("each run of a batch is one trace: the root with its ids, a child for each request and each commit", async () => {
  const { engine, receiver, flush } = await traced();
  // The access token has less than an hour to live, so the first run refreshes it.
  byHand(engine.db, "UPDATE strava_tokens SET expires_at_ms = 1");
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  await flush();
  const spans = receiver.spans();
  const batches = readBatches(engine.db, syncId, 0, 50);
  expect(batches.map((batch) => batch.type)).toEqual(["discovery", "discovery", "enrichment", "enrichment"]);
  for (const batch of batches) {
    const root = spans.find((span) => span.traceId === batch.traceId && span.name === "batch.run");
    expect(root?.parentSpanId ?? "").toBe("");
    expect(root?.spanId).toBe(batch.spanId ?? "none");
    expect(root?.attributes).toMatchObject({
      "broomwagon.sync.id": String(syncId),
      "broomwagon.batch.id": batch.id,
      "broomwagon.batch.number": batch.number,
      "broomwagon.batch.type": batch.type,
      "broomwagon.batch.run": 1,
      "broomwagon.athlete.id": 1,
    });
  }
  const namesOf = (n: number) =>
    spans
      .filter((span) => span.traceId === batches[n]?.traceId && span.parentSpanId === batches[n]?.spanId)
      .map((span) => span.name)
      .sort();
  expect(namesOf(0)).toEqual(["db.store_page", "strava.list_activities", "strava.refresh_token"]);
  expect(namesOf(1)).toEqual(["db.store_page", "strava.list_activities"]);
  expect(namesOf(2)).toEqual([...Array(15).fill("db.store_detail"), ...Array(15).fill("strava.get_activity")]);
  expect(namesOf(3).length).toBe(6);
});

test("a run that follows another of its batch is a trace of its own, linked to the root of the run before", async () => {
  const { engine, receiver, flush } = await traced();
  engine.sandbox.injectFault({ match: { kind: "detail" }, times: 1, action: { type: "status", status: 500 } });
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  await flush();
  const batch = readBatches(engine.db, syncId, 2, 1)[0];
  const runs = receiver
    .spans()
    .filter((span) => span.name === "batch.run" && span.attributes["broomwagon.batch.id"] === batch?.id);
  expect(runs.map((run) => run.attributes["broomwagon.batch.run"])).toEqual([1, 2]);
  expect(runs[0]?.traceId).not.toBe(runs[1]?.traceId ?? "");
  expect(runs[1]?.links).toMatchObject([{ traceId: runs[0]?.traceId, spanId: runs[0]?.spanId }]);
  expect(batch?.traceId).toBe(runs[1]?.traceId ?? "none");
});

test("a health check is a trace, and its remedy is linked to the run that it mends", async () => {
  const { engine, receiver, flush } = await traced();
  const syncId = engine.start();
  await stepUntil(engine, () => countRaces(engine.db, "enriched") > 0);
  const before = readBatches(engine.db, syncId, 0, 50);
  byHand(engine.db, "DELETE FROM batches WHERE type = 'enrichment' AND number > 3");
  byHand(engine.db, "UPDATE batches SET lease_expires_at_ms = 1, lease_token = 'hand' WHERE status = 'processing'");
  await tickMinutes(engine, 2);
  await flush();
  const remedy = receiver.spans().find((span) => span.name === "health.remedy");
  const check = receiver.spans().find((span) => span.spanId === remedy?.parentSpanId);
  expect(check?.name).toBe("health.check");
  const mended = before.find((batch) => batch.status === "processing");
  expect(remedy?.links).toMatchObject([{ traceId: mended?.traceId, spanId: mended?.spanId }]);
});

test("the trace id stands on the batch, in each log line of the run and in the sync's log, sampled or not", async () => {
  const { engine, receiver, flush } = await traced({}, { OTEL_TRACES_SAMPLER: "always_off" });
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  await flush();
  expect(receiver.spans()).toEqual([]);
  const batches = readBatches(engine.db, syncId, 0, 50);
  for (const batch of batches) expect(batch.traceId).toMatch(/^[0-9a-f]{32}$/);
  const logged = engine.lines.map((line) => JSON.parse(line)).filter((line) => line.event === "batch.completed");
  expect(logged.map((line) => line.trace_id)).toEqual(batches.map((batch) => batch.traceId));
  const told = readSyncLogs(engine.db, { syncId }, Number.MAX_SAFE_INTEGER, 100).filter(
    (row) => row.event === "batch.completed",
  );
  expect(told.map((row) => row.traceId).reverse()).toEqual(batches.map((batch) => batch.traceId));
});

test("a dead collector stops nothing: the sync completes, and the shutdown keeps to its limit", async () => {
  const { engine, receiver, flush } = await traced();
  await receiver.stop();
  const syncId = engine.start();
  await tickMinutes(engine, 1);
  expect(readBatches(engine.db, syncId, 0, 50).every((batch) => batch.status === "completed")).toBe(true);
  const startedMs = performance.now();
  await flush(300);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
