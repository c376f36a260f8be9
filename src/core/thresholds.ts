import { DAY_MS, SECOND_MS } from "./units.ts";

/** What healing goes by and a person may change while it runs. */
export type Thresholds = {
  /** A discovery, or an enrichment, without progress for so long is stalled. */
  readonly stallAfterDiscoveryMs: number;
  readonly stallAfterEnrichmentMs: number;
  /** Of a sync, in 24 hours. */
  readonly maxRemedies: number;
};
export type ThresholdName = keyof Thresholds;

const STALL_AFTER = { min: SECOND_MS, max: 7 * DAY_MS };

/** Within what each may be set, by configuration and while it runs: whole numbers, both ends included. */
export const THRESHOLD_BOUNDS: Readonly<Record<ThresholdName, { readonly min: number; readonly max: number }>> = {
  stallAfterDiscoveryMs: STALL_AFTER,
  stallAfterEnrichmentMs: STALL_AFTER,
  maxRemedies: { min: 0, max: 20 },
};

export const THRESHOLD_NAMES = Object.keys(THRESHOLD_BOUNDS) as ThresholdName[];

/** Whether a threshold may be set to a value that came from outside. */
export function isThreshold(name: ThresholdName, value: unknown): value is number {
  const { min, max } = THRESHOLD_BOUNDS[name];
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}
