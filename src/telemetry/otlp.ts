import {
  type Context,
  type Attributes as OtelAttributes,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TraceIdRatioBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Clock, Dice, Fetch } from "../core/units.ts";
import { createOtlpExporter } from "./otlp-exporter.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import { redactField, redactText } from "./redact.ts";
import { type Attributes, rollSpanId, rollTraceId, type Span, type TraceContext, type Tracer } from "./tracing.ts";

export type OtlpTracerOptions = {
  readonly settings: OtlpSettings;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly fetch: Fetch;
  /** Broomwagon's own version: the resource's `service.version`. */
  readonly version: string;
  /** Told when spans cannot be exported, at most once an hour: a sentence for the log. */
  readonly onProblem: (message: string) => void;
};

/**
 * A tracer that exports to an OpenTelemetry collector. Ids come from the dice, times from the clock. A span of a trace
 * that the sampler leaves out has its ids too. Nothing is registered globally: two tracers in a process do not meet.
 */
export function createOtlpTracer(options: OtlpTracerOptions): Tracer {
  const { settings, clock, dice, version } = options;
  const exporter = createOtlpExporter(options);
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({ "service.name": "broomwagon", "service.version": version, ...settings.resource }),
    ),
    sampler: new TraceIdRatioBasedSampler(settings.sampleRatio),
    idGenerator: { generateTraceId: () => rollTraceId(dice), generateSpanId: () => rollSpanId(dice) },
    spanProcessors: [new BatchSpanProcessor({ exporter, ...settings.queue })],
  });
  const tracer = provider.getTracer("broomwagon", version);

  return {
    startSpan(name, { parent, links = [], attributes = {}, kind = "internal" }) {
      const span = tracer.startSpan(
        name,
        {
          kind: kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL,
          attributes: redacted(attributes),
          links: links.map((link) => ({ context: spanContext(link) })),
          startTime: hrTime(clock),
        },
        parentContext(parent),
      );
      return facade(span, clock);
    },
    async shutdown(limitMs) {
      // A dead collector makes this reject, and the exporter has told of it already: there is nothing left to handle.
      const flushed = provider.shutdown().catch(() => {});
      let cancelLimit = () => {};
      const limit = new Promise<void>((resolve) => {
        cancelLimit = clock.after(limitMs, resolve);
      });
      await Promise.race([flushed, limit]);
      cancelLimit();
      exporter.abandon();
    },
  };
}

function parentContext(parent: TraceContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContext(parent));
}

/** The flag is only told on: whether a span is exported is decided by its trace id alone (`otlp-settings.ts`). */
function spanContext({ traceId, spanId }: TraceContext) {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

function facade(span: OtelSpan, clock: Clock): Span {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    setAttributes(attributes) {
      span.setAttributes(redacted(attributes));
    },
    addEvent(name, attributes = {}) {
      span.addEvent(name, redacted(attributes), hrTime(clock));
    },
    fail(reason) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: redactText(reason) });
    },
    end() {
      span.end(hrTime(clock));
    },
  };
}

/** I10, the last guard: callers are meant to pass no secret. */
function redacted(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, redactField(key, value)]));
}

/** Seconds and nanoseconds: the SDK takes a plain number below the process's age for one of `performance.now`. */
function hrTime(clock: Clock): [number, number] {
  const nowMs = clock.nowMs();
  const seconds = Math.floor(nowMs / 1_000);
  return [seconds, (nowMs - seconds * 1_000) * 1_000_000];
}
