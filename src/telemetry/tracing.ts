import { rollHex } from "../core/dice.ts";
import type { Dice } from "../core/units.ts";

/**
 * A thin facade over tracing. Parents are passed by hand, never found in an ambient context: a simulation that replays
 * from a seed must give each span the same parent, and a reader must see where it came from.
 */

/** Where a span stands: 32 and 16 lowercase hex digits, as W3C Trace Context and OTLP write them. Never all zeros. */
export type TraceContext = { readonly traceId: string; readonly spanId: string };

/** Ids, counts and outcomes that a span carries. No token, secret or personal field (I10): whoever sets one sees to it. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** One traced step. Nothing here throws; after `end` the rest does nothing. */
export type Span = TraceContext & {
  setAttributes(attributes: Attributes): void;
  addEvent(name: string, attributes?: Attributes): void;
  /** Marks the step as failed. The reason is shown to people, so it says what happened and to which thing. */
  fail(reason: string): void;
  end(): void;
};

export type SpanOptions = {
  /** Left out: a root, a trace of its own. */
  readonly parent?: TraceContext | undefined;
  /** Spans of other traces that this one follows: the run of a batch names the run before. */
  readonly links?: readonly TraceContext[];
  readonly attributes?: Attributes;
  /** `client` for a request that leaves the process. Left out: `internal`. */
  readonly kind?: "internal" | "client";
};

/** Makes spans. The simulation and a daemon without a collector have one that exports nothing. */
export type Tracer = {
  startSpan(name: string, options: SpanOptions): Span;
  /** Flushes what is not yet exported. Never rejects, and never takes longer than `limitMs`; spans after it are lost. */
  shutdown(limitMs: number): Promise<void>;
};

/** A tracer that exports nothing: every span still has its ids, so that batches, log lines and answers can name them. */
export function createIdTracer(dice: Dice): Tracer {
  return {
    startSpan: (_name, { parent }) => (parent === undefined ? rootSpan(dice) : childSpan(dice, parent.traceId)),
    shutdown: () => Promise.resolve(),
  };
}

function rootSpan(dice: Dice): Span {
  return { traceId: rollTraceId(dice), spanId: rollSpanId(dice), ...DOES_NOTHING };
}

/** Hardly anybody asks for the id of a child that is exported nowhere: it is rolled when somebody does. */
function childSpan(dice: Dice, traceId: string): Span {
  let spanId: string | undefined;
  return {
    traceId,
    get spanId() {
      spanId ??= rollSpanId(dice);
      return spanId;
    },
    ...DOES_NOTHING,
  };
}

const DOES_NOTHING = { setAttributes: doNothing, addEvent: doNothing, fail: doNothing, end: doNothing };

/** A trace id from the dice: 16 bytes as hex. */
export function rollTraceId(dice: Dice): string {
  return rollNonZeroHex(dice, 16);
}

/** A span id from the dice: 8 bytes as hex. */
export function rollSpanId(dice: Dice): string {
  return rollNonZeroHex(dice, 8);
}

/** An id of zeros is invalid and would be dropped by collectors; dice that only ever fall on 0 get the id 1. */
function rollNonZeroHex(dice: Dice, byteCount: number): string {
  const hex = rollHex(dice, byteCount);
  return /^0+$/.test(hex) ? `${hex.slice(1)}1` : hex;
}

function doNothing(): void {}
