import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";

/** A collector that keeps what it is sent: a real HTTP server that decodes OTLP/HTTP protobuf. */
export type OtlpReceiver = {
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  /** Every span so far, in the order of arrival. */
  spans(): DecodedSpan[];
  /** What came along with each request that carried spans. */
  requests(): { path: string; headers: Headers }[];
  /** Resolves with all spans as soon as there are at least `count`. */
  waitForSpans(count: number): Promise<DecodedSpan[]>;
  /** Answers the next requests with this status instead of keeping their spans; 200 goes back to keeping. */
  answerWith(status: number, headers?: Record<string, string>): void;
  stop(): Promise<void>;
};

type AttributeValue = string | number | boolean;
export type DecodedSpan = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly kind: "internal" | "client" | "other";
  readonly attributes: Record<string, AttributeValue>;
  readonly events: { name: string; timeMs: number; attributes: Record<string, AttributeValue> }[];
  readonly links: { traceId: string; spanId: string }[];
  readonly status: { code: "unset" | "ok" | "error"; message: string };
  readonly startMs: number;
  readonly endMs: number;
  readonly resource: Record<string, AttributeValue>;
};

/** Starts a collector on a free port of the loopback interface. */
export function startOtlpReceiver(): OtlpReceiver {
  const received: DecodedSpan[] = [];
  const requests: { path: string; headers: Headers }[] = [];
  const waiting = new Set<() => void>();
  let answer: { status: number; headers: Record<string, string> } = { status: 200, headers: {} };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const body = new Uint8Array(await request.arrayBuffer());
      requests.push({ path: new URL(request.url).pathname, headers: request.headers });
      if (answer.status === 200) {
        received.push(...decode(request.headers.get("content-encoding") === "gzip" ? gunzipSync(body) : body));
      }
      for (const wake of [...waiting]) wake();
      return new Response(null, answer);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    spans: () => [...received],
    requests: () => [...requests],
    waitForSpans: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (received.length < count) return;
          waiting.delete(look);
          resolve([...received]);
        };
        waiting.add(look);
        look();
      }),
    answerWith(status, headers = {}) {
      answer = { status, headers };
    },
    stop: () => server.stop(true),
  };
}

/** The part of opentelemetry-proto (trace/v1, common/v1, resource/v1) that the daemon's spans use. */
const PROTO = `
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`;
const ExportRequest = protobuf.parse(PROTO, { keepCase: true }).root.lookupType("ExportTraceServiceRequest");

type KeyValue = { key: string; value: Record<string, string | number | boolean> };
type RawSpan = {
  trace_id: string;
  span_id: string;
  parent_span_id: string;
  name: string;
  kind: number;
  start_time_unix_nano: string;
  end_time_unix_nano: string;
  attributes: KeyValue[];
  events: { time_unix_nano: string; name: string; attributes: KeyValue[] }[];
  links: { trace_id: string; span_id: string }[];
  status: { code: number; message: string } | null;
};
type RawRequest = {
  resource_spans: { resource: { attributes: KeyValue[] }; scope_spans: { spans: RawSpan[] }[] }[];
};

function decode(body: Uint8Array): DecodedSpan[] {
  // The conversion follows PROTO above, so its shape is known; protobufjs types it as a bag of anything.
  const request = ExportRequest.toObject(ExportRequest.decode(body), {
    bytes: String,
    longs: String,
    defaults: true,
    arrays: true,
  }) as RawRequest;
  return request.resource_spans.flatMap(({ resource, scope_spans }) =>
    scope_spans.flatMap(({ spans }) => spans.map((span) => decodeSpan(span, attributesOf(resource.attributes)))),
  );
}

function decodeSpan(span: RawSpan, resource: Record<string, AttributeValue>): DecodedSpan {
  return {
    name: span.name,
    traceId: hexOf(span.trace_id),
    spanId: hexOf(span.span_id),
    parentSpanId: hexOf(span.parent_span_id),
    kind: span.kind === 1 ? "internal" : span.kind === 3 ? "client" : "other",
    attributes: attributesOf(span.attributes),
    events: span.events.map((event) => ({
      name: event.name,
      timeMs: millisecondsOf(event.time_unix_nano),
      attributes: attributesOf(event.attributes),
    })),
    links: span.links.map((link) => ({ traceId: hexOf(link.trace_id), spanId: hexOf(link.span_id) })),
    status: {
      code: span.status?.code === 2 ? "error" : span.status?.code === 1 ? "ok" : "unset",
      message: span.status?.message ?? "",
    },
    startMs: millisecondsOf(span.start_time_unix_nano),
    endMs: millisecondsOf(span.end_time_unix_nano),
    resource,
  };
}

function attributesOf(pairs: KeyValue[]): Record<string, AttributeValue> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const [kind, content = ""] = Object.entries(value)[0] ?? [];
      // 64-bit integers come as text, so that none is rounded on the way; the daemon's fit a number.
      return [key, kind === "int_value" ? Number(content) : content];
    }),
  );
}

function hexOf(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function millisecondsOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000_000n);
}
