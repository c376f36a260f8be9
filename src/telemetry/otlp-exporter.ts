import { gzipSync } from "node:zlib";
import { ExportResultCode } from "@opentelemetry/core";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { type Clock, type Fetch, HOUR_MS, plusMs, SECOND_MS } from "../core/units.ts";
import type { OtlpSettings } from "./otlp-settings.ts";

/**
 * Sends spans as OTLP/HTTP protobuf. Not the SDK's own exporter: its retries and requests cannot be called off, so a
 * dead or silent collector kept the process alive for nine to ten seconds after shutdown.
 */
export type OtlpExporter = SpanExporter & {
  /** Calls off every export under way: they count as failed, and nothing of them keeps the process alive. */
  abandon(): void;
};

export type OtlpExporterOptions = {
  readonly settings: OtlpSettings;
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** Told of failed exports, at most once an hour. */
  readonly onProblem: (message: string) => void;
};

const NOTICE_INTERVAL_MS = HOUR_MS;
/** Doubles with each try. No jitter: a club has one daemon, there is no herd to spread. */
const FIRST_BACKOFF_MS = SECOND_MS;
/** @see https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

type Outcome =
  | { kind: "sent" }
  /** Another try may succeed; `retryAfterMs` where the collector said when. */
  | { kind: "unavailable"; reason: string; retryAfterMs: number | undefined }
  /** The same request would be refused again. */
  | { kind: "refused"; reason: string };

/** An exporter to the collector in `settings`. Failures end in the callback and the notice, never in a throw. */
export function createOtlpExporter({ settings, clock, fetch, onProblem }: OtlpExporterOptions): OtlpExporter {
  const underWay = new Map<AbortController, Promise<void>>();
  let noticeDueMs: number = Number.NEGATIVE_INFINITY;

  async function exportSpans(spans: ReadableSpan[], controller: AbortController): Promise<Outcome> {
    const cancelLimit = clock.after(settings.timeoutMs, () => controller.abort());
    try {
      const body = ProtobufTraceSerializer.serializeRequest(spans);
      if (body === undefined) return { kind: "refused", reason: "the spans could not be serialized" };
      for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs *= 2) {
        const outcome = await post(body, controller.signal);
        if (outcome.kind !== "unavailable") return outcome;
        await pause(clock, Math.max(outcome.retryAfterMs ?? 0, backoffMs), controller.signal);
        if (controller.signal.aborted) return outcome;
      }
    } catch (error) {
      return { kind: "refused", reason: reasonOf(error) };
    } finally {
      cancelLimit();
    }
  }

  async function post(body: Uint8Array, signal: AbortSignal): Promise<Outcome> {
    const headers = new Headers(settings.headers);
    headers.set("content-type", "application/x-protobuf");
    if (settings.compression === "gzip") headers.set("content-encoding", "gzip");
    const payload = settings.compression === "gzip" ? gzipSync(body) : body;
    const request = new Request(settings.url, { method: "POST", headers, body: new Uint8Array(payload), signal });
    try {
      const response = await fetch(request);
      await response.arrayBuffer(); // Read to its end, so that the connection can be used again.
      if (response.ok) return { kind: "sent" };
      const reason = `it answered ${response.status}`;
      if (!RETRYABLE_STATUSES.has(response.status)) return { kind: "refused", reason };
      return { kind: "unavailable", reason, retryAfterMs: retryAfterMs(response, clock) };
    } catch (error) {
      return {
        kind: "unavailable",
        reason: signal.aborted ? "it did not answer in time" : reasonOf(error),
        retryAfterMs: undefined,
      };
    }
  }

  function notice(reason: string): void {
    if (clock.nowMs() < noticeDueMs) return;
    noticeDueMs = plusMs(clock.nowMs(), NOTICE_INTERVAL_MS);
    const { origin, pathname } = new URL(settings.url);
    onProblem(
      `Traces cannot be sent to ${origin}${pathname}: ${reason}. Spans are lost until it works again; nothing else suffers.`,
    );
  }

  return {
    export(spans, done) {
      const controller = new AbortController();
      const work = exportSpans(spans, controller).then((outcome) => {
        underWay.delete(controller);
        if (outcome.kind === "sent") return done({ code: ExportResultCode.SUCCESS });
        notice(outcome.reason);
        done({ code: ExportResultCode.FAILED, error: new Error(`Export of spans failed: ${outcome.reason}`) });
      });
      underWay.set(controller, work);
    },
    async shutdown() {
      await Promise.allSettled(underWay.values());
    },
    abandon() {
      for (const controller of underWay.keys()) controller.abort();
    },
  };
}

/** Waits, or returns early when the signal falls. */
function pause(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = () => {
      cancelTimer();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const cancelTimer = clock.after(durationMs, wake);
    signal.addEventListener("abort", wake);
  });
}

/** `Retry-After` as a duration: it is written in seconds or as a date. */
function retryAfterMs(response: Response, clock: Clock): number | undefined {
  const header = response.headers.get("retry-after");
  if (header === null) return undefined;
  const durationMs = /^\d+$/.test(header) ? Number(header) * SECOND_MS : Date.parse(header) - clock.nowMs();
  return Number.isFinite(durationMs) ? durationMs : undefined;
}

/** The code where there is one (`ConnectionRefused`): messages of `fetch` may quote the address with its credentials. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : "unknown error";
}
