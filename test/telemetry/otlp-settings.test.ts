import { describe, expect, test } from "bun:test";
import { readOtlpSettings } from "../../src/telemetry/otlp-settings.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318" };

test("nothing is exported without an endpoint, and nothing is complained of", () => {
  for (const env of [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, { OTEL_SERVICE_NAME: "club" }]) {
    expect(readOtlpSettings(env)).toEqual({ settings: undefined, problems: [] });
  }
});

test("with an endpoint alone, the defaults of the specification hold", () => {
  expect(readOtlpSettings(ENDPOINT)).toEqual({
    settings: {
      url: "http://localhost:4318/v1/traces",
      headers: {},
      timeoutMs: 10_000,
      compression: "none",
      sampleRatio: 1,
      resource: {},
      queue: { scheduledDelayMillis: 5_000, exportTimeoutMillis: 30_000, maxQueueSize: 2_048, maxExportBatchSize: 512 },
    },
    problems: [],
  });
});

test.each([
  ["http://localhost:4318/", "http://localhost:4318/v1/traces"],
  ["https://collector.example.org/otlp", "https://collector.example.org/otlp/v1/traces"],
])("the common endpoint %s sends traces to %s", (endpoint, url) => {
  expect(readOtlpSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).settings?.url).toBe(url);
});

test("what is said for traces wins over what is said for every signal", () => {
  const { settings } = readOtlpSettings({
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:4318/here",
    OTEL_EXPORTER_OTLP_TIMEOUT: "1",
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "2",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "none",
  });
  expect(settings).toMatchObject({ url: "http://traces:4318/here", timeoutMs: 2, compression: "none" });
});

describe("samplers", () => {
  test.each([
    ["always_on", undefined, 1],
    ["always_off", undefined, 0],
    ["parentbased_always_on", undefined, 1],
    ["parentbased_always_off", undefined, 0],
    ["traceidratio", "0.25", 0.25],
    ["parentbased_traceidratio", "0", 0],
    ["parentbased_traceidratio", "1", 1],
    ["parentbased_traceidratio", undefined, 1],
  ])("%s with %p keeps %p of the traces", (sampler, argument, sampleRatio) => {
    const env = { ...ENDPOINT, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument };
    expect(readOtlpSettings(env)).toMatchObject({ settings: { sampleRatio }, problems: [] });
  });
});

describe("what is not understood is told, and replaced by the default", () => {
  test.each([
    [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, "OTEL_TRACES_SAMPLER is jaeger_remote"],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.01" }, "OTEL_TRACES_SAMPLER_ARG is 1.01"],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "half" }, "OTEL_TRACES_SAMPLER_ARG is half"],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" }, "OTEL_EXPORTER_OTLP_COMPRESSION is zstd"],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: "0" }, "OTEL_EXPORTER_OTLP_TIMEOUT is 0"],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: "many" }, "OTEL_BSP_MAX_QUEUE_SIZE is many"],
    [{ OTEL_TRACES_EXPORTER: "otlp,console" }, "OTEL_TRACES_EXPORTER names console"],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem" }, "OTEL_EXPORTER_OTLP_CERTIFICATE"],
  ])("%p", (env, problem) => {
    const { settings, problems } = readOtlpSettings({ ...ENDPOINT, ...env });
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(settings).toEqual(readOtlpSettings(ENDPOINT).settings);
  });

  test("an endpoint that is no address switches export off", () => {
    const { settings, problems } = readOtlpSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" });
    expect(settings).toBeUndefined();
    expect(problems).toEqual([expect.stringContaining("OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address")]);
  });

  test("I10: a header that cannot be read is named by its key, and its value is not shown", () => {
    const { settings, problems } = readOtlpSettings({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=%E0%A4hush,hush",
    });
    expect(settings?.headers).toEqual({});
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain("x-key");
    expect(problems.join()).not.toContain("hush");
  });

  test("a header whose name or value HTTP does not allow is left out, and does not break every export", () => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "bad key=1,x-ok=2,x-split=a%0Ab" };
    const { settings, problems } = readOtlpSettings(env);
    expect(settings?.headers).toEqual({ "x-ok": "2" });
    expect(problems).toHaveLength(2);
  });
});
