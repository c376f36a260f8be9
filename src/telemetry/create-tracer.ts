import type { Clock, Dice, Fetch } from "../core/units.ts";
import { type OtelEnv, readOtlpSettings } from "./otlp-settings.ts";
import { createIdTracer, type Tracer } from "./tracing.ts";

export type TracerOptions = {
  /** The standard `OTEL_*` variables, as the environment holds them. */
  readonly env: OtelEnv;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Reaches the collector. Left out: the machine's own. */
  readonly fetch?: Fetch;
  /** Broomwagon's own version: the resource's `service.version`. */
  readonly version: string;
  /** Told of variables that are not understood, and when export fails: a sentence for the log, without secrets. */
  readonly onProblem: (message: string) => void;
};

/**
 * Picks the tracer that the environment asks for: one that exports when there is an endpoint, else one that only makes
 * ids. Without an endpoint the SDK is not loaded.
 */
export async function createTracer(options: TracerOptions): Promise<Tracer> {
  const { env, clock, dice, version, onProblem, fetch = (request) => globalThis.fetch(request) } = options;
  const { settings, problems } = readOtlpSettings(env);
  for (const problem of problems) onProblem(problem);
  if (settings === undefined) return createIdTracer(dice);
  const { createOtlpTracer } = await import("./otlp.ts");
  return createOtlpTracer({ settings, clock, dice, fetch, version, onProblem });
}
