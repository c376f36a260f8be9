import type { Attributes, Span, Tracer } from "../telemetry/tracing.ts";

/** Where no token, secret or name may be (I10). */
export type Place = "log line" | "span" | "metric" | "error";

/** What of the daemon reaches those places. */
export class Overheard {
  readonly #texts = new Map<Place, Set<string>>();

  hear(place: Place, text: string): void {
    const heard = this.#texts.get(place);
    if (heard === undefined) this.#texts.set(place, new Set([text]));
    else heard.add(text);
  }

  /** For each place, all that was heard there, each text once. */
  places(): readonly (readonly [Place, string])[] {
    return [...this.#texts].map(([place, texts]) => [place, [...texts].join("\n")]);
  }
}

/** Spans as a tracer makes them; all that they carry is heard, before anything would redact it. */
export function overhearSpans(tracer: Tracer, overheard: Overheard): Tracer {
  return {
    startSpan: (name, options) => {
      overheard.hear("span", name);
      hearAttributes(overheard, options.attributes);
      return overhearSpan(tracer.startSpan(name, options), overheard);
    },
    shutdown: (limitMs) => tracer.shutdown(limitMs),
  };
}

function overhearSpan(span: Span, overheard: Overheard): Span {
  return {
    get traceId() {
      return span.traceId;
    },
    // Its id may be rolled only when somebody asks for it: the same dice must give the same run.
    get spanId() {
      return span.spanId;
    },
    setAttributes: (attributes) => {
      hearAttributes(overheard, attributes);
      span.setAttributes(attributes);
    },
    addEvent: (name, attributes) => {
      overheard.hear("span", name);
      hearAttributes(overheard, attributes);
      span.addEvent(name, attributes);
    },
    fail: (reason) => {
      overheard.hear("span", reason);
      span.fail(reason);
    },
    end: () => span.end(),
  };
}

function hearAttributes(overheard: Overheard, attributes: Attributes | undefined): void {
  for (const value of Object.values(attributes ?? {})) {
    if (typeof value === "string") overheard.hear("span", value);
  }
}
