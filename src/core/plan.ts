import type { ListCursor, SyncPhase } from "./sync.ts";

/**
 * What the plan looks at. Shapes are counts: the plan never needs the races themselves.
 */
export type PlanInput = {
  readonly phase: SyncPhase;
  /** true, false, or undefined on a row that a hand made: then the phase tells. */
  readonly listComplete: boolean | undefined;
  readonly cursor: ListCursor;
  /** Pending or processing batches of the type that the phase needs. */
  readonly liveBatches: number;
  /** Why the newest discovery batch failed for good; undefined when it did not. */
  readonly discoveryFailure: string | undefined;
  /** Races that need enrichment and that no live batch will take, newest first, by the batch that failed on them. */
  readonly unserved: readonly UnservedRaces[];
  /** All races of the athlete that need enrichment. */
  readonly racesPending: number;
};

/** `exhaustedSize`: the size of the batch that failed for good with them; undefined: none did. */
export type UnservedRaces = { readonly exhaustedSize: number | undefined; readonly count: number };

/** One step towards the end. Steps are taken one at a time, each on a fresh snapshot, until there is none. */
export type Step =
  | { step: "create_discovery_batch"; cursor: ListCursor }
  | { step: "enter_enrichment" } // the list is complete
  | { step: "return_to_discovery" } // in enrichment with a list that was never finished: a hand moved it
  | {
      step: "create_enrichment_batches";
      exhaustedSize: number | undefined;
      count: number;
      batchSize: number;
      batches: number;
    }
  | { step: "fail_exhausted_races"; count: number } // alone in their batch, and it still failed
  | { step: "complete" }
  | { step: "fail"; reason: string };

/**
 * What the sync still needs, as one step; undefined when something live will move it. Pure, and running it twice
 * changes nothing: it is asked when a batch ends and in every health check, and a stall is a sync for which a health
 * check's plan is not empty.
 */
export function planNextStep(input: PlanInput, rules: { enrichmentBatchSize: number }): Step | undefined {
  switch (input.phase) {
    case "discovery":
      return planDiscovery(input);
    case "enrichment":
      if (input.listComplete === false) return { step: "return_to_discovery" };
      return planEnrichment(input, rules.enrichmentBatchSize);
    default:
      return input.phase satisfies never;
  }
}

function planDiscovery(input: PlanInput): Step | undefined {
  if (input.listComplete === true) return { step: "enter_enrichment" };
  if (input.liveBatches > 0) return undefined;
  if (input.discoveryFailure !== undefined) return { step: "fail", reason: input.discoveryFailure };
  return { step: "create_discovery_batch", cursor: input.cursor };
}

function planEnrichment(input: PlanInput, enrichmentBatchSize: number): Step | undefined {
  const group = input.unserved[0];
  if (group !== undefined) {
    const { exhaustedSize, count } = group;
    if (exhaustedSize === 1) return { step: "fail_exhausted_races", count };
    // Whatever made a batch fail is somewhere in it: halves find it in few steps.
    const batchSize = exhaustedSize === undefined ? enrichmentBatchSize : Math.max(1, Math.floor(exhaustedSize / 2));
    return {
      step: "create_enrichment_batches",
      exhaustedSize,
      count,
      batchSize,
      batches: Math.ceil(count / batchSize),
    };
  }
  if (input.racesPending === 0 && input.liveBatches === 0) return { step: "complete" };
  return undefined;
}
